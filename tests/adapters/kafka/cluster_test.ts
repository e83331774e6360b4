/** What a cluster does with a library that forgets to answer, which a broker cannot be made to bring about. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Connection } from "@platformatic/kafka";
import { loadClient } from "../../../adapters/kafka/client.ts";
import { Cluster } from "../../../adapters/kafka/cluster.ts";
import { optionsSchema } from "../../../adapters/kafka/options.ts";
import { ManualClock } from "../../support/manual_clock.ts";

Deno.test("Cluster.ask() gives up an answer that never comes, and the connection with it", async () => {
  const clock = new ManualClock();
  const options = optionsSchema.parse({ brokers: ["127.0.0.1:1"], topic: "t", requestTimeoutMs: 1000 });
  const cluster = new Cluster(await loadClient(), options, {}, clock);
  let closed = 0;
  const connection = { close: () => Promise.resolve(void closed++) } as unknown as Connection;
  assertEquals(await cluster.ask(connection, () => Promise.resolve("an answer")), "an answer");
  assertEquals(clock.pending, 0);
  let isOver = false;
  const asked = assertRejects(() => cluster.ask(connection, () => new Promise(() => {})), Error, "within")
    .finally(() => isOver = true);
  await clock.run(1000);
  assert(!isOver, "the library's own deadline comes first");
  await clock.run(5000);
  await asked;
  assertEquals([closed, clock.pending], [1, 0]);
  await cluster.close();
});
