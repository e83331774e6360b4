/**
 * What the units of a stream that have ended leave to its name: a changed stream is a new unit, and what is counted of
 * it must go on where the old one stood.
 *
 * @module
 */
import { type HistogramSnapshot, mergeHistograms } from "./monitor/histogram.ts";
import type { StreamUnit } from "./stream_unit.ts";

/** What became of the records that a stream took for one sink. */
export interface SinkCounts {
  /** Records taken. */
  accepted: number;
  /** Records stored. */
  delivered: number;
  /** Records in the dead letter. */
  deadLettered: number;
  /** Records shed at admission. */
  shed: number;
  /** Records given up as their sink was gone from the config. */
  lost: number;
  /** Accepted until stored; null before the first unit has ended. */
  deliverySeconds: HistogramSnapshot | null;
}

/** The account of one stream. */
export class StreamAccount {
  /** Records taken. */
  acceptedRecords = 0;
  /** Their bytes. */
  acceptedBytes = 0;
  /** Records refused. */
  rejectedRecords = 0;
  /** Answers by status. */
  readonly requests: Map<number, number> = new Map();
  readonly #sinks: Map<string, SinkCounts> = new Map();

  /** What was counted for `sink`; undefined when no unit that has ended led to it. */
  sink(sink: string): SinkCounts | undefined {
    return this.#sinks.get(sink);
  }

  /** Takes over what `unit`, which has ended, counted. */
  add(unit: StreamUnit): void {
    const { partition, door } = unit;
    this.acceptedRecords += partition.acceptedRecords;
    this.acceptedBytes += partition.acceptedBytes;
    this.rejectedRecords += door.rejectedRecords;
    for (const [status, count] of door.requests) {
      this.requests.set(status, (this.requests.get(status) ?? 0) + count);
    }
    for (const sink of unit.config.sinks) this.#countsOf(sink).accepted += partition.acceptedRecords;
    for (const { lane, lostRecords } of unit.lanes) {
      const counts = this.#countsOf(lane.sink);
      const seconds = lane.delivery.deliverySeconds.snapshot();
      counts.delivered += lane.delivery.delivered;
      counts.deadLettered += lane.delivery.deadLettered;
      counts.shed += lane.input.shedRecords;
      counts.lost += lostRecords;
      counts.deliverySeconds = counts.deliverySeconds === null
        ? seconds
        : mergeHistograms(counts.deliverySeconds, seconds);
    }
  }

  #countsOf(sink: string): SinkCounts {
    let counts = this.#sinks.get(sink);
    if (counts === undefined) {
      counts = { accepted: 0, delivered: 0, deadLettered: 0, shed: 0, lost: 0, deliverySeconds: null };
      this.#sinks.set(sink, counts);
    }
    return counts;
  }
}
