/** How badly a sink may behave: slow, flapping, standing still, failing, lying. @module */

/** How a sink behaves: chances from 0 to 1, times in ms. */
export interface Mode {
  readonly name: string;
  /** A write is answered within its call. */
  readonly atOnce: number;
  readonly delayMs: readonly [number, number];
  /** A record is refused for now. */
  readonly refuses: number;
  /** The whole write is refused for now. */
  readonly refusesAll: number;
  /** A record is rejected for ever, whenever it comes. */
  readonly rejects: number;
  /** `write` throws, or its promise is rejected, after storing some. */
  readonly fails: number;
  /** The answer has a wrong number of outcomes, or unknown ones. */
  readonly lies: number;
  readonly throttles: number;
  readonly saturates: number;
  /** The write is answered when the sink is healed, or aborted. */
  readonly stalls: number;
}

/** Answers soon, and stores everything. */
export const WELL: Mode = {
  name: "well",
  atOnce: 0.5,
  delayMs: [0.1, 3],
  refuses: 0,
  refusesAll: 0,
  rejects: 0,
  fails: 0,
  lies: 0,
  throttles: 0,
  saturates: 0,
  stalls: 0,
};

/** Answers nothing. */
export const STANDING_STILL: Mode = { ...WELL, name: "standing still", atOnce: 0, stalls: 1 };

/** What a sink may be like. */
export const MODES: readonly Mode[] = [
  WELL,
  { ...WELL, name: "slow", atOnce: 0, delayMs: [20, 200] },
  { ...WELL, name: "flapping", refusesAll: 0.5, saturates: 0.5, delayMs: [1, 20] },
  STANDING_STILL,
  { ...WELL, name: "failing", fails: 0.6, atOnce: 0.2 },
  { ...WELL, name: "partial", refuses: 0.3, rejects: 0.05, throttles: 0.2 },
  { ...WELL, name: "refusing", rejects: 0.4, delayMs: [1, 10] },
  { ...WELL, name: "lying", lies: 0.4, fails: 0.1 },
  { ...WELL, name: "throttling", throttles: 0.7, delayMs: [1, 30] },
];
