/** Metrics of sinks, over all their streams and writers. @module */
import { emitTokens, type Family, perSink } from "./metric_family.ts";
import type { SinkState } from "./view.ts";

const STATES: readonly SinkState[] = ["opening", "up", "down", "paused"];

/** In the order of the page. */
export const sinkMetrics: readonly Family[] = [
  {
    name: "weir_sink_state",
    help: "1 for the state that the sink is in, else 0.",
    type: "gauge",
    collect({ gateway }, emit) {
      for (const sink of gateway.sinks) {
        for (const state of STATES) emit({ sink: sink.name, state }, Number(state === sink.state));
      }
    },
  },
  {
    name: "weir_sink_records_total",
    help:
      "Records by sink and end: delivered, dead_lettered, shed at admission, or lost as a reload took the sink out.",
    type: "counter",
    collect({ gateway }, emit) {
      for (const sink of gateway.sinks) {
        emit({ sink: sink.name, outcome: "delivered" }, sink.deliveredRecords);
        emit({ sink: sink.name, outcome: "dead_lettered" }, sink.deadLetteredRecords);
        emit({ sink: sink.name, outcome: "shed" }, sink.shedRecords);
        emit({ sink: sink.name, outcome: "lost" }, sink.lostRecords);
      }
    },
  },
  perSink(
    "weir_sink_rejected_records_total",
    "counter",
    "Records that the sink refused for good.",
    (sink) => sink.rejectedRecords,
  ),
  perSink(
    "weir_sink_retried_records_total",
    "counter",
    "Attempts beyond the first, counted per record.",
    (sink) => sink.retriedRecords,
  ),
  {
    name: "weir_sink_answered_records_total",
    help:
      "Records by the status that the sink answered for them, every attempt counted; for sinks that have statuses.",
    type: "counter",
    collect({ gateway }, emit) {
      for (const sink of gateway.sinks) {
        for (const [status, records] of Object.entries(sink.answeredRecords)) {
          emit({ sink: sink.name, status }, records);
        }
      }
    },
  },
  perSink(
    "weir_sink_inflight_batches",
    "gauge",
    "Batches that are being written.",
    (sink) => sink.inFlightBatches,
  ),
  perSink(
    "weir_sink_inflight_limit_batches",
    "gauge",
    "Batches that may be written at a time; absent where no controller bounds them.",
    (sink) => sink.inFlightLimit,
  ),
  perSink(
    "weir_sink_refused_writes_total",
    "counter",
    "Writes that the sink refused for load, or did not answer in time; controllers lower their limit for them.",
    (sink) => sink.refusedWrites,
  ),
  perSink(
    "weir_sink_admission_records_per_second",
    "gauge",
    "Records per second that the sink's control lets its streams bring; absent where it sets no rate.",
    (sink) => sink.source?.recordsPerSecond ?? null,
  ),
  {
    name: "weir_sink_admission_open",
    help:
      "1 while the sink's control lets the stream bring records, else 0; absent where it does not bound the source.",
    type: "gauge",
    collect({ gateway }, emit) {
      for (const { name, source } of gateway.sinks) {
        if (source === null) continue;
        for (const { stream } of gateway.lanes.filter((lane) => lane.sink === name && lane.writer === 0)) {
          emit({ stream, sink: name }, Number(!source.closedStreams.includes(stream)));
        }
      }
    },
  },
  {
    name: "weir_sink_limit_tokens",
    help: "Tokens left of the sink's static limit, by unit.",
    type: "gauge",
    collect({ gateway }, emit) {
      for (const sink of gateway.sinks) emitTokens({ sink: sink.name }, sink.tokens, emit);
    },
  },
  perSink(
    "weir_sink_throttle_seconds_total",
    "counter",
    "Time in which no write was started as the sink had asked for a pause.",
    (sink) => sink.throttleSecondsTotal,
  ),
  {
    name: "weir_sink_write_seconds",
    help: "Time from the start of a write to its answer, per batch.",
    type: "histogram",
    collect({ gateway }, emit) {
      for (const sink of gateway.sinks) emit({ sink: sink.name }, sink.writeSeconds);
    },
  },
];
