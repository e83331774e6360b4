/** Binary CloudEvents as structured ones: what is `data`, what is a string, and what is base64. @module */
import { assert, assertEquals } from "@std/assert";
import { structuredEvent } from "../../src/sink/cloud_event.ts";

const CORE = [["ce-specversion", "1.0"], ["ce-id", "a-1"], ["ce-source", "/s"], ["ce-type", "t"]] as const;
const CORE_JSON = { specversion: "1.0", id: "a-1", source: "/s", type: "t" };

function event(value: string | Uint8Array, ...more: (readonly [string, string])[]): string {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return new TextDecoder("utf-8", { fatal: true }).decode(structuredEvent([...CORE, ...more], bytes));
}

const CASES: readonly [string, string | Uint8Array, string | null, Record<string, unknown>][] = [
  ["JSON as it is", '{"a":[1,2]}', "application/json", { data: { a: [1, 2] } }],
  ["JSON by a parameter and a suffix", "7", "application/vnd.x+json; charset=utf-8", { data: 7 }],
  ["JSON when no type is told", '"text"', null, { data: "text" }],
  ["no member for an empty body", "", "application/json", {}],
  ["bytes that only claim to be JSON", "{no", "application/json", { data_base64: "e25v" }],
  ["bytes without a type that are no JSON", "{no", null, { data_base64: "e25v" }],
  ["text as a string", 'two\n"lines"', "text/plain", { data: 'two\n"lines"' }],
  ["XML as a string", "<a/>", "application/xml", { data: "<a/>" }],
  ["text that is not UTF-8", Uint8Array.of(0xff), "text/plain", { data_base64: "/w==" }],
  ["any other type", Uint8Array.of(0, 1, 2), "application/octet-stream", { data_base64: "AAEC" }],
];

for (const [promise, value, type, wanted] of CASES) {
  Deno.test(`structuredEvent() writes ${promise}`, () => {
    const text = type === null ? event(value) : event(value, ["content-type", type]);
    assert(!/[\r\n]/.test(text), "an event is one line");
    assertEquals(JSON.parse(text), {
      ...CORE_JSON,
      ...type === null ? {} : { datacontenttype: type },
      ...wanted,
    });
  });
}

Deno.test("structuredEvent() keeps the digits of numbers, and spaces for newlines between tokens", () => {
  assertEquals(
    event('{\r\n"n": 12345678901234567890.10}'),
    '{"specversion":"1.0","id":"a-1","source":"/s","type":"t","data":{  "n": 12345678901234567890.10}}',
  );
});

Deno.test("structuredEvent() takes extensions, decodes percent signs, and leaves other headers out", () => {
  const text = event("", ["ce-subject", "Gr%C3%BC%C3%9Fe%20%22a%22"], ["ce-share", "100%"], [
    "x-other",
    "no",
  ]);
  assertEquals(JSON.parse(text), { ...CORE_JSON, subject: 'Grüße "a"', share: "100%" });
});

Deno.test("structuredEvent() keeps an attribute named __proto__, and lets no header stand for the body", () => {
  const text = event("7", ["ce-__proto__", "p"], ["ce-constructor", "c"], ["ce-data", "x"], [
    "ce-data_base64",
    "eA==",
  ]);
  assertEquals(text.match(/"data/g), ['"data']);
  assertEquals(Object.entries(JSON.parse(text)).slice(4), [["__proto__", "p"], ["constructor", "c"], [
    "data",
    7,
  ]]);
});
