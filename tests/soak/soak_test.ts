/** A small soak on every run, by another seed each time; it is in the message of a failure. @module */
import { assert, assertEquals } from "@std/assert";
import { soak } from "./soak.ts";

const INPUTS = 20_000;

Deno.test("Gateway gives 20,000 damaged inputs a clear answer each, and its books agree behind them", async () => {
  const seed = Date.now() % 1_000_000;
  const { requests, sockets, connections, accepted, refusedForRoom } = await soak({ inputs: INPUTS, seed });
  assertEquals(requests + sockets + connections, INPUTS);
  assert(refusedForRoom > 0, `--seed ${seed}: none was refused for want of room`);
  // Inputs that are all right or all wrong would try nothing.
  assert(
    accepted > INPUTS / 4 && accepted < INPUTS * 4,
    `--seed ${seed}: ${accepted} records were acceptable`,
  );
});
