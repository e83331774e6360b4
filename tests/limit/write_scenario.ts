/**
 * A scenario for the controllers of writes in flight, read from data: a model of a sink, and batches that are written as
 * fast as a controller lets them, under a clock that only moves when it is moved. A refused batch is written again after
 * the pause of the lane's retries, its place rests for a first pause, and no more batches are under way than the lane has
 * credits for.
 *
 * The sink has `capacity` places in which a write takes `serviceMs`, then a queue; what comes beyond is refused at once,
 * or dropped and times out. With `scale` a write takes as much longer per write that is there already.
 *
 * @module
 */
import { z } from "zod";
import { backoffMs } from "../../src/lane/retry.ts";
import {
  createWriteController,
  WRITE_CONTROL_KINDS,
  type WriteControl,
} from "../../src/limit/controllers.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { seededRandom } from "../support/seeded_random.ts";

const range = z.tuple([z.number(), z.number()]);
const sinkShape = {
  /** Writes that it works on at a time; without end when not given. */
  capacity: z.int().min(0),
  serviceMs: z.number().positive(),
  /** Writes that wait for one of the places. */
  queue: z.int().min(0),
  /** What becomes of a write for which there is no room. */
  beyond: z.enum(["refuse", "drop"]),
  /** Time to refuse, ms. */
  refuseMs: z.number().positive(),
  /** Mean of what chance adds to `serviceMs`, as a part of it; exponential. */
  jitter: z.number().min(0),
  /** What each write that is there already adds to `serviceMs`, as a part of it. */
  scale: z.number().min(0),
};

const scenarioSchema = z.strictObject({
  story: z.string(),
  control: z.strictObject({ initial: z.int(), min: z.int(), max: z.int() }),
  /** The scenario ends when so many writes were answered; else with its last phase. */
  writes: z.int().optional(),
  timeoutMs: z.number().default(30_000),
  sink: z.strictObject(sinkShape).partial(),
  /** What the sink is otherwise, one after the other. */
  phases: z.array(z.strictObject({ forMs: z.number(), ...z.strictObject(sinkShape).partial().shape })),
  /** By kind of controller, ranges of what came of it. */
  expect: z.partialRecord(
    z.enum(WRITE_CONTROL_KINDS),
    z.partialRecord(
      z.enum(["maxInFlight", "meanInFlight", "share", "lastShare", "meanLatencyMs", "backAfterSeconds"]),
      range,
    ),
  ),
});

/** The scenario. */
export type WriteScenario = z.output<typeof scenarioSchema>;

/** Reads a scenario. Throws what is wrong with it. */
export function parseWriteScenario(text: string): WriteScenario {
  return scenarioSchema.parse(JSON.parse(text));
}

/** Every scenario of `write_scenarios/`, by file. */
export function writeScenarios(): Map<string, WriteScenario> {
  const folder = new URL("./write_scenarios/", import.meta.url);
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
  return new Map(
    names.map((name) => [name, parseWriteScenario(Deno.readTextFileSync(new URL(name, folder)))]),
  );
}

/** What came of a scenario. */
export interface Outcome {
  /** Most writes that the sink had at a time. */
  readonly maxInFlight: number;
  /** Writes that the sink had, over the time. */
  readonly meanInFlight: number;
  /** Writes answered. */
  readonly answered: number;
  /** Writes answered in the second half of the last phase. */
  readonly answeredLast: number;
  /** Writes refused, or dropped. */
  readonly refused: number;
  /** Writes answered by second of the last phase. */
  readonly bySecond: readonly number[];
  /** Mean time to an answer in the second half of the last phase, ms. */
  readonly meanLatencyMs: number;
}

/** Runs `scenario` with the controller `kind` and its bounds, or others. */
export function runWriteScenario(
  scenario: WriteScenario,
  kind: WriteControl["kind"],
  bounds: Omit<WriteControl, "kind"> = scenario.control,
): Outcome {
  return new Run(scenario, { ...bounds, kind }).run();
}

/** The fixed number of writes in flight, of those that `scenario` allows, with which most writes were answered, in all and at last. */
export function bestFixed(scenario: WriteScenario): { answered: number; answeredLast: number } {
  const { min, max } = scenario.control;
  const best = { answered: 0, answeredLast: 0 };
  for (let initial = min; initial <= max; initial++) {
    const { answered, answeredLast } = runWriteScenario(scenario, "static", { initial, min, max });
    best.answered = Math.max(best.answered, answered);
    best.answeredLast = Math.max(best.answeredLast, answeredLast);
  }
  return best;
}

/** How far `outcome` is from the best fixed number of writes in flight. */
export interface Comparison {
  /** Writes answered, as a part of the best. */
  readonly share: number;
  /** The same in the second half of the last phase. */
  readonly lastShare: number;
  /** Seconds of the last phase before the first five in a row in which at least 95 % of the best were answered. */
  readonly backAfterSeconds: number;
}

/** Compares `outcome` with the best for `scenario`, from {@linkcode bestFixed}. */
export function compare(
  scenario: WriteScenario,
  outcome: Outcome,
  best: { answered: number; answeredLast: number },
): Comparison {
  const bestPerSecond = best.answeredLast / (scenario.phases[scenario.phases.length - 1].forMs / 2000);
  const five = (from: number): number => outcome.bySecond.slice(from, from + 5).reduce((a, b) => a + b, 0);
  const back = outcome.bySecond.findIndex((_, second) => five(second) >= 0.95 * 5 * bestPerSecond);
  return {
    share: outcome.answered / best.answered,
    lastShare: outcome.answeredLast / best.answeredLast,
    backAfterSeconds: back < 0 ? Infinity : back,
  };
}

/** The lane's default. */
const RETRY = { initialMs: 100, maxMs: 10_000, maxAttempts: 0 };

type Sink = WriteScenario["sink"];

class Run {
  readonly #clock = new ManualClock();
  readonly #random = seededRandom(1);
  readonly #scenario: WriteScenario;
  readonly #controller;
  readonly #maxBatches: number;
  /** Batches that were never written. */
  #fresh: number;
  /** Batches that were written and not answered. */
  #begun = 0;
  /** Attempts of those that can be written again now. */
  readonly #ready: number[] = [];
  readonly #queue: (() => void)[] = [];
  #sink: Sink;
  #pumping = false;
  #inFlight = 0;
  /** Places of refused writes. */
  #resting = 0;
  #working = 0;
  #level = 0;
  #levelSinceMs = 0;
  #levelSum = 0;
  #lastPhaseMs = 0;
  #lastFromMs = 0;
  #latencySumMs = 0;
  readonly #bySecond: number[] = [];
  #outcome = { maxInFlight: 0, answered: 0, answeredLast: 0, refused: 0 };

  constructor(scenario: WriteScenario, control: WriteControl) {
    this.#scenario = scenario;
    this.#sink = scenario.sink;
    this.#controller = createWriteController(control);
    this.#maxBatches = control.max;
    this.#fresh = scenario.writes ?? Infinity;
  }

  run(): Outcome {
    const { phases, writes } = this.#scenario;
    const clock = this.#clock;
    const total = phases.reduce((sum, { forMs }) => sum + forMs, 0);
    this.#lastPhaseMs = total - phases[phases.length - 1].forMs;
    this.#lastFromMs = (this.#lastPhaseMs + total) / 2;
    for (const { forMs, ...sink } of phases) {
      this.#sink = { ...this.#scenario.sink, ...sink };
      const untilMs = clock.nowMs() + forMs;
      this.#workOff();
      this.#pumpSoon();
      while (clock.nextDueMs <= untilMs && !(this.#outcome.answered >= (writes ?? Infinity))) {
        clock.advance(clock.nextDueMs - clock.nowMs());
      }
      if (writes === undefined) clock.advance(untilMs - clock.nowMs());
    }
    if (writes !== undefined && this.#outcome.answered < writes) {
      throw new Error(`not answered in ${total} ms`);
    }
    this.#changeLevel(0);
    return {
      ...this.#outcome,
      bySecond: Array.from(this.#bySecond, (count) => count ?? 0),
      meanInFlight: this.#levelSum / clock.nowMs(),
      meanLatencyMs: this.#latencySumMs / this.#outcome.answeredLast,
    };
  }

  /** Behind what else happens at this time: writes that end together are all heard before the next begin. */
  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#clock.setTimer(() => {
      this.#pumping = false;
      this.#pump();
    }, 0);
  }

  #pump(): void {
    while (this.#inFlight + this.#resting < this.#controller.limit) {
      const again = this.#ready.pop();
      if (again === undefined) {
        if (this.#fresh === 0 || this.#begun === this.#maxBatches) return;
        this.#fresh--;
        this.#begun++;
      }
      this.#write(again ?? 1);
    }
  }

  #write(attempt: number): void {
    const startMs = this.#clock.nowMs();
    this.#inFlight++;
    const { capacity = Infinity, queue = Infinity, beyond = "refuse", refuseMs = 1 } = this.#sink;
    if (this.#working < capacity) {
      this.#work(() => this.#ended(startMs, attempt, false));
    } else if (this.#queue.length < queue) {
      this.#changeLevel(1);
      this.#queue.push(() => {
        this.#changeLevel(-1);
        this.#work(() => this.#ended(startMs, attempt, false));
      });
    } else {
      const endsAfterMs = beyond === "drop" ? this.#scenario.timeoutMs : refuseMs;
      this.#clock.setTimer(() => this.#ended(startMs, attempt, true), endsAfterMs);
    }
  }

  #work(done: () => void): void {
    this.#working++;
    this.#changeLevel(1);
    const { serviceMs = 100, jitter = 0, scale = 0 } = this.#sink;
    const chance = jitter === 0 ? 0 : -Math.log(1 - this.#random()) * jitter;
    this.#clock.setTimer(() => {
      this.#working--;
      this.#changeLevel(-1);
      this.#workOff();
      done();
    }, serviceMs * (1 + chance + scale * (this.#level - 1)));
  }

  #workOff(): void {
    const { capacity = Infinity } = this.#sink;
    while (this.#working < capacity && this.#queue.length > 0) this.#queue.shift()!();
  }

  #ended(startMs: number, attempt: number, refused: boolean): void {
    const endMs = this.#clock.nowMs();
    this.#controller.update({ endMs, latencyMs: endMs - startMs, inFlight: this.#inFlight--, refused });
    if (refused) {
      this.#outcome.refused++;
      this.#resting++;
      this.#clock.setTimer(() => {
        this.#resting--;
        this.#pumpSoon();
      }, backoffMs(RETRY, 1, this.#random));
      this.#clock.setTimer(() => {
        this.#ready.push(attempt + 1);
        this.#pumpSoon();
      }, backoffMs(RETRY, attempt, this.#random));
    } else {
      this.#begun--;
      this.#outcome.answered++;
      if (endMs > this.#lastPhaseMs) {
        const second = Math.floor((endMs - this.#lastPhaseMs) / 1000);
        this.#bySecond[second] = (this.#bySecond[second] ?? 0) + 1;
      }
      if (endMs > this.#lastFromMs) {
        this.#outcome.answeredLast++;
        this.#latencySumMs += endMs - startMs;
      }
    }
    this.#pumpSoon();
  }

  #changeLevel(by: number): void {
    const nowMs = this.#clock.nowMs();
    this.#levelSum += this.#level * (nowMs - this.#levelSinceMs);
    this.#levelSinceMs = nowMs;
    this.#level += by;
    this.#outcome.maxInFlight = Math.max(this.#outcome.maxInFlight, this.#level);
  }
}
