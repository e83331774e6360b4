import { assertEquals, assertStringIncludes } from "@std/assert";
import { health, readiness } from "../../src/admin/health.ts";
import type { GatewaySnapshot, GatewayState, SinkState, StreamSnapshot } from "../../src/monitor/view.ts";
import { gatewaySnapshot, sinkSnapshot, streamSnapshot } from "../support/gateway_snapshot.ts";

function withSink(state: SinkState, stream: Partial<StreamSnapshot> = {}): GatewaySnapshot {
  const reason = state === "up" ? null : "connection refused";
  return gatewaySnapshot({ streams: [streamSnapshot(stream)], sinks: [sinkSnapshot({ state, reason })] });
}

Deno.test("readiness() is ok only while the gateway runs", () => {
  const expected: Record<GatewayState, string> = {
    starting: "unavailable",
    running: "ok",
    draining: "unavailable",
    stopped: "unavailable",
  };
  for (const [state, status] of Object.entries(expected)) {
    assertEquals([state, readiness(state as GatewayState, gatewaySnapshot()).status], [state, status]);
  }
});

Deno.test("readiness() is lost while an ack waits for a sink that is down, and says so at each part", () => {
  const { status, reason, parts } = readiness("running", withSink("down"));
  assertEquals(status, "unavailable");
  assertStringIncludes(reason!, 'stream/events: its acks wait for "archive" (down)');
  assertEquals(parts.map(({ part, state, ready }) => [part, state, ready]), [
    ["gateway", "running", true],
    ["pool", "free", true],
    ["stream/events", "blocked", false],
    ["sink/archive", "down", false],
  ]);
  assertEquals(parts[3].reason, 'connection refused; acks of "events" wait for it');
});

Deno.test("readiness() is kept when no ack waits for the sink that is down", () => {
  for (
    const stream of [
      { bestEffort: ["archive"] },
      { ack: "memory" as const },
      { ack: "disk" as const },
      { sinks: ["other"] },
    ]
  ) {
    const { status, parts } = readiness("running", withSink("down", stream));
    assertEquals([stream, status], [stream, "ok"]);
    assertEquals(parts[3].reason, "connection refused");
  }
});

Deno.test("readiness() waits for a sink to open, and is kept while an operator pauses it", () => {
  assertEquals(readiness("running", withSink("opening")).status, "unavailable");
  assertEquals(readiness("running", withSink("paused")).status, "ok");
});

Deno.test("readiness() is kept when segments run out, which is told", () => {
  const pool = { ...streamSnapshot().pool, lent: 2048, idle: 0, available: false };
  const { status, parts } = readiness(
    "running",
    gatewaySnapshot({
      pool: { segmentBytes: 32_768, total: 2048, free: 0, lent: 2048, required: 34 },
      streams: [streamSnapshot({ pool })],
    }),
  );
  assertEquals([status, parts[1].state, parts[2].state], ["ok", "exhausted", "full"]);
});

Deno.test("health() is lost only by a gateway that has stopped", () => {
  assertEquals(health("draining", withSink("down")).status, "ok");
  const stopped = health("stopped", gatewaySnapshot());
  assertEquals([stopped.status, stopped.reason], ["unavailable", "has stopped"]);
});
