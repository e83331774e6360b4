/**
 * `Gateway.reload()` on running gateways: what did not change is not touched, what changed loses nothing, what is gone
 * delivers what it has, and a wrong config changes nothing.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStrictEquals, assertStringIncludes } from "@std/assert";
import { ClosedError, ConfigError } from "../src/core/errors.ts";
import { HttpConnection } from "./support/http_client.ts";
import { ReloadStage } from "./support/reload_stage.ts";

const sink = (options: Record<string, unknown> = {}) => ({ type: "switch", ...options });
const DRAIN_MS = 30_000;

Deno.test("Gateway.reload() adds, changes and removes streams and sinks, and touches no other", async () => {
  await using stage = await ReloadStage.start({
    streams: { kept: { sinks: ["a"], ack: "memory" }, changed: { sinks: ["b"] }, gone: { sinks: ["c"] } },
    sinks: { a: sink(), b: sink(), c: sink() },
  });
  const { gateway, sinks } = stage;
  using connection = await HttpConnection.open(gateway.port);
  const before = { unit: gateway.streams.get("kept"), gate: gateway.sinks.get("a")!.gate };
  sinks.stall("a");
  assertEquals((await connection.request({ path: "/v1/streams/kept" }, "1")).status, 202);

  const report = await stage.reload({
    streams: {
      kept: { sinks: ["a"], ack: "memory" },
      changed: { sinks: ["b"], maxWaitMs: 5 },
      fresh: { sinks: ["d"] },
    },
    sinks: { a: sink(), b: sink({ tag: "2" }), d: sink() },
  });
  assertEquals(report.streams, { added: ["fresh"], changed: ["changed"], removed: ["gone"] });
  assertEquals(report.sinks, { added: ["d"], changed: ["b"], removed: ["c"] });
  assertStrictEquals(gateway.streams.get("kept"), before.unit);
  assertStrictEquals(gateway.sinks.get("a")!.gate, before.gate);
  assertEquals(sinks.writing.get("a"), 1);

  for (const [stream, status] of [["kept", 202], ["changed", 200], ["fresh", 200], ["gone", 404]] as const) {
    assertEquals((await connection.request({ path: `/v1/streams/${stream}` }, "2")).status, status, stream);
  }
  sinks.release("a");
  await stage.until(() => sinks.stored("a").length === 2, "what waited is stored");
  assertEquals([sinks.stored("a"), sinks.stored("b"), sinks.stored("d")], [["1", "2"], ["2"], ["2"]]);
  await stage.until(() => sinks.events.includes("close c"), "the removed sink is closed");
  assertEquals([...gateway.streams.keys()], ["kept", "changed", "fresh"]);
  assertEquals([...gateway.sinks.keys()].filter((name) => !name.includes(":")), ["a", "b", "d"]);
  stage.assertSound();
});

Deno.test("Gateway.reload() lets the old unit of a changed stream deliver, before the new one, and no counter goes back", async () => {
  const config = (maxWaitMs: number) => ({
    streams: { s: { sinks: ["out"], maxWaitMs, deliverTimeoutMs: 600_000 } },
    sinks: { out: sink() },
  });
  await using stage = await ReloadStage.start(config(10));
  const { sinks, gateway } = stage;
  assertEquals((await stage.post("s", "0")).status, 200);
  await stage.post("s", "nonsense");
  sinks.stall("out");
  const first = stage.post("s", "1\n2");
  await stage.until(() => gateway.view.snapshot().ledger[0].inFlight === 2, "the first wait");
  const old = gateway.streams.get("s")!;
  await stage.reload(config(20));
  assert(gateway.streams.get("s") !== old);
  const second = stage.post("s", "3");
  await stage.until(() => gateway.view.snapshot().ledger[0].inFlight === 3, "the second waits too");
  stage.assertSound();
  assertEquals(sinks.writing.get("out"), 1, "the new unit writes nothing before the old one has");
  assertEquals(await stage.metric('weir_records_total{stream="s",outcome="accepted"}'), 4);
  assertEquals(gateway.view.snapshot().draining.map(({ part, why, records }) => [part, why, records]), [
    ["stream/s", "changed", 2],
  ]);

  sinks.release("out");
  assertEquals([(await first).status, (await second).status], [200, 200]);
  assertEquals(sinks.stored("out"), ["0", "1", "2", "3"]);
  await stage.until(() => gateway.view.snapshot().draining.length === 0, "the old unit has ended");
  stage.assertSound();
  assertEquals(await stage.metric('weir_records_total{stream="s",outcome="accepted"}'), 4);
  assertEquals(await stage.metric('weir_records_total{stream="s",outcome="rejected"}'), 1);
  assertEquals(await stage.metric('weir_requests_total{stream="s",status="200"}'), 3);
  assertEquals(await stage.metric('weir_requests_total{stream="s",status="400"}'), 1);
  assertEquals(await stage.metric('weir_sink_records_total{sink="out",outcome="delivered"}'), 4);
  assertEquals(await stage.metric('weir_delivery_seconds_count{stream="s",sink="out"}'), 4);
});

Deno.test("Gateway.reload() gives a changed sink the lanes of the old one: nothing is lost, order is kept, and the old one closes first", async () => {
  const config = (tag: string) => ({
    streams: { s: { sinks: ["out"], ack: "memory" } },
    sinks: { out: sink({ tag, order: "strict" }) },
  });
  await using stage = await ReloadStage.start(config("one"));
  const { sinks, gateway } = stage;
  const unit = gateway.streams.get("s");
  sinks.stall("out");
  const values = Array.from({ length: 20 }, (_, k) => String(k));
  for (const value of values) assertEquals((await stage.post("s", value)).status, 202);
  await stage.reload(config("two"));
  assertStrictEquals(gateway.streams.get("s"), unit);
  assertEquals((await stage.post("s", "20")).status, 202);
  assertEquals(sinks.events, ["open out one"]);
  sinks.release("out");
  await stage.until(() => sinks.stored("out").length === 21, "all is stored");
  assertEquals(sinks.stored("out"), [...values, "20"]);
  assertEquals(sinks.events, ["open out one", "close out one", "open out two"]);
  assertEquals(await stage.metric('weir_sink_records_total{sink="out",outcome="delivered"}'), 21);
  stage.assertSound();
});

Deno.test("Gateway.reload() aborts the writes of a changed sink when its drain time is over, and the new one gets the records", async () => {
  const config = (tag: string) => ({
    streams: { s: { sinks: ["out"], ack: "memory" } },
    sinks: { out: sink({ tag, timeoutMs: 3_600_000 }) },
  });
  await using stage = await ReloadStage.start(config("hangs"));
  const { sinks } = stage;
  sinks.stall("out");
  await stage.post("s", "1\n2");
  await stage.until(() => sinks.writing.get("out") === 1, "it is being written");
  await stage.reload(config("works"));
  await stage.clock.run(DRAIN_MS - 1);
  assertEquals(sinks.events, ["open out hangs"]);
  const released = stage.until(() => sinks.events.includes("close out hangs"), "the old one is closed");
  stage.clock.advance(1);
  await released;
  sinks.release("out");
  await stage.clock.run(1000);
  await stage.until(() => sinks.stored("out").length === 2, "the new one has them");
  stage.assertSound();
});

Deno.test("Gateway.reload() keeps a removed sink until its records are settled, says so, and lets nothing else wait", async () => {
  await using stage = await ReloadStage.start({
    streams: { s: { sinks: ["slow"], ack: "memory" } },
    sinks: { slow: sink() },
  });
  const { sinks } = stage;
  sinks.stall("slow");
  await stage.post("s", "1\n2\n3");
  await stage.reload({ streams: { t: { sinks: ["quick"] } }, sinks: { quick: sink() } });
  assertEquals((await stage.post("t", "4")).status, 200);
  assertEquals((await stage.post("s", "5")).status, 404);
  const ready = await stage.admin("/readyz");
  assertEquals(ready.status, 200);
  const parts = ready.body.parts as { part: string; state: string; reason: string }[];
  for (const part of ["draining/stream/s", "draining/sink/slow"]) {
    const { state, reason } = parts.find((each) => each.part === part)!;
    assertEquals(state, "draining");
    assertStringIncludes(reason, "removed by a reload; 3 records are not settled");
  }
  const { draining } = (await stage.admin("/api/v1/topology")).body as {
    draining: Record<string, unknown>[];
  };
  assertEquals(draining.map(({ part, records }) => [part, records]), [
    ["stream/s", 3],
    ["sink/slow", 3],
    ["sink/dead-letter:slow", 0],
  ]);
  assert(stage.messages().includes("sink is kept until its records are settled"));

  sinks.release("slow");
  await stage.until(() => sinks.events.includes("close slow"), "it is closed");
  assertEquals(sinks.stored("slow"), ["1", "2", "3"]);
  assertEquals(stage.gateway.view.snapshot().draining, []);
  assertEquals(await stage.metric('weir_records_total{stream="s",outcome="accepted"}'), 0);
  assertEquals((await stage.gateway.stop()).lostRecords, 0);
});

Deno.test("Gateway.reload() gives up what a removed sink has not taken within drainMs, counts it, and tells who waits", async () => {
  const streams = (sinks: string[], ack: string) => ({ sinks, ack, deliverTimeoutMs: 3_600_000 });
  await using stage = await ReloadStage.start({
    streams: { m: streams(["slow", "quick"], "memory"), d: streams(["slow"], "delivered") },
    sinks: { slow: sink({ timeoutMs: 3_600_000 }), quick: sink() },
  });
  const { sinks, gateway } = stage;
  sinks.stall("slow");
  await stage.post("m", "1\n2\n3");
  const waiting = stage.post("d", "4");
  await stage.until(() => gateway.view.snapshot().ledger.every(({ accepted }) => accepted > 0), "all wait");
  await stage.reload({
    streams: { m: streams(["quick"], "memory") },
    sinks: { quick: sink() },
  });
  await stage.clock.run(DRAIN_MS - 1);
  assertEquals(gateway.view.snapshot().ledger.map(({ sink, lost, inFlight }) => [sink, lost, inFlight]), [
    ["quick", 0, 0],
    ["slow", 0, 3],
    ["slow", 0, 1],
  ]);
  stage.clock.advance(1);
  const answer = await waiting;
  assertEquals(answer.status, 503);
  assertEquals(JSON.parse(answer.body).accepted, 1);
  await stage.until(() => gateway.view.snapshot().draining.length === 0, "all has ended");
  stage.assertSound();
  const line = stage.log.lines.find(({ level }) => level === "error")!;
  assertEquals([line.fields.sink, line.fields.records, line.fields.lostRecords], ["slow", 4, 3]);
  assertEquals((await stage.post("m", "5")).status, 202);
  await stage.until(() => sinks.stored("quick").length === 4, "the rest goes on");
  assertEquals((await gateway.stop()).lostRecords, 3);
});

Deno.test("Gateway.reload() never gives up records whose sink is still there, however long it is down", async () => {
  const config = (key: string) => ({
    streams: { s: { sinks: ["out"], ack: "memory", key } },
    sinks: { out: sink({ timeoutMs: 3_600_000 }) },
  });
  await using stage = await ReloadStage.start(config("/a"));
  const { sinks } = stage;
  sinks.stall("out");
  for (const [k, key] of ["/b", "/c", "/d"].entries()) {
    await stage.post("s", `${k}`);
    await stage.reload(config(key));
    await stage.clock.run(DRAIN_MS * 2);
  }
  await stage.post("s", "3");
  stage.assertSound();
  sinks.release("out");
  await stage.until(() => sinks.stored("out").length === 4, "all is stored");
  assertEquals(sinks.stored("out"), ["0", "1", "2", "3"]);
});

Deno.test("Gateway.reload() brings a removed sink back with what it held", async () => {
  const config = (...names: string[]) => ({
    streams: Object.fromEntries(names.map((name) => [name, { sinks: [name], ack: "memory" }])),
    sinks: Object.fromEntries(names.map((name) => [name, sink({ timeoutMs: 3_600_000 })])),
  });
  await using stage = await ReloadStage.start(config("a", "b"));
  const { sinks, gateway } = stage;
  sinks.stall("b");
  await stage.post("b", "1");
  const { gate } = gateway.sinks.get("b")!;
  await stage.reload(config("a"));
  await stage.clock.run(DRAIN_MS / 2);
  await stage.reload(config("a", "b"));
  assertStrictEquals(gateway.sinks.get("b")!.gate, gate);
  await stage.clock.run(DRAIN_MS * 2);
  await stage.post("b", "2");
  assertEquals(gateway.view.snapshot().ledger.map(({ stream, accepted }) => [stream, accepted]), [
    ["a", 0],
    ["b", 2],
  ]);
  sinks.release("b");
  await stage.until(() => sinks.stored("b").length === 2, "both are stored");
  assertEquals(sinks.stored("b"), ["1", "2"]);
  stage.assertSound();
});

Deno.test("Gateway.reload() moves the shares of the pool as streams come and go, and lent segments come home to them", async () => {
  const config = (...names: string[]) => ({
    buffers: { segments: 64, segmentBytes: 4096, exclusivePerLane: 64 },
    streams: Object.fromEntries(
      names.map((name) => [name, { sinks: ["out"], ack: "memory", maxRecordBytes: 1000, minSegments: 4 }]),
    ),
    sinks: { out: sink() },
  });
  await using stage = await ReloadStage.start(config("a"));
  const { sinks, gateway } = stage;
  const sizes = () => [...gateway.network.pools()].map(({ size }) => size);
  assertEquals(sizes(), [64]);
  sinks.stall("out");
  const record = `"${"x".repeat(900)}"\n`;
  await stage.until(() => gateway.streams.get("a")!.pool.idleSegments > 0, "a segment is there");
  for (let k = 0; k < 12; k++) assertEquals((await stage.post("a", record.repeat(12))).status, 202);
  const pool = gateway.streams.get("a")!.pool;
  const lent = pool.lentSegments;
  assert(lent > 32, `${lent} are lent`);

  await stage.reload(config("a", "b"));
  assertEquals(sizes(), [32, 32]);
  assertEquals(pool.overdraftSegments, pool.requestedSegments - 32);
  assertEquals((await stage.post("b", "1")).status, 202);
  sinks.release("out");
  await stage.until(() => pool.lentSegments <= 1, "what was lent is home");
  assert(pool.requestedSegments <= 32);

  await stage.reload(config("b", "c", "d"));
  await stage.until(() => gateway.view.snapshot().draining.length === 0, "the removed one has ended");
  assertEquals(sizes().reduce((sum, size) => sum + size, 0), 64);
  assertEquals([...gateway.network.pools()].length, 3);
  await stage.reload(config("b"));
  await stage.until(() => sizes().length === 1, "only one is left");
  assertEquals(sizes(), [64]);
});

Deno.test("Gateway.reload() refuses a wrong config with every fault, and changes nothing", async () => {
  const good = { streams: { s: { sinks: ["out"] } }, sinks: { out: sink() } };
  await using stage = await ReloadStage.start(good);
  const { gateway } = stage;
  const before = [gateway.config, gateway.plan, gateway.streams.get("s"), gateway.sinks.get("out")];
  const error = await assertRejects(
    () =>
      stage.reload({
        streams: { s: { sinks: ["out", "none"], maxWaitMs: -1 } },
        sinks: { out: { type: "x" } },
      }),
    ConfigError,
  );
  assertEquals(error.faults.length, 2);
  const cross = await assertRejects(
    () =>
      stage.reload({ streams: { s: { sinks: ["none"] }, t: { sinks: ["nil"] } }, sinks: { out: sink() } }),
    ConfigError,
  );
  assertEquals(cross.faults.length, 2);
  assertEquals([gateway.config, gateway.plan, gateway.streams.get("s"), gateway.sinks.get("out")], before);
  assertEquals((await stage.post("s", "1")).status, 200);
});

Deno.test("Gateway.reload() refuses streams that do not fit beside those that still deliver, and takes them later", async () => {
  const config = (maxWaitMs: number) => ({
    buffers: { segments: 10, segmentBytes: 4096 },
    streams: { s: { sinks: ["out"], ack: "memory", maxRecordBytes: 100, minSegments: 6, maxWaitMs } },
    sinks: { out: sink() },
  });
  await using stage = await ReloadStage.start(config(1));
  const { sinks, gateway } = stage;
  // Idle, the old one makes room for the new one at once.
  await stage.reload(config(2));
  sinks.stall("out");
  await stage.post("s", "1");
  const unit = gateway.streams.get("s");
  const error = await assertRejects(() => stage.reload(config(3)), ConfigError);
  assertStringIncludes(error.message, "still deliver (s 6), 12 in all, but is 10");
  assertStrictEquals(gateway.streams.get("s"), unit);
  assertEquals(gateway.config.streams.get("s")!.maxWaitMs, 2);
  sinks.release("out");
  await stage.until(() => sinks.stored("out").length === 1, "it has delivered");
  assertEquals((await stage.reload(config(3))).streams.changed, ["s"]);
  assertEquals((await stage.post("s", "2")).status, 202);
});

Deno.test("Gateway.reload() takes what can hold while running, and names the keys that wait for a restart", async () => {
  await using stage = await ReloadStage.start({ streams: { s: { sinks: ["out"] } }, sinks: { out: sink() } });
  const { gateway } = stage;
  const report = await stage.reload({
    gateway: { id: "other", drainMs: 5 },
    listen: { port: 1, maxConnections: 7 },
    admin: { token: "secret" },
    buffers: { segments: 4096 },
    streams: { s: { sinks: ["out"] }, t: { sinks: ["out"] } },
    sinks: { out: sink() },
  });
  assertEquals(report.needRestart, ["gateway.id", "listen.port", "buffers.segments"]);
  assertEquals(report.streams.added, ["t"]);
  const { config } = gateway;
  assertEquals([config.gateway.id, config.listen.port, config.buffers.segments], ["stage", 0, 2048]);
  assertEquals([config.gateway.drainMs, config.listen.maxConnections, config.admin.token], [5, 7, "secret"]);
  const pause = `http://127.0.0.1:${gateway.adminPort}/api/v1/sinks/out/pause`;
  const call = async (headers: HeadersInit) => {
    const answer = await fetch(pause, { method: "POST", headers });
    await answer.body?.cancel();
    return answer.status;
  };
  assertEquals([await call({}), await call({ Authorization: "Bearer secret" })], [401, 200]);
  const error = await assertRejects(
    () =>
      stage.reload({
        buffers: { segments: 8192 },
        streams: { s: { sinks: ["out"], minSegments: 4000 } },
        sinks: { out: sink() },
      }),
    ConfigError,
  );
  assertStringIncludes(error.faults.at(-1)!, "buffers.segments: changes only with a restart");
});

Deno.test("Gateway.reload() changes limits and weights under running units, and gives nobody a second burst", async () => {
  const config = (limit: object, quota: object, tag = "") => ({
    streams: { s: { sinks: ["out"], ack: "memory", limit: quota } },
    sinks: { out: sink({ limit, tag }) },
  });
  const quota = { recordsPerSecond: 1, burstRecords: 3 };
  await using stage = await ReloadStage.start(config({ recordsPerSecond: 1, burstRecords: 2 }, quota));
  const { gateway, sinks } = stage;
  const unit = gateway.streams.get("s");
  await stage.post("s", "1\n2\n3");
  await stage.until(() => sinks.stored("out").length === 2, "the burst has passed");
  await stage.reload(config({ recordsPerSecond: 2, burstRecords: 2 }, quota));
  assertStrictEquals(gateway.streams.get("s"), unit);
  assertEquals(gateway.sinks.get("out")!.gate.limits.recordsPerSecond, 2);
  // Another unit, and the bucket is the same.
  await stage.reload(
    config({ recordsPerSecond: 2, burstRecords: 2 }, { ...quota, recordsPerSecond: 1.5 }, "new"),
  );
  assert(gateway.streams.get("s") !== unit);
  assertEquals((await stage.post("s", "4")).status, 429);
  assertEquals(gateway.sinks.get("out")!.gate.tokens()!.records, 0);
  await stage.clock.run(2000);
  await stage.until(() => sinks.stored("out").length === 3, "the next one passes when its time has come");
  assertEquals((await stage.post("s", "4")).status, 202);
});

Deno.test("Gateway.reload() leaves a paused sink paused, and what an operator set in force", async () => {
  const config = (tag: string, rate: number) => ({
    streams: { s: { sinks: ["out"], ack: "memory" } },
    sinks: { out: sink({ tag, limit: { recordsPerSecond: rate } }) },
  });
  await using stage = await ReloadStage.start(config("a", 100));
  const { gateway, sinks } = stage;
  const limit = { recordsPerSecond: 7, bytesPerSecond: null, burstRecords: 7, burstBytes: null };
  gateway.view.control.pauseSink("out");
  gateway.view.control.setLimit("out", limit);
  await stage.post("s", "1");
  await stage.reload(config("b", 100));
  assertEquals(gateway.view.snapshot().sinks[0].state, "paused");
  assertEquals(gateway.view.snapshot().sinks[0].limit, limit);
  await stage.reload(config("b", 50));
  assertEquals(gateway.view.snapshot().sinks[0].limit!.recordsPerSecond, 50);
  gateway.view.control.resumeSink("out");
  await stage.until(() => sinks.stored("out").length === 1, "it goes on");
});

Deno.test("Gateway.reload() sends letters that wait for a removed dead letter the new way", async () => {
  const config = (deadLetter: string) => ({
    streams: { s: { sinks: ["picky"], ack: "memory" }, [deadLetter]: { sinks: [deadLetter] } },
    sinks: { picky: sink({ rejects: true, deadLetter }), [deadLetter]: sink({ timeoutMs: 3_600_000 }) },
  });
  await using stage = await ReloadStage.start(config("old"));
  const { sinks, gateway } = stage;
  const unit = gateway.streams.get("s");
  sinks.stall("old");
  await stage.post("s", "1\n2\n3");
  await stage.until(() => sinks.writing.get("old") === 1, "letters are written");
  await stage.reload(config("new"));
  assertStrictEquals(gateway.streams.get("s"), unit);
  assertEquals(sinks.stored("new"), []);
  await stage.clock.run(DRAIN_MS);
  await stage.until(() => sinks.stored("new").length === 3, "they are at the new one");
  assertEquals(sinks.stored("new").map((letter) => JSON.parse(letter).value), ["1", "2", "3"]);
  await stage.until(() => sinks.events.includes("close old"), "the old one is closed");
  const [row] = gateway.view.snapshot().ledger;
  assertEquals([row.deadLettered, row.lost, row.inFlight], [3, 0, 0]);
  stage.assertSound();
});

Deno.test("Gateway.reload() makes room for larger letters with larger records", async () => {
  const config = (maxRecordBytes: number) => ({
    streams: { s: { sinks: ["picky"], maxRecordBytes } },
    sinks: { picky: sink({ rejects: true }) },
  });
  await using stage = await ReloadStage.start(config(1000));
  assertEquals((await stage.post("s", "1")).status, 200);
  await stage.reload(config(1_000_000));
  const answer = await stage.post("s", JSON.stringify("\\u0001".repeat(140_000)));
  assertEquals([answer.status, JSON.parse(answer.body).deadLettered], [200, 1]);
  const text = await Deno.readTextFile(`${stage.folder}/data/dead-letter/picky.ndjson`);
  assertEquals(text.trimEnd().split("\n").length, 2);
});

Deno.test("Gateway.reload() stops bodies that are still read when the drain time of their stream is over", async () => {
  const config = (...names: string[]) => ({
    streams: Object.fromEntries(names.map((name) => [name, { sinks: ["out"] }])),
    sinks: { out: sink() },
  });
  await using stage = await ReloadStage.start(config("s", "t"));
  const { gateway, sinks } = stage;
  using slow = await HttpConnection.open(gateway.port);
  using quick = await HttpConnection.open(gateway.port);
  const head = { path: "/v1/streams/s", headers: { "Content-Length": 3, "Content-Type": "text/plain" } };
  for (const connection of [slow, quick]) {
    await connection.writeHead(head);
    await connection.write("1\n");
  }
  await stage.until(() => gateway.streams.get("s")!.door.active.size === 2, "both are being read");
  await stage.reload(config("t"));
  await quick.write("2");
  assertEquals((await quick.readAnswer()).status, 200);
  assertEquals(sinks.stored("out"), ["1", "2"]);
  stage.clock.advance(DRAIN_MS);
  const answer = await slow.readAnswer();
  assertEquals([answer.status, JSON.parse(answer.body).accepted], [503, 0]);
  await stage.until(() => gateway.view.snapshot().draining.length === 0, "the stream has ended");
});

Deno.test("Gateway.reload() takes reloads one after the other, and none while the gateway drains", async () => {
  const config = (count: number) => ({
    streams: Object.fromEntries(Array.from({ length: count }, (_, k) => [`s${k}`, { sinks: ["out"] }])),
    sinks: { out: sink() },
  });
  await using stage = await ReloadStage.start(config(1));
  const wrong = stage.reload({ streams: {} });
  const reports = [stage.reload(config(3)), stage.reload(config(2)), stage.reload(config(4))];
  await assertRejects(() => wrong, ConfigError);
  assertEquals(
    (await Promise.all(reports)).map(({ streams }) => [streams.added.length, streams.removed.length]),
    [
      [2, 0],
      [0, 1],
      [2, 0],
    ],
  );
  const stopped = stage.gateway.stop();
  const error = await assertRejects(() => stage.reload(config(1)), ClosedError);
  assertStringIncludes(error.message, "the gateway is ");
  await stopped;
  assertEquals(stage.gateway.streams.size, 4);
});
