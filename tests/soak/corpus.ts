/**
 * What is damaged: requests and frames that are right, one at least for each format, encoding and kind of key.
 *
 * @module
 */
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { frameOf, Opcode } from "../support/socket_client.ts";

const encoder = new TextEncoder();

/** A request to a stream. */
export interface SoundRequest {
  /** Headers beside its length, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** What follows the stream's name. */
  readonly query: string;
}

const EVENT = '{"specversion":"1.0","id":"e-1","source":"/s","type":"t","data":{"a":[1,2.5e-3,"\\u00e9"]}}';
const EVENT_HEADERS = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t" };
const LINES = '{"key":"a","n":1}\n{"key":"b","n":-2.5e+7}\r\n"grün, 東京, 😀"\n\n[true,false,null]\n0';
const ARRAY = '[{"key":"k\\n","v":{"w":[{}]}},2,"three",[[[4]]],null]';

const BODIES: readonly (readonly [string | null, string])[] = [
  [null, '{"key":"a","nested":{"list":[1,"\\ud83d\\ude00",{"b":false}]}}'],
  ["application/json", ARRAY],
  ["application/json; charset=utf-8", ' {"key":12} '],
  ["application/x-ndjson", LINES],
  ["text/plain", "one\ntwo\r\n\nthree"],
  ["application/octet-stream", '{"octets":true}'],
  ["application/x-www-form-urlencoded", '{"curl":"-d"}'],
  ["application/cloudevents+json", EVENT],
  ["application/cloudevents-batch+json", `[${EVENT},${EVENT}]`],
];

/** Requests. */
export const REQUESTS: readonly SoundRequest[] = [
  ...BODIES.flatMap(([type, text]): SoundRequest[] => {
    const headers: Record<string, string> = type === null ? {} : { "content-type": type };
    const body = encoder.encode(text);
    const encoded = (encoding: string, bytes: Uint8Array): SoundRequest => ({
      headers: { ...headers, "content-encoding": encoding },
      body: bytes,
      query: "",
    });
    return [
      // Thrice: what is not compressed gets further with damage in it.
      { headers, body, query: "" },
      { headers: { ...headers, "x-weir-key": "key", "x-kept": "kept" }, body, query: "" },
      { headers, body, query: "?key=%C3%BC&a=b" },
      encoded("gzip", gzipSync(body)),
      encoded("br", brotliCompressSync(body)),
      encoded("zstd", zstdCompressSync(body)),
    ];
  }),
  {
    headers: { ...EVENT_HEADERS, "content-type": "application/json" },
    body: encoder.encode('{"a":1}'),
    query: "",
  },
  {
    headers: { ...EVENT_HEADERS, "ce-subject": "%0A", "content-type": "text/plain" },
    body: encoder.encode("t\n"),
    query: "",
  },
];

/** Their bodies. */
export const REQUEST_BODIES: readonly Uint8Array[] = REQUESTS.map(({ body }) => body);

/** What the value of a header may become, beside its own with damage in it. */
export const HEADER_VALUES: readonly (readonly [string, readonly string[]])[] = [
  ["content-type", [
    "",
    "a/b",
    "application/json;;",
    "text/plain; charset=latin1",
    "application/cloudevents+json",
  ]],
  ["content-encoding", ["", "gzip", "br", "zstd", "deflate", "gzip, gzip", "identity"]],
  ["transfer-encoding", ["chunked", "gzip", "identity"]],
  ["x-weir-key", ["", "k".repeat(1_025), "\xff\xc0", "__proto__"]],
  ["x-kept", ["", "v".repeat(9_000), "\x80"]],
  ["ce-id", ["", "%", "%00", "i".repeat(2_000)]],
  ["ce-specversion", ["", "0.3", "1.0 "]],
  ["ce-data", ["x"]],
  ["idempotency-key", ["1"]],
];

/** What a WebSocket client sends: whole frames. */
export const FRAMES: readonly Uint8Array[] = [
  frameOf('{"key":"a","n":1}'),
  frameOf('"grün, 東京, 😀"'),
  frameOf(encoder.encode("[1,2,3]"), { opcode: Opcode.BINARY }),
  join(
    frameOf('{"frag', { fin: false }),
    frameOf("between", { opcode: Opcode.PING }),
    frameOf('ments":', { fin: false, opcode: Opcode.CONTINUATION }),
    frameOf("3}", { opcode: Opcode.CONTINUATION }),
  ),
  frameOf(`"${"x".repeat(300)}"`),
  frameOf(`"${"y".repeat(66_000)}"`),
  frameOf('{"credit":1}', { rsv: 4 }),
  frameOf("pong", { opcode: Opcode.PONG }),
  frameOf(new Uint8Array([0x03, 0xe8, 0x62, 0x79, 0x65]), { opcode: Opcode.CLOSE }),
  frameOf("0", { masked: false }),
  frameOf("far too short", { declaredLength: 5_000 }),
];

/** One after the other. */
export function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
