/**
 * Kafka's own load tool, `kafka-producer-perf-test`, out of the jars that the broker came with: what the JVM's producer
 * does on this machine, for the reader.
 *
 * @module
 */
import { jarsOf } from "../services/maven.ts";

const RECORDS = 2_000_000;
const DEADLINE_MS = 120_000;

/** Records per second of 1 M records of `recordBytes`, after a warm-up with as many. */
export async function producerPerfTest(broker: string, topic: string, recordBytes: number): Promise<number> {
  const jars = await jarsOf("kafka");
  const { success, stdout, stderr } = await new Deno.Command("java", {
    args: [
      "-Xmx256m",
      "-cp",
      `${jars}/*`,
      "org.apache.kafka.tools.ProducerPerformance",
      "--topic",
      topic,
      "--num-records",
      String(RECORDS),
      "--record-size",
      String(recordBytes),
      "--throughput",
      "-1",
      "--warmup-records",
      String(RECORDS / 2),
      "--bootstrap-server",
      broker,
    ],
    signal: AbortSignal.timeout(DEADLINE_MS),
  }).output();
  const text = new TextDecoder().decode(stdout);
  const rate = text.trim().split("\n").at(-1)?.match(/([\d.]+) records\/sec/)?.[1];
  if (!success || rate === undefined) {
    throw new Error(`kafka-producer-perf-test told no rate: ${text}${new TextDecoder().decode(stderr)}`);
  }
  return Math.round(Number(rate));
}
