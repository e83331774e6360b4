import { assertEquals, assertStringIncludes } from "@std/assert";
import { backPressureLevel, reportBackPressure } from "../../src/monitor/backpressure.ts";
import type { GatewaySnapshot, LaneSnapshot, SinkSnapshot, TaskSnapshot } from "../../src/monitor/view.ts";
import {
  gatewaySnapshot,
  laneSnapshot,
  sinkSnapshot,
  streamSnapshot,
  TAKEN_AT_MS,
  taskSnapshot,
} from "../support/gateway_snapshot.ts";

/** `ingress/events` waits for buffers all the time; the lane to `archive` holds some. */
function pressed(
  sink: Partial<SinkSnapshot>,
  laneBusyMs = 1000,
  lane: Partial<LaneSnapshot> = {},
): GatewaySnapshot {
  return gatewaySnapshot({
    sinks: [sinkSnapshot(sink)],
    lanes: [laneSnapshot({ backlogBuffers: 30, heldBuffers: 10, ...lane })],
    tasks: [
      taskSnapshot("ingress/events", 950, 50, { downstream: ["lane/events/archive/0"] }),
      taskSnapshot("lane/events/archive/0", 0, laneBusyMs, { sink: "archive", writer: 0 }),
    ],
  });
}

Deno.test("backPressureLevel() is ok up to 0.10, low up to 0.50, then high", () => {
  const levels = [0, 100, 101, 500, 501, 1000].map(backPressureLevel);
  assertEquals(levels, ["ok", "ok", "low", "low", "high", "high"]);
});

Deno.test("reportBackPressure() lists every task with its split, and no bottleneck at rest", () => {
  const report = reportBackPressure(gatewaySnapshot());
  assertEquals(report.tasks[1], {
    task: "lane/events/archive/0",
    idle: 980,
    busy: 20,
    backPressured: 0,
    level: "ok",
  });
  assertEquals(report.bottlenecks, []);
});

Deno.test("reportBackPressure() finds the first busy task after those at high", () => {
  // Flink's own example: Source 95 %, Map 92 %, KeyBy 88 %, Window 5 %, Sink 0 % points at Window.
  const chain: [string, number, number][] = [
    ["source", 950, 50],
    ["map", 920, 80],
    ["key-by", 880, 120],
    ["window", 50, 950],
    ["sink", 0, 300],
  ];
  const tasks = chain.map(([name, backPressured, busy], i) =>
    taskSnapshot(name, backPressured, busy, { downstream: chain.slice(i + 1, i + 2).map(([next]) => next) })
  );
  const { bottlenecks } = reportBackPressure(gatewaySnapshot({ tasks }));
  assertEquals(bottlenecks.map(({ task, cause }) => [task, cause]), [["window", "busy"]]);
});

Deno.test("reportBackPressure() blames nobody for a task at low", () => {
  const snapshot = pressed({ state: "down" });
  const tasks = [
    taskSnapshot("ingress/events", 500, 50, { downstream: ["lane/events/archive/0"] }),
    snapshot.tasks[1],
  ];
  assertEquals(reportBackPressure({ ...snapshot, tasks }).bottlenecks, []);
});

const limit = { recordsPerSecond: 50, bytesPerSecond: null, burstRecords: null, burstBytes: null };
const causes: { name: string; snapshot: GatewaySnapshot; cause: string; says: string }[] = [
  {
    name: "a paused sink, although its lane counts as idle",
    snapshot: pressed({ state: "paused", reason: "by an operator" }, 0),
    cause: "sink-paused",
    says:
      'Sink "archive" is paused (by an operator), and 40 buffers of stream "events" wait for it; resume it.',
  },
  {
    name: "a sink that is down, and since when",
    snapshot: pressed({ state: "down", reason: "connection refused", stateSinceAtMs: TAKEN_AT_MS - 42_000 }),
    cause: "sink-down",
    says: "down for 42 s (connection refused)",
  },
  {
    name: "a sink that is not connected yet",
    snapshot: pressed({ state: "opening" }),
    cause: "sink-opening",
    says: "has not been connected",
  },
  {
    name: "a sink that asked for a pause",
    snapshot: pressed({ throttledUntilAtMs: TAKEN_AT_MS + 1_500 }),
    cause: "sink-throttled",
    says: "no writes for another 2 s",
  },
  {
    name: "an empty bucket",
    snapshot: pressed({ limit, tokens: { records: 0.4, bytes: null } }),
    cause: "rate-limit",
    says: "limit of 50 records/s",
  },
  {
    name: "a sink that runs at its limit, whatever tokens there are",
    snapshot: pressed({ limit, tokens: { records: 20, bytes: null }, recordsPerSecond: 49 }),
    cause: "rate-limit",
    says: "raise the limit",
  },
  {
    name: "writes in flight at the controller's limit, not the static limit that is far away",
    snapshot: pressed({ limit, tokens: { records: 50, bytes: null }, inFlightBatches: 4 }),
    cause: "in-flight-limit",
    says: "4 of 4 writes in flight",
  },
  {
    name: "a slow sink, for want of anything plainer",
    snapshot: pressed({}),
    cause: "slow-sink",
    says: "takes 5 records/s",
  },
  {
    name: "the busiest lane that holds data, when none is busy most of the time",
    snapshot: pressed({}, 300),
    cause: "slow-sink",
    says: "archive",
  },
];
for (const { name, snapshot, cause, says } of causes) {
  Deno.test(`reportBackPressure() names ${name}`, () => {
    const { bottlenecks } = reportBackPressure(snapshot);
    assertEquals(bottlenecks.map(({ task, cause }) => [task, cause]), [["lane/events/archive/0", cause]]);
    assertStringIncludes(bottlenecks[0].sentence, says);
  });
}

Deno.test("reportBackPressure() names the lane that waits for its dead letter", () => {
  const snapshot = pressed({});
  const tasks = [
    snapshot.tasks[0],
    taskSnapshot("lane/events/archive/0", 900, 100, { sink: "archive", writer: 0 }),
  ];
  const { bottlenecks } = reportBackPressure({ ...snapshot, tasks });
  assertEquals(bottlenecks.map(({ task, cause }) => [task, cause]), [[
    "lane/events/archive/0",
    "dead-letter",
  ]]);
});

Deno.test("reportBackPressure() passes by the lane at high to the dead letter's own lane behind it", () => {
  const snapshot = pressed({});
  const { bottlenecks } = reportBackPressure({
    ...snapshot,
    sinks: [...snapshot.sinks, sinkSnapshot({ name: "dead" })],
    lanes: [...snapshot.lanes, laneSnapshot({ sink: "dead", heldBuffers: 2 })],
    tasks: [
      snapshot.tasks[0],
      taskSnapshot("lane/events/archive/0", 700, 300, {
        sink: "archive",
        writer: 0,
        downstream: ["lane/events/dead/0"],
      }),
      taskSnapshot("lane/events/dead/0", 0, 900, { sink: "dead", writer: 0 }),
    ],
  });
  assertEquals(bottlenecks.map(({ task, cause }) => [task, cause]), [["lane/events/dead/0", "slow-sink"]]);
});

Deno.test("reportBackPressure() leaves the idle lane beside a slow one in peace", () => {
  const snapshot = pressed({});
  const { bottlenecks } = reportBackPressure({
    ...snapshot,
    sinks: [...snapshot.sinks, sinkSnapshot({ name: "search" })],
    lanes: [...snapshot.lanes, laneSnapshot({ sink: "search" })],
    tasks: [
      { ...snapshot.tasks[0], downstream: ["lane/events/archive/0", "lane/events/search/0"] },
      snapshot.tasks[1],
      taskSnapshot("lane/events/search/0", 0, 200, { sink: "search", writer: 0 }),
    ],
  });
  assertEquals(bottlenecks.map(({ task }) => task), ["lane/events/archive/0"]);
});

Deno.test("reportBackPressure() names skew when one writer works and another has time", () => {
  const writer = (n: number, busy: number): TaskSnapshot =>
    taskSnapshot(`lane/events/archive/${n}`, 0, busy, { sink: "archive", writer: n });
  const { bottlenecks } = reportBackPressure(gatewaySnapshot({
    sinks: [sinkSnapshot({ writers: 2 })],
    lanes: [laneSnapshot({ backlogBuffers: 9 }), laneSnapshot({ writer: 1 })],
    tasks: [
      taskSnapshot("ingress/events", 900, 100, {
        downstream: ["lane/events/archive/0", "lane/events/archive/1"],
      }),
      writer(0, 990),
      writer(1, 100),
    ],
  }));
  assertEquals(bottlenecks.map(({ task, cause }) => [task, cause]), [["lane/events/archive/0", "skew"]]);
});

Deno.test("reportBackPressure() names the network pool when other streams have it all", () => {
  const snapshot = pressed({}, 0, { backlogBuffers: 0, heldBuffers: 0 });
  const { bottlenecks } = reportBackPressure({
    ...snapshot,
    pool: { ...snapshot.pool, free: 0, lent: 2048 },
    streams: [streamSnapshot({ pool: { ...snapshot.streams[0].pool, lent: 20, idle: 0, available: false } })],
  });
  assertEquals(bottlenecks.map(({ task, cause }) => [task, cause]), [["ingress/events", "network-pool"]]);
});

Deno.test("reportBackPressure() names the control of a sink that keeps the stream out", () => {
  const snapshot = pressed({}, 0, { backlogBuffers: 0, heldBuffers: 0 });
  const source = { closedStreams: ["events"], recordsPerSecond: 1_499.6 };
  const { bottlenecks } = reportBackPressure({
    ...snapshot,
    sinks: [sinkSnapshot({ controller: "pid", source })],
  });
  assertEquals(bottlenecks, [{
    task: "ingress/events",
    cause: "sink-control",
    sentence:
      'Stream "events" is kept out by sink "archive" (control: pid), which lets 1500 records/s of all streams in.',
  }]);
});

Deno.test("reportBackPressure() names the stream's own share when the pool has free segments", () => {
  const snapshot = pressed({}, 0, { backlogBuffers: 0, heldBuffers: 0 });
  const pool = { min: 34, max: 64, size: 64, lent: 64, idle: 0, overdraft: 0, available: false };
  const { bottlenecks } = reportBackPressure({
    ...snapshot,
    streams: [streamSnapshot({ pool, openBodies: 7 })],
  });
  assertEquals(bottlenecks.map(({ task, cause }) => [task, cause]), [["ingress/events", "stream-pool"]]);
  assertStringIncludes(bottlenecks[0].sentence, "7 unfinished bodies");
});

Deno.test("reportBackPressure() tells a sink that holds up two streams once per lane", () => {
  const snapshot = pressed({ state: "down" });
  const { bottlenecks } = reportBackPressure({
    ...snapshot,
    lanes: [...snapshot.lanes, laneSnapshot({ stream: "logs", backlogBuffers: 1 })],
    tasks: [
      ...snapshot.tasks,
      taskSnapshot("ingress/logs", 900, 0, { stream: "logs", downstream: ["lane/logs/archive/0"] }),
      taskSnapshot("lane/logs/archive/0", 0, 1000, { stream: "logs", sink: "archive", writer: 0 }),
    ],
  });
  assertEquals(bottlenecks.map(({ task }) => task), ["lane/events/archive/0", "lane/logs/archive/0"]);
});
