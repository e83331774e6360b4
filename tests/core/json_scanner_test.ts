/** The grammar, the places where a text can be cut, and what is said about bytes that fit nowhere. @module */
import { assertEquals } from "@std/assert";
import { isJsonText, JsonScanner, ScanStatus } from "../../src/core/json_scanner.ts";

const encoder = new TextEncoder();
const bytesOf = (text: string | number[]) =>
  typeof text === "string" ? encoder.encode(text) : new Uint8Array(text);
const quoted = (...inner: number[]) => [0x22, ...inner, 0x22];

const ACCEPTED: (string | number[])[] = [
  "{}",
  "[]",
  '""',
  "0",
  "-0",
  "-1",
  "10",
  "1.5",
  "0.0",
  "1e5",
  "1E+5",
  "1e-05",
  "0e0",
  "-1.25e+10",
  "1".repeat(400),
  "true",
  "false",
  "null",
  "[null,true,false]",
  ' {"a" :\t[ 1 ,\r\n{ } ] } ',
  '{"":""}',
  '{"a":1,"a":2}',
  '[[],[[]],{"a":{}}]',
  '{"name":"value", "name": "value" ,"n":1}',
  '["a","b", "c"]',
  '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uD83D\\ude00"',
  '"\\ud800"',
  '"\x7f"',
  '"grün €uro 😀 \u2028"',
  quoted(0xc2, 0x80),
  quoted(0xdf, 0xbf),
  quoted(0xe0, 0xa0, 0x80),
  quoted(0xed, 0x9f, 0xbf),
  quoted(0xee, 0x80, 0x80),
  quoted(0xf0, 0x90, 0x80, 0x80),
  quoted(0xf4, 0x8f, 0xbf, 0xbf),
  "[".repeat(512) + "]".repeat(512),
];

const REJECTED: (string | number[])[] = [
  "",
  " ",
  "{",
  "[",
  '"',
  "}",
  "]",
  ",",
  ":",
  "[1",
  "[1,",
  "[1,]",
  "[,1]",
  "[1 2]",
  "[1}",
  '{"a"}',
  '{"a":}',
  '{"a":1,}',
  '{"a":1]',
  '{"a" 1}',
  '{"a"::1}',
  '{"a","b"}',
  '{"a":"b":"c"}',
  '["a":"b"]',
  '["a": "b"]',
  "{1:2}",
  "{a:1}",
  "{'a':1}",
  '{,"a":1}',
  '"a","b"',
  '"a":"b"',
  "{}{}",
  "1 2",
  "01",
  "-",
  "-01",
  "+1",
  ".5",
  "1.",
  "1.e1",
  "1e",
  "1e+",
  "1e1.5",
  "0x1",
  "1_000",
  "NaN",
  "Infinity",
  "-Infinity",
  "tru",
  "truE",
  "True",
  "nulll",
  "undefined",
  "[true false]",
  '"\\x"',
  '"\\u12g4"',
  '"\\u123"',
  '"\\',
  '"a\nb"',
  '"a\tb"',
  '"\0"',
  '"\x1f"',
  "[\x0b1]",
  "[\xa01]",
  "// comment\n1",
  "\ufeff1",
  "[1]\0",
  quoted(0x80),
  quoted(0xbf),
  quoted(0xc0, 0xaf),
  quoted(0xc1, 0xbf),
  quoted(0xc2),
  quoted(0xc2, 0x41),
  quoted(0xe0, 0x9f, 0xbf),
  quoted(0xe2, 0x82),
  quoted(0xed, 0xa0, 0x80),
  quoted(0xf0, 0x8f, 0xbf, 0xbf),
  quoted(0xf4, 0x90, 0x80, 0x80),
  quoted(0xf5, 0x80, 0x80, 0x80),
  quoted(0xff),
  [0xc3, 0xbc],
];

/** What a scan in `pieces` comes to. */
function outcome(scanner: JsonScanner, pieces: Uint8Array[], stopAtNewline = false): unknown[] {
  scanner.begin(stopAtNewline);
  let at = 0;
  for (const piece of pieces) {
    // Other bytes on both sides tell a scan that looks beyond its range.
    const framed = new Uint8Array(piece.length + 8).fill(0x22);
    framed.set(piece, 4);
    at += scanner.scan(framed, 4, 4 + piece.length) - 4;
    if (scanner.status !== ScanStatus.MORE) break;
  }
  scanner.finish();
  return [scanner.status, at, scanner.hadNewline, scanner.error];
}

/** Status, where it stopped, and the reason, of a scan in one piece. */
function verdict(text: string | number[], stopAtNewline = false, scanner = new JsonScanner()): unknown[] {
  const [status, at, , error] = outcome(scanner, [bytesOf(text)], stopAtNewline);
  return [status, at, error];
}

Deno.test("isJsonText() takes what the grammar takes", () => {
  for (const text of ACCEPTED) {
    const bytes = bytesOf(text);
    assertEquals(isJsonText(bytes, 0, bytes.length), true, `${text}`);
  }
});

Deno.test("isJsonText() refuses what the grammar does not take", () => {
  for (const text of REJECTED) {
    const bytes = bytesOf(text);
    assertEquals(isJsonText(bytes, 0, bytes.length), false, `${text}`);
  }
});

Deno.test("isJsonText() sees its range alone", () => {
  const bytes = encoder.encode('x {"a":1} ,');
  assertEquals(isJsonText(bytes, 1, 10), true);
  assertEquals(isJsonText(bytes, 0, 10), false);
  assertEquals(isJsonText(bytes, 1, 11), false);
  assertEquals(isJsonText(bytes, 1, 8), false);
});

Deno.test("JsonScanner.scan() comes to the same wherever the text is cut", () => {
  const scanner = new JsonScanner();
  for (const text of [...ACCEPTED, ...REJECTED]) {
    if (text.length > 100) continue;
    const bytes = bytesOf(text);
    for (const stopAtNewline of [false, true]) {
      const whole = outcome(scanner, [bytes], stopAtNewline);
      for (let cut = 0; cut <= bytes.length; cut++) {
        const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)];
        assertEquals(outcome(scanner, pieces, stopAtNewline), whole, `${text} cut at ${cut}`);
      }
      const single = Array.from(bytes, (byte) => new Uint8Array([byte]));
      assertEquals(outcome(scanner, single, stopAtNewline), whole, `${text} byte by byte`);
    }
  }
});

Deno.test("JsonScanner.scan() stops behind the value", () => {
  assertEquals(verdict('{"a":[1]} {}'), [ScanStatus.DONE, 9, ""]);
  assertEquals(verdict('"a","b","c"'), [ScanStatus.DONE, 3, ""]);
  assertEquals(verdict("true1"), [ScanStatus.DONE, 4, ""]);
  assertEquals(verdict("12,"), [ScanStatus.DONE, 2, ""]);
  assertEquals(verdict("1.5e3\n"), [ScanStatus.DONE, 5, ""]);
  assertEquals(verdict("01"), [ScanStatus.DONE, 1, ""]);
});

Deno.test("JsonScanner.scan() leaves a number open until it is known to end", () => {
  const scanner = new JsonScanner();
  scanner.begin(false);
  assertEquals([scanner.scan(encoder.encode("12"), 0, 2), scanner.status], [2, ScanStatus.MORE]);
  assertEquals([scanner.scan(encoder.encode("3,4"), 0, 3), scanner.status], [1, ScanStatus.DONE]);
  assertEquals(scanner.scan(encoder.encode("4"), 0, 1), 0);
  scanner.begin(false);
  scanner.scan(encoder.encode("12"), 0, 2);
  assertEquals(scanner.finish(), ScanStatus.DONE);
});

Deno.test("JsonScanner.begin() forgets the value before", () => {
  const scanner = new JsonScanner();
  for (const before of ['[[{"a', '[\n"\\u00', '"\xf0', "[tr", '{"a":-', "[}"]) {
    outcome(scanner, [encoder.encode(before)]);
    assertEquals(outcome(scanner, [encoder.encode('{"a":[1]}')]), [ScanStatus.DONE, 9, false, ""], before);
  }
});

Deno.test("JsonScanner.error says what is wrong where", () => {
  const cases: [string | number[], number, string][] = [
    ["}", 0, "unexpected byte 0x7d where a value should begin"],
    [" 1", 0, "unexpected byte 0x20 where a value should begin"],
    ['{"a":}', 5, "unexpected byte 0x7d where a value should begin"],
    ["[,", 1, "unexpected byte 0x2c where a value or the end of the array should be"],
    ["{1", 1, "unexpected byte 0x31 where a name or the end of the object should be"],
    ['{"a":1,}', 7, "unexpected byte 0x7d where a name should begin"],
    ['{"a"1', 4, "unexpected byte 0x31 where a colon should be"],
    ["[1}", 2, "unexpected byte 0x7d where a comma or the end of the container should be"],
    ["[1.x", 3, "unexpected byte 0x78 where a digit should be"],
    ["-x", 1, "unexpected byte 0x78 where a digit should be"],
    ["1ex", 2, "unexpected byte 0x78 where a digit or a sign should be"],
    ["1e+x", 3, "unexpected byte 0x78 where a digit should be"],
    ["trux", 3, "unexpected byte 0x78 in what begins as true, false or null"],
    ['"\\x', 2, "unexpected byte 0x78 behind a backslash"],
    ['"\\u00x', 5, "unexpected byte 0x78 where a hexadecimal digit should be"],
    ['"a\tb"', 2, "unexpected byte 0x09 in a string, where it must be escaped"],
    [quoted(0x61, 0xff), 2, "invalid UTF-8: unexpected byte 0xff in a string"],
    [quoted(0xed, 0xa0, 0x80), 2, "invalid UTF-8: unexpected byte 0xa0 in a string"],
    [quoted(0xe2, 0x82), 3, "invalid UTF-8: unexpected byte 0x22 in a string"],
    ["", 0, "the text ends before a value"],
    ['{"a', 3, "the text ends inside a value"],
  ];
  for (const [text, at, error] of cases) {
    assertEquals(verdict(text), [ScanStatus.ERROR, at, error], `${text}`);
  }
});

Deno.test("JsonScanner.scan() bounds the depth", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  assertEquals(verdict(nested(513)), [ScanStatus.ERROR, 512, "more than 512 levels of nesting"]);
  assertEquals(verdict(nested(3), false, new JsonScanner(3)), [ScanStatus.DONE, 6, ""]);
  assertEquals(verdict('[[[{"', false, new JsonScanner(3)), [
    ScanStatus.ERROR,
    3,
    "more than 3 levels of nesting",
  ]);
  assertEquals(verdict("1", false, new JsonScanner(0)), [ScanStatus.DONE, 1, ""]);
});

Deno.test("JsonScanner.begin() with stopAtNewline ends a value at its line", () => {
  const inside = "the line ends inside a value";
  assertEquals(verdict('{"a":\n1}', true), [ScanStatus.ERROR, 5, inside]);
  assertEquals(verdict('{"a\n', true), [ScanStatus.ERROR, 3, inside]);
  assertEquals(verdict('{"a\\\n', true), [ScanStatus.ERROR, 4, inside]);
  assertEquals(verdict("tr\n", true), [ScanStatus.ERROR, 2, inside]);
  assertEquals(verdict("[1\n", true), [ScanStatus.ERROR, 2, inside]);
  assertEquals(verdict("\n", true), [ScanStatus.ERROR, 0, "the line ends before a value"]);
  assertEquals(verdict("[\r1]\n", true), [ScanStatus.DONE, 4, ""]);
  assertEquals(verdict("1\n", true), [ScanStatus.DONE, 1, ""]);
});

Deno.test("JsonScanner.hadNewline tells CR and LF between tokens", () => {
  const had = (text: string) => outcome(new JsonScanner(), [encoder.encode(text)])[2];
  assertEquals([had("[\n1]"), had("[1\r]"), had("[1\t ]"), had('["\\n"]'), had("[1]\n")], [
    true,
    true,
    false,
    false,
    false,
  ]);
});
