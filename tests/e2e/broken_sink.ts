/**
 * A sink that breaks its contract in the way that its config names. In a file of its own, as users' sinks are; what it
 * returns wrongly is cast, as a module of JavaScript would.
 *
 * @module
 */
import { z } from "zod";
import {
  allAcked,
  type Batch,
  defineSink,
  NO_PRESSURE,
  Outcome,
  type SinkAdapter,
  type WriteResult,
} from "../../mod.ts";

const NEVER = new Promise<never>(() => {});

const outcomes = (count: number, fill: number = Outcome.ACKED) => new Uint8Array(count).fill(fill);
const written = (members: Record<string, unknown>) =>
  ({ kind: "written", pressure: NO_PRESSURE, ...members }) as unknown as WriteResult;

/** A promise of another library, that settles as often as it likes. */
function thenable(
  settle: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void,
): Promise<WriteResult> {
  return { then: settle } as unknown as Promise<WriteResult>;
}

/** Ways to break `write`. */
const WRITES: Readonly<
  Record<string, (batch: Batch, signal: AbortSignal) => WriteResult | Promise<WriteResult>>
> = {
  throws() {
    throw new Error("thrown on purpose");
  },
  throwsUndefined() {
    throw undefined;
  },
  rejects: () => Promise.reject(new Error("rejected on purpose")),
  rejectsNull: () => Promise.reject(null),
  hangs: () => NEVER,
  returnsNothing: () => undefined as unknown as WriteResult,
  resolvesNothing: () => Promise.resolve(null as unknown as WriteResult),
  resolvesAnotherKind: () => Promise.resolve({ kind: "done" } as unknown as WriteResult),
  tooFew: (batch) => written({ outcomes: outcomes(batch.count - 1) }),
  tooMany: (batch) => written({ outcomes: outcomes(batch.count + 1) }),
  unknownOutcome: (batch) => written({ outcomes: outcomes(batch.count, 7) }),
  plainArray: (batch) => written({ outcomes: new Array(batch.count).fill(0) }),
  reasonsNoMap: (batch) =>
    written({ outcomes: outcomes(batch.count, Outcome.RETRYABLE), reasons: { 0: "plain" } }),
  tooLargeWithoutReason: () => ({ kind: "tooLarge" }) as unknown as WriteResult,
  pressureNull: (batch) => written({ outcomes: outcomes(batch.count), pressure: null }),
  throttleWithoutEnd: (batch) => allAcked(batch, { kind: "throttle", delayMs: Infinity }),
  throttleNaN: (batch) => allAcked(batch, { kind: "throttle", delayMs: NaN }),
  settlesTwice: (batch) =>
    thenable((resolve, reject) => {
      setTimeout(() => {
        resolve(allAcked(batch));
        resolve(allAcked(batch));
        reject(new Error("too late"));
      }, 5);
    }),
  thenThrows: () =>
    thenable(() => {
      throw new Error("then threw on purpose");
    }),
};

/** Ways to break `open` and `close`. */
const OPENS: Readonly<Record<string, (sound: SinkAdapter) => SinkAdapter | Promise<SinkAdapter>>> = {
  openThrows() {
    throw new Error("thrown on purpose");
  },
  openThrowsNull() {
    throw null;
  },
  openRejects: () => Promise.reject(new Error("rejected on purpose")),
  openHangs: () => NEVER,
  openGivesNothing: () => undefined as unknown as SinkAdapter,
  openGivesHalf: ({ check, close }) => ({ check, close }) as unknown as SinkAdapter,
  closeThrows: (sound) => ({
    ...sound,
    close() {
      throw new Error("not closed on purpose");
    },
  }),
  closeHangs: (sound) => ({ ...sound, close: () => NEVER }),
};

export default defineSink({
  type: "broken",
  config: z.strictObject({ fault: z.string() }),
  hints: () => ({ maxRecords: 10, maxBytes: 65_536, lingerMs: 0, framingBytes: 0, writesInFlight: 1 }),
  open({ fault }) {
    const sound: SinkAdapter = { write: (batch) => allAcked(batch), check() {}, close() {} };
    if (Object.hasOwn(OPENS, fault)) return OPENS[fault](sound);
    return { ...sound, write: WRITES[fault] };
  },
});
