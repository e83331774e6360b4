/** A producer that is fenced finds out by whom. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { FenceWatch } from "../../adapters/kafka/fence_watch.ts";
import { ManualClock } from "../support/manual_clock.ts";

const TIMEOUT_MS = 60_000;

Deno.test("FenceWatch.fenced() takes a second fence within five minutes for another gateway", () => {
  const clock = new ManualClock();
  const watch = new FenceWatch(clock, "id-0", TIMEOUT_MS);
  watch.fenced(clock.nowMs());
  assertEquals(watch.verdict, null);
  clock.advance(299_999);
  watch.fenced(clock.nowMs());
  assertStringIncludes(watch.verdict ?? "", "another gateway writes with the transactional id id-0");
});

Deno.test("FenceWatch.fenced() allows an id to be handed over now and then", () => {
  const clock = new ManualClock();
  const watch = new FenceWatch(clock, "id-0", TIMEOUT_MS);
  for (let handover = 0; handover < 5; handover++) {
    watch.fenced(clock.nowMs());
    clock.advance(300_000);
  }
  assertEquals(watch.verdict, null);
});

Deno.test("FenceWatch.fenced() blames nobody for transactions that were open for too long", () => {
  const clock = new ManualClock();
  const watch = new FenceWatch(clock, "id-0", TIMEOUT_MS);
  for (let transaction = 0; transaction < 5; transaction++) {
    const begunMs = clock.nowMs();
    clock.advance(TIMEOUT_MS);
    watch.fenced(begunMs);
  }
  assertEquals(watch.verdict, null);
});
