/** What `weir.v1` clients are told they may send, over the pool of a running gateway: kept free, bounded, given back. @module */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Admission } from "../../src/admission/admission.ts";
import { CreditWindow, CreditWindows } from "../../src/ingress/credit_window.ts";
import { SocketGateway } from "./socket_gateway.ts";

/** Beside its bytes a record takes so much of a segment. */
const RECORD_BYTES = 64;
const FIRST = { credit: 128, creditBytes: 8_192 };

/** The windows and the admission of a stream that nobody else uses. */
function windowsOf(stage: SocketGateway): { windows: CreditWindows; admission: Admission } {
  const { admission } = stage.gateway.streams.get("s")!;
  return { windows: new CreditWindows(admission), admission };
}

function keptOf(windows: Iterable<CreditWindow>): number {
  let kept = 0;
  for (const { bytes, records } of windows) kept += Math.max(0, bytes) + Math.max(0, records) * RECORD_BYTES;
  return kept;
}

function halfOfFree({ partition: { pool } }: Admission): number {
  return (pool.size - pool.lentSegments) * pool.segmentBytes / 2;
}

Deno.test("CreditWindow.refill() keeps free what it tells, and tells nothing while half is left", async () => {
  await using stage = await SocketGateway.start();
  const { windows, admission } = windowsOf(stage);
  const window = new CreditWindow(windows);
  assertEquals(window.refill(0), FIRST);
  assertEquals(admission.creditBytes, FIRST.creditBytes + FIRST.credit * RECORD_BYTES);
  assert(window.spend(4_000));
  assertEquals([window.isLow, window.refill(500)], [false, null]);
  assert(window.spend(96));
  assertEquals(window.refill(500), { credit: 2, creditBytes: 4_096 });
  window.close();
  assertEquals([admission.creditBytes, windows.clients], [0, 0]);
});

Deno.test("CreditWindow.spend() is beyond credit by bytes or by count, and the next grant pays for it", async () => {
  await using stage = await SocketGateway.start();
  const { windows, admission } = windowsOf(stage);
  const window = new CreditWindow(windows);
  assertEquals(window.spend(1), false, "before anything is told");
  assertEquals(admission.creditBytes, 0);
  assertEquals(window.refill(0), { credit: 129, creditBytes: 8_193 });
  assert(window.spend(8_192));
  assertEquals(window.spend(1), false, "one byte too many");
  assertEquals(admission.creditBytes, 126 * RECORD_BYTES);
  assertEquals(window.refill(500), { credit: 2, creditBytes: 8_193 });
  for (let k = 0; k < 128; k++) assert(window.spend(1), `message ${k}`);
  assertEquals(window.spend(1), false, "one message too many");
  window.close();
});

Deno.test("CreditWindow.refill() doubles what is used up within 100 ms, to a bound, and halves what lasts a second", async () => {
  await using stage = await SocketGateway.start();
  const { windows } = windowsOf(stage);
  const window = new CreditWindow(windows);
  let nowMs = 0;
  const filledAfter = (ms: number): number => {
    if (window.bytes > 0) window.spend(window.bytes);
    assert(window.refill(nowMs += ms) !== null);
    return window.bytes;
  };
  assertEquals([0, 500, 50, 50, 50].map(filledAfter), [8_192, 8_192, 8_192, 16_384, 32_768]);
  for (let k = 0; k < 20; k++) filledAfter(1);
  assertEquals(window.bytes, windows.largestBytes);
  assert(windows.largestBytes <= 1_048_576);
  const [before, after] = [filledAfter(2_000), filledAfter(500)];
  assertEquals(after, before / 2);
  window.close();
});

Deno.test("CreditWindows tells the next client nothing when half of what is free is told, until another leaves", async () => {
  await using stage = await SocketGateway.start({ buffers: { segments: 128 }, stream: { maxSegments: 64 } });
  const { windows, admission } = windowsOf(stage);
  const open: CreditWindow[] = [];
  while (open.length < 1_000) {
    const window = new CreditWindow(windows);
    open.push(window);
    if (window.refill(0) === null) break;
  }
  assert(open.length < 1_000, "credit has an end");
  assert(admission.creditBytes <= halfOfFree(admission));
  open.shift()!.close();
  assertEquals(open.at(-1)!.refill(0), FIRST);
  for (const window of open) window.close();
});

Deno.test("CreditWindows tells no more than half of what is free, whatever clients do, and gets all back", async () => {
  await using stage = await SocketGateway.start({ buffers: { segments: 128 }, stream: { maxSegments: 64 } });
  const { windows, admission } = windowsOf(stage);
  const step = fc.record({
    client: fc.nat(99),
    does: fc.constantFrom("refill", "refill", "spend", "spend", "leave"),
    bytes: fc.oneof(fc.nat(300), fc.nat(100_000)),
    waitsMs: fc.nat(1_500),
  });
  fc.assert(fc.property(fc.array(step, { minLength: 100, maxLength: 600 }), (steps) => {
    const open = new Map<number, CreditWindow>();
    let nowMs = 0;
    try {
      for (const { client, does, bytes, waitsMs } of steps) {
        const window = open.get(client) ?? new CreditWindow(windows);
        open.set(client, window);
        nowMs += waitsMs;
        const { bytes: hadBytes, records: hadRecords } = window;
        if (does === "refill") {
          if (window.refill(nowMs) !== null) assert(admission.creditBytes <= halfOfFree(admission));
        } else if (does === "spend") {
          assertEquals(window.spend(bytes), hadRecords > 0 && hadBytes >= bytes);
        } else {
          window.close();
          open.delete(client);
        }
        assertEquals(admission.creditBytes, keptOf(open.values()));
        assertEquals(windows.clients, open.size);
      }
    } finally {
      for (const window of open.values()) window.close();
    }
    assertEquals(admission.creditBytes, 0);
  }));
});
