/** Clients that come again at once, whatever they are told, and what a gateway holds meanwhile. @module */
import { assert } from "@std/assert";
import { delay } from "@std/async/delay";
import type { GatewayProcess, RawConfig } from "../support/gateway_process.ts";

/** Senders at once. */
const SENDERS = 16;
/** Records of a body. */
export const RECORDS_PER_BODY = 500;
const PAD = "x".repeat(200);
/** The contract's longest `Retry-After`. */
const MAX_RETRY_AFTER_SECONDS = 60;
const SAMPLE_MS = 50;
const SEGMENT_BYTES = 32_768;

/** What such clients have done so far. */
export interface Hammered {
  /** Bytes of all bodies that were sent, the refused ones too. */
  readonly offeredBytes: number;
  /** Records 0 to `accepted - 1` were taken, once `done` is settled. */
  readonly accepted: number;
  /** Bodies. */
  readonly refused: number;
  /** Settles when the last body is taken, after the signal was aborted. */
  readonly done: Promise<void>;
}

/** A gateway whose stream `name` goes to `sink` alone, and may use all of a pool of `poolBytes`. */
export function poolConfig(name: string, sink: RawConfig, poolBytes: number): RawConfig {
  const segments = poolBytes / SEGMENT_BYTES;
  return {
    buffers: { segments, maxPerLane: segments },
    streams: {
      // Who waits sends nothing: this load is to be one of refusals.
      [name]: { sinks: ["out"], ack: "memory", maxWaitMs: 20, ...sink.type === "kafka" && { key: "/key" } },
    },
    sinks: { out: sink },
  };
}

/** Posts numbered records to `path` by all senders until `signal` is aborted, and each body until it is taken. */
export function hammer(gateway: GatewayProcess, path: string, signal: AbortSignal): Hammered {
  const told = { offeredBytes: 0, accepted: 0, refused: 0, done: Promise.resolve() };
  const send = async (_: unknown, sender: number) => {
    while (!signal.aborted) {
      const from = told.accepted;
      told.accepted += RECORDS_PER_BODY;
      const lines = Array.from(
        { length: RECORDS_PER_BODY },
        (_, i) => `{"key":"key-${sender}","n":${from + i},"text":"${PAD}"}\n`,
      );
      const body = lines.join("");
      for (let isTaken = false; !isTaken;) {
        told.offeredBytes += body.length;
        isTaken = await post(gateway.url + path, body);
        if (!isTaken) told.refused++;
      }
    }
  };
  told.done = Promise.all(Array.from({ length: SENDERS }, send)).then(() => {});
  // A test that fails before it waits for this is to tell why, and not that its gateway is gone.
  told.done.catch(() => {});
  return told;
}

/** Largest resident memory of `gateway` while `goesOn()`; `look` is called at each sample. */
export async function peakWhile(
  gateway: GatewayProcess,
  goesOn: () => boolean,
  look: () => Promise<void> = async () => {},
): Promise<number> {
  let peak = 0;
  for (; goesOn(); await delay(SAMPLE_MS)) {
    await look();
    peak = Math.max(peak, gateway.program.usage().rssBytes);
  }
  return peak;
}

async function post(url: string, body: string): Promise<boolean> {
  const headers = { "content-type": "application/x-ndjson" };
  const response = await fetch(url, { method: "POST", headers, body });
  const text = await response.text();
  if (response.status === 202) return true;
  assert(response.status === 429, `${response.status}: ${text}`);
  const seconds = Number(response.headers.get("retry-after"));
  assert(seconds >= 1 && seconds <= MAX_RETRY_AFTER_SECONDS, "a 429 says when to come again");
  return false;
}
