/** The `elasticsearch` sink and answers that a lone node without security, proxy or bugs cannot be made to give. @module */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type ElasticsearchOptions, elasticsearchSink } from "../../adapters/elasticsearch.ts";
import { Outcome, type Pressure } from "../../src/sink/adapter.ts";
import { Certificates } from "../support/certificates.ts";
import { LogLines } from "../support/log_lines.ts";
import { freePort } from "../support/ports.ts";
import { requires } from "../support/requirements.ts";
import { outcomesOf, written } from "../support/written.ts";
import { openElasticsearch } from "./elasticsearch_sink.ts";
import type { OpenSink, OwnContext } from "./open_sink.ts";
import { answer, type HttpTarget, type Respond, startHttpTarget } from "./http_target.ts";

const { ACKED, RETRYABLE, REJECTED } = Outcome;
const STORED = answer(200, `{"errors":false,"items":[]}`);
const NONE: Pressure = { kind: "none" };
const SATURATED: Pressure = { kind: "saturated" };

/** Runs `body` with a sink on a fresh server that stores all. */
async function withSink(
  options: Partial<ElasticsearchOptions>,
  body: (sink: OpenSink, target: HttpTarget) => Promise<void>,
  more: OwnContext = {},
): Promise<void> {
  const target = await startHttpTarget();
  target.respond = STORED;
  try {
    const nodes = [new URL(target.url).origin];
    await using sink = await openElasticsearch({ nodes, index: "docs", ...options }, more);
    await body(sink, target);
  } finally {
    await target.close();
  }
}

function bodyOf(target: HttpTarget): string {
  return new TextDecoder().decode(target.seen.at(-1)!.body);
}

const ITEM_ERROR = (status: number, type: string) =>
  `{"create":{"status":${status},"error":{"type":"${type}","reason":"r"}}}`;
const items = (...each: string[]): string => `{"errors":true,"items":[${each.join(",")}]}`;

const WHOLE: readonly (readonly [number, string, Record<string, string>, number, Pressure])[] = [
  [401, "", {}, RETRYABLE, NONE],
  [403, "", {}, RETRYABLE, NONE],
  [404, "", {}, RETRYABLE, NONE],
  [302, "", {}, RETRYABLE, NONE],
  [429, "", {}, RETRYABLE, SATURATED],
  [429, "", { "retry-after": "7" }, RETRYABLE, { kind: "throttle", delayMs: 7000 }],
  [429, `{"error":{"type":"cluster_block_exception"}}`, {}, RETRYABLE, { kind: "throttle", delayMs: 1000 }],
  [500, "", {}, RETRYABLE, SATURATED],
  [503, "", {}, RETRYABLE, SATURATED],
  [504, "", {}, RETRYABLE, SATURATED],
  [200, "not json", {}, RETRYABLE, SATURATED],
  [200, `{"errors":true}`, {}, RETRYABLE, SATURATED],
  [200, items(ITEM_ERROR(400, "x")), {}, RETRYABLE, SATURATED],
  [200, "null", {}, RETRYABLE, SATURATED],
  [200, `{"errors":true,"items":{"length":2}}`, {}, RETRYABLE, SATURATED],
  ...[
    "null",
    "{}",
    `{"create":null}`,
    `{"create":{}}`,
    `{"create":{"status":"201"}}`,
    `{"create":{"status":0}}`,
  ]
    .map((item) => [200, items(item, item), {}, RETRYABLE, SATURATED] as const),
];

for (const [status, text, headers, outcome, pressure] of WHOLE) {
  Deno.test(`elasticsearch write() takes ${status} ${text} ${JSON.stringify(headers)} for the whole batch`, () =>
    withSink({}, async (sink, target) => {
      target.respond = answer(status, text, headers);
      const result = written(await sink.write(["{}", "{}"]));
      assertEquals([outcomesOf(result), result.pressure], [[outcome, outcome], pressure]);
    }));
}

const ITEMS: readonly [string, number, Pressure][] = [
  [`{"create":{"status":201}}`, ACKED, NONE],
  [ITEM_ERROR(409, "version_conflict_engine_exception"), ACKED, NONE],
  [ITEM_ERROR(409, "other"), REJECTED, NONE],
  [ITEM_ERROR(400, "mapper_parsing_exception"), REJECTED, NONE],
  [ITEM_ERROR(404, "index_not_found_exception"), REJECTED, NONE],
  [ITEM_ERROR(403, "cluster_block_exception"), REJECTED, NONE],
  [ITEM_ERROR(429, "rejected_execution_exception"), RETRYABLE, SATURATED],
  [ITEM_ERROR(429, "es_rejected_execution_exception"), RETRYABLE, SATURATED],
  [ITEM_ERROR(429, "cluster_block_exception"), RETRYABLE, { kind: "throttle", delayMs: 1000 }],
  [ITEM_ERROR(500, "x"), RETRYABLE, SATURATED],
  [ITEM_ERROR(503, "unavailable_shards_exception"), RETRYABLE, SATURATED],
];

for (const [item, outcome, pressure] of ITEMS) {
  Deno.test(`elasticsearch write() takes ${item} for its document alone`, () =>
    withSink({}, async (sink, target) => {
      target.respond = answer(200, items(`{"create":{"status":201}}`, item));
      const result = written(await sink.write(["{}", "[]", "{}"]));
      assertEquals([outcomesOf(result), result.pressure], [[ACKED, REJECTED, outcome], pressure]);
      assertEquals(result.reasons?.has(2) ?? false, outcome !== ACKED);
    }));
}

Deno.test("elasticsearch write() counts each document by the status that the cluster gave it, and none without an answer", () =>
  withSink({}, async (sink, target) => {
    await sink.write(["{}", "{}", "[no object]"]);
    target.respond = answer(
      200,
      items(`{"create":{"status":201}}`, ITEM_ERROR(429, "x"), ITEM_ERROR(400, "x")),
    );
    await sink.write(["{}", "{}", "{}"]);
    target.respond = answer(200, "not json");
    await sink.write(["{}"]);
    const limit: Respond = (response, seen, socket) =>
      (new TextDecoder().decode(seen.body).split("\n").length > 4 ? answer(413) : answer(503))(
        response,
        seen,
        socket,
      );
    target.respond = limit;
    await sink.write(["{}", "{}"]);
    target.respond = (response) => void response.destroy();
    await sink.write(["{}"]);
    assertEquals(sink.answers.snapshot(), { "201": 3, "400": 1, "413": 2, "429": 1, "503": 1 });
  }));

Deno.test("elasticsearch write() takes 409 for a refusal where it did not ask to create", () =>
  withSink({ op: "index" }, async (sink, target) => {
    target.respond = answer(200, items(ITEM_ERROR(409, "version_conflict_engine_exception")));
    assertEquals(outcomesOf(await sink.write(["{}"])), [REJECTED]);
  }));

Deno.test("elasticsearch write() cuts an answer off that does not end", () =>
  withSink({}, async (sink, target) => {
    let sentBytes = 0;
    target.respond = (response) => {
      const chunk = new Uint8Array(1_048_576).fill(0x20);
      const send = () => {
        sentBytes += chunk.length;
        if (response.write(chunk)) queueMicrotask(send);
        else response.once("drain", send);
      };
      response.on("error", () => {}); // it is cut off
      send();
    };
    const result = written(await sink.write(["{}"]));
    assertEquals([outcomesOf(result), result.pressure], [[RETRYABLE], SATURATED]);
    // One MiB is read, and what the sockets' buffers hold.
    assert(sentBytes < 32 * 1_048_576, `${sentBytes} bytes were sent`);
  }));

Deno.test("elasticsearch write() logs a malformed bulk with its action, and rejects that record alone", async () => {
  const log = new LogLines();
  await withSink({}, async (sink, target) => {
    const reason = "Malformed action/metadata line [3], expected START_OBJECT";
    target.respond = answer(400, JSON.stringify({ error: { type: "illegal_argument_exception", reason } }));
    const result = written(await sink.write(["{}", "{}", "{}"]));
    assertEquals(outcomesOf(result), [RETRYABLE, REJECTED, RETRYABLE]);
    assertEquals(log.lines.length, 1);
    assertStringIncludes(JSON.stringify(log.lines[0]), `record-1`);
    target.respond = answer(400, "pipeline does not exist");
    assertEquals(outcomesOf(await sink.write(["{}", "{}"])), [REJECTED, REJECTED]);
  }, { log });
});

Deno.test("elasticsearch write() remembers what was too large, and halves before it sends", () =>
  withSink({}, async (sink, target) => {
    const limit: Respond = (response, seen, socket) =>
      (seen.body.length > 4000 ? answer(413) : STORED)(response, seen, socket);
    target.respond = limit;
    const values = Array.from({ length: 64 }, () => `{"text":"${"x".repeat(40)}"}`);
    const refused = () => target.seen.filter(({ body }) => body.length > 4000).length;
    assertEquals(outcomesOf(await sink.write(values)), values.map(() => ACKED));
    assert(refused() > 0);
    const before = refused();
    assertEquals(outcomesOf(await sink.write(values)), values.map(() => ACKED));
    assertEquals(refused(), before);
  }));

Deno.test("elasticsearch write() sends credentials, pipeline, compression and the path of a proxy", async () => {
  const auths = [
    [{ username: "u", password: "p:ä" }, "Basic dTpwOsOk"],
    [{ apiKey: "a2V5" }, "ApiKey a2V5"],
    [{ bearerToken: "t" }, "Bearer t"],
    [undefined, undefined],
  ] as const;
  for (const [auth, header] of auths) {
    await withSink({ auth, pipeline: "p&q" }, async (sink, target) => {
      await sink.write(["{}"]);
      assertEquals(target.seen[0].headers.authorization, header);
      assertEquals(new URL(target.seen[0].path, "http://x").searchParams.get("pipeline"), "p&q");
    });
  }
  const target = await startHttpTarget();
  target.respond = STORED;
  await using sink = await openElasticsearch({
    nodes: [`${new URL(target.url).origin}/behind/proxy/`],
    index: "docs",
    gzipAboveBytes: 500,
  });
  for (const [length, coding] of [[10, undefined], [1000, "gzip"]] as const) {
    assertEquals(outcomesOf(await sink.write([`{"t":"${"x".repeat(length)}"}`])), [ACKED]);
    assertMatch(target.seen.at(-1)!.path, /^\/behind\/proxy\/_bulk\?/);
    assertEquals(target.seen.at(-1)!.headers["content-encoding"], coding);
    assertStringIncludes(bodyOf(target), `{"create":{"_index":"docs","_id":"record-0"}}\n{"t":"x`);
  }
  await target.close();
});

Deno.test("elasticsearch write() sends long documents, in pieces and whole, as they are", () =>
  withSink({}, async (sink, target) => {
    for (const layout of ["adjacent", "apart", "spanning"] as const) {
      const values = [10, 5000, 4000, 200_000, 1].map((length) => `{"t":"${"x".repeat(length)}"}`);
      await sink.write(values, { layout });
      const lines = bodyOf(target).split("\n");
      assertEquals(lines.pop(), "");
      assertEquals(lines.filter((_, at) => at % 2 === 1), values);
      assertEquals(JSON.parse(lines[8]), { create: { _index: "docs", _id: "record-4" } });
    }
  }));

Deno.test("elasticsearch write() tells what a dead node did when there is no other", async () => {
  await using sink = await openElasticsearch({ nodes: [`http://127.0.0.1:${freePort()}`], index: "docs" });
  const result = written(await sink.write(["{}"]));
  assertEquals([outcomesOf(result), result.pressure], [[RETRYABLE], SATURATED]);
  assertMatch(result.reasons!.get(0)!, /ECONNREFUSED/);
  await assertRejects(() => sink.check(), Error, "no answer from");
});

Deno.test("elasticsearch check() fails when the cluster would take nothing", () =>
  withSink({}, async (sink, target) => {
    for (
      const [status, fine] of [[200, true], [400, true], [401, false], [403, false], [404, false], [
        503,
        false,
      ]]
    ) {
      target.respond = answer(status as number);
      if (fine) await sink.check();
      else await assertRejects(() => sink.check(), Error, `would take no records: HTTP ${status}`);
    }
    assertEquals(target.seen.every(({ body }) => body.length === 0), true);
  }));

requires("openssl").test("elasticsearch write() trusts the authority of ca, and no other", async () => {
  await using certificates = await Certificates.create();
  for (const name of ["right", "wrong"]) await certificates.authority(name);
  await certificates.signed("server", "right");
  const [cert, key] = await Promise.all(
    ["server.pem", "server.key"].map((name) => Deno.readTextFile(certificates.path(name))),
  );
  const server = createServer({ cert, key }, (request, response) => {
    request.resume();
    request.on("end", () => void response.end(`{"errors":false,"items":[]}`));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const nodes = [`https://127.0.0.1:${(server.address() as AddressInfo).port}`];
    for (const [name, outcome] of [["right", ACKED], ["wrong", RETRYABLE]] as const) {
      const ca = certificates.path(`${name}.pem`);
      await using sink = await openElasticsearch({ nodes, index: "docs", ca });
      assertEquals(outcomesOf(await sink.write(["{}"])), [outcome]);
    }
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

Deno.test("elasticsearch permissions() names the nodes and the authorities' file", () => {
  const options = elasticsearchSink.config.parse({
    nodes: ["http://a:9200", "https://b"],
    index: "docs",
    ca: "/etc/ca.pem",
  });
  assertEquals(elasticsearchSink.permissions!(options), { net: ["a:9200", "b:443"], read: ["/etc/ca.pem"] });
});

Deno.test("elasticsearch config refuses what no cluster would take", () => {
  const faulty: Record<string, unknown>[] = [
    { nodes: [] },
    { nodes: ["ftp://host"] },
    { nodes: ["http://user:secret@host"] },
    { index: "Upper" },
    { index: "a,b" },
    { index: "logs-{yyyy" },
    { index: "logs-{weekday}" },
    { index: { pointer: "in", allow: ["a"] } },
    { index: { pointer: "/in", allow: [] } },
    { index: { pointer: "/in", allow: ["*"] } },
    { id: "id" },
    { routing: "" },
    { op: "delete" },
    { auth: { username: "u" } },
    { auth: { apiKey: "two words" } },
    { auth: { apiKey: "k", bearerToken: "t" } },
    { gzipAboveBytes: -1 },
  ];
  for (const options of faulty) {
    const result = elasticsearchSink.config.safeParse({ nodes: ["http://host"], index: "docs", ...options });
    assert(!result.success, JSON.stringify(options));
  }
});
