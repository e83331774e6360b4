/** Names of indices: what can be one, and dates in them. @module */
import { assertEquals } from "@std/assert";
import { indexNameFault, IndexPattern } from "../../../adapters/elasticsearch/index_name.ts";

function nameAt(pattern: string, at: string): string {
  return new TextDecoder().decode(new IndexPattern(pattern).nameAt(Date.parse(at)));
}

Deno.test("indexNameFault() lets plain names through and nothing that means more than itself", () => {
  for (const name of ["a", "logs-2026.01.01", ".hidden", "ä", "a".repeat(255)]) {
    assertEquals(indexNameFault(name), null, name);
  }
  const faulty = [
    "",
    ".",
    "..",
    "-a",
    "_a",
    "+a",
    "A",
    "a b",
    "a,b",
    "a*",
    "<a-{now/d}>",
    'a"b',
    "a\nb",
    "a:b",
    "a#b",
  ];
  for (const name of [...faulty, "a".repeat(256), "é".repeat(128)]) {
    assertEquals(typeof indexNameFault(name), "string", name);
  }
});

Deno.test("IndexPattern.nameAt() writes the date in UTC", () => {
  assertEquals(nameAt("docs", "2026-01-02T03:04:05Z"), "docs");
  assertEquals(nameAt("logs-{yyyy.MM.dd}", "2026-01-02T23:30:00-05:00"), "logs-2026.01.03");
  assertEquals(nameAt("l-{yyyy-MM-dd-HH}-x", "2026-12-31T09:59:59.999Z"), "l-2026-12-31-09-x");
  assertEquals(nameAt("{yyyyMM}", "2026-02-28T00:00:00Z"), "202602");
});

Deno.test("IndexPattern.nameAt() gives the same array within an hour, and goes back in time", () => {
  const pattern = new IndexPattern("l-{HH}");
  const first = pattern.nameAt(0);
  assertEquals(pattern.nameAt(3_599_999) === first, true);
  const later = new TextDecoder().decode(pattern.nameAt(3_600_000));
  assertEquals([later, new TextDecoder().decode(pattern.nameAt(1))], ["l-01", "l-00"]);
});
