/** The parts of the WebSocket door, each by itself. @module */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { HeldMessages } from "../../src/ingress/held_messages.ts";
import { mayConnectFrom } from "../../src/ingress/origin.ts";
import { PartialBudget, type PartialHolder } from "../../src/ingress/partial_budget.ts";
import { ManualClock } from "../support/manual_clock.ts";

const SILENCE_MS = 5_000;

class Holder implements PartialHolder {
  lastByteMs = 0;
  readonly maxSilenceMs = SILENCE_MS;
  over = false;
  givenUp = false;
  setOverBudget(over: boolean): void {
    this.over = over;
  }
  giveUp(): void {
    this.givenUp = true;
  }
}

Deno.test("PartialBudget stops all over the limit but the oldest, and lets them go on when there is room", () => {
  const budget = new PartialBudget(100, new ManualClock());
  const [oldest, second, third] = [new Holder(), new Holder(), new Holder()];
  budget.update(oldest, 60);
  budget.update(second, 40);
  assertEquals([oldest.over, second.over, budget.used], [false, false, 100]);
  budget.update(third, 1);
  budget.update(second, 41);
  budget.update(oldest, 5_000);
  assertEquals([oldest.over, second.over, third.over, budget.waiting], [false, true, true, 2]);
  budget.remove(oldest);
  assertEquals([second.over, third.over, budget.used, budget.waiting], [false, false, 42, 0]);
});

Deno.test("PartialBudget lets the next oldest go on when the oldest is done, also over the limit", () => {
  const budget = new PartialBudget(10, new ManualClock());
  const [a, b, c] = [new Holder(), new Holder(), new Holder()];
  budget.update(a, 10);
  budget.update(b, 20);
  budget.update(c, 30);
  budget.update(a, 0);
  assertEquals([b.over, c.over, budget.used], [false, true, 50]);
});

Deno.test("PartialBudget gives up who is silent for maxSilenceMs while others wait, and nobody else", () => {
  const clock = new ManualClock();
  const budget = new PartialBudget(10, clock);
  const [silent, waiting] = [new Holder(), new Holder()];
  budget.update(silent, 10);
  clock.advance(SILENCE_MS * 2);
  assertEquals(silent.givenUp, false);
  silent.lastByteMs = clock.nowMs();
  budget.update(waiting, 1);
  clock.advance(SILENCE_MS - 1);
  assertEquals(silent.givenUp, false);
  clock.advance(1_001);
  assertEquals([silent.givenUp, waiting.givenUp], [true, false]);
  budget.remove(silent);
  assertEquals(waiting.over, false);
});

Deno.test("PartialBudget always lets somebody go on, and counts what is held, whatever comes", () => {
  const step = fc.record({ who: fc.nat(5), bytes: fc.nat(60), gone: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const budget = new PartialBudget(100, new ManualClock());
    const holders = Array.from({ length: 6 }, () => new Holder());
    const held = new Map<Holder, number>();
    for (const { who, bytes, gone } of steps) {
      const holder = holders[who];
      if (gone) {
        budget.remove(holder);
        held.delete(holder);
        holder.over = false;
      } else if (!holder.over) {
        budget.update(holder, bytes);
        held.set(holder, bytes);
      }
      const holding = [...held].filter(([, bytes]) => bytes > 0);
      assertEquals(budget.used, holding.reduce((sum, [, bytes]) => sum + bytes, 0));
      assert(holding.length === 0 || holding.some(([holder]) => !holder.over), "nobody can finish");
      assertEquals(budget.waiting, holders.filter(({ over }) => over).length);
    }
  }));
});

Deno.test("HeldMessages gives back what was pushed, in order, whatever the lengths, and knows for which of them room is kept", () => {
  const message = fc.oneof(
    fc.uint8Array({ maxLength: 50 }),
    fc.nat(9_000).map((length) => new Uint8Array(length).fill(length)),
  );
  const step = fc.oneof(fc.tuple(message, fc.boolean()), fc.constant(null));
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const held = new HeldMessages();
    let expected: { readonly bytes: Uint8Array; readonly isKept: boolean }[] = [];
    for (const step of steps) {
      if (step !== null) {
        const [bytes, wish] = step;
        const isKept = wish && expected.every(({ isKept }) => isKept);
        held.push(bytes, isKept);
        expected.push({ bytes, isKept });
      } else if (expected.length > 0) {
        const [first, ...others] = expected;
        assertEquals([held.firstLength, held.firstIsKept], [first.bytes.length, first.isKept]);
        assertEquals(new Uint8Array(held.first()), new Uint8Array(first.bytes));
        held.shift();
        expected = others;
      }
      const unkept = expected.filter(({ isKept }) => !isKept);
      assertEquals([held.count, held.areKept], [expected.length, unkept.length === 0]);
      assertEquals(held.unkeptBytes, unkept.reduce((sum, { bytes }) => sum + 4 + bytes.length, 0));
    }
    held.clear();
    assertEquals([held.count, held.unkeptBytes, held.firstLength, held.areKept], [0, 0, 0, true]);
  }));
});

Deno.test("mayConnectFrom() lets in who is no browser, pages of this host, and listed origins", () => {
  const cases: [string | undefined, string | undefined, string[], boolean][] = [
    [undefined, "weir:8080", [], true],
    ["http://weir:8080", "weir:8080", [], true],
    ["https://WEIR:8080", "Weir:8080", [], true],
    ["http://weir:8081", "weir:8080", [], false],
    ["http://weir", "weir:8080", [], false],
    ["https://evil.example", "weir:8080", [], false],
    ["https://evil.example", undefined, [], false],
    ["null", "weir:8080", [], false],
    ["no url", "no url", [], false],
    ["https://App.example", "weir:8080", ["https://app.example"], true],
    ["https://app.example.evil", "weir:8080", ["https://app.example"], false],
    ["null", "weir:8080", ["*"], true],
  ];
  for (const [origin, host, allowed, may] of cases) {
    assertEquals(mayConnectFrom(origin, host, allowed), may, `${origin} to ${host}`);
  }
});
