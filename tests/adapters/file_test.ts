/** The `file` sink on real files: repair, framing, and what it does when others touch its file. @module */
import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import * as fc from "fast-check";
import { join } from "node:path";
import { createFileSink, fileSink } from "../../adapters/file.ts";
import type { Framing } from "../../adapters/file/framing.ts";
import { wholeBytes } from "../../adapters/file/repair.ts";
import { writerPath } from "../../adapters/file/rotation.ts";
import { systemClock } from "../../src/core/clock.ts";
import { Outcome } from "../../src/sink/adapter.ts";
import { HeapBatch } from "../support/heap_batch.ts";
import { outcomesOf, written } from "../support/written.ts";
import { LogPlace, NEVER, write, writeAcked } from "./log_place.ts";
import { readFrames } from "./stored.ts";

for (
  const [framing, whole, torn] of [
    ["lines", "one\ntwo\n", '{"thr'],
    ["lines", "", "no line at all"],
    ["base64", "b25l\ndHdv\n", "dGhy"],
    ["length", "\0\0\0\x03one\0\0\0\x03two", "\0\0\0\x05thr"],
    ["length", "\0\0\0\x03one\0\0\0\0", "\0\0"],
  ] as const
) {
  Deno.test(`file open() cuts a torn record off ${JSON.stringify(whole + torn)} and tells how many bytes`, async () => {
    using place = new LogPlace();
    Deno.writeTextFileSync(place.path, whole + torn);
    const sink = await place.open({ framing });
    assertEquals(place.text(), whole);
    assertEquals(place.log.lines.map(({ level, fields }) => [level, fields.removedBytes]), [[
      "warn",
      torn.length,
    ]]);
    await sink.close(NEVER);
  });
}

Deno.test("wholeBytes() finds the last whole record wherever the file was cut", async () => {
  using place = new LogPlace();
  const records = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });
  const framings = fc.constantFrom<Framing>("lines", "length", "base64");
  await fc.assert(
    fc.asyncProperty(records, framings, fc.nat(), async (values, framing, cutAt) => {
      const frames = values.map((value) => frameOf(value, framing));
      const all = new Uint8Array(frames.flatMap((frame) => [...frame]));
      const cut = cutAt % (all.length + 1);
      Deno.writeFileSync(place.path, all.subarray(0, cut));
      let whole = 0;
      for (const frame of frames) {
        if (whole + frame.length > cut) break;
        whole += frame.length;
      }
      assertEquals(await wholeBytes(place.path, framing), whole);
    }),
    { numRuns: 200 },
  );
});

/** As each framing writes it; lines get their LFs masked, as a record of them holds none. */
function frameOf(value: Uint8Array, framing: Framing): Uint8Array {
  if (framing === "base64") return new TextEncoder().encode(`${value.toBase64()}\n`);
  if (framing === "lines") return Uint8Array.from([...value.map((byte) => byte === 10 ? 11 : byte), 10]);
  return Uint8Array.from([0, 0, value.length >> 8, value.length & 255, ...value]);
}

Deno.test("wholeBytes() reads files larger than its chunk", async () => {
  using place = new LogPlace();
  const lengths = [70_000, 10, 200_000, 65_532, 65_531, 0, 131_064];
  const frames = lengths.map((length) => {
    const frame = new Uint8Array(4 + length);
    new DataView(frame.buffer).setUint32(0, length);
    return frame;
  });
  let whole = 0;
  const file = Deno.openSync(place.path, { write: true, create: true });
  for (const frame of frames) whole += file.writeSync(frame);
  file.writeSync(Uint8Array.of(0, 0, 1, 0, 5));
  file.close();
  assertEquals(await wholeBytes(place.path, "length"), whole);
  Deno.writeTextFileSync(place.path, "line\n" + "x".repeat(200_000));
  assertEquals(await wholeBytes(place.path, "lines"), 5);
  Deno.writeTextFileSync(place.path, "x".repeat(200_000) + "\ny");
  assertEquals(await wholeBytes(place.path, "lines"), 200_001);
});

Deno.test("file open() refuses a path that another sink is writing, also through a link, until that one is closed", async () => {
  using place = new LogPlace();
  const first = await place.open();
  const link = join(place.folder, "link.ndjson");
  Deno.symlinkSync(place.path, link);
  for (const path of [place.path, link]) {
    await assertRejects(() => place.open({ path }), Error, "another file sink of this gateway is writing it");
  }
  await first.close(NEVER);
  const second = await place.open();
  await second.close(NEVER);
});

Deno.test("file open() refuses what is no regular file, and gives the path back", async () => {
  using place = new LogPlace();
  Deno.mkdirSync(place.path);
  await assertRejects(() => place.open(), Error, "no regular file");
  Deno.removeSync(place.path);
  await (await place.open()).close(NEVER);
});

Deno.test("file gives each writer its own file", async () => {
  using place = new LogPlace();
  const sinks = [await place.open(), await place.open({}, { writer: 1, writers: 2 })];
  for (const [n, sink] of sinks.entries()) await writeAcked(sink, `writer ${n}`);
  for (const sink of sinks) await sink.close(NEVER);
  assertEquals([place.text(), place.text(join(place.folder, "events-1.ndjson"))], [
    "writer 0\n",
    "writer 1\n",
  ]);
  assertEquals(writerPath("a.b/log", 2), join("a.b", "log-2"));
});

Deno.test("file write() opens a new file within a second after its own was moved away or deleted", async () => {
  using place = new LogPlace();
  const sink = await place.open();
  await writeAcked(sink, "one");
  Deno.renameSync(place.path, `${place.path}.1`);
  await writeAcked(sink, "two");
  place.clock.advance(1000);
  await writeAcked(sink, "three");
  assertEquals([place.text(`${place.path}.1`), place.text()], ["one\ntwo\n", "three\n"]);
  Deno.removeSync(place.path);
  place.clock.advance(1000);
  await writeAcked(sink, "four");
  assertEquals(place.text(), "four\n");
  Deno.renameSync(place.path, `${place.path}.2`);
  Deno.writeTextFileSync(place.path, "made by logrotate\n");
  place.clock.advance(1000);
  await writeAcked(sink, "five");
  await sink.close(NEVER);
  assertEquals([place.text(`${place.path}.2`), place.text()], ["four\n", "made by logrotate\nfive\n"]);
});

Deno.test("file write() goes on behind what was left when someone cut the file", async () => {
  using place = new LogPlace();
  const sink = await place.open({ rotateBytes: 40 });
  await writeAcked(sink, "x".repeat(30));
  Deno.truncateSync(place.path, 0);
  place.clock.advance(1000);
  await writeAcked(sink, "twenty bytes of text");
  await sink.close(NEVER);
  assertEquals([place.names(), place.text()], [["events.ndjson"], "twenty bytes of text\n"]);
});

Deno.test("file config tells that gzip needs rotation", () => {
  const result = fileSink.config.safeParse({ path: "x", gzip: true });
  assertStringIncludes(result.error!.message, "set rotateBytes or rotateMs too");
});

Deno.test("file write() rejects a line feed outside JSON with a reason, and stores the others", async () => {
  using place = new LogPlace();
  const sink = await place.open();
  const result = written(await write(sink, "a", "b\nc", "d"));
  assertEquals(outcomesOf(result), [Outcome.ACKED, Outcome.REJECTED, Outcome.ACKED]);
  assertMatch(result.reasons!.get(1)!, /line feed/);
  await sink.close(NEVER);
  assertEquals(place.text(), "a\nd\n");
});

Deno.test("file write() holds any bytes in framings length and base64", async () => {
  using place = new LogPlace();
  for (const framing of ["length", "base64"] as const) {
    const path = join(place.folder, framing);
    const sink = await createFileSink().open(
      place.options({ path, framing }),
      place.context({ clock: systemClock }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: 1, maxLength: 9 }),
        async (values) => {
          Deno.truncateSync(path, 0);
          await sink.write(new HeapBatch(values.map((value) => ({ value })), { layout: "spanning" }), NEVER);
          assertEquals(
            readFrames(Deno.readFileSync(path), framing).map((each) => [...each]),
            values.map((each) => [...each]),
          );
        },
      ),
      { numRuns: 60 },
    );
    await sink.close(NEVER);
  }
});
