/**
 * A sink that takes nothing: its writes wait until they are aborted. In a file of its own, as users' sinks are.
 *
 * @module
 */
import { z } from "zod";
import { defineSink } from "../../mod.ts";

export default defineSink({
  type: "stalled",
  config: z.strictObject({}),
  hints: () => ({ maxRecords: 10, maxBytes: 65_536, lingerMs: 0, framingBytes: 0, writesInFlight: 1 }),
  open: () => ({
    write: (_batch, signal) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), { once: true })
      ),
    check() {},
    close() {},
  }),
});
