/**
 * The records of a write by partition: keys where Java's client puts them, and what has no key in turns of about a
 * batch each, as few large batches cost less than many small ones.
 *
 * @module
 */
import { assert } from "../../src/core/assert.ts";
import type { Batch } from "../../src/sink/adapter.ts";
import type { TopicState } from "./cluster.ts";
import { partitionOf } from "./murmur2.ts";

/** Marks a record that goes nowhere. */
export const NOWHERE = -1;

/** Records of one write for one partition: `order[from]` to `order[to - 1]` are their indices. */
export interface PlacedRun {
  readonly topic: string;
  readonly partition: number;
  readonly order: Int32Array;
  readonly from: number;
  readonly to: number;
}

/** Chooses partitions; keeps whose turn it is among records without key. */
export class Placement {
  readonly #turnBytes: number;
  readonly #turns: Map<string, { partition: number; bytes: number }> = new Map();

  /** @param turnBytes how much goes to one partition before the next */
  constructor(turnBytes: number) {
    this.#turnBytes = turnBytes;
  }

  /**
   * Places the records of `batch`. `topicOf[i]` is the index in `names` of the topic of record `i`, or
   * {@linkcode NOWHERE}; all others are in `topics`, with a partition at least.
   */
  place(
    batch: Batch,
    topicOf: Int32Array,
    names: readonly string[],
    topics: ReadonlyMap<string, TopicState>,
  ): PlacedRun[] {
    const leaders = names.map((name) => leadersOf(topics.get(name)));
    const firstSlot = new Int32Array(names.length + 1);
    for (let t = 0; t < names.length; t++) firstSlot[t + 1] = firstSlot[t] + leaders[t].length;
    const slots = new Int32Array(batch.count);
    const ends = new Int32Array(firstSlot[names.length] + 1);
    for (let i = 0; i < batch.count; i++) {
      const t = topicOf[i];
      slots[i] = t === NOWHERE ? NOWHERE : firstSlot[t] + this.#partition(batch, i, names[t], leaders[t]);
      if (slots[i] !== NOWHERE) ends[slots[i] + 1]++;
    }
    for (let slot = 1; slot < ends.length; slot++) ends[slot] += ends[slot - 1];
    const starts = ends.slice();
    const order = new Int32Array(ends[ends.length - 1]);
    for (let i = 0; i < batch.count; i++) if (slots[i] !== NOWHERE) order[starts[slots[i]]++] = i;
    return names.flatMap((topic, t) =>
      leaders[t].map((_, partition) => {
        const slot = firstSlot[t] + partition;
        return { topic, partition, order, from: ends[slot], to: ends[slot + 1] };
      }).filter(({ from, to }) => from < to)
    );
  }

  #partition(batch: Batch, i: number, topic: string, leaders: readonly number[]): number {
    assert(leaders.length > 0, "records are placed in topics that have partitions");
    const key = batch.key(i);
    if (key !== null) return partitionOf(key, leaders.length);
    let turn = this.#turns.get(topic);
    if (turn === undefined) this.#turns.set(topic, turn = { partition: 0, bytes: 0 });
    if (turn.bytes > this.#turnBytes || turn.partition >= leaders.length) {
      turn.partition = nextWithLeader(turn.partition, leaders);
      turn.bytes = 0;
    }
    turn.bytes += batch.valueLength(i);
    return turn.partition;
  }
}

function leadersOf(state: TopicState | undefined): readonly number[] {
  return state?.kind === "there" ? state.leaders : [];
}

function nextWithLeader(partition: number, leaders: readonly number[]): number {
  for (let step = 1; step <= leaders.length; step++) {
    const next = (partition + step) % leaders.length;
    if (leaders[next] >= 0) return next;
  }
  return (partition + 1) % leaders.length;
}
