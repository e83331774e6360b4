/**
 * One stream of the gateway, from its door to its lanes: pool, partition, channel, lanes, admission, in the order in
 * which a record meets them.
 *
 * @module
 */
import { Admission, type Drain } from "./admission/admission.ts";
import type { LocalBufferPool } from "./buffer/local_buffer_pool.ts";
import type { NetworkBufferPool } from "./buffer/network_buffer_pool.ts";
import type { StreamConfig } from "./config.ts";
import type { DecoderBudget } from "./ingress/decoder.ts";
import { StreamDoor } from "./ingress/stream_door.ts";
import type { DeadLetter } from "./lane/dead_letter.ts";
import { toLimits } from "./limits_of.ts";
import { TaskState, TaskTime } from "./monitor/task_time.ts";
import type { ResultPartition } from "./partition/result_partition.ts";
import { buildPipeline, type LaneUnit } from "./pipeline.ts";
import type { SinkUnit, Surroundings } from "./sink_unit.ts";
import { SourceFeeds } from "./source_feeds.ts";
import type { StreamShape } from "./stream_shape.ts";

export type { LaneUnit } from "./pipeline.ts";

/** Segments that the record in hand may take beyond the pool's size: as in Flink, so that a record begun can be ended. */
const MAX_OVERDRAFT = 5;

/** Longest that what a request's records share may be, as a part of a segment. */
const SHARED_SHARE = 4;

/** The stream. */
export class StreamUnit {
  /** Name in the config. */
  readonly name: string;
  /** Its config. */
  readonly config: StreamConfig;
  /** Its share of memory. */
  readonly pool: LocalBufferPool;
  /** Its output. */
  readonly partition: ResultPartition;
  /** Its lanes. */
  readonly lanes: readonly LaneUnit[];
  /** Who gets a segment. */
  readonly admission: Admission;
  /** What the controllers of its sinks let in. */
  readonly source: SourceFeeds;
  /** Where its requests come in. */
  readonly door: StreamDoor;
  /** Time of its ingress. */
  readonly ingressTime: TaskTime;
  /** Times of its lanes, in their order. */
  readonly laneTimes: readonly TaskTime[];
  /** What it was built from, for who looks whether another would be the same. */
  readonly shape: StreamShape;
  readonly #around: Surroundings;

  /**
   * Takes its minimum of the network pool; throws `InsufficientSegmentsError`. The time accounts and the quota of
   * `predecessor`, which had the name before, go on.
   */
  constructor(options: {
    shape: StreamShape;
    predecessor: StreamUnit | null;
    network: NetworkBufferPool;
    sinks: ReadonlyMap<string, SinkUnit>;
    deadLetter: (sink: string) => DeadLetter;
    decoders: DecoderBudget;
    idPrefix: string;
    around: Surroundings;
  }) {
    const { shape, predecessor, around, network } = options;
    const { config } = shape;
    this.#around = around;
    this.shape = shape;
    this.name = config.name;
    this.config = config;
    this.pool = network.createLocalPool({
      name: `stream "${config.name}"`,
      minSegments: shape.plan.minSegments,
      maxSegments: shape.plan.maxSegments,
      maxOverdraft: MAX_OVERDRAFT,
    });
    const { partition, lanes } = buildPipeline({
      stream: config.name,
      pool: this.pool,
      lanes: shape.lanes.map(({ plan }) => {
        const sink = options.sinks.get(plan.sink)!;
        return {
          plan,
          sink,
          writers: sink.config.parallelism,
          weight: sink.config.weights.get(config.name) ?? 1,
          sheds: sink.config.whenFull === "shed",
          acks: !config.bestEffort.includes(plan.sink),
          deadLetter: () => options.deadLetter(plan.sink),
        };
      }),
      idPrefix: options.idPrefix,
      onRoom: () => this.admission.serve(),
    }, around);
    this.partition = partition;
    this.lanes = lanes;
    this.source = new SourceFeeds(lanes, partition, around.clock);
    this.admission = new Admission({
      partition,
      clock: around.clock,
      random: around.random,
      maxWaiters: config.maxWaiters,
      maxWaitMs: config.maxWaitMs,
      maxStallMs: config.maxStallMs,
      quota: config.limit ? toLimits(config.limit) : null,
      quotaBefore: predecessor?.admission.quota ?? null,
      source: this.source,
      drain: () => this.#drain(),
    });
    this.door = new StreamDoor({
      name: config.name,
      policy: {
        ack: config.ack,
        validateJson: config.validate === "json",
        keyPointer: config.key,
        headers: config.headers.map((name) => name.toLowerCase()),
        maxRecordBytes: shape.maxRecordBytes,
        maxBodyBytes: config.maxBodyBytes,
        maxWaitMs: config.maxWaitMs,
        maxStallMs: config.maxStallMs,
        deliverTimeoutMs: config.deliverTimeoutMs,
        maxSharedBytes: network.segmentBytes / SHARED_SHARE,
        origins: config.origins.map((origin) => origin.toLowerCase()),
      },
      admission: this.admission,
      decoders: options.decoders,
      clock: around.clock,
      log: around.log,
      downSink: () => this.#downSink(),
    });
    const now = around.clock.nowMs();
    this.ingressTime = predecessor?.ingressTime ?? new TaskTime(now, TaskState.IDLE);
    this.laneTimes = lanes.map((unit) => predecessor?.timeOf(unit) ?? new TaskTime(now, TaskState.IDLE));
  }

  /** The time account of its lane to the sink and writer of `other`; undefined when it has none. */
  timeOf({ plan }: LaneUnit): TaskTime | undefined {
    return this.laneTimes[
      this.lanes.findIndex((own) => own.plan.sink === plan.sink && own.plan.writer === plan.writer)
    ];
  }

  /** Whether nothing of it is under way: no request, no message, no record. WebSockets may be open. */
  get isIdle(): boolean {
    return this.door.active.size === 0 && !this.door.anySocketReads &&
      this.lanes.every(({ lane }) =>
        lane.input.held === 0 && this.partition.openRecords(lane.input.lane) === 0
      );
  }

  /** Records that are not settled, as the lane sees it that has most of them. */
  get unsettledRecords(): number {
    return Math.max(
      0,
      ...this.lanes.map(({ lane, closed }) =>
        closed ? 0 : lane.input.unsettledRecords + this.partition.openRecords(lane.input.lane)
      ),
    );
  }

  /** Ends the lingering of batches and hands over what is open: the stream drains. */
  hurry(): void {
    this.partition.flush();
    for (const { lane } of this.lanes) lane.hurry();
  }

  /** Resolves when no request is being read or waits for room: those that only wait for delivery are the lanes' matter. */
  drained(): Promise<void> {
    this.door.drainSockets();
    return this.door.whenNoneReads();
  }

  /** Tells every request that is still open that the gateway stops. */
  stopRequests(): void {
    this.door.stopAll();
  }

  /** Resolves when every lane has settled everything. */
  async settled(): Promise<void> {
    await Promise.all(this.lanes.map(({ lane }) => lane.settled()));
  }

  /** Tells every request that still reads its body, or waits for room, and every WebSocket that the stream goes. */
  stopReading(): void {
    for (const request of [...this.door.active]) if (request.reads) request.stop();
    for (const socket of [...this.door.sockets]) socket.stop();
  }

  /**
   * Gives up what `lanes` have not settled. Nothing may be read any more. Returns the acknowledged records among it that
   * a sink of the ack does not have.
   */
  giveUp(lanes: readonly LaneUnit[]): number {
    this.partition.flush();
    const lost = new Map<string, number>();
    for (const unit of lanes) {
      if (unit.closed) continue;
      const { lane } = unit;
      // The writers of a sink share its records; the sinks of a stream each get all.
      if (lane.input.acks) lost.set(lane.sink, (lost.get(lane.sink) ?? 0) + lane.input.unsettledRecords);
      unit.close();
    }
    return this.config.ack === "memory" ? Math.max(0, ...lost.values()) : 0;
  }

  /** Gives up what is not settled, and ends. Returns what `giveUp` does. */
  abandon(): number {
    this.partition.close();
    const lost = this.giveUp(this.lanes);
    this.door.deliveries.close();
    this.pool.lazyDestroy();
    return lost;
  }

  /** Looks where the time goes; called a few times a second, because no state here changes without a buffer moving. */
  sampleTime(): void {
    const now = this.#around.clock.nowMs();
    this.door.sampleRates();
    const pressed = this.admission.waiters > 0 || !this.pool.isAvailable;
    const working = this.door.active.size > 0;
    this.ingressTime.switchTo(
      pressed ? TaskState.BACK_PRESSURED : working ? TaskState.BUSY : TaskState.IDLE,
      now,
    );
    this.lanes.forEach(({ lane }, index) => {
      const blocked = lane.waitsForDeadLetter;
      this.laneTimes[index].switchTo(
        blocked ? TaskState.BACK_PRESSURED : lane.input.held > 0 ? TaskState.BUSY : TaskState.IDLE,
        now,
      );
    });
  }

  #downSink(): string | null {
    for (const { lane, sink } of this.lanes) {
      if (lane.input.acks && sink.gate.state === "down") return sink.name;
    }
    return null;
  }

  /** The lane that binds: the fullest. */
  #drain(): Drain {
    const now = this.#around.clock.nowMs();
    let binding = this.lanes[0];
    for (const unit of this.lanes) {
      if (unit.lane.input.sheds) continue;
      if (
        unit.lane.input.held / unit.lane.input.maxBuffers >
          binding.lane.input.held / binding.lane.input.maxBuffers
      ) {
        binding = unit;
      }
    }
    const { lane, sink } = binding;
    const { recordsPerSecond } = this.source;
    const isPaced = recordsPerSecond < Infinity;
    const { acceptedRecords, acceptedBytes } = this.partition;
    const { drain, burstDrain } = lane.delivery;
    const drains = (sink.gate.isThrottling ? burstDrain : drain).rate(now);
    // Who is let in at the rate of a controller comes no faster, however fast the lane drains.
    const enters = isPaced ? recordsPerSecond * acceptedBytes / Math.max(1, acceptedRecords) : Infinity;
    return {
      bytesPerSecond: Math.min(drains, enters),
      stalledMs: lane.input.held > 0 ? lane.delivery.drain.stalledMs(now) : 0,
      hintMs: Math.max(0, sink.gate.throttleUntilMs - now, isPaced ? this.source.waitMs() : 0),
    };
  }
}
