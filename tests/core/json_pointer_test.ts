/** Keys by pointer: what is found, what is absent, and that cuts change nothing. @module */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { PointerScanner, ScanStatus } from "../../src/core/json_pointer.ts";
import { MAX_KEY_BYTES } from "../../src/core/record.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Shows `pieces` to `scanner`, each in the middle of other bytes; the key as text, or null when it is absent. */
function search(scanner: PointerScanner, pieces: Uint8Array[]): string | null {
  scanner.begin();
  for (const piece of pieces) {
    const framed = new Uint8Array(piece.length + 8).fill(0x22);
    framed.set(piece, 4);
    scanner.scan(framed, 4, 4 + piece.length);
  }
  scanner.finish();
  if (scanner.status === ScanStatus.ABSENT) return null;
  return scanner.tooLong ? "(too long)" : decoder.decode(scanner.key.subarray(0, scanner.keyLength));
}

function keyOf(pointer: string, text: string): string | null {
  return search(new PointerScanner(pointer), [encoder.encode(text)]);
}

/** Pointer, record, key. */
const CASES: [string, string, string | null][] = [
  ["/id", '{"id":"a"}', "a"],
  ["/id", ' {"x":{"id":"no"},"y":["id",{"id":1}], "id" : "a" , "z":1}', "a"],
  ["/id", '{"ID":"no","i":"no","idx":"no","id":"yes"}', "yes"],
  ["/id", '{"id":"first","id":"second"}', "first"],
  ["/id", '{"id":-12.50e+1}', "-12.50e+1"],
  ["/id", '{"id":0 }', "0"],
  ["/id", '{"id":true}', "true"],
  ["/id", '{"id":false,"x":1}', "false"],
  ["/id", '{"id":""}', ""],
  ["/id", '{"id":null}', null],
  ["/id", '{"id":{}}', null],
  ["/id", '{"id":["a"]}', null],
  ["/id", '{"a":"id","b":{"id":1}}', null],
  ["/id", "{}", null],
  ["/id", "[]", null],
  ["/id", '["id","a"]', null],
  ["/id", '"id"', null],
  ["/id", "12", null],
  ["/id", '{"a":"}","b":"\\"","c":"\\\\","d":"{[\\\\\\"","id":"a"}', "a"],
  ["/id", '{"i\\u0064":"a"}', "a"],
  ["/id", '{"\\u0069\\u0064x":"no","\\u0069d":"a"}', "a"],
  ["/", '{"a":1,"":"empty name"}', "empty name"],
  ["/a~1b", '{"a/b":1}', "1"],
  ["/a~0b", '{"a~b":1}', "1"],
  ["/~01", '{"~1":1}', "1"],
  ['/a"b\\c', '{"a\\"b\\\\c":1}', "1"],
  ["/straße😀", '{"straße😀":1}', "1"],
  ["/straße😀", '{"stra\\u00DFe\\ud83d\\uDE00":1}', "1"],
  ["/id", '{"id":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\ud83d\\ude00"}', '"\\/\b\f\n\r\tAé€😀'],
  ["/id", '{"id":"\\ud800|\\udc00|\\ud800\\u0041|\\ud800\\ud83d\\ude00"}', "\ufffd|\ufffd|\ufffdA|\ufffd😀"],
  ["/id", '{"id":"\\udc00\\udc01"}', "\ufffd\ufffd"],
  ["/id", '{"id":"grün"}', "grün"],
  ["/a/b/c", '{"a":{"x":1,"b":{"c":"deep"}}}', "deep"],
  ["/a/b", '{"a":1,"b":2}', null],
  ["/a/b", '{"a":{"x":1},"b":2}', null],
  ["/a/b", '{"a":{},"a":{"b":1}}', null],
  ["/a/b", '{"a":null,"a":{"b":1}}', null],
  ["/0", '["a","b"]', "a"],
  ["/2", '[[1,2],{"x":[3,4]},"c"]', "c"],
  ["/2", '["a","b"]', null],
  ["/0", "[]", null],
  ["/1", "[]", null],
  ["/0", '{"0":"name"}', "name"],
  ["/-", "[1]", null],
  ["/01", "[1,2]", null],
  ["/01", '{"01":"name"}', "name"],
  ["/a/1/id", '{"a":[{"id":1},{"x":{},"id":2}]}', "2"],
];

/** What no JSON scanner would let pass. */
const GARBAGE: [string, string][] = [
  ["/id", ""],
  ["/id", "   "],
  ["/id", "id=a"],
  ["/id", '{"id'],
  ["/id", '{"id":'],
  ["/id", '{"id":"a'],
  ["/id", '{"id":12'],
  ["/id", '{"id" "a"}'],
  ["/id", '{"id":xyz}'],
  ["/id", '{"id":12ab}'],
  ["/id", '{"id":1.}'],
  ["/id", '{"id":trux}'],
  ["/id", '{"id":"\\x"}'],
  ["/id", '{"id":"a\nb"}'],
  ["/id", '{"i\\u00zzd":1}'],
  ["/id", '{"\\'],
  ["/id", '{"id\\":1}'],
  ["/id", "{id:1}"],
  ["/id", "}}}}"],
  ["/0", "[,1]"],
  ["/1", "[1,,"],
];

Deno.test("PointerScanner.scan() finds the key, or that there is none", () => {
  for (const [pointer, text, key] of CASES) assertEquals(keyOf(pointer, text), key, `${pointer} in ${text}`);
});

Deno.test("PointerScanner.scan() settles on absent for what is no JSON on the path", () => {
  for (const [pointer, text] of GARBAGE) assertEquals(keyOf(pointer, text), null, `${pointer} in ${text}`);
});

Deno.test("PointerScanner.scan() comes to the same wherever the record is cut", () => {
  const cases = [...CASES, ...GARBAGE.map(([pointer, text]) => [pointer, text, null] as const)];
  for (const [pointer, text, key] of cases) {
    const scanner = new PointerScanner(pointer);
    const bytes = encoder.encode(text);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const found = search(scanner, [bytes.subarray(0, cut), bytes.subarray(cut)]);
      assertEquals(found, key, `${pointer} in ${text} cut at ${cut}`);
    }
    assertEquals(
      search(scanner, Array.from(bytes, (byte) => new Uint8Array([byte]))),
      key,
      `${pointer} in ${text}`,
    );
  }
});

Deno.test("PointerScanner.inlineFrom is where the key stands as it is in the last chunk", () => {
  const inline = (text: string, cut = 0) => {
    const scanner = new PointerScanner("/id");
    const bytes = encoder.encode(text);
    scanner.begin();
    scanner.scan(bytes, 0, cut);
    scanner.scan(bytes, cut, bytes.length);
    assertEquals(scanner.status, ScanStatus.FOUND);
    return scanner.inlineFrom < 0 ? scanner.inlineTo : text.slice(scanner.inlineFrom, scanner.inlineTo);
  };
  assertEquals(inline('{"x":1,"id":"abc"}'), "abc");
  assertEquals(inline('{"x":1,"id":"abc"}', 12), "abc");
  assertEquals(inline('{"id":12}'), "12");
  assertEquals(inline('{"id":true}'), "true");
  assertEquals(inline('{"id":""}'), "");
  assertEquals(inline('{"id":"a\\n"}'), -1);
  assertEquals(inline('{"id":"abc"}', 8), -1);
  assertEquals(inline('{"id":12}', 8), -1);
});

Deno.test("PointerScanner.scan() looks at nothing behind the key", () => {
  const bytes = encoder.encode('{"id":"a","x":1}');
  const scanner = new PointerScanner("/id");
  scanner.begin();
  assertEquals([scanner.scan(bytes, 0, bytes.length), scanner.status], [9, ScanStatus.FOUND]);
  assertEquals(scanner.scan(bytes, 9, bytes.length), 9);
  assertEquals([scanner.status, scanner.inlineFrom], [ScanStatus.FOUND, -1]);
  scanner.begin();
  assertEquals([scanner.scan(encoder.encode("[1]"), 0, 3), scanner.status], [1, ScanStatus.ABSENT]);
});

Deno.test("PointerScanner.tooLong tells a key over the limit, which is found all the same", () => {
  const scanner = new PointerScanner("/id");
  const record = (key: string) => encoder.encode(`{"id":"${key}","x":1}`);
  const longest = "k".repeat(MAX_KEY_BYTES);
  const escaped = "\\u006b".repeat(MAX_KEY_BYTES);
  for (const size of [1_000_000, 100, 7]) {
    const pieces = (bytes: Uint8Array) =>
      Array.from(
        { length: Math.ceil(bytes.length / size) },
        (_, k) => bytes.subarray(k * size, k * size + size),
      );
    assertEquals(search(scanner, pieces(record(longest))), longest);
    assertEquals(search(scanner, pieces(record(escaped))), longest);
    for (const key of [longest + "k", escaped + "k", "é".repeat(513), "k".repeat(20_000)]) {
      assertEquals(search(scanner, pieces(record(key))), "(too long)");
      assertEquals([scanner.status, scanner.keyLength, scanner.inlineFrom], [ScanStatus.FOUND, 0, -1]);
    }
    assertEquals(search(scanner, pieces(record("a"))), "a");
    assertEquals(search(scanner, pieces(encoder.encode(`{"${"\\u0069d".repeat(5000)}":1,"id":"a"}`))), "a");
  }
});

Deno.test("PointerScanner.scan() gives up on a key that cannot fit before it has all arrived", () => {
  const scanner = new PointerScanner("/id");
  scanner.begin();
  const piece = encoder.encode("k".repeat(MAX_KEY_BYTES));
  scanner.scan(encoder.encode('{"id":"'), 0, 7);
  for (let n = 0; n < 7; n++) scanner.scan(piece, 0, piece.length);
  assertEquals([scanner.status, scanner.tooLong], [ScanStatus.FOUND, true]);
});

Deno.test("PointerScanner.begin() forgets the record before", () => {
  const scanner = new PointerScanner("/a/id");
  for (
    const before of [
      '{"a":{"i\\',
      '{"a":{"id":"x',
      '{"a":{"id":{"b":[',
      '{"a":[[',
      '{"x":{"y":"\\',
      '{"a":{"id":"x"}}',
    ]
  ) {
    search(scanner, [encoder.encode(before)]);
    const pieces = ['{"', '":[{}],"a":{"i', 'd":"key', '"}}'].map((piece) => encoder.encode(piece));
    assertEquals(search(scanner, pieces), "key", before);
  }
});

Deno.test("PointerScanner refuses a pointer that names no member, and says what one is", () => {
  for (const pointer of ["id", "", "/a~2", "/a~"]) {
    assertThrows(
      () => new PointerScanner(pointer),
      Error,
      `Cannot take a key by ${JSON.stringify(pointer)}: it must be`,
    );
  }
});

/** What the pointer of `tokens` finds in a parsed record, as the key's text. */
function lookUp(value: unknown, tokens: string[]): string | null {
  let at = value;
  for (const token of tokens) {
    if (at === null || typeof at !== "object") return null;
    if (Array.isArray(at) && !/^(0|[1-9]\d*)$/.test(token)) return null;
    if (!Object.hasOwn(at, token)) return null;
    at = (at as Record<string, unknown>)[token];
  }
  // A lone surrogate cannot be encoded; numbers are kept to integers, whose text is what JSON.stringify wrote.
  return at === null || typeof at === "object" ? null : decoder.decode(encoder.encode(String(at)));
}

/** The tokens of every place in `value`. */
function places(value: unknown, path: string[] = []): string[][] {
  if (value === null || typeof value !== "object") return [path];
  return [path, ...Object.entries(value).flatMap(([name, inner]) => places(inner, [...path, name]))];
}

/** Writes a string with some of its characters escaped. */
function stringify(text: string, escapeEvery: number): string {
  let out = '"';
  for (let k = 0; k < text.length; k++) {
    const unit = text.charCodeAt(k);
    const escape = k % escapeEvery === 0 || unit < 0x20 || unit === 0x22 || unit === 0x5c ||
      unit >> 11 === 27;
    out += escape ? `\\u${unit.toString(16).padStart(4, "0")}` : text[k];
  }
  return out + '"';
}

function write(value: unknown, escapeEvery: number, gap: string): string {
  if (typeof value === "string") return stringify(value, escapeEvery);
  if (Array.isArray(value)) return `[${value.map((v) => write(v, escapeEvery, gap)).join(gap + ",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).map(([name, v]) =>
    `${stringify(name, escapeEvery)}${gap}:${gap}${write(v, escapeEvery, gap)}`
  );
  return `{${gap}${members.join("," + gap)}${gap}}`;
}

Deno.test("PointerScanner.scan() agrees with JSON.parse and a look-up", () => {
  const name = fc.constantFrom(
    "a",
    "b",
    "id",
    "",
    "0",
    "1",
    "é",
    "a/b",
    "m~n",
    'q"',
    "__proto__",
    "\ud83d\ude00",
  );
  const text = fc.oneof(
    name,
    fc.string({ maxLength: 12, unit: "grapheme" }),
    fc.constantFrom("\ud800", '"\\', "\n"),
  );
  const { record } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null)),
      tie("record"),
    ),
    record: fc.oneof(
      { maxDepth: 4 },
      fc.uniqueArray(fc.tuple(name, tie("value")), { selector: ([n]) => n, maxLength: 5 }).map(
        Object.fromEntries,
      ),
      fc.array(tie("value"), { maxLength: 4 }),
    ),
  }));
  let found = 0;
  fc.assert(
    fc.property(
      record,
      fc.nat(1000),
      fc.array(name, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom("", " ", "\r\n"),
      fc.array(fc.nat(200), { maxLength: 3 }),
      (value, place, anywhere, escapeEvery, gap, cuts) => {
        const known = places(value);
        const inside = known[place % known.length];
        const tokens = place % 5 > 0 && inside.length > 0 ? inside : anywhere;
        const json = write(value, escapeEvery, gap);
        const bytes = encoder.encode(json);
        const pointer = tokens.map((token) => "/" + token.replaceAll("~", "~0").replaceAll("/", "~1")).join(
          "",
        );
        const borders = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) =>
          a - b
        );
        const pieces = borders.slice(1).map((end, k) => bytes.subarray(borders[k], end));
        const expected = lookUp(JSON.parse(json), tokens);
        if (expected !== null) found++;
        assertEquals(search(new PointerScanner(pointer), pieces), expected, `${pointer} in ${json}`);
      },
    ),
    { numRuns: 50_000 },
  );
  // Pointers that mostly lead nowhere would try little.
  assertEquals(found > 10_000, true, `only ${found} of 50,000 pointers found something`);
});
