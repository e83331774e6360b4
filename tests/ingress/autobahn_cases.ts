/**
 * The cases of the public Autobahn suite by their ids, for a server that answers no message but stores it: the frames,
 * how their bytes are cut, and what must become of them. Where a rule of the gateway's own stands before the suite's (an
 * empty message is no record, a message has at most 4,096 frames) the case has that outcome, and says so.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type FrameOptions, Opcode } from "../support/socket_client.ts";
import { UTF8_CASES } from "./autobahn_utf8.ts";

const { CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG } = Opcode;
const NORMAL = 1000, PROTOCOL = 1002, NONE = 1005, INVALID = 1007, POLICY = 1008;

type Payload = Uint8Array | string;
/** A frame. */
export type Frame = readonly [payload: Payload, options?: FrameOptions];

/** A case. */
export interface AutobahnCase {
  readonly id: string;
  readonly frames: () => readonly Frame[];
  /** Bytes per write, or one frame each; all in one where it is absent. */
  readonly chop?: number | "frames";
  /** Messages that are stored; none where it is absent. */
  readonly records?: readonly Payload[];
  /** Payloads of the pongs that come back; none where it is absent. */
  readonly pongs?: readonly Payload[];
  /** The code that the gateway closes with; 1000, which answers the client's, where it is absent. */
  readonly code?: number;
}

const HELLO = "Hello, world!";
const octets = (length: number): Uint8Array => new Uint8Array(length).fill(0xfe);
const ping: Frame = ["ping payload", { opcode: PING }];
const KIB = 1_024, MIB = 1_048_576;

/** `payload` as a message in fragments of at most `bytes`. */
function fragments(payload: Payload, bytes: number, opcode: number = TEXT): Frame[] {
  const whole = Buffer.from(payload);
  return Array.from({ length: Math.ceil(whole.length / bytes) }, (_, k) => [
    whole.subarray(k * bytes, (k + 1) * bytes),
    { opcode: k === 0 ? opcode : CONTINUATION, fin: (k + 1) * bytes >= whole.length },
  ]);
}

function close(code: number, reason: Payload = ""): Frame {
  const payload = Buffer.concat([Buffer.alloc(2), Buffer.from(reason)]);
  payload.writeUInt16BE(code);
  return [payload, { opcode: CLOSE }];
}

/** The same frames cut in three ways, each with an id of its own. */
function thrice(ids: readonly string[], rest: Omit<AutobahnCase, "id" | "chop">): AutobahnCase[] {
  return ids.map((id, k) => ({ ...rest, id, chop: ([undefined, "frames", 1] as const)[k] }));
}

/** Both kinds of messages, with the group of each. */
const KINDS = [[1, TEXT, (length: number) => "*".repeat(length)], [2, BINARY, octets]] as const;

const LENGTHS: AutobahnCase[] = KINDS.flatMap(([group, opcode, of]) => [
  // An empty message is no record.
  { id: `1.${group}.1`, frames: () => [["", { opcode }]], code: POLICY } as const,
  ...[125, 126, 127, 128, 65_535, 65_536, 65_536].map((length, k): AutobahnCase => ({
    id: `1.${group}.${k + 2}`,
    frames: () => [[of(length), { opcode }]],
    chop: k === 6 ? 997 : undefined,
    records: [of(length)],
  })),
]);

const TEN = Array.from({ length: 10 }, (_, k) => `payload-${k}`);
const BYTES = Uint8Array.of(0, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0, 0xff);
const pinged = (id: string, payload: Payload, chop?: number): AutobahnCase => ({
  id,
  frames: () => [[payload, { opcode: PING }]],
  chop,
  pongs: [payload],
});

const PINGS: AutobahnCase[] = [
  pinged("2.1", ""),
  pinged("2.2", HELLO),
  pinged("2.3", BYTES),
  pinged("2.4", octets(125)),
  { id: "2.5", frames: () => [[octets(126), { opcode: PING }]], code: PROTOCOL },
  pinged("2.6", octets(125), 1),
  { id: "2.7", frames: () => [["", { opcode: PONG }]] },
  { id: "2.8", frames: () => [["unsolicited", { opcode: PONG }]] },
  { id: "2.9", frames: () => [["unsolicited", { opcode: PONG }], ping], pongs: [ping[0]] },
  { id: "2.10", frames: () => TEN.map((each) => [each, { opcode: PING }]), pongs: TEN },
  { id: "2.11", frames: () => TEN.map((each) => [each, { opcode: PING }]), chop: 1, pongs: TEN },
];

/** A frame that breaks the protocol, alone or behind a good message and before a ping. */
function broken(id: string, frame: Frame, chop?: AutobahnCase["chop"], alone = false): AutobahnCase {
  if (alone) return { id, frames: () => [frame], code: PROTOCOL };
  return { id, frames: () => [[HELLO], frame, ping], chop, records: [HELLO], code: PROTOCOL };
}

const RESERVED: AutobahnCase[] = [
  broken("3.1", [HELLO, { rsv: 1 }], undefined, true),
  broken("3.2", [HELLO, { rsv: 2 }]),
  broken("3.3", [HELLO, { rsv: 3 }], "frames"),
  broken("3.4", [HELLO, { rsv: 4 }], 1),
  broken("3.5", [BYTES, { rsv: 5, opcode: BINARY }], undefined, true),
  broken("3.6", [HELLO, { rsv: 6, opcode: PING }], undefined, true),
  broken("3.7", ["", { rsv: 7, opcode: CLOSE }], undefined, true),
  ...[[3, 1], [11, 2]].flatMap(([first, group]) =>
    Array.from(
      { length: 5 },
      (_, k) =>
        broken(
          `4.${group}.${k + 1}`,
          [k === 0 || k === 2 ? "" : "payload", { opcode: first + k }],
          k === 4 ? 1 : undefined,
          k < 2,
        ),
    )
  ),
];

const TWO = fragments("fragment1fragment2", 9);
const BETWEEN: Frame[] = [TWO[0], ping, TWO[1]];
const JOINED = ["fragment1fragment2"];
const FIVE = fragments("abcde", 1);
const nothing = (fin: boolean): Frame => ["of nothing", { opcode: CONTINUATION, fin }];

const FRAGMENTS: AutobahnCase[] = [
  ...[PING, PONG].map((opcode, k): AutobahnCase => ({
    id: `5.${k + 1}`,
    frames: () => fragments("fragment1fragment2", 9, opcode),
    code: PROTOCOL,
  })),
  ...thrice(["5.3", "5.4", "5.5"], { frames: () => TWO, records: JOINED }),
  ...thrice(["5.6", "5.7", "5.8"], { frames: () => BETWEEN, records: JOINED, pongs: [ping[0]] }),
  ...thrice(["5.9", "5.10", "5.11"], { frames: () => [nothing(true), [HELLO]], code: PROTOCOL }),
  ...thrice(["5.12", "5.13", "5.14"], { frames: () => [nothing(false), [HELLO]], code: PROTOCOL }),
  { id: "5.15", frames: () => [...TWO, nothing(false), [HELLO]], records: JOINED, code: PROTOCOL },
  { id: "5.16", frames: () => [nothing(false), [HELLO], nothing(false), [HELLO]], code: PROTOCOL },
  { id: "5.17", frames: () => [nothing(true), [HELLO], nothing(true), [HELLO]], code: PROTOCOL },
  { id: "5.18", frames: () => [[HELLO, { fin: false }], [HELLO]], code: PROTOCOL },
  ...(["5.19", "5.20"] as const).map((id, k): AutobahnCase => ({
    id,
    frames: () => [FIVE[0], FIVE[1], ping, FIVE[2], FIVE[3], ping, FIVE[4]],
    chop: k === 0 ? undefined : "frames",
    records: ["abcde"],
    pongs: [ping[0], ping[0]],
  })),
];

const GREETING = "Hello-µ@ßöäüàá-UTF-8!!";
const KOSME = "κόσμε";
const SURROGATE = Buffer.concat([Buffer.from(KOSME), Buffer.of(0xed, 0xa0, 0x80), Buffer.from("edited")]);
const TOO_FAR = [KOSME, Uint8Array.of(0xf4, 0x90, 0x80, 0x80), "edited"];
const EARLIER = [
  Buffer.concat([Buffer.from(KOSME), Buffer.of(0xf4)]),
  Uint8Array.of(0x90),
  Buffer.concat([Buffer.of(0x80, 0x80), Buffer.from("edited")]),
];
const parts = (of: readonly Payload[]): Frame[] =>
  of.map((payload, k) => [payload, { opcode: k === 0 ? TEXT : CONTINUATION, fin: k === of.length - 1 }]);
const together = (of: readonly Payload[]): Frame => [Buffer.concat(of.map((each) => Buffer.from(each)))];

const UTF8: AutobahnCase[] = [
  { id: "6.1.1", frames: () => [[""]], code: POLICY },
  { id: "6.1.2", frames: () => parts(["", "", ""]), code: POLICY },
  { id: "6.1.3", frames: () => parts(["", "middle", ""]), records: ["middle"] },
  { id: "6.2.1", frames: () => [[GREETING]], records: [GREETING] },
  { id: "6.2.2", frames: () => parts(["Hello-µ@ßöä", "üàá-UTF-8!!"]), records: [GREETING] },
  { id: "6.2.3", frames: () => fragments(GREETING, 1), records: [GREETING] },
  { id: "6.2.4", frames: () => fragments(KOSME, 1), records: [KOSME] },
  { id: "6.3.1", frames: () => [[SURROGATE]], code: INVALID },
  { id: "6.3.2", frames: () => fragments(SURROGATE, 1), code: INVALID },
  // The suite would have the connection fail at the byte; here it does at the end of the message, which it calls not strict.
  { id: "6.4.1", frames: () => parts(TOO_FAR), chop: "frames", code: INVALID },
  { id: "6.4.2", frames: () => parts(EARLIER), chop: "frames", code: INVALID },
  { id: "6.4.3", frames: () => [together(TOO_FAR)], chop: 15, code: INVALID },
  { id: "6.4.4", frames: () => [together(EARLIER)], chop: 12, code: INVALID },
  ...UTF8_CASES.map(({ id, payload, isText }): AutobahnCase => ({
    id,
    frames: () => [[payload]],
    records: isText ? [payload] : [],
    code: isText ? NORMAL : INVALID,
  })),
];

const VALID_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const INVALID_CODES = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];

const CLOSES: AutobahnCase[] = [
  { id: "7.1.1", frames: () => [[HELLO], close(NORMAL)], records: [HELLO] },
  { id: "7.1.2", frames: () => [close(NORMAL), close(NORMAL)] },
  { id: "7.1.3", frames: () => [close(NORMAL), ping] },
  { id: "7.1.4", frames: () => [close(NORMAL), [HELLO]] },
  { id: "7.1.5", frames: () => [TWO[0], close(NORMAL), TWO[1]] },
  {
    id: "7.1.6",
    frames: () => [["*".repeat(256 * KIB)], [HELLO], close(NORMAL), ping],
    records: ["*".repeat(256 * KIB), HELLO],
  },
  { id: "7.3.1", frames: () => [["", { opcode: CLOSE }]], code: NONE },
  { id: "7.3.2", frames: () => [["a", { opcode: CLOSE }]], code: PROTOCOL },
  { id: "7.3.3", frames: () => [close(NORMAL)] },
  { id: "7.3.4", frames: () => [close(NORMAL, HELLO)] },
  { id: "7.3.5", frames: () => [close(NORMAL, "*".repeat(123))] },
  { id: "7.3.6", frames: () => [close(NORMAL, "*".repeat(124))], code: PROTOCOL },
  { id: "7.5.1", frames: () => [close(NORMAL, SURROGATE)], code: INVALID },
  ...VALID_CODES.map((code, k) => ({ id: `7.7.${k + 1}`, frames: () => [close(code)], code })),
  ...INVALID_CODES.map((code, k) => ({ id: `7.9.${k + 1}`, frames: () => [close(code)], code: PROTOCOL })),
  { id: "7.13.1", frames: () => [close(5000)], code: PROTOCOL },
];

const LIMITS: AutobahnCase[] = KINDS.flatMap(([kind, opcode, of]) => [
  ...[64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB].map((length, k): AutobahnCase => ({
    id: `9.${kind}.${k + 1}`,
    frames: () => [[of(length), { opcode }]],
    records: [of(length)],
  })),
  ...[64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB].map((bytes, k): AutobahnCase => ({
    id: `9.${kind + 2}.${k + 1}`,
    frames: () => fragments(of(4 * MIB), bytes, opcode),
    // More than 4,096 frames, as each would be kept.
    ...bytes < KIB ? { code: POLICY } : { records: [of(4 * MIB)] },
  })),
  ...[512, 1024, 2048].map((chop, k): AutobahnCase => ({
    id: `9.${kind + 4}.${k + 4}`,
    frames: () => [[of(MIB), { opcode }]],
    chop,
    records: [of(MIB)],
  })),
  ...[16, 64, 256, 1024, 4096].map((length, k): AutobahnCase => ({
    id: `9.${kind + 6}.${k + 2}`,
    frames: () => new Array<Frame>(1000).fill([of(length), { opcode }]),
    records: new Array(1000).fill(of(length)),
  })),
]);

/** Those that are tried. */
export const AUTOBAHN: readonly AutobahnCase[] = [
  ...LENGTHS,
  ...PINGS,
  ...RESERVED,
  ...FRAGMENTS,
  ...UTF8,
  ...CLOSES,
  ...LIMITS,
  { id: "10.1.1", frames: () => fragments("*".repeat(65_536), 1300), records: ["*".repeat(65_536)] },
];

/** Those that are not, and why. The groups 12 and 13 are about compression, which is never agreed on. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  "7.13.2": "a close frame has no room for 65536",
  "9.5.1": "16,384 reads of one frame are beyond the 4,096 that are kept; how many they are is TCP's choice",
  "9.5.2": "8,192 reads, as 9.5.1",
  "9.5.3": "4,097 reads, as 9.5.1",
  "9.6.1": "as 9.5.1",
  "9.6.2": "as 9.5.2",
  "9.6.3": "as 9.5.3",
  "9.7.1": "an empty message is no record: 1.1.1",
  "9.8.1": "an empty message is no record: 1.2.1",
};
