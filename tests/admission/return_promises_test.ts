import { assert, assertEquals } from "@std/assert";
import { type Refusal, ReturnPromises } from "../../src/admission/return_promises.ts";

const KIB = 1024;

function refusal(over: Partial<Refusal> = {}): Refusal {
  return {
    needBytes: KIB,
    bytesPerSecond: 10 * KIB,
    stalledMs: 0,
    aheadBytes: 0,
    hintMs: 0,
    again: false,
    ...over,
  };
}

Deno.test("ReturnPromises.book() sends no more clients to one second than drain until then", () => {
  const promises = new ReturnPromises(() => 0);
  const told = Array.from({ length: 40 }, () => promises.book(refusal(), 0));
  for (let second = 1; second <= 4; second++) {
    const until = told.filter((seconds) => seconds <= second).length;
    assert(until <= 10 * second, `${until} of them were sent to the first ${second} s`);
    assert(until >= 9 * second, `only ${until} of them were sent to the first ${second} s`);
  }
});

Deno.test("ReturnPromises.book() tells whole seconds from 1 to 60, whatever is asked", () => {
  let chance = 0;
  const promises = new ReturnPromises(() => chance = (chance + 0.37) % 1);
  const odd: Partial<Refusal>[] = [
    {},
    { bytesPerSecond: 0 },
    { bytesPerSecond: 0, stalledMs: 1e9 },
    { needBytes: 1e12 },
    { aheadBytes: 1e12 },
    { hintMs: 1e9 },
    { hintMs: 1 },
  ];
  for (let nowMs = 0; nowMs < 200_000; nowMs += 700) {
    const seconds = promises.book(refusal(odd[nowMs / 700 % odd.length]), nowMs);
    assert(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, `told ${seconds}`);
  }
});

Deno.test("ReturnPromises.book() grows with the age of a stall", () => {
  const told = [0, 1_000, 5_000, 20_000, 100_000].map((stalledMs) =>
    new ReturnPromises(() => 0).book(refusal({ bytesPerSecond: 0, stalledMs }), 0)
  );
  assertEquals(told, told.toSorted((a, b) => a - b));
  assertEquals(told.at(-1), 60);
});

Deno.test("ReturnPromises.book() gives one that came back in vain the first part of the drain that it leaves others", () => {
  const promises = new ReturnPromises(() => 0);
  for (let k = 0; k < 100; k++) promises.book(refusal(), 0);
  assertEquals([promises.book(refusal({ again: true }), 0), promises.book(refusal(), 0)], [1, 12]);
});

Deno.test("ReturnPromises.book() is never before the time that the sink asked for", () => {
  assertEquals(new ReturnPromises(() => 0).book(refusal({ hintMs: 6_200 }), 0), 7);
});

Deno.test("ReturnPromises.dueBytes() counts who is about to come, until they came or their second is over", () => {
  const promises = new ReturnPromises(() => 0);
  assertEquals(promises.book(refusal(), 500), 1);
  assertEquals([promises.dueBytes(500), promises.dueRequests(500)], [KIB, 1]);
  promises.kept(KIB, 1_500);
  assertEquals([promises.dueBytes(1_500), promises.dueRequests(1_500)], [0, 0]);

  promises.book(refusal(), 1_500);
  assertEquals(promises.dueBytes(3_500), KIB);
  assertEquals(promises.dueBytes(4_500), 0);
  assertEquals(promises.dueBytes(1_000_000), 0);
});
