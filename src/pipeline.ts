/**
 * Joins a partition to its lanes by local channels: the part of the path that streams and dead letters share.
 *
 * @module
 */
import type { LocalBufferPool } from "./buffer/local_buffer_pool.ts";
import { joinLocal } from "./channel/local_transport.ts";
import { PermitPool } from "./channel/permit_pool.ts";
import type { LanePlan } from "./config.ts";
import type { DeadLetter } from "./lane/dead_letter.ts";
import { Lane } from "./lane/lane.ts";
import { PartitionLane, ResultPartition, type StreamBuffer } from "./partition/result_partition.ts";
import { Subpartition } from "./partition/subpartition.ts";
import type { SinkUnit, Surroundings } from "./sink_unit.ts";

/** A lane and what it is made of. */
export class LaneUnit {
  /** The lane. */
  readonly lane: Lane;
  /** Credits in all. */
  readonly plan: LanePlan;
  /** Records that were given up at its end. */
  lostRecords = 0;
  readonly #credits: () => number;
  readonly #disconnect: () => void;
  #sink: SinkUnit;
  #weight: number;
  #closed = false;

  /** `lane` writes to `sink`; `credits` tells how many the sender may use, `disconnect` ends the channel and its queue. */
  constructor(options: {
    lane: Lane;
    plan: LanePlan;
    sink: SinkUnit;
    weight: number;
    credits: () => number;
    disconnect: () => void;
  }) {
    this.lane = options.lane;
    this.plan = options.plan;
    this.#sink = options.sink;
    this.#weight = options.weight;
    this.#credits = options.credits;
    this.#disconnect = options.disconnect;
  }

  /** Its sink. */
  get sink(): SinkUnit {
    return this.#sink;
  }

  /** Its share of the sink. */
  get weight(): number {
    return this.#weight;
  }

  /** Whether it has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Credits that the sender may use now. */
  credits(): number {
    return this.#closed ? 0 : this.#credits();
  }

  /** Goes on at `sink`, which has the name of its own, with this share of it. */
  moveTo(sink: SinkUnit, weight: number): void {
    if (sink === this.#sink && weight === this.#weight) return;
    this.#sink = sink;
    this.#weight = weight;
    this.lane.moveTo(sink.writerFor(this.plan.writer), weight);
  }

  /** Gives up what is not settled, at the lane and in its queue. Closing twice is harmless. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.lostRecords = this.lane.input.unsettledRecords;
    const { totals } = this.#sink.gate.account;
    totals.lost += this.lostRecords;
    totals.shed += this.lane.input.shedRecords;
    this.#disconnect();
  }
}

/** What a pipeline (a stream, or the dead letters of a sink) is built from. */
export interface PipelineParts {
  /** Name of the stream. */
  readonly stream: string;
  /** Its share of memory. */
  readonly pool: LocalBufferPool;
  /** Its lanes. */
  readonly lanes: readonly {
    readonly plan: LanePlan;
    readonly sink: SinkUnit;
    /** Lanes to the sink that share the records by the hash of their keys; the plan says which of them this one is. */
    readonly writers: number;
    readonly weight: number;
    readonly sheds: boolean;
    readonly acks: boolean;
    readonly deadLetter: () => DeadLetter;
  }[];
  /** What every record id begins with. */
  readonly idPrefix: string;
  /** Called, once a turn, after lanes have settled buffers. */
  readonly onRoom: () => void;
}

/** Joins a partition to its lanes by local channels. */
export function buildPipeline(
  parts: PipelineParts,
  around: Surroundings,
): { partition: ResultPartition; lanes: LaneUnit[] } {
  const { sender, receiver } = joinLocal<StreamBuffer>();
  let roomDeferred = false;
  let serving = false;
  const returned = () => {
    if (roomDeferred) return;
    roomDeferred = true;
    around.clock.defer(() => {
      roomDeferred = false;
      serving = true;
      try {
        parts.onRoom();
      } finally {
        serving = false;
      }
    });
  };
  const inputs = parts.lanes.map(({ plan, writers, sheds, acks }, lane) =>
    new PartitionLane({
      lane,
      sink: plan.sink,
      writer: plan.writer,
      writers,
      queue: new Subpartition<StreamBuffer>(),
      maxBuffers: plan.maxBuffers,
      sheds,
      acks,
      channel: sheds ? null : parts.pool.openChannel(plan.maxBuffers),
      returned,
    })
  );
  const partition = new ResultPartition({
    stream: parts.stream,
    pool: parts.pool,
    lanes: inputs,
    clock: around.clock,
    notify: (lane) => sender.notifyData(lane),
  });
  const lanes = parts.lanes.map(({ plan, sink, weight, deadLetter }, index): LaneUnit => {
    const sinkWriter = sink.writerFor(plan.writer);
    const lane = new Lane({
      stream: parts.stream,
      input: inputs[index],
      writer: plan.writer,
      sinkWriter,
      order: sink.config.order,
      inOrder: sink.config.batch.inOrder ?? false,
      shape: sink.config.batch,
      retry: sink.config.retry,
      deadLetter,
      clock: around.clock,
      random: around.random,
      log: around.log,
      idPrefix: parts.idPrefix,
      credit: () => receiver.settled(index),
    });
    sinkWriter.addLane(lane, weight);
    receiver.openLane(index, {
      exclusive: plan.exclusive,
      floating: new PermitPool(plan.floating),
      onData: (buffer) => lane.onBuffer(buffer),
      onEvent: () => {},
      onError: (error) => {
        throw error;
      },
    });
    sender.openLane(index, inputs[index].queue, plan.exclusive);
    return new LaneUnit({
      lane,
      plan,
      sink,
      weight,
      credits: () => sender.credits(index),
      disconnect: () => {
        sender.cancel(index);
        receiver.closeLane(index);
        lane.abandon();
        inputs[index].queue.drain((buffer) => inputs[index].settled(buffer));
      },
    });
  });
  parts.pool.addAvailabilityListener(() => {
    // Who is served and finds too little gives back what it took: that is no room that was not there before.
    if (!serving) returned();
  });
  return { partition, lanes };
}
