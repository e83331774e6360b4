/**
 * Bodies that are cut off, too deep, no text, too long, endless, or that unfold to a thousand times their size, on a
 * running gateway: a clear answer, memory within its bound, and a neighbour that is served.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { brotliCompressSync, constants, createBrotliCompress, gzipSync, zstdCompressSync } from "node:zlib";
import { until } from "../ingress/open_door.ts";
import { ignoreLoss, sendWithoutEnd, Siege, type Verdict, verdictOf } from "./siege.ts";

const PATH = "/v1/streams/events";
const MIB = 1_048_576;
const JSON_TYPE = { "Content-Type": "application/json" };
const LINES = { "Content-Type": "application/x-ndjson" };

/** `chunk` as one chunk of a chunked body. */
function asChunk(chunk: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(`${chunk.length.toString(16)}\r\n`);
  const whole = new Uint8Array(head.length + chunk.length + 2);
  whole.set(head);
  whole.set(chunk, head.length);
  whole.set([13, 10], head.length + chunk.length);
  return whole;
}

Deno.test("Gateway answers 400 to JSON that is cut off, too deep, or no UTF-8, and stores nothing of it", async (t) => {
  await using siege = await Siege.start();
  const whole = '{"a":[1,{"b":"\\u00e9\u00e9"},true,null,-1.5e3],"c":""}';
  const bytes = new TextEncoder().encode(whole);
  await t.step("cut off behind each byte", async () => {
    for (let end = 1; end < bytes.length; end++) {
      assertEquals(await siege.post(bytes.subarray(0, end), JSON_TYPE), 400, whole.slice(0, end));
    }
  });
  const deep = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  for (
    const [name, body] of [
      ["a million arrays in each other", deep(1_000_000)],
      ["as many objects", '{"a":'.repeat(1_000_000) + "1" + "}".repeat(1_000_000)],
      ["as many that are never closed", "[".repeat(1_000_000)],
      ["as many in a line", `${deep(1_000_000)}\n`],
    ] as const
  ) {
    const headers = name.endsWith("line") ? LINES : JSON_TYPE;
    await t.step(name, async () => assertEquals(await siege.post(body, headers), 400));
  }
  const quoted = (...inside: number[]) => Uint8Array.of(0x22, ...inside, 0x22);
  for (
    const [name, body] of [
      ["a byte that never stands in UTF-8", quoted(0xff)],
      ["a sequence that is cut off", quoted(0xe2, 0x82)],
      ["an overlong slash", quoted(0xc0, 0xaf)],
      ["half a surrogate pair", quoted(0xed, 0xa0, 0x80)],
      ["a character above U+10FFFF", quoted(0xf4, 0x90, 0x80, 0x80)],
      ["a byte order mark", Uint8Array.of(0xef, 0xbb, 0xbf, 0x31)],
      ["UTF-16", Uint8Array.of(0xff, 0xfe, 0x31, 0x00)],
      ["a NUL behind the value", Uint8Array.of(0x31, 0x00)],
    ] as const
  ) {
    await t.step(name, async () => {
      assertEquals(await siege.post(body, JSON_TYPE), 400);
      assertEquals(await siege.post(body, LINES), 400);
      assertEquals(await siege.post(body), 400);
    });
  }
  await siege.end(0);
});

Deno.test("Gateway answers 413 to 10 GB by Content-Length at once, and reads little of them", async () => {
  await using siege = await Siege.start();
  for (const body of [new Uint8Array(), new Uint8Array(65_536)]) {
    using connection = await siege.connect();
    await connection.writeHead({ path: PATH, headers: { "Content-Length": 10_000_000_000 } });
    const answer = await connection.readAnswer();
    assertEquals([answer.status, answer.headers.get("connection")], [413, "close"]);
    if (body.length > 0) assert(await sendWithoutEnd(connection, body, 10_000_000_000) < 64 * MIB);
  }
  await siege.end(0);
});

Deno.test("Gateway ends chunked bodies without end: at maxBodyBytes, at maxRecordBytes, and where nothing acceptable comes", async (t) => {
  await using siege = await Siege.start({ events: { maxBodyBytes: 4 * MIB, ack: "memory" } });
  const text = (unit: string) => new TextEncoder().encode(unit.repeat(65_536 / unit.length));
  for (
    const [name, type, chunk, expected] of [
      ["a record", "application/octet-stream", text("1"), 413],
      ["a line", "application/x-ndjson", text("1"), 413],
      ["a JSON text", "application/json", text(" "), 413],
      ["a string", "text/plain", text("a"), 413],
      ["blank lines", "text/plain", text("\n"), 413],
      ["wrong lines", "application/x-ndjson", text("x\n"), 413],
      ["an array of blanks", "application/json", text("[           "), 400],
    ] as const
  ) {
    await t.step(name, async () => {
      using connection = await siege.connect();
      const verdict = verdictOf(connection);
      await connection.writeHead({
        path: PATH,
        headers: { "Content-Type": type, "Transfer-Encoding": "chunked" },
      });
      const sent = await sendWithoutEnd(connection, asChunk(chunk), 512 * MIB);
      const got: Verdict = await verdict;
      assert(got === expected || got === "closed", `${got}`);
      assert(sent < 64 * MIB, `${sent} bytes were read`);
    });
  }
  await t.step("one byte a chunk", async () => {
    using connection = await siege.connect();
    const verdict = verdictOf(connection);
    await connection.writeHead({ path: PATH, headers: { ...LINES, "Transfer-Encoding": "chunked" } });
    await sendWithoutEnd(connection, new TextEncoder().encode("1\r\n1\r\n".repeat(10_000)), 60 * MIB);
    const got = await verdict;
    assert(got === 413 || got === "closed", `${got}`);
  });
  await siege.end(0);
});

/** So many bytes of one digit, packed. */
function bomb(pack: (bytes: Uint8Array) => Uint8Array, bytes: number): Uint8Array {
  return pack(new Uint8Array(bytes).fill(0x31));
}

const BOMB_PARTS = 64;
const BOMB_PART_BYTES = 16 * MIB;

/** The member or frame `one` so often that it unfolds to 1 GiB. */
function ofParts(one: Uint8Array): Uint8Array {
  const packed = new Uint8Array(one.length * BOMB_PARTS);
  for (let k = 0; k < BOMB_PARTS; k++) packed.set(one, k * one.length);
  return packed;
}

/** 1 GiB of one digit as one stream of brotli, made without having it in memory. */
async function brotliOfGibibyte(): Promise<Uint8Array> {
  const part = new Uint8Array(BOMB_PART_BYTES).fill(0x31);
  const brotli = createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });
  Readable.from(Array(BOMB_PARTS).fill(part)).pipe(brotli);
  return new Uint8Array(await buffer(brotli));
}

/** A connection that the test itself has closed has no answer left. */
function ignoreEnd(error: unknown): void {
  if (!(error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted)) throw error;
}

const PACKERS = {
  gzip: (bytes: Uint8Array) => gzipSync(bytes, { level: 9 }),
  br: (bytes: Uint8Array) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
  zstd: (bytes: Uint8Array) => zstdCompressSync(bytes),
} as const;

Deno.test("Gateway answers 413 to bombs of gzip, br and zstd that unfold to 1 GB, and never holds that much", async (t) => {
  await using siege = await Siege.start({ connections: 200 });
  for (const [encoding, pack] of Object.entries(PACKERS)) {
    // Members of gzip and frames of zstd stand one behind the other; brotli knows nothing of the kind.
    const packed = encoding === "br" ? await brotliOfGibibyte() : ofParts(bomb(pack, BOMB_PART_BYTES));
    for (const type of ["application/octet-stream", "application/x-ndjson", "application/json"]) {
      await t.step(`${encoding} as ${type}: ${packed.length} bytes`, async () => {
        const headers = { "Content-Type": type, "Content-Encoding": encoding };
        assertEquals(await siege.post(packed, headers), 413);
      });
    }
  }
  await t.step("200 decoders at once", async () => {
    const packed = Object.entries(PACKERS).map(([name, pack]) => [name, bomb(pack, 8 * MIB)] as const);
    const answered: Verdict[] = [];
    const held = new DisposableStack();
    for (let k = 0; k < 200; k++) {
      const [encoding, bytes] = packed[k % packed.length];
      const connection = held.use(await siege.connect());
      const headers = { ...LINES, "Content-Encoding": encoding, "Content-Length": `${bytes.length}` };
      await connection.writeHead({ path: PATH, headers });
      // Those that have a window begin to decode, and wait for more.
      await connection.write(bytes.subarray(0, 2)).catch(ignoreLoss);
      verdictOf(connection).then((verdict) => answered.push(verdict), ignoreEnd);
    }
    try {
      // decoderBytes holds a window of brotli and one of zstd, and some sixty of gzip.
      await until(() => answered.length >= 130, "who has no window is answered");
      assertEquals(new Set(answered), new Set([429]));
      assert(answered.length <= 140, `${answered.length} have no window`);
    } finally {
      held.dispose();
    }
  });
  await t.step("decoders are free again", async () => {
    // The gateway learns of each client's end in its own time.
    const body = PACKERS.br(new TextEncoder().encode("1\n"));
    const headers = { ...LINES, "Content-Encoding": "br" };
    await until(async () => await siege.post(body, headers) === 200, "a body of brotli is taken");
  });
  await t.step("200 bombs that unfold at once", async () => {
    const bombs = Object.entries(PACKERS).map(([name, pack]) => [name, bomb(pack, 64 * MIB)] as const);
    const verdicts = await Promise.all(Array.from({ length: 200 }, (_, k) => {
      const [encoding, bytes] = bombs[k % bombs.length];
      return siege.post(bytes, { ...LINES, "Content-Encoding": encoding });
    }));
    const [bursts, waits] = [413, 429].map((status) =>
      verdicts.filter((verdict) => verdict === status).length
    );
    assertEquals(bursts + waits, 200, `${verdicts}`);
    assert(bursts > 0, "none was unfolded");
    siege.assertMemory();
  });
  await siege.end(1);
});

Deno.test("Gateway unfolds 1 GiB of blank lines where that is allowed: nothing is stored, little is held, others are served", async () => {
  // 65,536 chunks become garbage in seconds, and a collector without a core is behind: up to 168 MiB were seen for 90.
  await using siege = await Siege.start({ events: { maxBodyBytes: 1_073_741_824 }, restBytes: 256 * MIB });
  const packed = ofParts(gzipSync(new Uint8Array(BOMB_PART_BYTES).fill(10), { level: 9 }));
  assertEquals(await siege.post(packed, { ...LINES, "Content-Encoding": "gzip" }), 400);
  await siege.end(0);
});
