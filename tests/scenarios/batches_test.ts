/**
 * What a sink's hints and config say of its writes holds at the lane: a batch ends by count, by bytes or when it has
 * lingered, whichever is first, and as many writes are in flight as the sink bears, no fewer and no more.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { FLUSH_MS } from "../../src/partition/flush_schedule.ts";
import { allAcked } from "../../src/sink/adapter.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { lines, never, Stage } from "./stage.ts";

const BUFFERS = { segmentBytes: 4096, segments: 200 };
const STREAM = {
  sinks: ["out"],
  validate: "none",
  ack: "memory",
  maxRecordBytes: 4000,
  maxBodyBytes: 40_000,
};
const LINGER_MS = 50;

/** A stage with one sink, whose batches are of this shape. */
function openStage(batch: Record<string, number>, sink: Record<string, unknown> = {}): Promise<Stage> {
  return Stage.open({
    buffers: BUFFERS,
    streams: { s: STREAM },
    sinks: { out: { type: "stage", order: "none", batch, ...sink } },
  });
}

/** Clock time and records of each write. */
function writesOf(stage: Stage): [number, number][] {
  return stage.writes.map(({ atMs, records }) => [atMs, records]);
}

Deno.test("Lane writes a batch that is not full when lingerMs is over, and not before", async () => {
  await using stage = await openStage({ maxRecords: 10, lingerMs: LINGER_MS });
  stage.post("s", lines(3));
  await stage.run(LINGER_MS / 2);
  // What comes later does not make those wait again that are here.
  stage.post("s", lines(4));
  await stage.run(LINGER_MS / 2 - 1);
  assertEquals(writesOf(stage), []);
  await stage.run(1);
  assertEquals(writesOf(stage), [[LINGER_MS, 7]]);
});

for (
  const [bound, batch, bytes] of [
    ["maxRecords", { maxRecords: 10 }, 20],
    ["maxBytes", { maxRecords: 1000, maxBytes: 5000 }, 500],
  ] as const
) {
  Deno.test(`Lane writes a batch at once that is full by ${bound}, and what is left when it has lingered`, async () => {
    await using stage = await openStage({ ...batch, lingerMs: LINGER_MS });
    stage.post("s", lines(9, bytes));
    await stage.run(10);
    assertEquals(writesOf(stage), []);
    stage.post("s", lines(16, bytes));
    // To a lane that holds something already a buffer comes that much later.
    await stage.run(FLUSH_MS);
    assertEquals(stage.writes.map(({ records }) => records), [10, 10]);
    const { atMs } = stage.writes[1];
    await stage.run(LINGER_MS - FLUSH_MS - 1);
    assertEquals(stage.writes.length, 2);
    await stage.run(FLUSH_MS + 1);
    assertEquals(writesOf(stage).slice(2), [[atMs + LINGER_MS, 5]]);
  });
}

Deno.test("Lane bounds every batch by maxRecords and maxBytes; a record that is larger goes alone", async () => {
  const random = seededRandom(1);
  const [maxRecords, maxBytes] = [12, 2000];
  let alone = 0;
  await using stage = await openStage({ maxRecords, maxBytes, lingerMs: 5 });
  const sent: string[] = [];
  for (let k = 0; k < 300; k++) {
    const body = Array.from(
      { length: 1 + Math.floor(random() * 8) },
      () => lines(1, random() < 0.1 ? 2001 + Math.floor(random() * 1900) : 10 + Math.floor(random() * 400)),
    );
    sent.push(...body);
    stage.post("s", body.join("\n"));
    await stage.run(random() * 4);
  }
  await stage.run(1000);
  for (const { records, bytes } of stage.writes) {
    assert(records <= maxRecords, `${records} records in a batch`);
    assert(bytes <= maxBytes || records === 1, `${records} records of ${bytes} bytes in a batch`);
    if (bytes > maxBytes) alone++;
  }
  assertEquals(stage.stored.get("out"), sent);
  assert(alone >= 50, `only ${alone} larger records`);
});

for (const writesInFlight of [1, 2, 5]) {
  Deno.test(`Lane has ${writesInFlight} writes in flight where the sink hints so, and never more`, async () => {
    await using stage = await openStage({ maxRecords: 10 }, {
      writesInFlight,
      control: { kind: "static", initial: writesInFlight },
    });
    let inFlight = 0;
    const seen: number[] = [];
    stage.behave("out", (batch) => {
      seen.push(++inFlight);
      return stage.after(100, () => {
        inFlight--;
        return allAcked(batch);
      });
    });
    for (let k = 0; k < 20; k++) stage.post("s", lines(10));
    await stage.run(2000);
    assertEquals(stage.stored.get("out")?.length, 200);
    const rising = Array.from({ length: writesInFlight }, (_, k) => k + 1);
    assertEquals(seen.slice(0, writesInFlight), rising);
    assertEquals(Math.max(...seen), writesInFlight);
    const startsAtMs = stage.writes.map(({ atMs }) => atMs);
    assertEquals(startsAtMs, startsAtMs.map((_, k) => Math.floor(k / writesInFlight) * 100));
  });
}

Deno.test("Lane starts no write beyond those that do not end", async () => {
  await using stage = await openStage({ maxRecords: 10 }, {
    writesInFlight: 3,
    control: { kind: "static", initial: 3 },
    timeoutMs: 100_000,
  });
  stage.behave("out", never);
  for (let k = 0; k < 20; k++) stage.post("s", lines(10));
  await stage.run(50_000);
  assertEquals(writesOf(stage), [[0, 10], [0, 10], [0, 10]]);
});
