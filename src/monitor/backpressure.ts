/**
 * Who is back-pressured, and by whom. A back-pressured task is a symptom: the cause stands downstream of it, at the
 * first task that is not back-pressured itself and has its hands full (Flink's rule). The search walks there and says
 * in a sentence what it found. Pure: a snapshot goes in, a report comes out.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import { type BottleneckCause, explainIngress, explainLane } from "./bottleneck_cause.ts";
import type { GatewaySnapshot, LaneSnapshot, SinkSnapshot, TaskSnapshot } from "./view.ts";

/** How back-pressured a task is: `ok` ≤ 0.10 < `low` ≤ 0.50 < `high` of its time. */
export type BackPressureLevel = "ok" | "low" | "high";

/** How a task spent the last minute, in whole milliseconds per second: the three add up to 1000. */
export interface TaskPressure {
  /** Name of the task. */
  readonly task: string;
  /** Nothing to do. */
  readonly idle: number;
  /** Working, or waiting for a sink or for tokens. */
  readonly busy: number;
  /** Waiting for credit or buffers. */
  readonly backPressured: number;
  /** Level of `backPressured`. */
  readonly level: BackPressureLevel;
}

/** A task that holds others up. */
export interface Bottleneck {
  /** Name of the task. */
  readonly task: string;
  /** What holds it, for programs. */
  readonly cause: BottleneckCause;
  /** The same for people. */
  readonly sentence: string;
}

/** The answer of `GET /api/v1/backpressure`. */
export interface BackPressureReport {
  /** Every task, upstream before downstream. */
  readonly tasks: readonly TaskPressure[];
  /** Each task at most once; empty when no task is at `high`. */
  readonly bottlenecks: readonly Bottleneck[];
}

/** Level of a task that is back-pressured for `msPerSecond` of each second. */
export function backPressureLevel(msPerSecond: number): BackPressureLevel {
  return msPerSecond <= 100 ? "ok" : msPerSecond <= 500 ? "low" : "high";
}

/** The levels of all tasks, and what stands behind those at `high`. */
export function reportBackPressure(snapshot: GatewaySnapshot): BackPressureReport {
  const tasks = snapshot.tasks.map(({ task, perSecond }) => ({
    task,
    idle: perSecond.idleMs,
    busy: perSecond.busyMs,
    backPressured: perSecond.backPressuredMs,
    level: backPressureLevel(perSecond.backPressuredMs),
  }));
  return { tasks, bottlenecks: findBottlenecks(snapshot) };
}

function findBottlenecks(snapshot: GatewaySnapshot): Bottleneck[] {
  const byName = new Map(snapshot.tasks.map((task) => [task.task, task]));
  const found = new Map<string, Bottleneck>();
  for (const task of snapshot.tasks) {
    if (!isHigh(task)) continue;
    const downstream = task.downstream.map((name) => {
      const next = byName.get(name);
      assert(next !== undefined, `task ${task.task} names only tasks of the snapshot as downstream`);
      return next;
    });
    // A downstream task at `high` gets its own turn and passes the search on.
    const holders = fullHands(snapshot, downstream.filter((next) => !isHigh(next)));
    if (holders.length === 0 && !downstream.some(isHigh)) holders.push(task);
    for (const holder of holders) {
      if (!found.has(holder.task)) {
        found.set(holder.task, { task: holder.task, ...explain(snapshot, holder) });
      }
    }
  }
  return [...found.values()];
}

/** Those that are busy most of their time or cannot work at all; failing that, the busiest that holds data. */
function fullHands(snapshot: GatewaySnapshot, tasks: readonly TaskSnapshot[]): TaskSnapshot[] {
  const full = tasks.filter((task) => task.perSecond.busyMs > 500 || isStuck(snapshot, task));
  if (full.length > 0) return full;
  const waitedFor = tasks.filter((task) =>
    task.perSecond.busyMs > 100 && queuedBuffers(laneOf(snapshot, task)) > 0
  );
  return waitedFor.sort((a, b) => b.perSecond.busyMs - a.perSecond.busyMs).slice(0, 1);
}

function explain(snapshot: GatewaySnapshot, task: TaskSnapshot): Omit<Bottleneck, "task"> {
  const lane = laneOf(snapshot, task);
  const sink = sinkOf(snapshot, task);
  return lane && sink ? explainLane(snapshot, task, lane, sink) : explainIngress(snapshot, task);
}

function isHigh(task: TaskSnapshot): boolean {
  return backPressureLevel(task.perSecond.backPressuredMs) === "high";
}

/** A lane whose sink takes nothing may count as idle, and yet everything waits for it. */
function isStuck(snapshot: GatewaySnapshot, task: TaskSnapshot): boolean {
  const sink = sinkOf(snapshot, task);
  return sink !== undefined && sink.state !== "up" && queuedBuffers(laneOf(snapshot, task)) > 0;
}

function queuedBuffers(lane: LaneSnapshot | undefined): number {
  return lane ? lane.backlogBuffers + lane.heldBuffers : 0;
}

function laneOf(snapshot: GatewaySnapshot, task: TaskSnapshot): LaneSnapshot | undefined {
  return snapshot.lanes.find(({ stream, sink, writer }) =>
    stream === task.stream && sink === task.sink && writer === task.writer
  );
}

function sinkOf(snapshot: GatewaySnapshot, task: TaskSnapshot): SinkSnapshot | undefined {
  return snapshot.sinks.find((sink) => sink.name === task.sink);
}
