/**
 * A scenario for a controller of the source, read from data: a source that brings so much, a sink that takes so long,
 * and between them a whole gateway under a clock that only moves when it is moved. What came of it is told by the second.
 *
 * @module
 */
import { allAcked } from "../../src/sink/adapter.ts";
import { lines, Stage } from "../scenarios/stage.ts";

/** For `forMs` something is so. */
interface Phase {
  readonly forMs: number;
}

/** What a write takes: `batchMs`, and `recordMs` for each record; one that is stalled begins when the phase ends. */
export interface SinkPhase extends Phase {
  readonly batchMs?: number;
  readonly recordMs?: number;
  readonly stalled?: boolean;
}

/** What each stream brings, in requests of `requestRecords` records. */
export interface SourcePhase extends Phase {
  readonly recordsPerSecond: number;
}

/** A range that something must stay in between two times; a bound that is not given does not bind. */
export interface Expectation {
  readonly fromMs: number;
  readonly toMs: number;
  /** Records delivered, per second of the window. */
  readonly deliveredPerSecond?: readonly [number, number];
  /** Records that entered, per second of the window. */
  readonly enteredPerSecond?: readonly [number, number];
  /** The rate that `pid` has set, at any moment of the window. */
  readonly rate?: readonly [number, number];
  /** How full the lane's queue was, at any moment of the window. */
  readonly queueLevel?: readonly [number, number];
  /** The lowest of these. */
  readonly lowestLevel?: readonly [number, number];
  /** How often the source was seen shut after it was open. */
  readonly closings?: readonly [number, number];
  /** Requests that were refused. */
  readonly refusals?: readonly [number, number];
}

/** The scenario. */
export interface Scenario {
  readonly story: string;
  readonly control: Readonly<Record<string, unknown>>;
  readonly limit?: Readonly<Record<string, number>>;
  readonly writesInFlight: number;
  readonly requestRecords: number;
  /** How long a request waits to be let in before it is refused, for good; 1,000 when not given. */
  readonly patienceMs?: number;
  readonly sink: readonly SinkPhase[];
  readonly source: readonly SourcePhase[];
  readonly expect: readonly Expectation[];
}

/** What was so at one moment, and counts up to it. */
export interface Reading {
  readonly atMs: number;
  readonly delivered: number;
  readonly entered: number;
  readonly refusals: number;
  readonly closings: number;
  readonly rate: number | null;
  readonly queueLevel: number;
}

/** Time between two readings, and between two looks of the source, ms. */
const STEP_MS = 10;

/** Runs it to the end of its sink's phases. The last reading is of after the drain, when all that entered is out. */
export async function runScenario(scenario: Scenario): Promise<Reading[]> {
  await using stage = await Stage.open({
    buffers: { segmentBytes: 4096, segments: 2000 },
    streams: {
      s: {
        sinks: ["out"],
        ack: "memory",
        validate: "none",
        maxRecordBytes: 1000,
        maxBodyBytes: 100_000,
        maxWaitMs: scenario.patienceMs ?? 1000,
        maxWaiters: 1_000_000,
      },
    },
    sinks: {
      out: {
        type: "stage",
        writesInFlight: scenario.writesInFlight,
        order: "none",
        control: scenario.control,
        ...(scenario.limit ? { limit: scenario.limit } : {}),
      },
    },
  });
  const { clock, gateway } = stage;
  const beganMs = clock.nowMs();
  stage.behave("out", async (batch) => {
    let phase = phaseAt(scenario.sink, clock.nowMs() - beganMs);
    while (phase.stalled) {
      await stage.after(beganMs + phase.endMs - clock.nowMs(), () => {});
      phase = phaseAt(scenario.sink, clock.nowMs() - beganMs);
    }
    const tookMs = (phase.batchMs ?? 0) + (phase.recordMs ?? 0) * batch.count;
    return await stage.after(tookMs, () => allAcked(batch));
  });
  let refusals = 0;
  let closings = 0;
  let wasOpen = true;
  stage.onReply = ({ status }) => refusals += Number(status === 429);
  const body = lines(scenario.requestRecords, 100);
  const unit = gateway.streams.get("s")!;
  const [{ lane, plan }] = unit.lanes;
  const readings: Reading[] = [];
  let owed = 0;
  const read = () => {
    const isOpen = unit.source.waitMs() === 0;
    if (wasOpen && !isOpen) closings++;
    wasOpen = isOpen;
    readings.push({
      atMs: clock.nowMs() - beganMs,
      delivered: stage.stored.get("out")?.length ?? 0,
      entered: unit.partition.acceptedRecords,
      refusals,
      closings,
      rate: gateway.sinks.get("out")!.source?.recordsPerSecond ?? null,
      queueLevel: lane.input.queue.backlog / (plan.maxBuffers - plan.credits),
    });
  };
  const endMs = scenario.sink.reduce((sum, { forMs }) => sum + forMs, 0);
  for (let now = 0; now < endMs; now += STEP_MS) {
    owed += phaseAt(scenario.source, now).recordsPerSecond * STEP_MS / 1000;
    for (; owed >= scenario.requestRecords; owed -= scenario.requestRecords) stage.post("s", body);
    await stage.run(STEP_MS);
    read();
  }
  for (let k = 0; k < 6000 && lane.input.unsettledRecords > 0; k++) await stage.run(STEP_MS);
  read();
  return readings;
}

function phaseAt<P extends Phase>(phases: readonly P[], atMs: number): P & { readonly endMs: number } {
  let endMs = 0;
  for (const phase of phases) {
    endMs += phase.forMs;
    if (atMs < endMs) return { ...phase, endMs };
  }
  return { ...phases[phases.length - 1], endMs };
}
