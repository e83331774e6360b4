/**
 * A sink that sees whether records come in order and none is missing, as a user's own sink module. A record is
 * `CONNECTION NUMBER …`, numbers from 1. It can be stalled and let go, over HTTP on `controlPort` of its own process:
 * `POST /stall`, `POST /resume`, any other → {@linkcode OrderedReport}.
 *
 * @module
 */
import { createServer } from "node:http";
import { z } from "zod";
import { allAcked, type Batch, defineSink } from "../../mod.ts";

/** What the sink saw. */
export interface OrderedReport {
  readonly records: number;
  /** Records whose number was not the next of its connection. */
  readonly outOfOrder: number;
}

const decoder = new TextDecoder();
/** Bytes in which connection and number stand. */
const HEAD_BYTES = 24;

const config = z.strictObject({
  controlPort: z.number().int().describe("Port of 127.0.0.1 on which it is told what to do."),
});

export default defineSink<z.infer<typeof config>>({
  type: "ordered",
  config,
  hints: () => ({ maxRecords: 1000, maxBytes: 1_048_576, lingerMs: 0, framingBytes: 0, writesInFlight: 1 }),
  open({ controlPort }) {
    const last = new Map<string, number>();
    let [records, outOfOrder] = [0, 0];
    let stalled: PromiseWithResolvers<void> | null = null;
    const resume = () => {
      stalled?.resolve();
      stalled = null;
    };
    const look = (value: Uint8Array) => {
      const [connection, number] = decoder.decode(value.subarray(0, HEAD_BYTES)).split(" ");
      if (Number(number) !== (last.get(connection) ?? 0) + 1) outOfOrder++;
      last.set(connection, Number(number));
      records++;
    };
    const control = createServer((request, response) => {
      if (request.url === "/stall") stalled ??= Promise.withResolvers();
      if (request.url === "/resume") resume();
      response.end(JSON.stringify({ records, outOfOrder } satisfies OrderedReport));
    }).listen(controlPort, "127.0.0.1");
    return {
      async write(batch: Batch) {
        await stalled?.promise;
        for (let i = 0; i < batch.count; i++) look(batch.value(i));
        return allAcked(batch);
      },
      check() {},
      close() {
        resume();
        control.close();
        control.closeAllConnections();
      },
    };
  },
});
