/**
 * A sink that takes its time to open, and says in the log when it begins to.
 *
 * @module
 */
import { z } from "zod";
import { allAcked, defineSink } from "../../mod.ts";

const OPEN_MS = 1500;

export default defineSink({
  type: "slow-open",
  config: z.strictObject({}),
  hints: () => ({ maxRecords: 10, maxBytes: 65_536, lingerMs: 0, framingBytes: 0, writesInFlight: 1 }),
  async open(_options, context) {
    context.log.info("opens slowly");
    await new Promise((resolve) => setTimeout(resolve, OPEN_MS));
    return { write: (batch) => allAcked(batch), check() {}, close() {} };
  },
});
