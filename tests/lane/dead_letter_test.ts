/** A rejected record comes out of the dead-letter sink byte for byte, whatever its bytes are, to be sent again. @module */
import { assert, assertEquals } from "@std/assert";
import { OpenDoor } from "../ingress/open_door.ts";

const OCTETS = { "Content-Type": "application/octet-stream" };
const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, k) => k);

/** `bytes` as often as fits into `length`. */
function repeated(bytes: Uint8Array, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, k) => bytes[k % bytes.length]);
}

/** The letters of records that a sink rejected, in the order in which they were sent. */
async function lettersOf(records: readonly Uint8Array[]): Promise<Record<string, string>[]> {
  await using door = await OpenDoor.start({ stream: { validate: "none" } });
  door.sink.refuses = () => true;
  for (const record of records) {
    const { status, body } = await door.post(record, OCTETS);
    assertEquals([status, JSON.parse(body).deadLettered], [200, 1], body);
  }
  const text = await Deno.readTextFile(`${door.folder}/dead-letter/out.ndjson`);
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

Deno.test("DeadLetter keeps a record that is no UTF-8 byte for byte in valueBase64", async () => {
  const records = [
    ALL_BYTES,
    Uint8Array.of(0xff),
    Uint8Array.of(0xc3), // half of a letter
    Uint8Array.of(0xed, 0xa0, 0x80), // half of a surrogate pair
    Uint8Array.of(0xc0, 0x80), // a NUL that is longer than it need be
    // Around the pieces in which it is written, and over several segments.
    ...[24_575, 24_576, 24_577, 24_578, 200_000].map((length) => repeated(ALL_BYTES, length)),
  ];
  const letters = await lettersOf(records);
  assertEquals(letters.length, records.length);
  letters.forEach((letter, i) => {
    assert(!("value" in letter), `letter ${i} has a value too`);
    assertEquals(Uint8Array.fromBase64(letter.valueBase64), records[i], `letter ${i}`);
  });
});

Deno.test("DeadLetter keeps a record that is UTF-8 as it is in value, marks and control characters too", async () => {
  const texts = ["\u{feff}marked", "\0\x01\x1f\x7f\r\n\u2028", "\u{1f6f0}", "\ufffd", '{"no":"end'];
  const letters = await lettersOf(texts.map((text) => new TextEncoder().encode(text)));
  assertEquals(letters.map(({ value }) => value), texts);
  assert(letters.every((letter) => !("valueBase64" in letter)));
});
