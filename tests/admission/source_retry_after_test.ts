/**
 * What `Retry-After` is worth where a sink's controller keeps clients out: minutes of an overloaded sink under a manual
 * clock, with far more clients than it can serve, all of which obey.
 *
 * @module
 */
import { assert } from "@std/assert";
import { runObedientClients } from "./obedient_clients.ts";

const RECORD_BYTES = 3600;

for (const control of [{ kind: "pid", minRecordsPerSecond: 5 }, { kind: "watermark" }]) {
  for (const [recordsPerSecond, clients] of [[100, 400], [100, 1000], [1000, 3000]]) {
    Deno.test(`Admission.retryAfterSeconds() is worth a return for ${clients} clients at ${recordsPerSecond} records/s under ${control.kind}`, async () => {
      const segments = recordsPerSecond * 4 + 8;
      const { returned, refusedAgain, busyShare } = await runObedientClients({
        seed: 1,
        clients,
        bodyBytes: RECORD_BYTES,
        recordsPerSecond,
        buffers: { segmentBytes: 4096, segments, maxPerLane: segments },
        stream: { ack: "memory", maxRecordBytes: 4000 },
        sink: { control, batch: { maxBytes: recordsPerSecond / 50 * 4000 + 4000 } },
        warmMs: 15_000,
        runMs: 60_000,
      });
      const told = `of ${returned} returns ${refusedAgain} in vain, busy ${busyShare.toFixed(3)}`;
      assert(returned >= 100, told);
      assert(refusedAgain <= 0.1 * returned, told);
      assert(busyShare >= 0.95, told);
    });
  }
}
