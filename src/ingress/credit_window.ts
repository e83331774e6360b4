/**
 * How much a `weir.v1` client is told it may send. What it is told is kept free in the stream's pool until it has sent
 * it, so the sum over all clients is bounded by what is free, and each window by the number of clients.
 *
 * A window begins small and doubles each time that its client used it up quickly; a client that sends now and then
 * keeps little. Told credit cannot be taken back: the protocol has deltas only.
 *
 * @module
 */
import type { Admission } from "../admission/admission.ts";

/** First window. With it a thousand clients are told 16 MiB, a quarter of the default pool. */
const FIRST_BYTES = 8_192;
/** Largest window: at 50 ms between two grants that is 20 MiB a second for each client. */
const LARGEST_BYTES = 1_048_576;
/** A record takes that much of a segment beside its bytes: slot, alignment, its share of metas. */
const RECORD_BYTES = 64;
/** Bytes for each record of a window: one of records shorter than that is used up by count. */
const BYTES_PER_RECORD = 64;
/** A window that lasts shorter than that is too small for its client, ms; one that lasts ten times as long is too large. */
const QUICK_MS = 100;
/** What the windows of all clients may be of what is free. */
const SHARE_OF_FREE = 0.5;

/** The windows of a stream. */
export class CreditWindows {
  /** Clients with a window. */
  clients = 0;
  readonly #admission: Admission;

  /** Over the pool of a stream's admission. */
  constructor(admission: Admission) {
    this.#admission = admission;
  }

  /** Bytes that a window may have now: a share of what is free, in equal parts. */
  get largestBytes(): number {
    const { pool } = this.#admission.partition;
    const share = pool.size * pool.segmentBytes * SHARE_OF_FREE / 2 / Math.max(1, this.clients);
    return Math.min(LARGEST_BYTES, Math.max(FIRST_BYTES, Math.floor(share)));
  }

  /** Bytes and records that can be told now, of those wanted: all or nothing, so that no client gets crumbs. */
  mayTell(bytes: number, records: number): boolean {
    const { partition, creditBytes, sourceIsOpen } = this.#admission;
    const { pool } = partition;
    const cost = bytes + records * RECORD_BYTES;
    const freeBytes = (pool.size - pool.lentSegments) * pool.segmentBytes;
    return sourceIsOpen && partition.hasRoomFor(0) && creditBytes + cost <= freeBytes * SHARE_OF_FREE;
  }

  /** `bytes` and `records` are told. */
  told(bytes: number, records: number): void {
    this.#admission.addCredit(bytes + records * RECORD_BYTES);
  }

  /** They are used, or their client is gone. */
  used(bytes: number, records: number): void {
    this.#admission.addCredit(-(bytes + records * RECORD_BYTES));
  }
}

/** One client's window. */
export class CreditWindow {
  /** Told and not used, bytes; negative where the client overran. */
  bytes = 0;
  /** The same in records. */
  records = 0;
  readonly #windows: CreditWindows;
  #targetBytes = FIRST_BYTES;
  #filledBytes = FIRST_BYTES;
  #filledMs = -Infinity;
  #keptBytes = 0;
  #keptRecords = 0;

  /** Nothing is told yet. */
  constructor(windows: CreditWindows) {
    this.#windows = windows;
    windows.clients++;
  }

  /** Whether so much is used that more should be told. */
  get isLow(): boolean {
    return this.bytes * 2 <= this.#filledBytes || this.records * 2 * BYTES_PER_RECORD <= this.#filledBytes;
  }

  /** A message of `bytes` came. True when it was within the window. */
  spend(bytes: number): boolean {
    const inCredit = this.records > 0 && this.bytes >= bytes;
    // What was kept free for it is free for all now; an overrun had nothing kept.
    this.#windows.used(
      Math.min(bytes, Math.max(0, this.bytes)),
      this.records > 0 ? 1 : 0,
    );
    this.records--;
    this.bytes -= bytes;
    return inCredit;
  }

  /** A message of `bytes` that was within the window waits for the stream's quota: room is kept for it on. */
  keep(bytes: number): void {
    this.#keptBytes += bytes;
    this.#keptRecords++;
    this.#windows.told(bytes, 1);
  }

  /** It waits no longer: what was kept for it is free. */
  letGo(bytes: number): void {
    this.#keptBytes -= bytes;
    this.#keptRecords--;
    this.#windows.used(bytes, 1);
  }

  /** Fills the window up, if there is room and nothing waits for the quota. Returns what to tell the client, or null. */
  refill(nowMs: number): { readonly credit: number; readonly creditBytes: number } | null {
    if (!this.isLow || this.#keptRecords > 0) return null;
    const largest = this.#windows.largestBytes;
    let target = Math.min(largest, this.#targetBytes);
    // Beside the segments in use the largest window may never fit, and a client that has none left would starve.
    while (target > FIRST_BYTES && !this.#mayFillTo(target)) target = Math.max(FIRST_BYTES, target >> 1);
    if (!this.#mayFillTo(target)) return null;
    const { bytes: creditBytes, records: credit } = this.#missingTo(target);
    const owed = this.#owed;
    this.#windows.told(creditBytes - owed.bytes, credit - owed.records);
    this.bytes += creditBytes;
    this.records += credit;
    this.#resize(nowMs - this.#filledMs, largest);
    this.#filledMs = nowMs;
    this.#filledBytes = target;
    return { credit, creditBytes };
  }

  /** What fills the window up to `target`. */
  #missingTo(target: number): { readonly bytes: number; readonly records: number } {
    return {
      bytes: Math.max(0, target - this.bytes),
      records: Math.max(0, Math.ceil(target / BYTES_PER_RECORD) - this.records),
    };
  }

  /** What only pays for an overrun needs nothing kept: that message has its room already. */
  get #owed(): { readonly bytes: number; readonly records: number } {
    return { bytes: Math.max(0, -this.bytes), records: Math.max(0, -this.records) };
  }

  #mayFillTo(target: number): boolean {
    const missing = this.#missingTo(target);
    if (missing.bytes === 0 && missing.records === 0) return false;
    const owed = this.#owed;
    return this.#windows.mayTell(missing.bytes - owed.bytes, missing.records - owed.records);
  }

  #resize(lastedMs: number, largest: number): void {
    if (lastedMs < QUICK_MS) this.#targetBytes = Math.min(largest, this.#targetBytes * 2);
    else if (lastedMs > 10 * QUICK_MS) this.#targetBytes = Math.max(FIRST_BYTES, this.#targetBytes >> 1);
  }

  /** The client is gone: what was kept for it is free. */
  close(): void {
    this.#windows.clients--;
    this.#windows.used(
      Math.max(0, this.bytes) + this.#keptBytes,
      Math.max(0, this.records) + this.#keptRecords,
    );
    this.bytes = this.#keptBytes = 0;
    this.records = this.#keptRecords = 0;
  }
}
