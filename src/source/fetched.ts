/**
 * What a fetch brings, as the client library parses it, and which of it may be delivered.
 *
 * The broker sends aborted records too, with a list of the transactions that they are from, and leaves it to the reader
 * to leave them out; the client library does so only where the abort's marker stands in the same answer.
 *
 * @module
 */

/** A record as it stands in a batch. */
export interface FetchedRecord {
  /** Bytes of the record in its batch. */
  readonly length: number;
  /** Added to the batch's first offset. */
  readonly offsetDelta: number;
  /** Added to the batch's first timestamp, ms. */
  readonly timestampDelta: bigint;
  /** Null for a record without a key. */
  readonly key: Uint8Array | null;
  /** Null for a tombstone. */
  readonly value: Uint8Array | null;
  /** Name and value of each header. */
  readonly headers: readonly (readonly [Uint8Array | null, Uint8Array | null])[];
}

/** A batch of records of one producer. */
export interface FetchedBatch {
  /** Offset of its first record; compaction may have taken that record out. */
  readonly firstOffset: bigint;
  /** Added to the first offset, it gives the last that the batch covers. */
  readonly lastOffsetDelta: number;
  /** Bits of {@linkcode BatchBit}. */
  readonly attributes: number;
  /** Timestamp of its first record, ms since 1970; -1 without one. */
  readonly firstTimestamp: bigint;
  /** Largest timestamp; that of all records where the broker sets it. */
  readonly maxTimestamp: bigint;
  /** Whose transaction it may be part of. */
  readonly producerId: bigint;
  /** In the order of their offsets. */
  readonly records: readonly FetchedRecord[];
}

/** A transaction that was aborted and has records in what was fetched. */
export interface AbortedTransaction {
  /** Whose it was. */
  readonly producerId: bigint;
  /** Its first offset. */
  readonly firstOffset: bigint;
}

/** Bits of a batch's attributes (Kafka protocol, "Record Batch"). */
export const BatchBit = {
  /** The timestamp is the broker's, and stands in `maxTimestamp`. */
  LOG_APPEND_TIME: 8,
  /** Part of a transaction. */
  TRANSACTIONAL: 16,
  /** A marker that ends a transaction, and no record. */
  CONTROL: 32,
} as const;

/** Type of a marker that ends a transaction as aborted: the second number of its key. */
const ABORT_MARKER = 0;

/**
 * The batches whose records may be delivered, in their order: no markers, nothing of an aborted transaction, and none
 * that compaction has emptied (brokers keep the last batch of each producer, for its number).
 */
export function deliverable(
  batches: readonly FetchedBatch[],
  aborted: readonly AbortedTransaction[],
): FetchedBatch[] {
  const pending = aborted.toSorted((a, b) => Number(a.firstOffset - b.firstOffset));
  const open = new Set<bigint>();
  let begun = 0;
  return batches.filter((batch) => {
    while (begun < pending.length && pending[begun].firstOffset <= lastOffsetOf(batch)) {
      open.add(pending[begun++].producerId);
    }
    if (batch.attributes & BatchBit.CONTROL) {
      if (isAbortMarker(batch)) open.delete(batch.producerId);
      return false;
    }
    return batch.records.length > 0 &&
      !(batch.attributes & BatchBit.TRANSACTIONAL && open.has(batch.producerId));
  });
}

/** Offset behind the last one of `batches`; null without any. */
export function offsetBehind(batches: readonly FetchedBatch[]): number | null {
  const last = batches.at(-1);
  return last === undefined ? null : Number(lastOffsetOf(last)) + 1;
}

function lastOffsetOf(batch: FetchedBatch): bigint {
  return batch.firstOffset + BigInt(batch.lastOffsetDelta);
}

function isAbortMarker({ records: [marker] }: FetchedBatch): boolean {
  const key = marker?.key;
  return key !== undefined && key !== null && key.length >= 4 && ((key[2] << 8) | key[3]) === ABORT_MARKER;
}
