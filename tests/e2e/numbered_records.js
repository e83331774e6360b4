// @ts-check
/**
 * Sends numbered records by the client, as fast as it is ready for them. Plain JavaScript, as the same file runs in Deno,
 * in Node and in a page; as a program it takes the URL and the count, and prints what became of them.
 *
 * @module
 */
import { WeirClient } from "../../examples/client/weir_client.js";

/**
 * What became of them: records sent, number of the last that is acked, rejects, those left over by `close`, connections
 * that were greeted, and the most bytes that were not acked at once.
 *
 * @typedef {{ sent: number, acked: number, rejected: string[], left: number, sessions: number, mostUnackedBytes: number }} Numbered
 */

/** Of each record, so that a run has some thousand of them under way in 128 KiB. */
const PAD = "x".repeat(64);
/** Longest wait for the last ack, ms: a gateway starts twice meanwhile, on cores that other tests share. */
const CLOSE_MS = 60_000;

/**
 * Sends `{"n":0}` to `{"n":count - 1}`, padded, and closes. `onAck` is told of each ack.
 *
 * @param {string} url
 * @param {number} count
 * @param {(client: WeirClient, acked: number) => void} [onAck]
 * @returns {Promise<Numbered>}
 */
export async function sendNumbered(url, count, onAck = () => {}) {
  /** @type {Numbered} */
  const result = { sent: 0, acked: 0, rejected: [], left: 0, sessions: 0, mostUnackedBytes: 0 };
  const client = new WeirClient(url, {
    maxUnackedBytes: 131_072,
    minBackoffMs: 20,
    maxBackoffMs: 200,
    onAck: (number) => onAck(client, result.acked = number),
    onReject: (number, reason) => result.rejected.push(`${number}: ${reason}`),
    onState: (state) => result.sessions += state === "open" ? 1 : 0,
  });
  for (; result.sent < count; result.sent++) {
    await client.ready;
    client.send(`{"n":${result.sent},"pad":"${PAD}"}`);
    result.mostUnackedBytes = Math.max(result.mostUnackedBytes, client.unackedBytes);
  }
  result.left = (await client.close({ signal: AbortSignal.timeout(CLOSE_MS) })).length;
  return result;
}

// @ts-ignore: Deno knows import.meta.main, and a page has no arguments; Node 20 has the second only.
const args = globalThis.process?.argv?.slice(1) ?? [];
if (args[0]?.endsWith("numbered_records.js")) {
  console.log(JSON.stringify(await sendNumbered(args[1], Number(args[2]))));
}
