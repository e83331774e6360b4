/**
 * The scanner against `JSON.parse` over strictly decoded UTF-8, on documents that were damaged a little. The seed is
 * printed when the two disagree; put it into `WEIR_SEED` to see the same inputs again.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { isJsonText, JsonScanner, ScanStatus } from "../../src/core/json_scanner.ts";

const INPUTS = 300_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const CORPUS = [
  '{"ts":1700000000123,"level":"info","service":"checkout","ok":true,"user":{"id":"u-1","country":"DE"}}',
  '{"a":[1,2.5,-3e-7,0,-0.0E+1,1e5],"b":[[],[{}],{"c":[null]}]}',
  '{"text":"a\\"b\\\\c\\/d\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\\ud800"}',
  '{"name": "value", "other": "value",\r\n\t"list": ["a", "b" , "c"]}',
  '"grün, Straße, 東京, Ωμέγα, 😀👍🏽, \u07ff\uffff\u{10ffff}"',
  '[true,false,null,[true],[false],{"n":null}]',
  '["a","b","c","d",{"e":"f","g":"h"},"i"]',
  '{"":{"":[]}}',
  "-12.5e+3",
  "0",
  '""',
  " [ 1 , 2 ] ",
].map((text) => encoder.encode(text));

/** What damage inserts: bytes with a meaning, and borders of UTF-8 ranges. */
const TELLING = encoder.encode('"\\{}[]:,-+.eEu019tfn/ \n\r\t\0\x1f\x7f');
const BORDERS = [0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff];

/** Random numbers of 32 bits by seed: mulberry32, as good as this needs. */
class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  below(limit: number): number {
    this.#state = this.#state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(this.#state ^ this.#state >>> 15, 1 | this.#state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) % limit;
  }
}

/** A document of the corpus in the front of `out`, damaged up to three times; returns its length. */
function damaged(dice: Dice, out: Uint8Array): number {
  const origin = CORPUS[dice.below(CORPUS.length)];
  out.set(origin);
  let length = origin.length;
  for (let times = dice.below(4); times > 0; times--) {
    const at = dice.below(length + 1);
    switch (dice.below(7)) {
      case 0:
        out[at] ^= 1 << dice.below(8);
        length = Math.max(length, at + 1);
        break;
      case 1: {
        const gone = Math.min(1 + dice.below(4), length - at);
        out.copyWithin(at, at + gone, length);
        length -= gone;
        break;
      }
      case 2:
      case 3:
        out.copyWithin(at + 1, at, length++);
        out[at] = dice.below(3) > 0
          ? TELLING[dice.below(TELLING.length)]
          : BORDERS[dice.below(BORDERS.length)];
        break;
      case 4: {
        const other = CORPUS[dice.below(CORPUS.length)];
        const from = dice.below(other.length);
        const part = other.subarray(from, from + 1 + dice.below(12));
        out.copyWithin(at + part.length, at, length);
        out.set(part, at);
        length += part.length;
        break;
      }
      case 5:
        length = at;
        break;
      default:
        if (at < length) out[at] = TELLING[dice.below(TELLING.length)];
    }
  }
  return length;
}

function parses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(decoder.decode(bytes));
    return true;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return false;
    throw error;
  }
}

const isBlank = (byte: number) => byte === 32 || byte === 9 || byte === 10 || byte === 13;

/** As `isJsonText`, in pieces of random length, each copied to another place. */
function isJsonInPieces(scanner: JsonScanner, bytes: Uint8Array, dice: Dice, scratch: Uint8Array): boolean {
  let at = 0;
  while (at < bytes.length && isBlank(bytes[at])) at++;
  scanner.begin(false);
  while (at < bytes.length && scanner.status === ScanStatus.MORE) {
    const size = Math.min(1 + dice.below(9), bytes.length - at);
    const shift = dice.below(5);
    for (let k = 0; k < size; k++) scratch[shift + k] = bytes[at + k];
    at += scanner.scan(scratch, shift, shift + size) - shift;
  }
  if (scanner.finish() !== ScanStatus.DONE) return false;
  while (at < bytes.length && isBlank(bytes[at])) at++;
  return at === bytes.length;
}

Deno.test("JsonScanner.scan() agrees with JSON.parse on damaged documents, whole and in pieces", () => {
  const seed = Number(Deno.env.get("WEIR_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  const dice = new Dice(seed);
  const scanner = new JsonScanner();
  const buffer = new Uint8Array(1024);
  const scratch = new Uint8Array(32);
  let accepted = 0;
  for (let n = 0; n < INPUTS; n++) {
    const bytes = buffer.subarray(0, damaged(dice, buffer));
    const expected = parses(bytes);
    if (expected) accepted++;
    const whole = isJsonText(bytes, 0, bytes.length);
    const pieces = isJsonInPieces(scanner, bytes, dice, scratch);
    if (whole !== expected || pieces !== expected) {
      assertEquals(
        { whole, pieces },
        { whole: expected, pieces: expected },
        `WEIR_SEED=${seed}, input ${n}: [${bytes}]`,
      );
    }
  }
  // A corpus that is all right or all wrong would try nothing.
  const share = accepted / INPUTS;
  assertEquals(share > 0.2 && share < 0.8, true, `WEIR_SEED=${seed}: ${share} of the inputs were JSON`);
});
