/** The `http` sink against a real server that answers well, badly, late, or not at all. @module */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { type HttpOptions, httpSink } from "../../adapters/http.ts";
import { Outcome, type Pressure, type SinkAdapter, type WriteResult } from "../../src/sink/adapter.ts";
import { HeapBatch } from "../support/heap_batch.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { freePort } from "../support/ports.ts";
import { outcomesOf, written } from "../support/written.ts";
import { answer, type HttpTarget, type Respond, startHttpTarget } from "./http_target.ts";
import { sinkContext } from "./open_sink.ts";

const NEVER = new AbortController().signal;
const { ACKED, RETRYABLE, REJECTED } = Outcome;

async function open(
  options: { url: string } & Partial<HttpOptions>,
  clock = new ManualClock(),
): Promise<SinkAdapter> {
  return await httpSink.open(httpSink.config.parse(options), sinkContext({ clock }));
}

/** Runs `body` with a sink on a fresh server. */
async function withSink(
  options: Partial<HttpOptions>,
  body: (sink: SinkAdapter, target: HttpTarget) => Promise<void>,
): Promise<void> {
  const target = await startHttpTarget();
  const sink = await open({ url: target.url, ...options });
  try {
    await body(sink, target);
  } finally {
    await sink.close(NEVER);
    await target.close();
  }
}

function write(
  sink: SinkAdapter,
  values: readonly string[] = ["1", "2"],
  signal = NEVER,
): Promise<WriteResult> {
  return Promise.resolve(sink.write(new HeapBatch(values), signal));
}

const NONE: Pressure = { kind: "none" };
const SATURATED: Pressure = { kind: "saturated" };
// The manual clock's wall time is 2023-11-14T22:13:20Z.
const STATUSES: readonly [number, Record<string, string>, number, Pressure][] = [
  [200, {}, ACKED, NONE],
  [202, {}, ACKED, NONE],
  [204, {}, ACKED, NONE],
  [301, { location: "/elsewhere" }, REJECTED, NONE],
  [304, {}, REJECTED, NONE],
  [400, {}, REJECTED, NONE],
  [401, {}, RETRYABLE, NONE],
  [403, {}, RETRYABLE, NONE],
  [404, {}, REJECTED, NONE],
  [408, {}, RETRYABLE, SATURATED],
  [422, {}, REJECTED, NONE],
  [429, {}, RETRYABLE, SATURATED],
  [429, { "retry-after": "7" }, RETRYABLE, { kind: "throttle", delayMs: 7000 }],
  [429, { "retry-after": "0" }, RETRYABLE, SATURATED],
  [429, { "retry-after": "soon" }, RETRYABLE, SATURATED],
  [429, { "retry-after": "99999999" }, RETRYABLE, { kind: "throttle", delayMs: 3_600_000 }],
  [503, { "retry-after": "Tue, 14 Nov 2023 22:13:50 GMT" }, RETRYABLE, { kind: "throttle", delayMs: 30_000 }],
  [503, { "retry-after": "Tue, 14 Nov 2023 22:13:10 GMT" }, RETRYABLE, SATURATED],
  [500, { "retry-after": "7" }, RETRYABLE, SATURATED],
  [502, {}, RETRYABLE, SATURATED],
];

for (const [status, headers, outcome, pressure] of STATUSES) {
  Deno.test(`http write() takes ${status} ${JSON.stringify(headers)} for outcome ${outcome}, ${pressure.kind}`, () =>
    withSink({}, async (sink, target) => {
      target.respond = answer(status, status === 204 || status === 304 ? "" : "what is wrong", headers);
      const result = written(await write(sink));
      assertEquals(outcomesOf(result), [outcome, outcome]);
      assertEquals(result.pressure, pressure);
      const reason = result.reasons?.get(1);
      if (outcome === ACKED) assertEquals(reason, undefined);
      else {assertMatch(
          reason!,
          new RegExp(status === 304 ? "^HTTP 304" : `^HTTP ${status} .*: what is wrong$`),
        );}
    }));
}

Deno.test("http write() takes 413 for a batch that is too large", () =>
  withSink({}, async (sink, target) => {
    target.respond = answer(413, "at most 1 KiB");
    const result = await write(sink);
    assertEquals(result.kind === "tooLarge" && result.reason, "HTTP 413 Payload Too Large: at most 1 KiB");
  }));

Deno.test("http write() keeps the start of a long answer as reason, on one line", () =>
  withSink({}, async (sink, target) => {
    target.respond = answer(400, `line one\n\tline two ${"x".repeat(500)}`);
    const reason = written(await write(sink)).reasons!.get(0)!;
    assertMatch(reason, /^HTTP 400 Bad Request: line one line two x+…$/);
    assertEquals(reason.length, "HTTP 400 Bad Request: ".length + 200);
  }));

Deno.test("http write() settles records that the encoding refused and those that were sent each by its own reason", () =>
  withSink({ format: "array" }, async (sink, target) => {
    target.respond = answer(500);
    const result = written(await write(sink, ["1", "no json", "2"]));
    assertEquals(outcomesOf(result), [RETRYABLE, REJECTED, RETRYABLE]);
    assertMatch(result.reasons!.get(1)!, /no JSON/);
    assertMatch(result.reasons!.get(2)!, /^HTTP 500/);
    assertEquals(new TextDecoder().decode(target.seen[0].body), "[1,2]");
  }));

Deno.test("http write() sends nothing when the encoding refused every record", () =>
  withSink({ format: "array" }, async (sink, target) => {
    assertEquals(outcomesOf(await write(sink, ["no json"])), [REJECTED]);
    assertEquals(target.seen.length, 0);
  }));

Deno.test("http write() sends method, path and headers, and the user's headers win", () =>
  withSink(
    { method: "PUT", headers: { "Content-Type": "text/plain", "X-Team": "edge" } },
    async (sink, target) => {
      await write(sink);
      const [{ method, path, headers, body }] = target.seen;
      assertEquals([method, path], ["PUT", "/records?from=weir"]);
      assertEquals([headers["content-type"], headers["x-team"]], ["text/plain", "edge"]);
      assertEquals([headers["content-length"], headers["transfer-encoding"]], [
        String(body.length),
        undefined,
      ]);
    },
  ));

Deno.test("http write() has a content type for each format", async () => {
  for (const [format, type] of [["ndjson", "application/x-ndjson"], ["array", "application/json"]] as const) {
    await withSink({ format }, async (sink, target) => {
      await write(sink);
      assertEquals(target.seen[0].headers["content-type"], type);
    });
  }
});

Deno.test("http write() compresses the body and says so", () =>
  withSink({ compress: "gzip" }, async (sink, target) => {
    await write(sink, Array.from({ length: 100 }, () => '{"the":"same"}'));
    assertEquals(target.seen[0].headers["content-encoding"], "gzip");
    assert(Number(target.seen[0].headers["content-length"]) < 100);
    assertEquals(target.stored().length, 100);
  }));

Deno.test("http write() sends one batch after the other on one connection", () =>
  withSink({}, async (sink, target) => {
    for (let n = 0; n < 5; n++) await write(sink);
    assertEquals([target.seen.length, target.connections], [5, 1]);
  }));

// Deno itself sends a small body again, but none of many pieces.
for (const pieces of [1, 40]) {
  Deno.test(`http write() sends ${pieces} × 32 KiB again at once when the server closed the idle connection`, () =>
    withSink({}, async (sink, target) => {
      await write(sink);
      target.respond = (response, seen, socket) => {
        if (seen.before > 0) socket.destroy();
        else answer(200)(response, seen, socket);
      };
      const batch = new HeapBatch(Array(pieces).fill("x".repeat(32_768)), { layout: "apart" });
      assertEquals(outcomesOf(await sink.write(batch, NEVER)), Array(pieces).fill(ACKED));
      assertEquals(target.seen.map(({ before }) => before), [0, 1, 0]);
    }));
}

Deno.test("http write() is retryable when the server hangs up on a fresh connection", () =>
  withSink({}, async (sink, target) => {
    target.respond = (_response, _seen, socket) => void socket.destroy();
    const result = written(await write(sink));
    assertEquals([outcomesOf(result), result.pressure.kind], [[RETRYABLE, RETRYABLE], "saturated"]);
    assertMatch(result.reasons!.get(0)!, /^no answer from 127\.0\.0\.1:\d+: /);
    assertEquals(target.seen.length, 1);
  }));

Deno.test("http write() is given up when the server does not answer", () =>
  withSink({}, async (sink, target) => {
    target.respond = () => {};
    const abort = new AbortController();
    const writing = write(sink, ["1"], abort.signal);
    await target.arrived(1);
    abort.abort(new Error("the sink did not answer within timeoutMs 100"));
    const result = written(await writing);
    assertEquals([outcomesOf(result), result.pressure.kind], [[RETRYABLE], "saturated"]);
    assertStringIncludes(result.reasons!.get(0)!, "did not answer within timeoutMs 100");
  }));

Deno.test("http write() believes the head of an answer whose body breaks off or has no end", async () => {
  const breaksOff: Respond = (response, _seen, socket) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("only this", () => void socket.destroy());
  };
  const tooLong: Respond = (response) => {
    response.writeHead(200);
    const more = () =>
      void (response.destroyed || response.write("x".repeat(16_384), () => setImmediate(more)));
    more();
  };
  for (const respond of [breaksOff, tooLong]) {
    await withSink({}, async (sink, target) => {
      // On a fresh connection, and on one that answered before.
      for (const before of [0, 1]) {
        target.respond = null;
        for (let k = 0; k < before; k++) await write(sink);
        target.respond = respond;
        assertEquals(outcomesOf(await write(sink, ["1"])), [ACKED]);
      }
    });
  }
});

/** Runs `body` with a sink on a server that answers when it has the first bytes of a request, and reads no more. */
async function withEarlyAnswer(
  answered: string,
  body: (sink: SinkAdapter, answeredBy: Promise<Socket>) => Promise<void>,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const server = createServer((socket) => {
    socket.on("error", () => {}); // the sink cuts it off
    socket.once("data", () => {
      socket.pause();
      socket.write(answered, () => resolve(socket));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const sink = await open({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
  try {
    await body(sink, promise);
  } finally {
    await sink.close(NEVER);
    (await promise).destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** More than the kernel holds for a server that does not read. */
const UNREADABLE = new HeapBatch(Array(512).fill("x".repeat(32_768)), { layout: "apart" });

Deno.test("http write() takes a refusal that comes before the body was read, at once", () =>
  withEarlyAnswer("HTTP/1.1 429 Later\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno", async (sink) => {
    const result = written(await sink.write(UNREADABLE, NEVER));
    assertEquals(result.pressure, { kind: "throttle", delayMs: 7000 });
    assertEquals(outcomesOf(result)[0], RETRYABLE);
  }));

Deno.test("http write() takes a success that comes before the body was read for none", () =>
  withEarlyAnswer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", async (sink, answeredBy) => {
    const writing = Promise.resolve(sink.write(UNREADABLE, NEVER));
    (await answeredBy).destroy();
    const result = written(await writing);
    assertEquals(outcomesOf(result)[0], RETRYABLE);
    assertMatch(result.reasons!.get(0)!, /before the body was read|ECONNRESET|EPIPE/);
  }));

Deno.test("http write() is given up also on a connection that answered before", () =>
  withSink({}, async (sink, target) => {
    assertEquals(outcomesOf(await write(sink)), [ACKED, ACKED]);
    target.respond = () => {};
    const abort = new AbortController();
    const waiting = write(sink, ["3"], abort.signal);
    await target.arrived(2);
    abort.abort(new Error("too late"));
    assertMatch(written(await waiting).reasons!.get(0)!, /too late/);
    assertEquals(target.connections, 1);
  }));

Deno.test("http write() and check() say that the server cannot be reached", async () => {
  const sink = await open({ url: `http://127.0.0.1:${freePort()}/` });
  const result = written(await write(sink, ["1"]));
  assertEquals([outcomesOf(result), result.pressure.kind], [[RETRYABLE], "saturated"]);
  assertMatch(result.reasons!.get(0)!, /ECONNREFUSED/);
  await assertRejects(() => Promise.resolve(sink.check(NEVER)), Error, "ECONNREFUSED");
  await sink.close(NEVER);
});

Deno.test("http check() fails when the server would take nothing, and sends no records", () =>
  withSink({}, async (sink, target) => {
    for (
      const [status, fine] of [[404, true], [405, true], [501, true], [401, false], [403, false], [
        503,
        false,
      ]]
    ) {
      target.respond = answer(status as number);
      const checked = Promise.resolve(sink.check(NEVER));
      if (fine) await checked;
      else await assertRejects(() => checked, Error, `would take no records: HTTP ${status}`);
    }
    assertEquals(target.seen.map(({ method, body }) => `${method} ${body.length}`), Array(6).fill("HEAD 0"));
  }));

Deno.test("http config refuses what could not be sent", () => {
  const faulty: Record<string, unknown>[] = [
    { url: "ftp://host/" },
    { url: "no url" },
    { headers: { "Content-Length": "3" } },
    { headers: { "bad name": "x" } },
    { headers: { "x-y": "line\nfeed" } },
    { method: "GET" },
    { compress: true },
  ];
  for (const options of faulty) {
    const result = httpSink.config.safeParse({ url: "http://host/", ...options });
    assert(!result.success, JSON.stringify(options));
  }
});
