/** One JSON record of 1 KiB a request, unread, against a handler that only reads the body. @module */
import { jsonRecord } from "../bodies.ts";
import type { Row } from "../row.ts";
import { gatewaySide, memoryConfig, ratioRow, yardstickSide } from "../sides.ts";

// As octets: the contract has `application/json` checked whatever the stream says.
const load = {
  requests: [{ path: "/v1/streams/s", contentType: "application/octet-stream", body: jsonRecord(1024) }],
};

/** The floor: what taking, acking and delivering a record costs over answering at all. */
export const postUnvalidated: Row = ratioRow({
  name: "post-unvalidated",
  title: "1 KiB POST, validate none, ack delivered",
  goal: 0.85,
  unit: "records",
  subject: () => gatewaySide(memoryConfig({ validate: "none", ack: "delivered" }), load, 1),
  yardstick: () => yardstickSide("accept", load, 1),
});
