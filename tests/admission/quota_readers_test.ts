/** Tokens go to those who have waited longest. @module */
import { assertEquals } from "@std/assert";
import type { PausedReader } from "../../src/admission/arrivals.ts";
import { QuotaReaders } from "../../src/admission/quota_readers.ts";
import { ManualClock } from "../support/manual_clock.ts";

const clock = new ManualClock();

/** A reader whose turn is `taken`. */
function readerOf(taken: () => void): PausedReader {
  return { age: Infinity, expectedBytes: 1, retry: () => true, quotaOpened: taken };
}

Deno.test("QuotaReaders tells those that wait in their order, until one has used the tokens up", () => {
  const readers = new QuotaReaders(clock);
  const told: string[] = [];
  const first = readerOf(() => told.push("first"));
  const greedy: PausedReader = readerOf(() => {
    told.push("greedy");
    if (told.length === 2) readers.add(greedy, 500);
  });
  const last = readerOf(() => told.push("last"));
  readers.add(first, 300);
  readers.add(greedy, 100);
  readers.add(last, 100);
  clock.advance(299);
  assertEquals(told, []);
  clock.advance(1);
  assertEquals(told, ["first", "greedy"]);
  clock.advance(500);
  assertEquals(told, ["first", "greedy", "greedy", "last"]);
  assertEquals(clock.pending, 0);
});

Deno.test("QuotaReaders looks again within a second, and tells nobody who has left", () => {
  const readers = new QuotaReaders(clock);
  let told = 0;
  const [stays, leaves] = [readerOf(() => told++), readerOf(() => told += 100)];
  readers.add(leaves, 60_000);
  readers.add(stays, 60_000);
  readers.leave(leaves);
  clock.advance(1_000);
  assertEquals(told, 1);
});
