/**
 * The parser of ws with Weir's way to its bytes, against the same parser with its own: whatever comes, however it is cut,
 * both tell the same messages, pings and errors in the same order.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import fc from "fast-check";
// @ts-types="@types/ws"
import * as ws from "ws";
import { type FrameReader, readFramesByWords } from "../../src/ingress/frame_bytes.ts";
import { frameOf, Opcode } from "../support/socket_client.ts";

const MAX_PAYLOAD = 100_000;

interface Receiver extends FrameReader {
  on(event: string, listener: (...values: never[]) => void): void;
  write(chunk: Uint8Array): void;
  destroy(): void;
}
const { Receiver } = ws as unknown as { readonly Receiver: new (options: object) => Receiver };

/** What a parser tells of `chunks`. */
function told(chunks: readonly Uint8Array[], byWords: boolean): string[] {
  const receiver = new Receiver({ isServer: true, maxPayload: MAX_PAYLOAD, allowSynchronousEvents: true });
  const events: string[] = [];
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  receiver.on(
    "message",
    (data: Uint8Array, isBinary: boolean) => events.push(`message ${isBinary} ${hex(data)}`),
  );
  receiver.on("ping", (data: Uint8Array) => events.push(`ping ${hex(data)}`));
  receiver.on("pong", (data: Uint8Array) => events.push(`pong ${hex(data)}`));
  receiver.on("conclude", (code: number, reason: Uint8Array) => events.push(`close ${code} ${hex(reason)}`));
  receiver.on("error", (error: Error) => events.push(`error ${error.message}`));
  if (byWords) readFramesByWords(receiver);
  for (const chunk of chunks) {
    if (!events.some((each) => each.startsWith("error"))) receiver.write(Buffer.from(chunk));
  }
  receiver.destroy();
  return events;
}

const payload = fc.oneof(
  { weight: 3, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 2, arbitrary: fc.nat(700).map((length) => Uint8Array.from({ length }, (_, i) => 97 + i % 26)) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 65_530, max: 65_545 }).map((length) => new Uint8Array(length).fill(120)),
  },
);
const frames = fc.array(
  fc.record({
    payload,
    opcode: fc.constantFrom(...Object.values(Opcode), Opcode.BINARY, Opcode.BINARY, Opcode.TEXT, 3),
    fin: fc.integer({ min: 0, max: 3 }).map((draw) => draw > 0),
    masked: fc.integer({ min: 0, max: 30 }).map((draw) => draw > 0),
  }).map(({ payload, ...options }) => frameOf(payload, options)),
  { maxLength: 8 },
);
const cuts = fc.array(fc.oneof(fc.nat(300), fc.nat(70_000)), { maxLength: 12 });

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [...new Set([0, ...places.filter((place) => place < bytes.length), bytes.length])].sort((a, b) =>
    a - b
  );
  return at.slice(1).map((to, k) => bytes.slice(at[k], to));
}

Deno.test("readFramesByWords() makes the parser tell what it would tell by itself, however the bytes are cut", () => {
  let messages = 0;
  fc.assert(
    fc.property(frames, cuts, (frames, places) => {
      const chunks = cut(new Uint8Array(Buffer.concat(frames)), places);
      const expected = told(chunks, false);
      assertEquals(told(chunks, true), expected);
      messages += expected.filter((each) => each.startsWith("message")).length;
    }),
    { numRuns: 2000 },
  );
  assert(messages > 500, `only ${messages} messages were told`);
});

Deno.test("readFramesByWords() makes the parser tell what it would tell by itself of bytes that are no frames", () => {
  fc.assert(
    fc.property(
      frames,
      fc.uint8Array({ minLength: 1, maxLength: 30 }),
      fc.nat(),
      cuts,
      (frames, garbage, place, places) => {
        const bytes = new Uint8Array(Buffer.concat(frames));
        const at = bytes.length === 0 ? 0 : place % bytes.length;
        const mixed = new Uint8Array(Buffer.concat([bytes.subarray(0, at), garbage, bytes.subarray(at)]));
        const chunks = cut(mixed, places);
        assertEquals(told(chunks, true), told(chunks, false));
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("readFramesByWords() leaves no chunk behind that is consumed", () => {
  const receiver = new Receiver({ isServer: true, maxPayload: MAX_PAYLOAD });
  readFramesByWords(receiver);
  receiver.write(Buffer.from(frameOf("abc")));
  assertEquals([receiver._buffers.length, receiver._bufferedBytes], [0, 0]);
  receiver.destroy();
});
