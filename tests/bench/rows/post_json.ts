/** One JSON record of 1 KiB a request, validated, against a handler that only reads the body. @module */
import { jsonRecord } from "../bodies.ts";
import type { Row } from "../row.ts";
import { gatewaySide, memoryConfig, ratioRow, yardstickSide } from "../sides.ts";

const load = {
  requests: [{ path: "/v1/streams/s", contentType: "application/json", body: jsonRecord(1024) }],
};

/** The same with every byte read as JSON. */
export const postJson: Row = ratioRow({
  name: "post-json",
  title: "1 KiB POST, validate json, ack delivered",
  goal: 0.75,
  unit: "records",
  subject: () => gatewaySide(memoryConfig({ validate: "json", ack: "delivered" }), load, 1),
  yardstick: () => yardstickSide("accept", load, 1),
});
