/** Batches of every codec, as other clients pack them, come through a source whole. @module */
import { assertEquals } from "@std/assert";
import { produceByJava } from "../services/java_client.ts";
import { produce } from "../services/kcat.ts";
import { requires } from "../support/requirements.ts";
import { SourceStage } from "./source_stage.ts";

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];
/** Framed otherwise by the Java client than by librdkafka. */
const JAVA_CODECS = ["snappy", "lz4"];
/** So many do not fit one fetch, and not one block of lz4 or snappy. */
const RECORDS = 600;
const FETCH_BYTES = 65_536;

/** Lines that shrink, but not to nothing. */
function linesOf(name: string): string[] {
  return Array.from(
    { length: RECORDS },
    (_, n) => JSON.stringify({ name, n, text: `käse-${n}-`.repeat(30) }),
  );
}

requires("kafka", "kcat", "mvn").test(
  "KafkaSource reads batches of all codecs in one topic, and each record as it was sent",
  async () => {
    await using stage = await SourceStage.open(1);
    const sent: string[] = [];
    for (const codec of CODECS) {
      const lines = linesOf(`librdkafka-${codec}`);
      await produce(stage.address, stage.topic, lines, { properties: { "compression.codec": codec } });
      sent.push(...lines);
    }
    for (const codec of JAVA_CODECS) {
      const lines = linesOf(`java-${codec}`);
      await produceByJava(stage.address, stage.topic, lines, codec);
      sent.push(...lines);
    }
    await stage.gateway({ source: { fetchBytes: FETCH_BYTES } });
    await stage.until(() => stage.values().length >= sent.length, "all is stored");
    assertEquals(stage.values(), sent);
    await stage.until(async () => (await stage.committed([0]))[0] === sent.length, "all is committed");
  },
);
