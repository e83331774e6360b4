/** Permits are conserved, and lent in the order in which they were asked for. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../src/core/assert.ts";
import { PermitPool } from "../../src/channel/permit_pool.ts";

Deno.test("PermitPool.tryTake() lends no more than there are", () => {
  const pool = new PermitPool(2);
  assertEquals([pool.tryTake(), pool.tryTake(), pool.tryTake()], [true, true, false]);
  assertEquals([pool.freePermits, pool.lentPermits], [0, 2]);
  pool.giveBack();
  assertEquals(pool.tryTake(), true);
});

Deno.test("PermitPool.giveBack() refuses what was not lent", () => {
  assertThrows(() => new PermitPool(3).giveBack(), InvariantError, "not given back twice");
});

Deno.test("PermitPool.addListener() is refused while there is a permit to take", () => {
  const pool = new PermitPool(1);
  assertEquals(pool.addListener(() => true), false);
  pool.tryTake();
  assertEquals(pool.addListener(() => true), true);
});

Deno.test("PermitPool.giveBack() serves listeners in their order, one permit each", () => {
  const pool = new PermitPool(3);
  while (pool.tryTake());
  const served: string[] = [];
  const hungry = (name: string) => {
    const listener = () => {
      served.push(name);
      pool.addListener(listener);
      return true;
    };
    return listener;
  };
  for (const name of ["a", "b", "c"]) pool.addListener(hungry(name));
  for (let n = 0; n < 7; n++) pool.giveBack();
  assertEquals(served.join(""), "abcabca");
  assertEquals(pool.lentPermits, 3);
});

Deno.test("PermitPool.giveBack() goes on to the next listener when one refuses", () => {
  const pool = new PermitPool(1);
  pool.tryTake();
  const asked: string[] = [];
  pool.addListener(() => asked.push("refuses") < 0);
  pool.addListener(() => asked.push("takes") > 0);
  pool.giveBack();
  assertEquals([asked, pool.freePermits, pool.waiting], [["refuses", "takes"], 0, 0]);
});

Deno.test("PermitPool.removeListener() takes a listener out of the line", () => {
  const pool = new PermitPool(1);
  pool.tryTake();
  const listener = () => true;
  pool.addListener(listener);
  pool.removeListener(listener);
  pool.removeListener(listener);
  pool.giveBack();
  assertEquals([pool.freePermits, pool.waiting], [1, 0]);
});

Deno.test("PermitPool.giveBack() from inside a listener keeps the stack flat and the order", () => {
  // A lane that settles what its new credit fetches gives a permit back from inside the offer: thousands of times in a row.
  const pool = new PermitPool(1);
  pool.tryTake();
  let left = 50_000;
  const servedBy: number[] = [0, 0];
  const listeners = [0, 1].map((index) => {
    const listener = () => {
      servedBy[index]++;
      if (--left > 1) pool.addListener(listener);
      pool.giveBack();
      return true;
    };
    return listener;
  });
  for (const listener of listeners) pool.addListener(listener);
  pool.giveBack();
  assertEquals(servedBy, [25_000, 25_000]);
  assertEquals([pool.freePermits, pool.waiting], [1, 0]);
});

Deno.test("PermitPool.tryTake() does not pass those who wait, even from inside a listener", () => {
  const pool = new PermitPool(2);
  while (pool.tryTake());
  let stolen = true;
  const order: string[] = [];
  pool.addListener(() => {
    order.push("first");
    pool.giveBack();
    stolen = pool.tryTake();
    return true;
  });
  pool.addListener(() => order.push("second") > 0);
  pool.giveBack();
  assertEquals([stolen, order, pool.freePermits], [false, ["first", "second"], 0]);
});
