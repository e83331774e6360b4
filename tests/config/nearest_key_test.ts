/** A typing error finds the key that was meant. @module */
import { assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { editDistance, nearestKey } from "../../src/config/nearest_key.ts";

const KEYS = ["hostname", "port", "headersTimeoutMs", "requestTimeoutMs", "maxConnections"];

Deno.test("nearestKey() finds the key behind another spelling, a slip and a swap", () => {
  assertEquals(nearestKey("headers_timeout_ms", KEYS), "headersTimeoutMs");
  assertEquals(nearestKey("prot", KEYS), "port");
  assertEquals(nearestKey("maxConnection", KEYS), "maxConnections");
});

Deno.test("nearestKey() prefers the key that was written to one that only differs in case", () => {
  assertEquals(nearestKey("port", ["PORT", "port"]), "port");
});

Deno.test("nearestKey() gives null where no key is known", () => {
  assertEquals(nearestKey("port", []), null);
});

Deno.test("nearestKey() finds a key through any single deletion", () => {
  fc.assert(fc.property(fc.constantFrom(...KEYS), fc.nat(), (key, at) => {
    const cut = at % key.length;
    assertEquals(nearestKey(key.slice(0, cut) + key.slice(cut + 1), KEYS), key);
  }));
});

Deno.test("editDistance() counts edits, and is symmetric", () => {
  assertEquals(editDistance("", "abc"), 3);
  assertEquals(editDistance("kitten", "sitting"), 3);
  assertEquals(editDistance("ab", "ba"), 1);
  const word = fc.string({ maxLength: 6 });
  fc.assert(fc.property(word, word, (a, b) => {
    assertEquals(editDistance(a, b), editDistance(b, a));
    assertEquals(editDistance(a, b) === 0, a === b);
  }));
});
