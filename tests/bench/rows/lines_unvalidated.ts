/** NDJSON, 100 lines of 200 bytes a request, unread, against a handler that splits and counts lines. @module */
import { jsonLines } from "../bodies.ts";
import type { Row } from "../row.ts";
import { gatewaySide, memoryConfig, ratioRow, yardstickSide } from "../sides.ts";

const LINES = 100;
const load = {
  requests: [{ path: "/v1/streams/s", contentType: "application/x-ndjson", body: jsonLines(LINES, 200) }],
};

/** Cutting a body into records. */
export const linesUnvalidated: Row = ratioRow({
  name: "lines-unvalidated",
  title: "NDJSON 100 × 200 B, validate none",
  goal: 0.9,
  unit: "records",
  subject: () => gatewaySide(memoryConfig({ validate: "none" }), load, LINES),
  yardstick: () => yardstickSide("lines", load, LINES),
});
