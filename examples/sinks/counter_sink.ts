/**
 * The smallest useful sink of one's own: it counts records, and logs the sum every so often. Name it in a config by its
 * path:
 *
 * ```yaml
 * sinks:
 *   counter:
 *     type: ./examples/sinks/counter_sink.ts
 *     everyRecords: 10000
 * ```
 *
 * @module
 */
import { z } from "zod";
import { allAcked, defineSink, type SinkDefinition } from "../../src/sink/adapter.ts";

/** Counts records. */
const counterSink: SinkDefinition<{ everyRecords: number }> = defineSink({
  type: "counter",

  // The sink's own options, next to those that every sink has. Strict: a misspelt key is an error with its path.
  config: z.strictObject({
    everyRecords: z.int().min(1).default(1000).describe(
      "Log the sum each time so many more records were taken",
    ),
  }),

  // The batches it likes. A config can change the first three under `batch`.
  hints: () => ({ maxRecords: 10_000, maxBytes: 1_048_576, lingerMs: 0, framingBytes: 0, writesInFlight: 1 }),

  // Called once per writer, and again after a failure: connect here, and throw what is wrong.
  open({ everyRecords }, { log }) {
    let records = 0;
    let bytes = 0;
    let logAt = everyRecords;
    return {
      // `batch.value(i)` is a view that is valid until this returns (or its promise settles): copy what you keep.
      write(batch) {
        records += batch.count;
        bytes += batch.bytes;
        if (records >= logAt) {
          log.info("counted", { records, bytes });
          logAt = records + everyRecords;
        }
        return allAcked(batch);
      },

      // Asked for the readiness of the gateway: throw when records would not be taken.
      check() {},

      // Lets go of connections, timers and files.
      close() {
        log.info("counted in all", { records, bytes });
      },
    };
  },
});

export default counterSink;
