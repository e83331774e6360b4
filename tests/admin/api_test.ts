/**
 * The gateway behind these calls is a fake: what matters here is which answer a snapshot gives and who may call at
 * all. The running gateway is asked elsewhere.
 *
 * @module
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Hono } from "hono";
import { createAdminApi } from "../../src/admin/api.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/log.ts";
import { createMetrics } from "../../src/monitor/metrics.ts";
import type { GatewaySnapshot, GatewayState, GatewayView, RateLimit } from "../../src/monitor/view.ts";
import { gatewaySnapshot, sinkSnapshot } from "../support/gateway_snapshot.ts";

const ORIGIN = "http://127.0.0.1:8081";

/** A gateway of one sink that remembers what it was told. */
class FakeGateway implements GatewayView {
  readonly calls: string[] = [];
  current: GatewaySnapshot = gatewaySnapshot();
  now: GatewayState = "running";
  refusal: Error | null = null;

  state(): GatewayState {
    return this.now;
  }

  snapshot(): GatewaySnapshot {
    return this.current;
  }

  readonly control = {
    setLimit: (sink: string, limit: RateLimit | null) => {
      if (this.refusal) throw this.refusal;
      this.calls.push(`limit ${sink}`);
      this.current = gatewaySnapshot({ sinks: [sinkSnapshot({ limit })] });
    },
    pauseSink: (sink: string) => {
      this.calls.push(`pause ${sink}`);
      this.current = gatewaySnapshot({
        sinks: [sinkSnapshot({ state: "paused", reason: "by an operator" })],
      });
    },
    resumeSink: (sink: string) => {
      this.calls.push(`resume ${sink}`);
      this.current = gatewaySnapshot();
    },
  };
}

function setUp(
  options: { token?: string; hostname?: string; port?: number; gateway?: FakeGateway } = {},
): { gateway: FakeGateway; app: Hono } {
  const { token, hostname = "127.0.0.1", port = 8081, gateway = new FakeGateway() } = options;
  const metrics = createMetrics({ view: gateway });
  const app = createAdminApi({
    view: gateway,
    metrics,
    address: () => ({ hostname, port }),
    token: () => token ?? null,
    log: silentLogger,
  });
  return { gateway, app };
}

function ask(app: Hono, path: string, init: RequestInit = {}): Response | Promise<Response> {
  return app.request(`${ORIGIN}${path}`, init);
}

async function assertProblem(answer: Response, status: number, detail: string): Promise<void> {
  const body = await answer.json();
  assertEquals([answer.status, answer.headers.get("content-type")], [status, "application/problem+json"]);
  assertEquals([body.status, typeof body.type, typeof body.title], [status, "string", "string"]);
  assertStringIncludes(body.detail, detail);
}

const READS = [
  "/",
  "/healthz",
  "/readyz",
  "/metrics",
  "/api/v1/topology",
  "/api/v1/ledger",
  "/api/v1/backpressure",
];

Deno.test("GET of every reading path answers 200, and HEAD the same without a body", async () => {
  const { app } = setUp({ token: "secret" });
  for (const path of READS) {
    const got = await ask(app, path);
    assertEquals([path, got.status, got.headers.get("cache-control")], [path, 200, "no-store"]);
    assert((await got.text()).length > 0);
    const head = await ask(app, path, { method: "HEAD" });
    assertEquals([path, head.status, await head.text()], [path, 200, ""]);
  }
});

Deno.test("GET /metrics is Prometheus text", async () => {
  const answer = await ask(setUp().app, "/metrics");
  assertEquals(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assertStringIncludes(await answer.text(), "\n# TYPE weir_records_total counter\n");
});

Deno.test("GET /api/v1/topology tells streams, lanes and sinks, with latencies in short", async () => {
  const body = await (await ask(setUp().app, "/api/v1/topology")).json();
  assertEquals([body.state, body.id, body.pool.total], ["running", "gate-1", 2048]);
  assertEquals([body.streams[0].name, body.lanes[0].credits, body.sinks[0].state], ["events", 10, "up"]);
  assertEquals(body.sinks[0].writeSeconds, { count: 0, mean: null, p50: null, p99: null });
});

Deno.test("GET /api/v1/ledger tells a row that does not add up", async () => {
  const { gateway, app } = setUp();
  const [row] = gateway.current.ledger;
  const before = await (await ask(app, "/api/v1/ledger")).json();
  assertEquals([before.balanced, before.rows[0].delivered], [true, 100]);
  gateway.current = gatewaySnapshot({ ledger: [row, { ...row, sink: "search", delivered: 99 }] });
  const after = await (await ask(app, "/api/v1/ledger")).json();
  assertEquals(after.rows.map((each: { balanced: boolean }) => each.balanced), [true, false]);
  assertEquals(after.balanced, false);
});

Deno.test("GET /api/v1/backpressure tells tasks that add up to 1000, and bottlenecks", async () => {
  const { tasks, bottlenecks } = await (await ask(setUp().app, "/api/v1/backpressure")).json();
  assertEquals(tasks[0], { task: "ingress/events", idle: 990, busy: 10, backPressured: 0, level: "ok" });
  assertEquals(bottlenecks, []);
});

Deno.test("GET / lists the calls as JSON, and as a page where Accept prefers that", async () => {
  const { app } = setUp();
  const json = await (await ask(app, "/")).json();
  assert(
    json.calls.some((call: { method: string; path: string }) =>
      call.method === "PUT" && call.path === "/api/v1/sinks/{name}/limit"
    ),
  );
  const page = await ask(app, "/", { headers: { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" } });
  assertStringIncludes(page.headers.get("content-type")!, "text/html");
  assertStringIncludes(page.headers.get("content-security-policy")!, "frame-ancestors 'none'");
  const text = await page.text();
  assertStringIncludes(text, '<a href="/api/v1/ledger">/api/v1/ledger</a>');
  assert(!text.includes("\\n"), "no escape stands in the page as text");
});

Deno.test("GET / escapes what comes from the config", async () => {
  const { gateway, app } = setUp();
  gateway.current = gatewaySnapshot({ id: "<script>alert(1)</script>" });
  const page = await (await ask(app, "/", { headers: { Accept: "text/html" } })).text();
  assert(!page.includes("<script>"));
});

Deno.test("an unknown path answers 404, an unknown method 405 with Allow, and no CORS header", async () => {
  const { app } = setUp();
  await assertProblem(await ask(app, "/api/v2/topology"), 404, "/api/v2/topology");
  for (
    const [method, path, allow] of [
      ["POST", "/metrics", "GET, HEAD"],
      ["DELETE", "/api/v1/sinks/archive/limit", "PUT"],
      ["GET", "/api/v1/sinks/archive/pause", "POST"],
      ["OPTIONS", "/api/v1/sinks/archive/pause", "POST"],
    ]
  ) {
    const answer = await ask(app, path, { method, headers: { Origin: "http://evil.example" } });
    assertEquals([path, answer.headers.get("allow")], [path, allow]);
    assertEquals(answer.headers.get("access-control-allow-origin"), null);
    await assertProblem(answer, 405, `Cannot ${method} ${path}`);
  }
});

Deno.test("PUT /api/v1/sinks/{name}/limit replaces the limit and answers what holds", async () => {
  const { gateway, app } = setUp();
  const put = (body: string) => ask(app, "/api/v1/sinks/archive/limit", { method: "PUT", body });
  const set = await put('{"recordsPerSecond": 50, "burstRecords": 100, "bytesPerSecond": null}');
  assertEquals(set.status, 200);
  assertEquals((await set.json()).limit, {
    recordsPerSecond: 50,
    bytesPerSecond: null,
    burstRecords: 100,
    burstBytes: null,
  });
  for (const body of ["null", "{}", '{"recordsPerSecond": null}']) {
    assertEquals([body, (await (await put(body)).json()).limit], [body, null]);
  }
  assertEquals(gateway.calls, Array(4).fill("limit archive"));
});

Deno.test("PUT /api/v1/sinks/{name}/limit refuses what is no limit with 400 and the path of each fault", async () => {
  const { gateway, app } = setUp();
  for (
    const [body, detail] of [
      ["", "body: must be JSON"],
      ["[]", "body: must be a JSON object, or null for no limit"],
      ['{"recordsPerSecond": 0}', "recordsPerSecond: must be above 0; to stop the sink, pause it"],
      ['{"recordsPerSecond": "50"}', "recordsPerSecond: must be a number"],
      ['{"recordsPerSecond": 1e999}', "recordsPerSecond: "],
      ['{"recordPerSecond": 50}', 'unknown key "recordPerSecond"; known are recordsPerSecond, '],
      ['{"burstBytes": 10}', "burstBytes: needs bytesPerSecond"],
      ['{"recordsPerSecond": 5, "burstRecords": 0.5}', "burstRecords: must be a whole number"],
    ]
  ) {
    await assertProblem(await ask(app, "/api/v1/sinks/archive/limit", { method: "PUT", body }), 400, detail);
  }
  assertEquals(gateway.calls, []);
});

Deno.test("PUT /api/v1/sinks/{name}/limit tells as 400 what the gateway cannot live with, and hides other faults", async () => {
  const { gateway, app } = setUp();
  const put = () => ask(app, "/api/v1/sinks/archive/limit", { method: "PUT", body: '{"bytesPerSecond": 9}' });
  gateway.refusal = new ConfigError(["burstBytes: must hold the largest record"]);
  await assertProblem(await put(), 400, "must hold the largest record");
  gateway.refusal = new Error("secret detail");
  const answer = await put();
  assert(!(await answer.clone().text()).includes("secret detail"));
  await assertProblem(answer, 500, "log");
});

Deno.test("PUT /api/v1/sinks/{name}/limit reads no body above 64 KiB, told or chunked", async () => {
  const { app } = setUp();
  const body = " ".repeat(64 * 1024) + "{}";
  const chunked = new Blob([body]).stream();
  for (const each of [body, chunked]) {
    const answer = await ask(app, "/api/v1/sinks/archive/limit", { method: "PUT", body: each });
    await assertProblem(answer, 413, "65536 bytes");
  }
});

Deno.test("PUT /api/v1/sinks/{name}/limit takes a chunked body, and none, from a real connection", async () => {
  const { app } = setUp({ port: 80 });
  const server = createServer(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await listening;
  const { port } = server.address() as AddressInfo;
  const put = async (headers: string, body: string) => {
    using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
    const head =
      `PUT /api/v1/sinks/archive/limit HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${headers}\r\n`;
    await connection.write(new TextEncoder().encode(head + body));
    return (await new Response(connection.readable).text()).split("\r\n")[0];
  };
  try {
    assertEquals(await put("", ""), "HTTP/1.1 400 Bad Request");
    assertEquals(await put("Transfer-Encoding: chunked\r\n", "4\r\nnull\r\n0\r\n\r\n"), "HTTP/1.1 200 OK");
  } finally {
    server.close();
  }
});

Deno.test("POST /api/v1/sinks/{name}/pause and …/resume change the sink and answer its state", async () => {
  const { gateway, app } = setUp();
  const paused = await (await ask(app, "/api/v1/sinks/archive/pause", { method: "POST" })).json();
  assertEquals([paused.name, paused.state, paused.reason], ["archive", "paused", "by an operator"]);
  const resumed = await (await ask(app, "/api/v1/sinks/archive/resume", { method: "POST" })).json();
  assertEquals(resumed.state, "up");
  assertEquals(gateway.calls, ["pause archive", "resume archive"]);
  await assertProblem(
    await ask(app, "/api/v1/sinks/nope/pause", { method: "POST" }),
    404,
    "there are: archive",
  );
});

Deno.test("a changing call needs the token where one is set, a reading call does not", async () => {
  const { gateway, app } = setUp({ token: "s3cret" });
  for (
    const authorization of [undefined, "Bearer", "Bearer wrong", "Basic czNjcmV0", "s3cret", "Bearer s3cret2"]
  ) {
    const headers = authorization === undefined ? undefined : { Authorization: authorization };
    const answer = await ask(app, "/api/v1/sinks/archive/pause", { method: "POST", headers });
    assertStringIncludes(answer.headers.get("www-authenticate")!, "Bearer");
    await assertProblem(answer, 401, "admin.token");
  }
  assertEquals(gateway.calls, []);
  const headers = { Authorization: "bearer s3cret" };
  assertEquals((await ask(app, "/api/v1/sinks/archive/pause", { method: "POST", headers })).status, 200);
});

Deno.test("a changing call from a page of another origin answers 403, token or not", async () => {
  const { gateway, app } = setUp({ token: "s3cret" });
  for (
    const origin of ["http://evil.example", "null", "https://127.0.0.1:8081", "http://127.0.0.1:8082", ""]
  ) {
    const headers = { Origin: origin, Authorization: "Bearer s3cret" };
    await assertProblem(
      await ask(app, "/api/v1/sinks/archive/pause", { method: "POST", headers }),
      403,
      "Origin",
    );
  }
  assertEquals(gateway.calls, []);
  const headers = { Origin: ORIGIN, Authorization: "Bearer s3cret" };
  assertEquals((await ask(app, "/api/v1/sinks/archive/pause", { method: "POST", headers })).status, 200);
});

Deno.test("a call whose Host is not the admin address answers 403, but probes and scrapes pass", async () => {
  const { gateway, app } = setUp();
  for (
    const host of [
      "evil.example:8081",
      "127.0.0.1",
      "127.0.0.1:8080",
      "127.0.0.1.evil.example:8081",
      "10.0.0.5:8081",
    ]
  ) {
    const headers = { Host: host, Origin: `http://${host}` };
    for (const path of ["/", "/api/v1/topology", "/api/v1/ledger", "/api/v1/backpressure"]) {
      await assertProblem(await ask(app, path, { headers }), 403, "Host");
    }
    await assertProblem(
      await ask(app, "/api/v1/sinks/archive/pause", { method: "POST", headers }),
      403,
      "Host",
    );
    for (const path of ["/healthz", "/readyz", "/metrics"]) {
      assertEquals([path, (await ask(app, path, { headers })).status], [path, 200]);
    }
  }
  assertEquals(gateway.calls, []);
});

Deno.test("a call by a loopback name, or by the name that the admin address has, passes", async () => {
  const { app } = setUp({ hostname: "Admin.internal" });
  for (
    const host of ["localhost:8081", "LOCALHOST:8081", "127.0.0.1:8081", "[::1]:8081", "admin.internal:8081"]
  ) {
    assertEquals([host, (await ask(app, "/", { headers: { Host: host } })).status], [host, 200]);
  }
});

Deno.test("an admin address on all interfaces may be called by any IP address, but by no foreign name", async () => {
  const { app } = setUp({ hostname: "0.0.0.0" });
  const status = async (host: string) => (await ask(app, "/", { headers: { Host: host } })).status;
  assertEquals(await status("10.0.0.5:8081"), 200);
  assertEquals(await status("[fd00::5]:8081"), 200);
  assertEquals(await status("10.0.0.5:8080"), 403);
  assertEquals(await status("evil.example:8081"), 403);
});

Deno.test("an admin address at port 80 may be called without a port", async () => {
  const { app } = setUp({ port: 80 });
  assertEquals((await ask(app, "/", { headers: { Host: "localhost" } })).status, 200);
  assertEquals((await ask(app, "/", { headers: { Host: "localhost:80" } })).status, 200);
});
