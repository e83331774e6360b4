/** Metrics of the gateway as a whole: its state, its pools, its tasks, its process. @module */
import type { Family } from "./metric_family.ts";
import type { GatewayState } from "./view.ts";

const STATES: readonly GatewayState[] = ["starting", "running", "draining", "stopped"];

/** In the order of the page. */
export const gatewayMetrics: readonly Family[] = [
  {
    name: "weir_build_info",
    help: "Always 1; the labels tell the version and the gateway's id.",
    type: "gauge",
    collect: ({ gateway }, emit) => emit({ version: gateway.version, gateway: gateway.id }, 1),
  },
  {
    name: "weir_gateway_state",
    help: "1 for the state that the gateway is in, else 0.",
    type: "gauge",
    collect({ state }, emit) {
      for (const each of STATES) emit({ state: each }, Number(each === state));
    },
  },
  {
    name: "weir_pool_segments",
    help:
      "Segments by pool and state; the pool is network, or stream: with the stream's name. A stream's lent ones include its overdraft.",
    type: "gauge",
    collect({ gateway }, emit) {
      emit({ pool: "network", state: "free" }, gateway.pool.free);
      emit({ pool: "network", state: "lent" }, gateway.pool.lent);
      for (const { name, pool } of gateway.streams) {
        emit({ pool: streamPool(name), state: "idle" }, pool.idle);
        emit({ pool: streamPool(name), state: "lent" }, pool.lent);
      }
    },
  },
  {
    name: "weir_pool_bound_segments",
    help:
      "What bounds a pool: total and required (guaranteed to streams) of the network pool; min, max and size of a stream's.",
    type: "gauge",
    collect({ gateway }, emit) {
      emit({ pool: "network", bound: "total" }, gateway.pool.total);
      emit({ pool: "network", bound: "required" }, gateway.pool.required);
      for (const { name, pool } of gateway.streams) {
        emit({ pool: streamPool(name), bound: "min" }, pool.min);
        emit({ pool: streamPool(name), bound: "max" }, pool.max);
        emit({ pool: streamPool(name), bound: "size" }, pool.size);
      }
    },
  },
  {
    name: "weir_pool_overdraft_segments",
    help: "Segments that a stream uses beyond the size of its pool, for the record in hand.",
    type: "gauge",
    collect({ gateway }, emit) {
      for (const { name, pool } of gateway.streams) emit({ pool: streamPool(name) }, pool.overdraft);
    },
  },
  {
    name: "weir_task_time_seconds_total",
    help:
      "Time of a task by what it did: idle, busy (also waiting for a sink or for tokens), back_pressured.",
    type: "counter",
    collect({ gateway }, emit) {
      for (const { task, totals } of gateway.tasks) {
        emit({ task, state: "idle" }, totals.idleMs / 1000);
        emit({ task, state: "busy" }, totals.busyMs / 1000);
        emit({ task, state: "back_pressured" }, totals.backPressuredMs / 1000);
      }
    },
  },
];

/** The names under which dashboards for any program look for these. */
export const processMetrics: readonly Family[] = [
  {
    name: "process_resident_memory_bytes",
    help: "Resident memory size in bytes.",
    type: "gauge",
    collect({ process }, emit) {
      if (process) emit({}, process.residentBytes);
    },
  },
  {
    name: "process_cpu_seconds_total",
    help: "Total user and system CPU time spent in seconds.",
    type: "counter",
    collect({ process }, emit) {
      if (process) emit({}, process.cpuSeconds);
    },
  },
  {
    name: "process_start_time_seconds",
    help: "Start time of the gateway since unix epoch in seconds.",
    type: "gauge",
    collect({ process, gateway }, emit) {
      if (process) emit({}, gateway.startedAtMs / 1000);
    },
  },
  {
    name: "weir_event_loop_lag_seconds",
    help: "Longest that a due timer had to wait over the last minute.",
    type: "gauge",
    collect({ process }, emit) {
      if (process) emit({}, process.eventLoopLagSeconds);
    },
  },
];

/** A colon cannot stand in a stream's name, so a stream called `network` keeps its series apart. */
function streamPool(stream: string): string {
  return `stream:${stream}`;
}
