/**
 * RFC 6455 on a running gateway, as raw frames, beside the cases of the Autobahn suite: what breaks the protocol ends its
 * own connection with the code that the RFC names, and nothing of the broken message is stored; no extension is spoken.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { constants, deflateRawSync } from "node:zlib";
import { frameOf, type FrameOptions, Opcode } from "../support/socket_client.ts";
import { SocketGateway } from "./socket_gateway.ts";

const PROTOCOL = 1002, INVALID = 1007, TOO_BIG = 1009;
type Frame = readonly [payload: Uint8Array | string, options?: FrameOptions];

const closeFrame = (code: number): Frame => [Uint8Array.of(code >> 8, code & 255), { opcode: Opcode.CLOSE }];

/** A frame that says that it is `length` bytes, 8 bytes of it. */
const longFrame = (...length: number[]): Uint8Array => Uint8Array.of(0x82, 0xff, ...length, 1, 2, 3, 4);

/** Frames after a good message, and the code that the gateway closes with. */
const FATAL: readonly (readonly [name: string, code: number, ...frames: Frame[]])[] = [
  ["a frame without a mask (5.1)", PROTOCOL, ["x", { masked: false }]],
  ["a close in fragments (5.4)", PROTOCOL, ["", { opcode: Opcode.CLOSE, fin: false }]],
  ["a last continuation of nothing, after a whole message (5.4)", PROTOCOL, ["2"], [
    "x",
    { opcode: Opcode.CONTINUATION, fin: true },
  ]],
  ...[1015, 65_535].map((code) =>
    [`close code ${code}, which nobody may send (7.4)`, PROTOCOL, closeFrame(code)] as const
  ),
  ["text that is no UTF-8 (5.6)", INVALID, [Uint8Array.of(0x61, 0xff, 0x62)]],
  ["text in fragments that is no UTF-8 together (5.6)", INVALID, [Uint8Array.of(0xe2), { fin: false }], [
    Uint8Array.of(0x28, 0xa1),
    { opcode: Opcode.CONTINUATION },
  ]],
  ["a frame over maxRecordBytes (10.4)", TOO_BIG, ["x", { declaredLength: 100_000 }]],
  ["fragments over maxRecordBytes together (10.4)", TOO_BIG, ["x".repeat(3000), { fin: false }], [
    "x".repeat(3000),
    { opcode: Opcode.CONTINUATION },
  ]],
];

/** Frames that are within the protocol, and the records that they are. */
const FINE: readonly (readonly [name: string, records: readonly string[], ...frames: Frame[]])[] = [
  [
    "lengths at the edges of their fields (5.2)",
    [125, 126, 127, 128].map((length) => "x".repeat(length)),
    ["x".repeat(125)],
    [
      "x".repeat(126),
    ],
    ["x".repeat(127)],
    ["x".repeat(128)],
  ],
  ["pings and pongs between fragments", ["ab"], ["a", { fin: false }], ["", { opcode: Opcode.PING }], [
    "unasked",
    { opcode: Opcode.PONG },
  ], ["b", { opcode: Opcode.CONTINUATION }]],
  ["bytes that are no text, as binary", ["\ufffd"], [Uint8Array.of(0xff), { opcode: Opcode.BINARY }]],
];

/** Codes that a client may close with; the gateway answers with the same. */
const CLOSE_CODES = [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999];

Deno.test("WebSocketIngress ends a connection that breaks the protocol with the code of RFC 6455", async (t) => {
  for (const validate of ["none", "json"]) {
    await using stage = await SocketGateway.start({ stream: { maxRecordBytes: 4096, validate } });
    const { partition } = stage.gateway.streams.get("s")!;
    for (const [name, code, ...frames] of FATAL) {
      await t.step(`${name}, validate ${validate}`, async () => {
        const before = partition.acceptedRecords;
        const client = await stage.connect();
        await client.send("1");
        const whole = frames.map(([payload, options]) => frameOf(payload, options));
        await client.write(new Uint8Array(Buffer.concat(whole)));
        assertEquals(await client.closeCode(), code);
        // What was whole before it stays.
        assertEquals(partition.acceptedRecords - before, name.includes("after a whole message") ? 2 : 1);
      });
    }
  }
});

Deno.test("WebSocketIngress closes with 1009 for a length that no message can have", async () => {
  await using stage = await SocketGateway.start();
  for (const length of [[128, 0, 0, 0, 0, 0, 0, 0], [0, 64, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0]]) {
    const client = await stage.connect();
    await client.write(longFrame(...length));
    assertEquals(await client.closeCode(), TOO_BIG, String(length));
  }
});

Deno.test("WebSocketIngress takes what RFC 6455 allows, in one piece and byte by byte", async (t) => {
  await using stage = await SocketGateway.start();
  for (const [name, records, ...frames] of FINE) {
    await t.step(name, async () => {
      const bytes = new Uint8Array(
        Buffer.concat(frames.map(([payload, options]) => frameOf(payload, options))),
      );
      for (const chunkBytes of [bytes.length, 1]) {
        const from = stage.sink.stored.length;
        const client = await stage.connect();
        for (let at = 0; at < bytes.length; at += chunkBytes) {
          await client.write(bytes.subarray(at, at + chunkBytes));
        }
        await client.sendClose(1000);
        assertEquals(await client.closeCode(), 1000);
        await stage.until(() => stage.sink.stored.length === from + records.length, "the records are stored");
        assertEquals(stage.sink.stored.slice(from), records);
        const pings = frames.filter(([, options]) => options?.opcode === Opcode.PING).map(([payload]) =>
          payload
        );
        const pongs = client.frames.filter(({ opcode }) => opcode === Opcode.PONG);
        assertEquals(pongs.map(({ payload }) => new TextDecoder().decode(payload)), pings);
      }
    });
  }
});

Deno.test("WebSocketIngress answers a close with its code, an empty one with none, and takes nothing behind it", async () => {
  await using stage = await SocketGateway.start();
  for (const code of CLOSE_CODES) {
    const client = await stage.connect();
    await client.sendClose(code, "so long");
    await client.send("behind it").catch(() => {}); // the gateway may be gone by then
    assertEquals(await client.closeCode(), code);
  }
  const empty = await stage.connect();
  await empty.send("", { opcode: Opcode.CLOSE });
  await empty.until(() => empty.ended, "ended");
  assertEquals(stage.gateway.streams.get("s")!.partition.acceptedRecords, 0);
});

Deno.test("WebSocketIngress ends a connection whose client ends its half, and stores what was whole", async () => {
  await using stage = await SocketGateway.start();
  const between = await stage.connect();
  await between.send("whole");
  await between.closeWrite();
  const inside = await stage.connect();
  await inside.write(frameOf("never whole").subarray(0, 9));
  await inside.closeWrite();
  await stage.until(() => stage.gateway.sockets.connections === 0, "both are gone");
  await stage.until(() => stage.sink.stored.length === 1, "the whole one is stored");
  assertEquals(stage.sink.stored, ["whole"]);
});

/** How browsers offer it, and how one that insists may. */
const OFFERS = [
  "permessage-deflate; client_max_window_bits",
  "permessage-deflate; server_no_context_takeover; client_no_context_takeover, permessage-deflate",
  "x-webkit-deflate-frame, permessage-deflate",
];
/** RFC 7692, 7.2.1: what is left out at the end of a compressed message. */
const TAIL_BYTES = 4;

Deno.test("WebSocketIngress agrees to no compression that is offered, and ends a connection that compresses with 1002", async () => {
  await using stage = await SocketGateway.start();
  for (const offer of OFFERS) {
    const client = await stage.connect({ headers: { "Sec-WebSocket-Extensions": offer } });
    assertMatch(client.head, /^HTTP\/1\.1 101 /);
    assertEquals(/sec-websocket-extensions/i.test(client.head), false, client.head);
    await client.send("plain");
    const compressed = deflateRawSync("compressed", { finishFlush: constants.Z_SYNC_FLUSH });
    await client.send(compressed.subarray(0, -TAIL_BYTES), { rsv: 4 });
    assertEquals(await client.closeCode(), PROTOCOL);
  }
  await stage.until(() => stage.sink.stored.length === OFFERS.length, "what was plain is stored");
  assertEquals(stage.sink.stored, OFFERS.map(() => "plain"));
});
