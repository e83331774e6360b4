/** NDJSON, 100 lines of 200 bytes a request, validated, against a handler that parses each line. @module */
import { jsonLines } from "../bodies.ts";
import type { Row } from "../row.ts";
import { gatewaySide, memoryConfig, ratioRow, yardstickSide } from "../sides.ts";

const LINES = 100;
const load = {
  requests: [{ path: "/v1/streams/s", contentType: "application/x-ndjson", body: jsonLines(LINES, 200) }],
};

/** Reading every record as JSON without making objects of it. */
export const linesJson: Row = ratioRow({
  name: "lines-json",
  title: "NDJSON 100 × 200 B, validate json",
  goal: 1,
  unit: "records",
  subject: () => gatewaySide(memoryConfig({ validate: "json" }), load, LINES),
  yardstick: () => yardstickSide("parse", load, LINES),
});
