/** Who gives back for whom. @module */
import { assertEquals } from "@std/assert";
import { OpenBodies } from "../../src/admission/open_bodies.ts";
import { FakeBody } from "./bodies.ts";

const [oldest, middle, youngest] = [1, 2, 3].map((age) => new FakeBody(age));

function openOf(...bodies: readonly FakeBody[]): OpenBodies {
  const open = new OpenBodies();
  for (const body of bodies) open.add(body);
  return open;
}

Deno.test("OpenBodies.victimOf() is the youngest of those that are younger and hold something", () => {
  const open = openOf(youngest, oldest, middle);
  assertEquals(open.victimOf(oldest, 0), youngest);
  youngest.heldSegments = 0;
  assertEquals(open.victimOf(oldest, 0), middle);
  youngest.heldSegments = 1;
  open.delete(youngest);
  assertEquals([open.victimOf(oldest, 0), open.count], [middle, 2]);
});

Deno.test("OpenBodies.victimOf() is an older one only when its client is silent", () => {
  const open = openOf(oldest, middle, youngest);
  assertEquals(open.victimOf(youngest, 1_000), null);
  oldest.lastByteMs = 1_001;
  assertEquals(open.victimOf(youngest, 1_000), null);
  assertEquals(open.victimOf(youngest, 1_001), oldest);
  assertEquals(openOf(oldest).victimOf(oldest, 2_000), null);
});
