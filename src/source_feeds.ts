/**
 * What one stream asks of the controllers of its sinks. A lane may move to another unit of its sink by a reload, so the
 * controller is looked up at each question; a stream whose sinks have none pays a loop over its lanes.
 *
 * @module
 */
import type { Feed, FeedControl, SourceControl, SourceGate } from "./admission/source_control.ts";
import type { Clock } from "./core/clock.ts";
import type { ResultPartition } from "./partition/result_partition.ts";
import type { LaneUnit } from "./pipeline.ts";

/** The feeds of one stream. */
export class SourceFeeds implements SourceGate {
  readonly #feeds: readonly SinkFeed[];
  readonly #clock: Clock;

  /** Over those `lanes` of `partition` that acks wait for and that block when they are full. */
  constructor(lanes: readonly LaneUnit[], partition: ResultPartition, clock: Clock) {
    const gating = lanes.filter(({ lane }) => lane.input.acks && !lane.input.sheds);
    this.#feeds = [...Map.groupBy(gating, ({ plan }) => plan.sink).values()]
      .map((same) => new SinkFeed(same, partition));
    this.#clock = clock;
  }

  waitMs(): number {
    const now = this.#clock.nowMs();
    let waitMs = 0;
    for (const feed of this.#feeds) waitMs = Math.max(waitMs, feed.waitMs(now));
    return waitMs;
  }

  /** When records for sink `name` may enter, ms from now; 0 for now, and where that sink does not ask the stream to wait. */
  waitMsFor(name: string): number {
    return this.#feeds.find((feed) => feed.sink === name)?.waitMs(this.#clock.nowMs()) ?? 0;
  }

  /** Records per second that may enter; Infinity without a limit. */
  get recordsPerSecond(): number {
    let least = Infinity;
    for (const feed of this.#feeds) least = Math.min(least, feed.recordsPerSecond);
    return least;
  }
}

/** The lanes to one sink. */
class SinkFeed implements Feed {
  readonly sink: string;
  enteredRecords = 0;
  readonly #lanes: readonly LaneUnit[];
  readonly #partition: ResultPartition;
  #toldRecords = 0;
  #source: SourceControl | null = null;
  #control: FeedControl | null = null;

  constructor(lanes: readonly LaneUnit[], partition: ResultPartition) {
    this.sink = lanes[0].plan.sink;
    this.#lanes = lanes;
    this.#partition = partition;
  }

  get weight(): number {
    return this.#lanes[0].weight;
  }

  get unsettledRecords(): number {
    // What is in no buffer yet belongs to no writer yet.
    let records = this.#partition.openRecords(this.#lanes[0].lane.input.lane);
    for (const { lane } of this.#lanes) records += lane.input.unsettledRecords;
    return records;
  }

  get queueLevel(): number {
    let level = 0;
    for (const { lane, plan } of this.#lanes) {
      // What has credit is at the lane, to be written: the queue is what waits for it.
      level = Math.max(level, lane.input.queue.backlog / (plan.maxBuffers - plan.credits));
    }
    return Math.min(1, level);
  }

  get recordsPerSecond(): number {
    return this.#control?.recordsPerSecond ?? Infinity;
  }

  waitMs(nowMs: number): number {
    const { source } = this.#lanes[0].sink;
    const accepted = this.#partition.acceptedRecords;
    if (source !== this.#source) {
      this.#source = source;
      this.#control = source?.join() ?? null;
      this.#toldRecords = accepted;
    }
    if (this.#control === null) return 0;
    this.enteredRecords = accepted - this.#toldRecords;
    this.#toldRecords = accepted;
    return this.#control.waitMs(this, nowMs);
  }
}
