/** The key taken from each record by JSON pointer, against the same gateway without a key. @module */
import { jsonRecord } from "../bodies.ts";
import type { Row } from "../row.ts";
import { gatewaySide, memoryConfig, ratioRow } from "../sides.ts";

/** Enough keys that order by key holds nothing back. */
const KEYS = 256;

const load = {
  requests: Array.from({ length: KEYS }, (_, i) => ({
    path: "/v1/streams/s",
    contentType: "application/json",
    body: jsonRecord(1024, i),
  })),
};

/** What a key costs: finding it, hashing it, and order by key in the lane. */
export const postKeyed: Row = ratioRow({
  name: "post-keyed",
  title: "key by pointer, against no key",
  goal: 0.9,
  unit: "records",
  subject: () => gatewaySide(memoryConfig({ key: "/user/id" }), load, 1),
  yardstick: () => gatewaySide(memoryConfig({}), load, 1),
});
