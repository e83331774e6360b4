/** A body stops at the byte that no segment is there for, and goes on there. @module */
import { assertEquals } from "@std/assert";
import { plainMeta } from "../../src/core/record.ts";
import type { Segment } from "../../src/buffer/segment.ts";
import { ArrivingBody } from "../../src/ingress/arriving_body.ts";
import { FakeStream, line } from "./fake_exchange.ts";

const encoder = new TextEncoder();

/** A body that may take `segments` segments, until it is given more. */
function arriving(
  segments: number,
  format: "lines" | "json" = "lines",
): { body: ArrivingBody; give: (segments: number) => void } {
  const stream = new FakeStream({ segments: 64 });
  let left = segments;
  const take = (): Segment | null => left-- > 0 ? stream.pool.tryRequest() : null;
  const writer = stream.admission.partition.bodyWriter(take, plainMeta(0));
  const framer = stream.door.newFramer(format);
  framer.begin(writer.writer, -1, 0);
  return { body: new ArrivingBody(framer, writer), give: (more) => left = more };
}

Deno.test("ArrivingBody.frame() takes off what is framed, and ends with the last chunk", () => {
  const { body } = arriving(8);
  const chunks = ['"a"\n"b', '"\n'].map((text) => encoder.encode(text));
  assertEquals([body.frame(chunks, false), chunks.length], ["all", 0]);
  assertEquals(body.framer.writer.records, 2);
  chunks.push(encoder.encode('"c"'));
  assertEquals([body.frame(chunks, true), body.framer.writer.records], ["complete", 3]);
});

Deno.test("ArrivingBody.frame() stops where a segment is missing, and goes on at that byte", () => {
  const { body, give } = arriving(2);
  const chunks = [1, 2, 3, 4].map(() => encoder.encode(line(900)));
  assertEquals([body.frame(chunks, true), chunks.length], ["stalled", 2]);
  assertEquals([body.stalled(), body.stalled()], [true, false]);
  assertEquals([body.frame(chunks, true), body.stalled()], ["stalled", false]);
  give(1);
  assertEquals([body.frame(chunks, true), body.stalled()], ["stalled", true]);
  give(8);
  assertEquals([body.frame(chunks, true), body.framer.writer.records], ["complete", 4]);
});

Deno.test("ArrivingBody.frame() fails at what is no record, with the records before it", () => {
  const { body } = arriving(8, "json");
  const framed = body.frame([encoder.encode('["a",'), encoder.encode("nope]")], false);
  assertEquals([framed, body.framer.failure?.kind, body.framer.writer.records], ["failed", "bad", 1]);
});
