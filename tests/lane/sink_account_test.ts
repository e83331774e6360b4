/** What belongs to a sink's name goes on when what runs under it is replaced. @module */
import { assert, assertEquals } from "@std/assert";
import { SinkAccount } from "../../src/lane/sink_account.ts";
import type { WriteControl } from "../../src/limit/controllers.ts";

const ARC: WriteControl = { kind: "arc", initial: 2, min: 1, max: 40 };

/** An account whose controller has found that 12 writes in flight are well. */
function experienced(control = ARC): SinkAccount {
  const account = new SinkAccount({}, control, 0);
  for (let k = 0; account.controller.limit < 12; k++) {
    const inFlight = account.controller.limit;
    account.controller.update({ endMs: k * 1000, latencyMs: 100, inFlight, refused: false });
    assert(k < 100, "the limit rises");
  }
  return account;
}

Deno.test("SinkAccount.setControl() keeps the controller while its control is the same", () => {
  const account = experienced();
  const { controller } = account;
  account.setControl({ ...ARC });
  assert(account.controller === controller);
});

Deno.test("SinkAccount.setControl() begins with what was found, within other bounds of the same kind", () => {
  for (
    const [bounds, expected] of [[{ max: 50 }, 12], [{ max: 8 }, 8], [{ min: 20, initial: 20 }, 20]] as const
  ) {
    const account = experienced();
    account.setControl({ ...ARC, ...bounds });
    assertEquals(account.controller.limit, expected, JSON.stringify(bounds));
  }
});

Deno.test("SinkAccount.setControl() begins another kind, and a static one, at its initial", () => {
  const account = experienced();
  account.setControl({ ...ARC, kind: "gradient" });
  assertEquals(account.controller.limit, 2);
  for (const initial of [3, 5]) {
    account.setControl({ ...ARC, kind: "static", initial });
    assertEquals(account.controller.limit, initial);
  }
});
