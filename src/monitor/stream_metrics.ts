/** Metrics of streams and of the lanes that lead from them to sinks. @module */
import { mergeHistograms } from "./histogram.ts";
import { emitTokens, type Family, type Labels, perStream } from "./metric_family.ts";
import type { GatewaySnapshot, LaneSnapshot } from "./view.ts";

/** In the order of the page. */
export const streamMetrics: readonly Family[] = [
  {
    name: "weir_records_total",
    help: "Records by stream: accepted (dead-lettered ones included), or rejected by validation.",
    type: "counter",
    collect({ gateway }, emit) {
      for (const stream of gateway.streams) {
        emit({ stream: stream.name, outcome: "accepted" }, stream.acceptedRecords);
        emit({ stream: stream.name, outcome: "rejected" }, stream.rejectedRecords);
      }
    },
  },
  perStream("weir_accepted_bytes_total", "counter", "Bytes of the accepted records.", (s) => s.acceptedBytes),
  {
    name: "weir_requests_total",
    help: "Ingest requests answered, by stream and HTTP status.",
    type: "counter",
    collect({ gateway }, emit) {
      for (const stream of gateway.streams) {
        for (const [status, count] of Object.entries(stream.requests)) {
          emit({ stream: stream.name, status }, count);
        }
      }
    },
  },
  perStream("weir_open_bodies", "gauge", "Request bodies that are being read.", (s) => s.openBodies),
  perStream("weir_waiting_requests", "gauge", "Requests that wait for a segment.", (s) => s.waiters),
  perStream("weir_websocket_open", "gauge", "WebSockets that are open.", (s) => s.sockets),
  perStream(
    "weir_websocket_paused",
    "gauge",
    "Open WebSockets that are not read now.",
    (s) => s.pausedSockets,
  ),
  {
    name: "weir_stream_quota_tokens",
    help: "Tokens left of a stream's ingress quota, by unit.",
    type: "gauge",
    collect({ gateway }, emit) {
      for (const stream of gateway.streams) emitTokens({ stream: stream.name }, stream.quotaTokens, emit);
    },
  },
];

/** In the order of the page. */
export const laneMetrics: readonly Family[] = [
  laneSum(
    "weir_lane_backlog_buffers",
    "Finished buffers that wait for credit.",
    (lane) => lane.backlogBuffers,
  ),
  laneSum("weir_lane_credits", "Buffers that the lane may still be given.", (lane) => lane.credits),
  laneSum(
    "weir_lane_held_buffers",
    "Buffers that the lane holds until they are settled.",
    (lane) => lane.heldBuffers,
  ),
  laneSum(
    "weir_lane_unsettled_records",
    "Records in the lane that are not settled.",
    (lane) => lane.unsettledRecords,
  ),
  laneSum(
    "weir_lane_retrying_records",
    "Records that wait for another attempt.",
    (lane) => lane.retryingRecords,
  ),
  {
    name: "weir_oldest_record_seconds",
    help: "Age of the oldest record that is not settled; 0 when all are.",
    type: "gauge",
    collect({ gateway }, emit) {
      for (const { labels, lanes } of lanesBySink(gateway)) {
        const agesMs = lanes.map(({ oldestRecordAtMs }) =>
          oldestRecordAtMs === null ? 0 : gateway.takenAtMs - oldestRecordAtMs
        );
        emit(labels, Math.max(0, ...agesMs) / 1000);
      }
    },
  },
  {
    name: "weir_delivery_seconds",
    help: "Time from the acceptance of a record until the sink has stored it.",
    type: "histogram",
    collect({ gateway }, emit) {
      for (const { labels, lanes } of lanesBySink(gateway)) {
        emit(labels, lanes.map((lane) => lane.deliverySeconds).reduce(mergeHistograms));
      }
    },
  },
];

function laneSum(name: string, help: string, value: (lane: LaneSnapshot) => number): Family {
  return {
    name,
    help,
    type: "gauge",
    collect({ gateway }, emit) {
      for (const { labels, lanes } of lanesBySink(gateway)) {
        emit(labels, lanes.reduce((sum, lane) => sum + value(lane), 0));
      }
    },
  };
}

/** Writers of one sink share their labels, and a series may stand on the page only once. */
function lanesBySink(gateway: GatewaySnapshot): { labels: Labels; lanes: LaneSnapshot[] }[] {
  const groups = Map.groupBy(gateway.lanes, (lane) => JSON.stringify([lane.stream, lane.sink]));
  return [...groups.values()].map((lanes) => ({
    labels: { stream: lanes[0].stream, sink: lanes[0].sink },
    lanes,
  }));
}
