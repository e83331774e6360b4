/**
 * How far a partition is settled. Records are counted by runs, as those of a WebSocket are: all that one turn took into
 * the stream share a counter. What may be committed ends at the first run that is not settled, so a commit never covers
 * a record that a sink does not have, whatever the order in which sinks settle.
 *
 * @module
 */
import { AckCounter, type AckOwner } from "../partition/acks.ts";

/** Consecutive offsets that wait for one outcome. */
export class OffsetRun implements AckOwner {
  /** Its first offset. */
  readonly first: number;
  /** Counts the deliveries of its records. */
  readonly counter: AckCounter;
  /** Whether all its records are stored, or dead-lettered. */
  settled = false;
  readonly #runs: OffsetRuns;

  /** A run of `runs`. */
  constructor(runs: OffsetRuns, first: number) {
    this.#runs = runs;
    this.first = first;
    this.counter = new AckCounter(this);
  }

  allSettled(): void {
    this.settled = true;
    this.#runs.advance();
  }
}

/** The runs of one partition. */
export class OffsetRuns {
  /** Offset of the next record to take. */
  next: number;
  #runs: OffsetRun[] = [];
  readonly #onAdvance: () => void;

  /** Nothing is taken before `next`; `onAdvance` is told when more is settled. */
  constructor(next: number, onAdvance: () => void) {
    this.next = next;
    this.#onAdvance = onAdvance;
  }

  /** Runs that are not settled, or have one before them that is not. */
  get count(): number {
    return this.#runs.length;
  }

  /** Everything before that offset is settled. */
  get settledTo(): number {
    return this.#runs.length > 0 ? this.#runs[0].first : this.next;
  }

  /** A run of the records from `next` on. Its counter must be sealed. */
  begin(): OffsetRun {
    const run = new OffsetRun(this, this.next);
    this.#runs.push(run);
    return run;
  }

  /** A run is settled: those before it decide whether that counts. */
  advance(): void {
    let settled = 0;
    while (settled < this.#runs.length && this.#runs[settled].settled) settled++;
    if (settled === 0) return;
    this.#runs.splice(0, settled);
    this.#onAdvance();
  }

  /** The partition is another's: what is not settled is of no interest here any more. */
  abandon(): void {
    for (const run of this.#runs) run.counter.abandon();
    this.#runs = [];
  }
}
