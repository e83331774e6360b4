import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Histogram } from "../../src/monitor/histogram.ts";
import { createMetrics } from "../../src/monitor/metrics.ts";
import type { GatewaySnapshot } from "../../src/monitor/view.ts";
import {
  gatewaySnapshot,
  laneSnapshot,
  sinkSnapshot,
  streamSnapshot,
  TAKEN_AT_MS,
} from "../support/gateway_snapshot.ts";

const PROCESS = { residentBytes: 80_000_000, cpuSeconds: 12.5, eventLoopLagSeconds: 0.02 };

function scrape(gateway: GatewaySnapshot): Promise<string> {
  return createMetrics({ view: { state: () => "running", snapshot: () => gateway }, process: () => PROCESS })
    .render();
}

/** Every kind of series: two streams, two writers, tokens, histograms with values, a name that wants escaping. */
function fullSnapshot(): GatewaySnapshot {
  const delivery = new Histogram([0.1, 1]);
  delivery.observe(0.05, 3);
  delivery.observe(20);
  const write = new Histogram([0.1, 1]);
  write.observe(0.5, 2);
  const lane = { backlogBuffers: 3, credits: 4, deliverySeconds: delivery.snapshot() };
  return gatewaySnapshot({
    id: 'a "quoted" \\ id\nof two lines',
    streams: [
      streamSnapshot({ quotaTokens: { records: 12.5, bytes: null } }),
      streamSnapshot({ name: "network", requests: {} }),
    ],
    lanes: [
      laneSnapshot({ ...lane, oldestRecordAtMs: TAKEN_AT_MS - 2_500 }),
      laneSnapshot({ ...lane, writer: 1, oldestRecordAtMs: TAKEN_AT_MS - 1_000 }),
    ],
    sinks: [
      sinkSnapshot({
        writeSeconds: write.snapshot(),
        tokens: { records: 7, bytes: 1_024 },
        inFlightBatches: 2,
        source: { closedStreams: ["events"], recordsPerSecond: 1_234.5 },
        answeredRecords: { "201": 90, "429": 10 },
      }),
      sinkSnapshot({ name: "dead", state: "down", inFlightLimit: null, writeSeconds: write.snapshot() }),
    ],
  });
}

Deno.test("Metrics.render() has every metric that operators are told of", async () => {
  const text = await scrape(fullSnapshot());
  for (
    const line of [
      'weir_records_total{stream="events",outcome="accepted"} 100',
      'weir_records_total{stream="events",outcome="rejected"} 2',
      'weir_sink_records_total{sink="archive",outcome="delivered"} 100',
      'weir_requests_total{stream="events",status="429"} 1',
      'weir_pool_segments{pool="network",state="free"} 2046',
      'weir_lane_backlog_buffers{stream="events",sink="archive"} 6',
      'weir_lane_credits{stream="events",sink="archive"} 8',
      'weir_sink_answered_records_total{sink="archive",status="429"} 10',
      'weir_sink_inflight_batches{sink="archive"} 2',
      'weir_sink_inflight_limit_batches{sink="archive"} 4',
      'weir_sink_refused_writes_total{sink="archive"} 0',
      'weir_sink_admission_records_per_second{sink="archive"} 1234.5',
      'weir_sink_admission_open{stream="events",sink="archive"} 0',
      'weir_sink_limit_tokens{sink="archive",unit="bytes"} 1024',
      'weir_sink_throttle_seconds_total{sink="archive"} 0',
      'weir_task_time_seconds_total{task="ingress/events",state="idle"} 0.99',
      'weir_sink_write_seconds_count{sink="archive"} 2',
      'weir_delivery_seconds_sum{stream="events",sink="archive"} 40.3',
      'weir_oldest_record_seconds{stream="events",sink="archive"} 2.5',
      'weir_sink_state{sink="dead",state="down"} 1',
      'weir_gateway_state{state="running"} 1',
      "process_resident_memory_bytes 80000000",
    ]
  ) assertStringIncludes(text, `\n${line}\n`);
});

Deno.test("Metrics.render() cumulates buckets and merges the writers of one sink", async () => {
  const lines = (await scrape(fullSnapshot())).split("\n");
  assertEquals(lines.filter((line) => line.startsWith("weir_delivery_seconds_bucket")), [
    'weir_delivery_seconds_bucket{stream="events",sink="archive",le="0.1"} 6',
    'weir_delivery_seconds_bucket{stream="events",sink="archive",le="1"} 6',
    'weir_delivery_seconds_bucket{stream="events",sink="archive",le="+Inf"} 8',
  ]);
});

Deno.test("Metrics.render() gives no series twice, even when a stream is called like the network pool", async () => {
  const series = (await scrape(fullSnapshot())).split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.slice(0, line.lastIndexOf(" ")));
  assertEquals(series.length, new Set(series).size);
});

Deno.test("Metrics.render() escapes quotes, backslashes and line ends in label values", async () => {
  assertStringIncludes(await scrape(fullSnapshot()), String.raw`gateway="a \"quoted\" \\ id\nof two lines"`);
});

Deno.test("Metrics.render() leaves out what a sink does not have", async () => {
  const text = await scrape(fullSnapshot());
  assertStringIncludes(text, 'weir_sink_inflight_limit_batches{sink="archive"}');
  assert(!text.includes('weir_sink_inflight_limit_batches{sink="dead"}'));
  assert(!text.includes('weir_sink_limit_tokens{sink="dead"'));
  assert(!/weir_sink_admission_\w+\{[^}]*sink="dead"/.test(text));
});

Deno.test("Metrics.render() does not mix two scrapes at once", async () => {
  let accepted = 0;
  const view = {
    state: () => "running" as const,
    snapshot: () => gatewaySnapshot({ streams: [streamSnapshot({ acceptedRecords: ++accepted })] }),
  };
  const metrics = createMetrics({ view });
  const pages = await Promise.all([metrics.render(), metrics.render()]);
  pages.forEach((page, i) =>
    assertStringIncludes(page, `weir_records_total{stream="events",outcome="accepted"} ${i + 1}\n`)
  );
});

Deno.test("Metrics.render() passes promtool check metrics", async () => {
  const page = await scrape(fullSnapshot());
  let promtool: Deno.ChildProcess;
  try {
    promtool = new Deno.Command("promtool", {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const note =
      "NOT CHECKED: promtool is not on the PATH; install Prometheus (Debian: apt-get install prometheus)";
    assert(Deno.env.get("CI") !== "true", note);
    console.error(`%c${note}`, "color: red; font-weight: bold");
    return;
  }
  const stdin = promtool.stdin.getWriter();
  await stdin.write(new TextEncoder().encode(page));
  await stdin.close();
  const { code, stdout, stderr } = await promtool.output();
  const told = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals({ code, told }, { code: 0, told: "" });
});
