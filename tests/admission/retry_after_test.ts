/**
 * What `Retry-After` is worth: minutes of a full gateway with clients that obey it, under a manual clock. What real
 * sockets add is in `tests/e2e/retry_after_test.ts`.
 *
 * @module
 */
import { assert } from "@std/assert";
import { type ObedientReport, runObedientClients } from "./obedient_clients.ts";

const SEEDS = [1, 2, 3];
/** One record fills a segment. */
const RECORD_BYTES = 3600;
/** Until everyone came back who was sent away before anything had drained, and by a guess. */
const WARM_MS = 15_000;
const RUN_MS = 60_000;

function small(
  recordsPerSecond: number,
  clients: number,
  over: { seed: number; idleMs?: number },
): Promise<ObedientReport> {
  // Four seconds' worth of memory, so that most of the clients are outside.
  const segments = recordsPerSecond * 4 + 8;
  return runObedientClients({
    clients,
    bodyBytes: RECORD_BYTES,
    recordsPerSecond,
    buffers: { segmentBytes: 4096, segments, maxPerLane: segments },
    stream: { ack: "memory", maxRecordBytes: 4000, maxWaitMs: 50 },
    sink: { batch: { maxBytes: Math.max(1, recordsPerSecond / 50) * 4000 + 4000 } },
    warmMs: WARM_MS,
    runMs: RUN_MS,
    ...over,
  });
}

function assertKept({ returned, refusedAgain, busyShare }: ObedientReport, story: string): void {
  const told = `${story}: of ${returned} returns ${refusedAgain} in vain, busy ${busyShare.toFixed(3)}`;
  assert(returned >= 100, told);
  assert(refusedAgain <= 0.1 * returned, told);
  assert(busyShare >= 0.95, told);
}

for (
  const [recordsPerSecond, clients] of [[10, 30], [10, 60], [10, 200], [100, 400], [100, 2000], [1000, 3000]]
) {
  Deno.test(`Admission.retryAfterSeconds() is worth a return for ${clients} clients at ${recordsPerSecond} records/s`, async () => {
    for (const seed of SEEDS) {
      assertKept(await small(recordsPerSecond, clients, { seed }), `seed ${seed}`);
    }
  });
}

Deno.test("Admission.retryAfterSeconds() does not take a minute without requests for a stall", async () => {
  assertKept(await small(10, 60, { seed: 1, idleMs: 60_000 }), "after an idle minute");
});

Deno.test("Admission.retryAfterSeconds() reckons with bursts and pauses together where the sink asks for pauses", async () => {
  const [clients, lines, recordsPerSecond] = [10, 1024, 2000];
  const fairSeconds = clients * lines / recordsPerSecond;
  for (const seed of SEEDS) {
    const { longestWaits } = await runObedientClients({
      seed,
      clients,
      bodyBytes: lines * 1024,
      lineBytes: 1024,
      recordsPerSecond,
      burstRecords: 2000,
      buffers: {},
      stream: {},
      sink: { batch: { maxBytes: 65_536 } },
      warmMs: 0,
      runMs: RUN_MS,
    });
    const longest = Math.max(...longestWaits);
    // At a steady pace it is 11 s; the pauses, of which the clients cannot know, and a memory of one burst cost the rest.
    assert(longest <= 4 * fairSeconds, `seed ${seed}: longest wait ${longest} s, fair ${fairSeconds} s`);
  }
});

Deno.test("Admission.retryAfterSeconds() lets no client wait for twice its fair time, with 256 bodies of 1 MiB at once", async () => {
  const [clients, recordsPerSecond] = [256, 10];
  const fairSeconds = clients / recordsPerSecond;
  for (const seed of SEEDS) {
    const { busyShare, longestWaits } = await runObedientClients({
      seed,
      clients,
      bodyBytes: 1024 * 1024,
      recordsPerSecond,
      buffers: {},
      stream: {},
      idleMs: 60_000,
      warmMs: 2_000,
      runMs: 4 * fairSeconds * 1000,
    });
    const longest = Math.max(...longestWaits);
    assert(longest <= 2 * fairSeconds, `seed ${seed}: longest wait ${longest} s, fair ${fairSeconds} s`);
    assert(busyShare >= 0.95, `seed ${seed}: busy ${busyShare}`);
  }
});
