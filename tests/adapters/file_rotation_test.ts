/** The `file` sink starts new files by size and age, and compresses the old ones. @module */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Compression } from "../../adapters/file/compression.ts";
import { rotatedPath } from "../../adapters/file/rotation.ts";
import { settle } from "../support/manual_clock.ts";
import { LogPlace, NEVER, writeAcked } from "./log_place.ts";

/** Resolves when `holds` does, looked at in each turn of the event loop; the test runner's own deadline bounds it. */
async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await settle();
}

Deno.test("file write() rotates before the file would grow beyond rotateBytes, and overwrites nothing", async () => {
  using place = new LogPlace();
  const sink = await place.open({ rotateBytes: 20 });
  const lines = Array.from({ length: 12 }, (_, n) => `{"n":${n}}`);
  for (const line of lines) await writeAcked(sink, line);
  await sink.close(NEVER);
  const names = place.names();
  assertEquals(names.slice(0, 3), [
    "events.ndjson",
    "events.ndjson.20231114T221320Z-0001",
    "events.ndjson.20231114T221320Z-0002",
  ]);
  for (const name of names) assert(Deno.statSync(join(place.folder, name)).size <= 20, name);
  const [current, ...rotated] = names;
  const text = [...rotated, current].map((name) => place.text(join(place.folder, name))).join("");
  assertEquals(text, lines.map((line) => `${line}\n`).join(""));
});

Deno.test("file write() keeps a batch larger than rotateBytes in one file", async () => {
  using place = new LogPlace();
  const sink = await place.open({ rotateBytes: 4 });
  await writeAcked(sink, "longer than that", "two");
  await writeAcked(sink, "three");
  await sink.close(NEVER);
  assertEquals(place.names().length, 2);
  assertEquals(place.text(), "three\n");
});

Deno.test("file rotates by age without traffic, and leaves an empty file alone", async () => {
  using place = new LogPlace();
  const sink = await place.open({ rotateMs: 1000 });
  place.clock.advance(5000);
  await writeAcked(sink, "one");
  assertEquals(place.clock.pending, 1);
  place.clock.advance(999);
  await sink.check(NEVER);
  assertEquals(place.names(), ["events.ndjson"]);
  place.clock.advance(1);
  await sink.check(NEVER);
  assertEquals(place.names(), ["events.ndjson", "events.ndjson.20231114T221326Z-0001"]);
  assertEquals([place.text(), place.clock.pending], ["", 0]);
  await writeAcked(sink, "two");
  await sink.close(NEVER);
  assertEquals([place.text(), place.clock.pending], ["two\n", 0]);
});

Deno.test("rotatedPath() passes over names that are taken, compressed ones too", async () => {
  using place = new LogPlace();
  const wallMs = Date.UTC(2025, 10, 21, 2, 45, 0, 123);
  Deno.writeTextFileSync(`${place.path}.20251121T024500Z-0001.gz`, "");
  Deno.writeTextFileSync(`${place.path}.20251121T024500Z-0002`, "");
  assertEquals(await rotatedPath(place.path, wallMs), `${place.path}.20251121T024500Z-0003`);
});

Deno.test("file compresses what it rotated, and the original goes", async () => {
  using place = new LogPlace();
  const sink = await place.open({ rotateBytes: 5, gzip: true });
  await writeAcked(sink, "first");
  await writeAcked(sink, "second");
  const compressed = join(place.folder, "events.ndjson.20231114T221320Z-0001.gz");
  await eventually(() => place.names().join() === "events.ndjson,events.ndjson.20231114T221320Z-0001.gz");
  await sink.close(NEVER);
  assertEquals(gunzipSync(Deno.readFileSync(compressed)).toString(), "first\n");
});

Deno.test("Compression.start() takes up what a crash left, at whatever step", async () => {
  using place = new LogPlace();
  const rotated = (n: number): string => `${place.path}.20251121T024500Z-000${n}`;
  Deno.writeTextFileSync(rotated(1), "not begun\n");
  Deno.writeTextFileSync(rotated(2), "half\n");
  Deno.writeTextFileSync(`${rotated(2)}.gz.tmp`, "garbage");
  Deno.writeTextFileSync(rotated(3), "only the original was left to remove\n");
  Deno.writeTextFileSync(`${rotated(3)}.gz`, "the whole");
  for (const other of ["events.ndjson", "events.ndjson.old", "other.ndjson.20251121T024500Z-0001"]) {
    Deno.writeTextFileSync(join(place.folder, other), other);
  }
  await new Compression(place.path, place.log).start();
  assertEquals(place.names(), [
    "events.ndjson",
    ...[1, 2, 3].map((n) => `events.ndjson.20251121T024500Z-000${n}.gz`),
    "events.ndjson.old",
    "other.ndjson.20251121T024500Z-0001",
  ]);
  assertEquals(gunzipSync(Deno.readFileSync(`${rotated(1)}.gz`)).toString(), "not begun\n");
  assertEquals(gunzipSync(Deno.readFileSync(`${rotated(2)}.gz`)).toString(), "half\n");
  assertEquals(place.text(`${rotated(3)}.gz`), "the whole");
  assertEquals(place.log.lines, []);
});

Deno.test("Compression.close() gives up at its deadline, and the original stays", async () => {
  using place = new LogPlace();
  const rotated = `${place.path}.20251121T024500Z-0001`;
  Deno.writeFileSync(rotated, crypto.getRandomValues(new Uint8Array(65_536)));
  const compression = new Compression(place.path, place.log);
  const working = compression.start();
  await compression.close(AbortSignal.abort(new Error("deadline")));
  await working;
  assert(place.names().includes("events.ndjson.20251121T024500Z-0001"));
  assertEquals(place.log.lines, []);
});
