/**
 * What a broker's answer for a partition says of the records that were sent to it. The question is always the same: may
 * they be stored? Only where that is certain one way or the other do they leave the sink.
 *
 * @module
 */

/** What becomes of records, by the code of their partition. */
export type Fate =
  /** They are stored, now or by an earlier try. */
  | "stored"
  /** They are not, but will be elsewhere or soon: asked again after a look at the topic. */
  | "moved"
  /** They may be stored: asked again under the same sequence until it is known. */
  | "unknown"
  /** They are not: there are too many in the batch. */
  | "tooLarge"
  /** They are not: some of them break a rule of the topic. */
  | "invalid"
  /** They are not, and more tries of this sink change nothing: someone must see to the broker. */
  | "refused"
  /** They are not: what the broker knew of this producer is gone. It takes them from a new one. */
  | "forgotten";

interface CodeEntry {
  readonly name: string;
  readonly fate: Fate;
}

const CODES: ReadonlyMap<number, CodeEntry> = new Map([
  [0, { name: "NONE", fate: "stored" }],
  [2, { name: "CORRUPT_MESSAGE", fate: "invalid" }],
  [3, { name: "UNKNOWN_TOPIC_OR_PARTITION", fate: "moved" }],
  [5, { name: "LEADER_NOT_AVAILABLE", fate: "moved" }],
  [6, { name: "NOT_LEADER_OR_FOLLOWER", fate: "moved" }],
  [7, { name: "REQUEST_TIMED_OUT", fate: "unknown" }],
  [10, { name: "MESSAGE_TOO_LARGE", fate: "tooLarge" }],
  [17, { name: "INVALID_TOPIC_EXCEPTION", fate: "refused" }],
  [18, { name: "RECORD_LIST_TOO_LARGE", fate: "tooLarge" }],
  [19, { name: "NOT_ENOUGH_REPLICAS", fate: "moved" }],
  [20, { name: "NOT_ENOUGH_REPLICAS_AFTER_APPEND", fate: "unknown" }],
  [29, { name: "TOPIC_AUTHORIZATION_FAILED", fate: "refused" }],
  [31, { name: "CLUSTER_AUTHORIZATION_FAILED", fate: "refused" }],
  [32, { name: "INVALID_TIMESTAMP", fate: "invalid" }],
  [35, { name: "UNSUPPORTED_VERSION", fate: "refused" }],
  [42, { name: "INVALID_REQUEST", fate: "refused" }],
  [43, { name: "UNSUPPORTED_FOR_MESSAGE_FORMAT", fate: "refused" }],
  [44, { name: "POLICY_VIOLATION", fate: "refused" }],
  [45, { name: "OUT_OF_ORDER_SEQUENCE_NUMBER", fate: "forgotten" }],
  [46, { name: "DUPLICATE_SEQUENCE_NUMBER", fate: "stored" }],
  [47, { name: "INVALID_PRODUCER_EPOCH", fate: "forgotten" }],
  [48, { name: "INVALID_TXN_STATE", fate: "forgotten" }],
  [49, { name: "INVALID_PRODUCER_ID_MAPPING", fate: "forgotten" }],
  [53, { name: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", fate: "refused" }],
  [56, { name: "KAFKA_STORAGE_ERROR", fate: "unknown" }],
  [59, { name: "UNKNOWN_PRODUCER_ID", fate: "forgotten" }],
  [74, { name: "FENCED_LEADER_EPOCH", fate: "moved" }],
  [76, { name: "UNSUPPORTED_COMPRESSION_TYPE", fate: "refused" }],
  [87, { name: "INVALID_RECORD", fate: "invalid" }],
  [90, { name: "PRODUCER_FENCED", fate: "forgotten" }],
  [120, { name: "TRANSACTION_ABORTABLE", fate: "forgotten" }],
]);

/** What `code` says; of a code that is not known, that the records may be stored. */
export function fateOf(code: number): Fate {
  return CODES.get(code)?.fate ?? "unknown";
}

/** Whether `code` says that someone else has the producer's id by now, or that its transaction was open for too long. */
export function isFence(code: number): boolean {
  return code === 47 || code === 90;
}

/** `code` for people, with what the broker said beside it. */
export function describeCode(code: number, message: string | null = null): string {
  const name = CODES.get(code)?.name ?? "an unknown error";
  return message === null || message === "" ? `${name} (${code})` : `${name} (${code}): ${message}`;
}
