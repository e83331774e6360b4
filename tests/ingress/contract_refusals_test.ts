/**
 * What `POST /v1/streams/{stream}` refuses, over real sockets: every status of the contract with its problem members,
 * the order in which they are judged, and what comes with them.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { gzipSync } from "node:zlib";
import type { Answer, RequestHead } from "../support/http_client.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { type DoorOptions, jsonOf, OpenDoor, until } from "./open_door.ts";

const LINES = { "Content-Type": "application/x-ndjson" };
const OCTETS = { "Content-Type": "application/octet-stream" };

/** Memory for few records: 4 KiB segments, a lane of a few buffers. */
const SMALL: Pick<DoorOptions, "buffers"> = {
  buffers: { segmentBytes: 4096, segments: 64, exclusivePerLane: 1, floatingPerLane: 0, maxPerLane: 8 },
};

function assertProblem(answer: Answer, status: number, kind: string): void {
  assertEquals(answer.status, status, answer.body);
  assertEquals(answer.headers.get("content-type"), "application/problem+json");
  const problem = jsonOf(answer);
  for (
    const [member, type] of Object.entries({
      type: "string",
      title: "string",
      status: "number",
      detail: "string",
      accepted: "number",
      next: "number",
    })
  ) {
    assertEquals(typeof problem[member], type, `${member} of ${answer.body}`);
  }
  assertEquals([problem.status, problem.type], [status, `urn:weir:problem:${kind}`]);
  const retryAfter = answer.headers.get("retry-after");
  if (status !== 429 && status !== 503) return assertEquals(retryAfter, undefined);
  assertMatch(retryAfter ?? "", /^[1-9]\d?$/);
  assert(Number(retryAfter) <= 60, retryAfter);
}

const sinkState = (door: OpenDoor) =>
  door.gateway.view.snapshot().sinks.find(({ name }) => name === "out")?.state;

/** The sink counts as down: a request that waits for it was tried and failed. */
async function bringDown(door: OpenDoor): Promise<void> {
  door.sink.fails = true;
  const connection = await door.connect();
  await connection.writeHead({ path: "/v1/streams/s", headers: { ...LINES, "Content-Length": 1 } });
  await connection.write("1");
  await until(() => sinkState(door) === "down", "the sink is down");
  connection[Symbol.dispose]();
}

/** No segment is free, and none comes: `ack: memory` and a sink that holds. */
async function fill(door: OpenDoor): Promise<Answer> {
  door.sink.hold();
  for (let k = 0; k < 500; k++) {
    const answer = await door.post(`"${"x".repeat(3000)}"`, LINES);
    if (answer.status !== 202) return answer;
  }
  throw new Error("the stream is never full");
}

Deno.test("HttpIngress answers 404 and 405 with what there is instead", async () => {
  await using door = await OpenDoor.start();
  assertProblem(await door.post("1", {}, "/v1/streams/unknown"), 404, "not-found");
  assertProblem(await door.post("1", {}, "/v1/streams/"), 404, "not-found");
  assertEquals((await door.post("1", {}, "/other")).status, 404);
  using connection = await door.connect();
  for (const method of ["GET", "PUT", "DELETE"]) {
    const answer = await connection.request({ method, path: "/v1/streams/s" });
    assertProblem(answer, 405, "method-not-allowed");
    assertEquals(answer.headers.get("allow"), "POST");
  }
  await connection.writeHead({ method: "HEAD", path: "/v1/streams/s" });
  const head = await connection.readAnswer("HEAD");
  assertEquals([head.status, head.headers.get("allow")], [405, "POST"]);
  assertEquals((await connection.request({ path: "/v1/streams/s", headers: LINES }, "1")).status, 200);
});

Deno.test("HttpIngress answers 415 with the types and encodings that it knows", async () => {
  await using door = await OpenDoor.start();
  const type = await door.post("1", { "Content-Type": "image/png" });
  assertProblem(type, 415, "unsupported-media-type");
  assert(jsonOf(type).known.includes("application/x-ndjson"));
  for (const charset of ["iso-8859-1", "utf-16"]) {
    const answer = await door.post("1", { "Content-Type": `text/plain; charset=${charset}` });
    assertProblem(answer, 415, "unsupported-media-type");
    assertStringIncludes(jsonOf(answer).detail, "records are UTF-8");
  }
  const encoding = await door.post("1", { ...LINES, "Content-Encoding": "compress" });
  assertProblem(encoding, 415, "unsupported-media-type");
  assertEquals(jsonOf(encoding).known, ["identity", "gzip", "deflate", "br", "zstd"]);
  assertEquals(encoding.headers.get("accept-encoding"), "gzip, deflate, br, zstd");
  assertEquals((await door.post("1", { ...LINES, "Content-Encoding": "gzip, gzip" })).status, 415);
});

Deno.test("HttpIngress answers 501 to Idempotency-Key and to transfer codings that it does not know", async () => {
  await using door = await OpenDoor.start();
  assertProblem(await door.post("1", { ...LINES, "Idempotency-Key": "a" }), 501, "not-implemented");
  using connection = await door.connect();
  await connection.writeHead({
    path: "/v1/streams/s",
    headers: { ...LINES, "Transfer-Encoding": "gzip, chunked" },
  });
  assertProblem(await connection.readAnswer(), 501, "not-implemented");
});

Deno.test("HttpIngress answers 413 by Content-Length before the body, and when a limit is passed", async () => {
  await using door = await OpenDoor.start({ stream: { maxBodyBytes: 2000, maxRecordBytes: 100 } });
  using early = await door.connect();
  await early.writeHead({ path: "/v1/streams/s", headers: { ...LINES, "Content-Length": 2001 } });
  assertProblem(await early.readAnswer(), 413, "body-too-large");
  using octets = await door.connect();
  await octets.writeHead({ path: "/v1/streams/s", headers: { ...OCTETS, "Content-Length": 101 } });
  assertProblem(await octets.readAnswer(), 413, "record-too-large");
  using huge = await door.connect();
  await huge.writeHead({
    path: "/v1/streams/s",
    headers: { ...LINES, "Content-Length": "99999999999999999999" },
  });
  assert([400, 413].includes((await huge.readAnswer()).status));

  using chunked = await door.connect();
  await chunked.writeHead({ path: "/v1/streams/s", headers: { ...LINES, "Transfer-Encoding": "chunked" } });
  for (let k = 0; k < 3; k++) await chunked.writeChunk("1\n".repeat(400));
  assertProblem(await chunked.readAnswer(), 413, "body-too-large");
  assertProblem(await door.post(`1\n"${"x".repeat(120)}"`, LINES), 413, "record-too-large");
  assertProblem(
    await door.post(gzipSync("1\n".repeat(1001)), { ...LINES, "Content-Encoding": "gzip" }),
    413,
    "body-too-large",
  );
  assertEquals(door.sink.values, []);
  assertEquals((await door.post("1\n".repeat(1000), LINES)).status, 200);
});

Deno.test("HttpIngress answers 413 to a whole body that can never fit, at once, in one chunk and in several", async () => {
  await using door = await OpenDoor.start({
    ...SMALL,
    stream: { maxRecordBytes: 500, minSegments: 4, maxSegments: 6, maxWaitMs: 30_000 },
  });
  for (const bytes of [60_000, 200_000]) {
    const answer = await door.post(`"${"x".repeat(97)}"\n`.repeat(bytes / 100), LINES);
    assertProblem(answer, 413, "batch-too-large");
    assertEquals([jsonOf(answer).accepted, jsonOf(answer).next], [0, 0]);
    // A segment that is open between two requests counts too: behind this one, the next is judged alike.
    assertEquals((await door.post("1", LINES)).status, 200);
  }
  assertEquals(door.sink.values, ["1", "1"]);
});

Deno.test("HttpIngress answers 413 where other streams' guarantees make a body too large for ever", async () => {
  await using door = await OpenDoor.start({
    ...SMALL,
    stream: { maxRecordBytes: 500, minSegments: 4, maxWaitMs: 30_000 },
    streams: { other: { sinks: ["out"], maxRecordBytes: 500, minSegments: 56 } },
  });
  assertProblem(await door.post(`"${"x".repeat(97)}"\n`.repeat(500), LINES), 413, "batch-too-large");
});

Deno.test("HttpIngress answers 431 where what the records share does not fit a segment", async () => {
  await using door = await OpenDoor.start({ stream: { headers: ["X-Big"] } });
  assertProblem(await door.post("1", { "X-Weir-Key": "k".repeat(1025) }), 431, "headers-too-large");
  assertProblem(await door.post("1", { "X-Big": "b".repeat(9000) }), 431, "headers-too-large");
});

Deno.test("HttpIngress answers 503 while a sink that the ack waits for is down, and takes records again when it is back", async () => {
  await using door = await OpenDoor.start({ sink: { downAfterMs: 1, retry: { initialMs: 5, maxMs: 10 } } });
  await bringDown(door);
  const answer = await door.post("2", LINES);
  assertProblem(answer, 503, "sink-down");
  assertStringIncludes(jsonOf(answer).detail, '"out"');
  door.sink.fails = false;
  await until(() => sinkState(door) === "up", "the sink is back");
  assertEquals((await door.post("3", LINES)).status, 200);
  assertEquals(door.sink.values, ["1", "3"]);
});

Deno.test("HttpIngress takes records with ack: memory while the sink is down", async () => {
  await using door = await OpenDoor.start({
    stream: { ack: "memory" },
    sink: { downAfterMs: 1, retry: { initialMs: 5, maxMs: 10 } },
  });
  await bringDown(door);
  assertEquals((await door.post("2", LINES)).status, 202);
});

Deno.test("HttpIngress answers 429 when the quota is used up, and tells the quota with every answer", async () => {
  await using door = await OpenDoor.start({
    clock: new ManualClock(),
    stream: { limit: { recordsPerSecond: 0.5, burstRecords: 3, bytesPerSecond: 100, burstBytes: 1000 } },
  });
  const first = await door.post("1\n2", LINES);
  assertEquals(first.status, 200);
  assertEquals(
    first.headers.get("ratelimit-policy"),
    '"records";q=3;w=6;qu="requests", "bytes";q=1000;w=10;qu="content-bytes"',
  );
  assertMatch(first.headers.get("ratelimit") ?? "", /^"records";r=1;t=[34], "bytes";r=99[0-9];t=1$/);
  const refused = await door.post("1\n2", LINES);
  assertProblem(refused, 429, "quota-exceeded");
  assertMatch(refused.headers.get("ratelimit") ?? "", /^"records";r=1;t=[34], /);
  assert([1, 2, 3].includes(Number(refused.headers.get("retry-after"))), refused.headers.get("retry-after"));
  assertEquals((await door.post("3", LINES)).status, 200);
  // Used up: told by the head alone.
  using connection = await door.connect();
  await connection.writeHead({ path: "/v1/streams/s", headers: { ...LINES, "Content-Length": 10 } });
  assertProblem(await connection.readAnswer(), 429, "quota-exceeded");
  assertProblem(await door.post("1\n2\n3\n4", { ...LINES }, "/v1/streams/s"), 429, "quota-exceeded");
  assertEquals(door.sink.values, ["1", "2", "3"]);
});

Deno.test("HttpIngress tells who meets a quota that is used up the time for as many records as the body is likely to have", async () => {
  await using door = await OpenDoor.start({
    clock: new ManualClock(),
    stream: { limit: { recordsPerSecond: 2, burstRecords: 20 } },
  });
  const lines = (count: number) => Array.from({ length: count }, (_, k) => `{"n":${100 + k}}`).join("\n");
  assertEquals((await door.post(lines(20), LINES)).status, 200);
  const waits = [];
  for (const count of [1, 10]) {
    const refused = await door.post(lines(count), LINES);
    assertProblem(refused, 429, "quota-exceeded");
    waits.push(Number(refused.headers.get("retry-after")));
  }
  // 0.5 s and 5 s, and a fifth more by chance.
  assert(waits[0] === 1 && waits[1] >= 4 && waits[1] <= 7, `told ${waits}`);
});

Deno.test("HttpIngress answers 413 to a whole body over the quota's burst: it can never pass", async () => {
  await using door = await OpenDoor.start({ stream: { limit: { recordsPerSecond: 3 } } });
  const answer = await door.post("1\n2\n3\n4", LINES);
  assertProblem(answer, 413, "batch-too-large");
  assertEquals([jsonOf(answer).accepted, door.sink.values.length], [0, 0]);
});

Deno.test("HttpIngress answers 429 when the stream's pool has nothing, though other streams have", async () => {
  await using door = await OpenDoor.start({
    ...SMALL,
    stream: { ack: "memory", maxRecordBytes: 3100, maxSegments: 16, maxWaitMs: 20 },
    streams: { other: { sinks: ["also"], maxRecordBytes: 3100 } },
    sinks: { also: { type: "memory" } },
    sink: { batch: { maxBytes: 4000 } },
  });
  const refused = await fill(door);
  assertProblem(refused, 429, "no-buffers");
  assertStringIncludes(jsonOf(refused).detail, "maxWaitMs 20");
  assertEquals((await door.post("1", LINES, "/v1/streams/other")).status, 200);
  // Bad JSON is judged later: there is no segment to find out.
  assertProblem(await door.post("nope", LINES), 429, "no-buffers");
  door.sink.release();
  await until(async () => (await door.post("1", LINES)).status === 202, "there is room again");
});

Deno.test("HttpIngress answers 504 without an outcome in time; the records stay accepted and arrive", async () => {
  await using door = await OpenDoor.start({ stream: { deliverTimeoutMs: 50 } });
  door.sink.hold();
  const answer = await door.post("1\n2", LINES);
  assertProblem(answer, 504, "not-delivered-in-time");
  assertEquals([jsonOf(answer).accepted, jsonOf(answer).next], [2, 2]);
  assertStringIncludes(jsonOf(answer).detail, "may still arrive");
  door.sink.release();
  await until(() => door.sink.got.length === 2, "the records arrive");
});

Deno.test("HttpIngress judges in the contract's order where several rules are broken", async () => {
  await using door = await OpenDoor.start({
    gateway: { drainMs: 50 },
    stream: { maxBodyBytes: 1000, limit: { recordsPerSecond: 0.001, burstRecords: 1 } },
    sink: { downAfterMs: 1, retry: { initialMs: 20_000, maxMs: 20_000 } },
  });
  const path = "/v1/streams/s";
  const badType = { "Content-Type": "image/png" };
  const noEvent = { "ce-id": "1", "ce-type": "t" };
  const ask = async (head: Partial<RequestHead>, body = "nope") => {
    using connection = await door.connect();
    return (await connection.request({ path, ...head }, body)).status;
  };
  // The first record uses the quota up; the sink fails and is down.
  assertEquals(await ask({ headers: { ...noEvent } }, "1"), 400);
  await bringDown(door);
  const large = "x".repeat(1001);
  assertEquals(await ask({ path: "/v1/streams/none", method: "GET", headers: badType }, large), 404);
  assertEquals(await ask({ method: "PUT", headers: badType }, large), 405);
  assertEquals(await ask({ headers: badType }, large), 415);
  assertEquals(await ask({ headers: { ...LINES, "Content-Encoding": "x" } }, large), 415);
  assertEquals(await ask({ headers: LINES }, large), 413);
  assertEquals(await ask({ headers: LINES }), 503);
  door.sink.fails = false;
  await using quotaOnly = await OpenDoor.start({
    stream: { limit: { recordsPerSecond: 0.001, burstRecords: 1 } },
  });
  assertEquals((await quotaOnly.post("1", LINES)).status, 200);
  assertEquals((await quotaOnly.post("nope", LINES)).status, 429);
  assertEquals((await quotaOnly.post("nope", noEvent)).status, 429);
});

Deno.test("HttpIngress answers 503 to everything while it drains, and lets open requests end", async () => {
  await using door = await OpenDoor.start({ gateway: { drainMs: 20_000 } });
  door.sink.hold();
  using open = await door.connect();
  const answer = open.request({ path: "/v1/streams/s", headers: LINES }, "1");
  await until(() => door.sink.writes === 1, "the write begins");
  const stopped = door.gateway.stop();
  assertProblem(await door.post("2", LINES), 503, "draining");
  assertProblem(await door.post("2", {}, "/v1/streams/unknown"), 503, "draining");
  door.sink.release();
  assertEquals((await answer).status, 200);
  assertEquals((await stopped).lostRecords, 0);
  assertEquals(door.sink.values, ["1"]);
});

Deno.test("HttpIngress tells where a streamed body failed: accepted and next count what was handed over", async (t) => {
  const head = Array.from({ length: 12_000 }, (_, k) => `{"number":${k},"text":"${"x".repeat(100)}"}`);
  assert(head.join().length > 1_300_000);
  const cases: Record<string, [string, Record<string, string>, Record<string, unknown>, number]> = {
    "bad JSON in an array": [`[${head.join(",")},nope]`, { "Content-Type": "application/json" }, {}, 400],
    "an array that does not end": [`[${head.join(",")}`, { "Content-Type": "application/json" }, {}, 400],
    "a record too large": [`${head.join("\n")}\n"${"x".repeat(300)}"`, LINES, { maxRecordBytes: 200 }, 413],
  };
  for (const [name, [body, headers, stream, status]] of Object.entries(cases)) {
    await t.step(name, async () => {
      await using door = await OpenDoor.start({ stream });
      const answer = await door.post(body, headers);
      assertEquals(answer.status, status);
      assertEquals([jsonOf(answer).accepted, jsonOf(answer).next], [12_000, 12_000]);
      await until(() => door.sink.got.length === 12_000, "what was accepted arrives");
    });
  }
  await t.step("a body over maxBodyBytes", async () => {
    await using door = await OpenDoor.start({ stream: { maxBodyBytes: 1_200_000 } });
    using connection = await door.connect();
    await connection.writeHead({
      path: "/v1/streams/s",
      headers: { ...LINES, "Transfer-Encoding": "chunked" },
    });
    const answer = connection.readAnswer();
    await connection.writeChunk(head.join("\n"));
    assertProblem(await answer, 413, "body-too-large");
    const { accepted, next } = jsonOf(await answer);
    assertEquals(accepted, next);
    assert(accepted > 8_000 && accepted < 12_000, `accepted ${accepted}`);
    await until(() => door.sink.got.length === accepted, "what was accepted arrives, and no more");
  });
});
