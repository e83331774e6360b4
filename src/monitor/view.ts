/**
 * What the gateway shows to whoever looks: plain data, copied when asked for. Metrics, the admin API and the
 * bottleneck search read these and nothing else, so looking never reaches into a stage, and each of them can be
 * tested on a page of literals.
 *
 * Counters only rise while their stream or sink exists. Times ending in `AtMs` are milliseconds since 1970
 * (`Clock.wallMs`); null means that there is none.
 *
 * @module
 */
import type { HistogramSnapshot } from "./histogram.ts";
import type { TimeSplit } from "./task_time.ts";

/** Where the gateway stands in its life. */
export type GatewayState = "starting" | "running" | "draining" | "stopped";

/** `opening`: not yet connected since the start or since it was lost; `down`: no success for `downAfterMs` while trying. */
export type SinkState = "opening" | "up" | "down" | "paused";

/** The running gateway, for whoever looks. */
export interface GatewayView {
  /** Where it stands. */
  state(): GatewayState;
  /** All numbers, taken in one turn of the event loop, so that they fit each other. */
  snapshot(): GatewaySnapshot;
  /** What an operator may change. */
  readonly control: GatewayControl;
}

/** What an operator may change while the gateway runs. Names are those of sinks in the snapshot. */
export interface GatewayControl {
  /**
   * Replaces the static limit of a sink; null takes it away. It holds for all that starts later.
   * Throws `ConfigError` for a limit that the sink's lanes cannot live with.
   */
  setLimit(sink: string, limit: RateLimit | null): void;
  /** Stops the sink's lanes; the pressure goes upstream. A paused sink stays so. */
  pauseSink(sink: string): void;
  /** Restarts the lanes of a paused sink; others are left alone. */
  resumeSink(sink: string): void;
}

/** A static limit or quota; null where a unit is not limited. */
export interface RateLimit {
  /** Records per second. */
  readonly recordsPerSecond: number | null;
  /** Bytes per second. */
  readonly bytesPerSecond: number | null;
  /** Records that may pass at once; null: one second's worth. */
  readonly burstRecords: number | null;
  /** Bytes that may pass at once; null: one second's worth. */
  readonly burstBytes: number | null;
}

/** Tokens left in a bucket, fractions included; null where the unit is not limited. */
export interface TokenLevels {
  /** Records that may pass now. */
  readonly records: number | null;
  /** Bytes that may pass now. */
  readonly bytes: number | null;
}

/** The gateway at one moment. Names of streams and of sinks are each unique. */
export interface GatewaySnapshot {
  /** `gateway.id`. */
  readonly id: string;
  /** Version of Weir. */
  readonly version: string;
  /** When this was taken. */
  readonly takenAtMs: number;
  /** When the gateway started. */
  readonly startedAtMs: number;
  /** The network buffer pool. */
  readonly pool: PoolSnapshot;
  /** In the order of the config. */
  readonly streams: readonly StreamSnapshot[];
  /** One per stream, sink and writer. */
  readonly lanes: readonly LaneSnapshot[];
  /** In the order of the config, dead-letter sinks included. */
  readonly sinks: readonly SinkSnapshot[];
  /** One row per stream and sink. */
  readonly ledger: readonly LedgerRow[];
  /** What works in the gateway, upstream before downstream. */
  readonly tasks: readonly TaskSnapshot[];
  /** What a reload took out and has not ended. */
  readonly draining: readonly DrainingSnapshot[];
  /** Where records are fetched, in the order of the config. */
  readonly sources: readonly KafkaSourceSnapshot[];
}

/** `joining`: not in the group yet; `degraded`: some topics are not there, or cannot be read; `down`: brokers do not answer, or refuse. */
export type SourceState = "joining" | "up" | "degraded" | "down" | "stopped";

/** A source. */
export interface KafkaSourceSnapshot {
  /** Name in the config. */
  readonly name: string;
  /** The stream that its records enter. */
  readonly stream: string;
  /** Where it stands. */
  readonly state: SourceState;
  /** Why it is not up; null when it is. */
  readonly reason: string | null;
  /** Records that entered the stream. */
  readonly takenRecords: number;
  /** Records that the stream did not take: they go to a dead letter. */
  readonly refusedRecords: number;
  /** Times that a partition went on at its first record, as the broker did not have the next one. */
  readonly offsetResets: number;
  /** Bytes that were fetched and have not entered the stream. */
  readonly heldBytes: number;
  /** Those that the group has given this gateway. */
  readonly partitions: readonly SourcePartitionSnapshot[];
}

/** A partition that is read. */
export interface SourcePartitionSnapshot {
  /** Its topic. */
  readonly topic: string;
  /** Its number. */
  readonly partition: number;
  /** Offset of the next record to fetch. */
  readonly position: number;
  /** Offset up to which the group knows all as delivered; null before the first. */
  readonly committed: number | null;
  /** Records behind the committed offset, as of the last fetch that brought some; null before it. */
  readonly lag: number | null;
  /** Whether it is not fetched for want of room, quota or outcomes. */
  readonly paused: boolean;
}

/** A stream or sink that a reload took out, or put another in the place of, while it still has something to do. */
export interface DrainingSnapshot {
  /** `stream/NAME` or `sink/NAME`. */
  readonly part: string;
  /** Whether the name is gone from the config, or is another's now. */
  readonly why: "removed" | "changed";
  /** When it was taken out. */
  readonly sinceAtMs: number;
  /** When a stream reads no more, and when what a removed sink has not taken is given up. */
  readonly untilAtMs: number;
  /** Records that are not settled. */
  readonly records: number;
}

/** The network buffer pool, in segments: free + lent = total. */
export interface PoolSnapshot {
  /** Bytes of one segment. */
  readonly segmentBytes: number;
  /** All segments. */
  readonly total: number;
  /** Segments that nobody holds. */
  readonly free: number;
  /** Segments that the streams' pools hold, idle ones included. */
  readonly lent: number;
  /** Sum of what is guaranteed. */
  readonly required: number;
}

/** A stream's pool, in segments. */
export interface StreamPoolSnapshot {
  /** Guaranteed share. */
  readonly min: number;
  /** Most that it may ever have. */
  readonly max: number;
  /** What it may have now, `min` to `max`. */
  readonly size: number;
  /** Segments in use: open, queued, or in a lane until they are settled. */
  readonly lent: number;
  /** Segments that it holds and that nobody uses. */
  readonly idle: number;
  /** Segments in use beyond `size`, for the record in hand. */
  readonly overdraft: number;
  /** Whether the next segment can be had at once. */
  readonly available: boolean;
}

/** A stream. */
export interface StreamSnapshot {
  /** Name in the config. */
  readonly name: string;
  /** What an ack promises. */
  readonly ack: "memory" | "disk" | "delivered";
  /** Sinks that every record goes to. */
  readonly sinks: readonly string[];
  /** Those of `sinks` that an ack does not wait for. */
  readonly bestEffort: readonly string[];
  /** Its segments. */
  readonly pool: StreamPoolSnapshot;
  /** Records taken, dead-lettered ones included. */
  readonly acceptedRecords: number;
  /** Value bytes of the records taken. */
  readonly acceptedBytes: number;
  /** Records refused by validation or as too large. */
  readonly rejectedRecords: number;
  /** Answers by HTTP status, as `{"200": 17}`. */
  readonly requests: Readonly<Record<string, number>>;
  /** Request bodies that are being read. */
  readonly openBodies: number;
  /** Requests that wait for a segment. */
  readonly waiters: number;
  /** WebSockets that are open. */
  readonly sockets: number;
  /** Those among them that are not read now. */
  readonly pausedSockets: number;
  /** Tokens of the ingress quota; null without one. */
  readonly quotaTokens: TokenLevels | null;
  /** Records taken per second, lately. */
  readonly recordsPerSecond: number;
  /** Bytes taken per second, lately. */
  readonly bytesPerSecond: number;
}

/** A lane: the path of one stream to one writer of one sink. */
export interface LaneSnapshot {
  /** The stream. */
  readonly stream: string;
  /** The sink. */
  readonly sink: string;
  /** 0 to the sink's `parallelism - 1`. */
  readonly writer: number;
  /** Buffers that may still be handed over: credit granted and not used. */
  readonly credits: number;
  /** Most credits that it may have, exclusive and floating. */
  readonly maxCredits: number;
  /** Finished buffers that wait for credit, in the partition's queue. */
  readonly backlogBuffers: number;
  /** Buffers handed over and not settled. */
  readonly heldBuffers: number;
  /** Records handed over and not settled. */
  readonly unsettledRecords: number;
  /** Batches that are being written. */
  readonly inFlightBatches: number;
  /** Records that wait for, or are in, another attempt. */
  readonly retryingRecords: number;
  /** When the oldest record that is not settled was accepted; null when all are. */
  readonly oldestRecordAtMs: number | null;
  /** Records settled per second, lately. */
  readonly recordsPerSecond: number;
  /** Accepted to stored, per record. All lanes share their bounds. */
  readonly deliverySeconds: HistogramSnapshot;
}

/** A sink, over all streams and writers. */
export interface SinkSnapshot {
  /** Name in the config. */
  readonly name: string;
  /** Kind of sink, or the path of its module. */
  readonly type: string;
  /** Whether it takes records. */
  readonly state: SinkState;
  /** Why it is `down`, `opening` or `paused`, in words; null when it is `up`. */
  readonly reason: string | null;
  /** When `state` began. */
  readonly stateSinceAtMs: number;
  /** `parallelism`. */
  readonly writers: number;
  /** Kind of its controller. */
  readonly controller: string;
  /** Batches that are being written. */
  readonly inFlightBatches: number;
  /** Batches that may be written at a time; null where no controller bounds them. */
  readonly inFlightLimit: number | null;
  /** What the controller lets the sink's streams bring; null where it does not bound the source. */
  readonly source: SourceSnapshot | null;
  /** The static limit; null without one. */
  readonly limit: RateLimit | null;
  /** Tokens of the static limit; null without one. */
  readonly tokens: TokenLevels | null;
  /** Until when the sink asked for no more writes; null when that is over. */
  readonly throttledUntilAtMs: number | null;
  /** Writes that the sink refused for load, or did not answer: what controllers lower their limit for. */
  readonly refusedWrites: number;
  /** Seconds in which no write was started as the sink had asked for a pause. */
  readonly throttleSecondsTotal: number;
  /** Last write that stored something; null before the first. */
  readonly lastSuccessAtMs: number | null;
  /** Records stored. */
  readonly deliveredRecords: number;
  /** Records that went to the dead letter. */
  readonly deadLetteredRecords: number;
  /** Records shed at admission. */
  readonly shedRecords: number;
  /** Records given up as a reload took the sink out and it did not take them in time. */
  readonly lostRecords: number;
  /** Records that the sink refused for good. */
  readonly rejectedRecords: number;
  /** Attempts beyond the first, counted per record. */
  readonly retriedRecords: number;
  /** Records by the status that the sink answered for them at each attempt, as `{"201": 17}`; empty where it has none. */
  readonly answeredRecords: Readonly<Record<string, number>>;
  /** Records stored per second, lately. */
  readonly recordsPerSecond: number;
  /** Bytes stored per second, lately. */
  readonly bytesPerSecond: number;
  /** Start of a write to its answer, per batch. All sinks share their bounds. */
  readonly writeSeconds: HistogramSnapshot;
}

/** A controller that bounds what streams bring to a sink. */
export interface SourceSnapshot {
  /** Streams that may bring nothing now. */
  readonly closedStreams: readonly string[];
  /** Records per second that all streams together may bring; null without such a limit, and before the first estimate. */
  readonly recordsPerSecond: number | null;
}

/** What became of a stream's records at one sink: accepted = delivered + deadLettered + shed + lost + spooled + inFlight. */
export interface LedgerRow {
  /** The stream. */
  readonly stream: string;
  /** The sink. */
  readonly sink: string;
  /** Records taken for this sink. */
  readonly accepted: number;
  /** Records stored. */
  readonly delivered: number;
  /** Records in the dead letter. */
  readonly deadLettered: number;
  /** Records shed at admission. */
  readonly shed: number;
  /** Records given up as a reload took the sink out and it did not take them in time. */
  readonly lost: number;
  /** Records on disk only. */
  readonly spooled: number;
  /** Records in memory, not settled. */
  readonly inFlight: number;
}

/** What works: the ingress of a stream, or a lane. */
export interface TaskSnapshot {
  /** Unique name: `ingress/STREAM` or `lane/STREAM/SINK/WRITER`. */
  readonly task: string;
  /** The stream that it works for. */
  readonly stream: string;
  /** The sink that it writes to; null for an ingress. */
  readonly sink: string | null;
  /** Which writer of the sink; null for an ingress. */
  readonly writer: number | null;
  /** Names of the tasks that take what this one gives. */
  readonly downstream: readonly string[];
  /** Milliseconds since its start. */
  readonly totals: TimeSplit;
  /** Milliseconds per second over the last minute: they add up to 1000. */
  readonly perSecond: TimeSplit;
}
