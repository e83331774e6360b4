/**
 * The operator of a simulation: pauses sinks, changes limits, and opens and closes pools that are none of the streams'.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { LocalBufferPool } from "../../src/buffer/local_buffer_pool.ts";
import type { Segment } from "../../src/buffer/segment.ts";
import { InsufficientSegmentsError } from "../../src/core/errors.ts";
import type { Gateway } from "../../src/gateway.ts";
import type { Chance } from "./chance.ts";
import type { ScriptedSink } from "./scripted_sink.ts";
import type { SimClock } from "./sim_clock.ts";
import { LAST_SINK, makeLimit } from "./sim_config.ts";
import type { Tally } from "./tally.ts";

/** What an operator works with. */
export interface OperatorParts {
  readonly gateway: Gateway;
  readonly clock: SimClock;
  readonly chance: Chance;
  readonly sinks: ReadonlyMap<string, ScriptedSink>;
  readonly tally: Tally;
}

/** Who presses buttons while the gateway runs. */
export class Operator {
  readonly #parts: OperatorParts;
  readonly #strangers: { readonly pool: LocalBufferPool; readonly segments: Segment[] }[] = [];
  #acts = true;

  /** Does nothing yet. */
  constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  /** Acts every now and then. */
  start(): void {
    const { clock, chance, sinks } = this.#parts;
    const names = [...sinks.keys()];
    const next = (): void => {
      if (!this.#acts) return;
      const name = chance.pick(names);
      const what = chance.next();
      if (what < 0.25) this.#pause(name);
      else if (what < 0.5 && name !== LAST_SINK) this.#changeLimit(name);
      else if (what < 0.9) this.#openStranger();
      else this.#closeStrangers();
      clock.setTimer(next, chance.between(20, 300));
    };
    clock.setTimer(next, chance.between(0, 300));
  }

  /** Acts no more, and closes what it opened. */
  stop(): void {
    this.#acts = false;
    this.#closeStrangers();
  }

  #pause(name: string): void {
    const { gateway: { view: { control } }, clock, chance, tally } = this.#parts;
    tally.add("sink pauses");
    control.pauseSink(name);
    clock.setTimer(() => control.resumeSink(name), chance.between(1, 400));
  }

  #changeLimit(name: string): void {
    const { gateway, chance, sinks, tally } = this.#parts;
    tally.add("limit changes");
    const none = { recordsPerSecond: null, bytesPerSecond: null, burstRecords: null, burstBytes: null };
    const limit = chance.happens(0.3) ? null : { ...none, ...makeLimit(chance) };
    sinks.get(name)!.limitChanged(limit);
    gateway.view.control.setLimit(name, limit);
  }

  /** A pool that is none of the streams': all sizes change, and it takes segments for a while. */
  #openStranger(): void {
    const { gateway: { network }, chance, tally } = this.#parts;
    try {
      const pool = network.createLocalPool({
        name: "stranger",
        minSegments: chance.whole(1, 4),
        maxSegments: 12,
      });
      tally.add("pools opened");
      const segments: Segment[] = [];
      for (let k = chance.whole(0, 6); k > 0; k--) {
        const segment = pool.tryRequest(false);
        if (segment !== null) segments.push(segment);
      }
      this.#strangers.push({ pool, segments });
    } catch (error) {
      assert(error instanceof InsufficientSegmentsError, String(error));
    }
  }

  #closeStrangers(): void {
    for (const { pool, segments } of this.#strangers.splice(0)) {
      for (const segment of segments) segment.release();
      pool.lazyDestroy();
    }
  }
}
