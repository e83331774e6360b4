/**
 * Framers against the plain reference: whatever the body, however it is cut, and whenever a segment is there, the same
 * records with the same keys and flags come out.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { seededRandom } from "../support/seeded_random.ts";
import {
  type Arrival,
  bytesOf,
  frame,
  type Framed,
  latin1,
  type Reading,
  reference,
  WHOLE,
} from "./framing.ts";

const encoder = new TextEncoder();
const utf8 = (text: string) => encoder.encode(text);

/** The smallest segment holds one meta, one slot and some tens of bytes. */
const arrivals: fc.Arbitrary<Arrival> = fc.record({
  segmentBytes: fc.constantFrom(96, 128, 256, 1024, 32_768),
  cuts: fc.array(fc.nat(400), { maxLength: 12 }).map((cuts) => [...new Set(cuts)].sort((a, b) => a - b)),
  endsAlone: fc.boolean(),
  seed: fc.nat(),
  starvation: fc.constantFrom(0, 0.3, 0.8),
  handsOver: fc.constantFrom(0, 0.5),
}).map(({ segmentBytes, cuts, endsAlone, seed, starvation, handsOver }) => {
  const random = seededRandom(seed);
  return {
    segmentBytes,
    cuts,
    endsAlone,
    starves: () => random() < starvation,
    handsOver: () => random() < handsOver,
  };
});

/** JSON values with members that the tests' pointers hit, and strings that need escapes or several bytes. */
const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom("", "é", "\u{1f600}", 'a"b', "back\\slash", "line\nfeed", "x".repeat(60)),
);
const member = fc.constantFrom("id", "user", "a/b", "m~n", "specversion", "type", "source", "data");
const jsonValue: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.integer(),
    fc.constantFrom(true, false, null),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(member, tie("value"), { maxKeys: 4 }),
  ),
})).value;
const blanks = fc.constantFrom("", "", " ", "\t ", "\r\n", "\n");

/** A JSON text of `value`, some characters as escapes, with line breaks where they may stand. */
function jsonText(value: unknown, escapes: boolean, indent: string): string {
  const plain = JSON.stringify(value, null, indent);
  return escapes
    ? plain.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    : plain;
}
const jsonRecord = fc.tuple(jsonValue, fc.boolean(), fc.constantFrom("", "", " ", "\n", "\r"))
  .map(([value, escapes, indent]) => jsonText(value, escapes, indent));

const pointers = fc.constantFrom(undefined, "/id", "/user/id", "/a~1b", "/m~0n", "/data/0");
const sharedKeys = fc.constantFrom(undefined, undefined, "shared-é");

/** Cuts, flips or inserts bytes, so that most of the result is still as it was. */
function mutate(body: Uint8Array, edits: readonly (readonly [number, number, number])[]): Uint8Array {
  const bytes = [...body];
  for (const [kind, place, byte] of edits) {
    const at = bytes.length === 0 ? 0 : place % bytes.length;
    if (kind === 0) bytes.splice(at, 1);
    else if (kind === 1) bytes[at] = byte;
    else bytes.splice(at, 0, byte);
  }
  return Uint8Array.from(bytes);
}
const edits = fc.array(
  fc.tuple(
    fc.nat(2),
    fc.nat(10_000),
    fc.oneof(fc.nat(255), fc.constantFrom(10, 13, 32, 34, 44, 91, 93, 0xc3, 0xef)),
  ),
  { maxLength: 3 },
);

function check(body: Uint8Array, reading: Reading, arrival: Arrival): void {
  const expected = reference(body, reading);
  const seen = frame(body, reading, arrival);
  assertEquals(seen.failure, expected.failure, latin1(body));
  if (expected.failure !== null) return;
  assertEquals(seen.records, expected.records, latin1(body));
  assertEquals(seen.rejected, expected.rejected, latin1(body));
}

Deno.test("JsonFramer cuts every body as the reference does, however it arrives", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(blanks, jsonRecord, blanks), { maxLength: 6 }),
      fc.boolean(),
      blanks,
      edits,
      pointers,
      sharedKeys,
      fc.constantFrom("any" as const, "single" as const, "array" as const),
      arrivals,
      (elements, isArray, around, changes, pointer, sharedKey, format, arrival) => {
        const values = elements.map(([before, value, after]) => before + value + after);
        const document = isArray ? `[${values.join(",")}]` : values[0] ?? "";
        const body = mutate(utf8(around + document + around), changes);
        check(body, { format, pointer, sharedKey }, arrival);
      },
    ),
    { numRuns: 1500 },
  );
});

Deno.test("LinesFramer cuts every body as the reference does, validated and trusted, however it arrives", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.oneof(
            jsonRecord.map((json) => json.replaceAll("\n", " ")),
            text,
            fc.constantFrom("", " ", "\r"),
          ),
          fc.constantFrom("\n", "\n", "\r\n", "\n\n", " \n", "\r\r\n"),
        ),
        { maxLength: 8 },
      ),
      fc.boolean(),
      edits,
      fc.boolean(),
      pointers,
      sharedKeys,
      arrivals,
      (lines, endsWithNewline, changes, validate, pointer, sharedKey, arrival) => {
        const joined = lines.map(([line, end]) => line + end).join("");
        const body = mutate(utf8(endsWithNewline ? joined : joined.replace(/[\r\n]+$/, "")), changes);
        // A trusted record is whatever it is: a key is found in it only by luck, and nothing is promised.
        check(
          body,
          { format: "lines", validate, pointer: validate ? pointer : undefined, sharedKey },
          arrival,
        );
      },
    ),
    { numRuns: 2500 },
  );
});

Deno.test("OctetFramer takes the body as one record, however it arrives", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.tuple(blanks, jsonRecord, blanks).map((parts) => utf8(parts.join(""))),
        fc.uint8Array({ maxLength: 300 }),
      ),
      edits,
      fc.boolean(),
      pointers,
      arrivals,
      (content, changes, validate, pointer, arrival) => {
        const body = mutate(content, changes);
        check(body, { format: "octets", validate, pointer: validate ? pointer : undefined }, arrival);
      },
    ),
    { numRuns: 1500 },
  );
});

Deno.test("JsonFramer takes CloudEvents with all required members, and refuses the others one by one", () => {
  const event = fc.dictionary(fc.constantFrom("specversion", "id", "source", "type", "data"), text, {
    maxKeys: 5,
  });
  const whole = text.map((id) => ({ specversion: "1.0", id, source: "/s", type: "t", data: { id: 1 } }));
  fc.assert(
    fc.property(
      fc.array(fc.oneof(whole, event), { maxLength: 6 }),
      fc.boolean(),
      arrivals,
      (events, isBatch, arrival) => {
        const reading: Reading = { format: isBatch ? "array" : "single", isEvent: true };
        const body = utf8(JSON.stringify(isBatch ? events : events[0] ?? {}));
        check(body, reading, arrival);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("Framer refuses a record over maxRecordBytes, however it arrives, and takes one of just that size", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 300 }),
      fc.constantFrom("lines" as const, "any" as const, "octets" as const),
      arrivals,
      (over, format, arrival) => {
        const value = `"${"y".repeat(over + 10)}"`;
        const body = utf8(format === "any" ? `[1,${value}]` : format === "lines" ? `1\n${value}\n2` : value);
        const exact: Reading = { format, maxRecordBytes: value.length };
        assertEquals(frame(body, exact, arrival).failure, null);
        assertEquals(
          frame(body, { ...exact, maxRecordBytes: value.length - 1 }, arrival).failure,
          "record-too-large",
        );
      },
    ),
    { numRuns: 300 },
  );
});

const story = (body: string, reading: Reading, arrival: Partial<Arrival> = {}) =>
  frame(bytesOf(body), reading, { ...WHOLE, ...arrival });
const values = (framed: Framed) => framed.records.map(({ value }) => value);

Deno.test("LinesFramer drops CR before LF, skips empty lines, and counts a last line without LF", () => {
  for (const cuts of [[], [1], [2], [3], [4], [5], [6], [1, 2, 3, 4, 5, 6]]) {
    assertEquals(values(story("1\r\n\r\n\n2", { format: "lines" }, { cuts })), ["1", "2"], `cut at ${cuts}`);
    const trusted = story("a\r\n\r\n\nb", { format: "lines", validate: false }, { cuts });
    assertEquals(values(trusted), ["a", "b"], `cut at ${cuts}`);
  }
});

Deno.test("LinesFramer makes no record of an empty line whose CR and LF come apart", () => {
  // The CR began a record in pieces, and the LF ended it empty.
  for (const validate of [true, false]) {
    const framed = story("1\n\r\n2\n", { format: "lines", validate }, { cuts: [3] });
    assertEquals([values(framed), framed.rejected], [["1", "2"], []]);
  }
});

Deno.test("LinesFramer tells a CR inside a record, so that no sink writes it as the end of a line", () => {
  const [record] = story("a\rb\r\n", { format: "lines", validate: false }).records;
  assertEquals(record, { value: "a\rb", key: null, isJson: false, hasNewline: true });
});

Deno.test("LinesFramer refuses a CR inside a number, a name or a string, wherever the line is cut", () => {
  for (const line of ["12\r34", "tr\rue", '"a\rb"', '{"a":"\\u00\re9"}', "1\r2"]) {
    for (let cut = 0; cut <= line.length; cut++) {
      const framed = story(`1\n${line}\n2\n`, { format: "lines" }, { cuts: [2 + cut], segmentBytes: 96 });
      assertEquals(
        [values(framed), framed.rejected],
        [["1", "2"], [1]],
        `${JSON.stringify(line)} cut at ${cut}`,
      );
    }
  }
});

Deno.test("JsonFramer keeps the exact bytes of each element, without the blanks around it", () => {
  const framed = story('[ {"a" : 1.0e2},\n[ 1 , 2 ]\t, "x" ]', { format: "any" });
  assertEquals(values(framed), ['{"a" : 1.0e2}', "[ 1 , 2 ]", '"x"']);
});

Deno.test("JsonFramer names the record and the byte of what is wrong, also behind a chunk's end", () => {
  for (const cuts of [[], [3], [9, 10]]) {
    const { detail } = story('[{"a":1},{"b":x}]', { format: "any" }, { cuts });
    assertStringIncludes(detail, "record 1: ");
    assertStringIncludes(detail, "at byte 14");
  }
});

Deno.test("JsonFramer says to who sent two lines as JSON how lines are sent", () => {
  const { detail } = story('{"a":1}\n{"b":2}', { format: "any" });
  assertStringIncludes(
    detail,
    "at byte 8; several records are one array, or lines sent as application/x-ndjson",
  );
});

Deno.test("Framer takes the key at the pointer as text, whatever way it is written and cut", () => {
  const cases: [string, string | null][] = [
    ['{"id":"plain"}', "plain"],
    ['{"id":"\\u00e9\\n"}', latin1(utf8("é\n"))],
    ['{"id":17}', "17"],
    ['{"id":null}', null],
    ['{"id":""}', null],
    ['{"x":{"id":1}}', null],
  ];
  for (const [json, key] of cases) {
    for (let cut = 0; cut < json.length; cut++) {
      const framed = story(json, { format: "any", pointer: "/id" }, { cuts: [cut], segmentBytes: 96 });
      assertEquals(framed.records[0].key, key, `${json} cut at ${cut}`);
    }
  }
});

Deno.test("Framer refuses a record whose key is too long, and goes on", () => {
  const body = JSON.stringify([{ id: "k".repeat(1025) }, { id: "k".repeat(1024) }]);
  const framed = story(body, { format: "any", pointer: "/id" }, { cuts: [700] });
  assertEquals([framed.rejected, framed.records.length], [[0], 1]);
});

Deno.test("Framer lists the first 100 refused records and counts all", () => {
  const framed = story("x\n".repeat(150), { format: "lines" });
  assertEquals([framed.rejected.length, framed.records.length], [100, 0]);
});
