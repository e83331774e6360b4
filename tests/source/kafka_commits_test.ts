/** An offset is committed when every sink that counts has the records before it, whatever the stream's `ack` says. @module */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { requires } from "../support/requirements.ts";
import { SourceStage } from "./source_stage.ts";

const RECORDS = 500;
const PARTITIONS = [0, 1];
/** Some commit intervals of the stage, in which a commit that runs ahead of a sink would show. */
const COMMITS_MS = 500;

async function openWithTwoSinks(stream: Readonly<Record<string, unknown>>): Promise<SourceStage> {
  const stage = await SourceStage.open(PARTITIONS.length);
  stage.stall("slow");
  await stage.send(
    Array.from({ length: RECORDS }, (_, n) => ({ partition: n % PARTITIONS.length, value: `{"n":${n}}` })),
  );
  await stage.gateway({
    stream: { sinks: ["out", "slow"], ...stream },
    sinks: { out: { type: "got" }, slow: { type: "got", timeoutMs: 60_000 } },
  });
  await stage.until(() => stage.values("out").length === RECORDS, "one of the sinks has all");
  return stage;
}

async function untilCommitted(stage: SourceStage): Promise<void> {
  await stage.until(
    async () => (await stage.committed(PARTITIONS)).every((offset) => offset === RECORDS / PARTITIONS.length),
    "all is committed",
  );
}

for (const ack of ["delivered", "memory"]) {
  requires("kafka").test(
    `KafkaSource commits nothing that one of the stream's sinks has not stored (ack: ${ack})`,
    async () => {
      await using stage = await openWithTwoSinks({ ack });
      await delay(COMMITS_MS);
      const early = await stage.committed(PARTITIONS);
      assert(early.every((offset) => offset <= 0), `${early} are committed`);
      stage.release("slow");
      await untilCommitted(stage);
      assertEquals(stage.values("slow").toSorted(), stage.values("out").toSorted());
    },
  );
}

requires("kafka").test("KafkaSource commits without waiting for a sink of bestEffort", async () => {
  await using stage = await openWithTwoSinks({ bestEffort: ["slow"] });
  await untilCommitted(stage);
  assertEquals(stage.values("slow"), []);
  stage.release("slow");
  await stage.until(() => stage.values("slow").length === RECORDS, "it gets all the same");
});
