/**
 * The control `pid`: the streams of a sink may together bring what the sink has just shown that it can take, shared by
 * their weights.
 *
 * A stream that wants less than its share leaves the rest to the others. What a stream owes of the rate is never more
 * than what it has under way: a sink that has nothing to do is owed nothing, so the rate can be far too low for a moment,
 * as after a stall, and still starve nobody.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { PidController } from "../limit/pid_controller.ts";
import { RateLimiter } from "../limit/rate_limiter.ts";
import { weightedShares } from "../limit/weighted_shares.ts";
import { SAMPLE_MS, WriteMeter, type WriteObserver } from "../limit/write_meter.ts";
import type { Feed, FeedControl, SourceControl } from "./source_control.ts";

/** A stream that did not ask for that long has no share, ms. */
const FORGET_MS = 10 * SAMPLE_MS;

/** The controller of one sink. Its gate tells it of every write. */
export class PidAdmission implements SourceControl, WriteObserver {
  readonly #clock: Clock;
  readonly #minRate: number;
  readonly #controller: PidController;
  readonly #meter: WriteMeter;
  readonly #members: Set<Member> = new Set();
  #rate: number | null = null;
  #dividedAtMs: number;

  /** Lets everything in until two samples have been seen. At most `slots` writes are under way at a time. */
  constructor(options: { clock: Clock; minRecordsPerSecond: number; slots: number }) {
    const { clock, minRecordsPerSecond, slots } = options;
    this.#clock = clock;
    this.#minRate = minRecordsPerSecond;
    this.#controller = new PidController({ batchMs: SAMPLE_MS, minRate: minRecordsPerSecond });
    this.#dividedAtMs = clock.nowMs();
    this.#meter = new WriteMeter(slots, this.#dividedAtMs);
  }

  get recordsPerSecond(): number | null {
    return this.#rate;
  }

  join(): FeedControl {
    return new Member((member) => this.#firstShare(member));
  }

  started(delayMs: number): void {
    this.#meter.started(delayMs);
  }

  ended(records: number, tookMs: number, fill: number): void {
    this.#meter.ended(records, tookMs, fill);
    const nowMs = this.#clock.nowMs();
    const sample = this.#meter.sample(this.#controller.rate, nowMs);
    if (sample === null) return;
    this.#rate = this.#controller.sample(sample) ?? this.#rate;
    this.#divide(nowMs);
  }

  #divide(nowMs: number): void {
    const seconds = (nowMs - this.#dividedAtMs) / 1000;
    this.#dividedAtMs = nowMs;
    for (const member of this.#members) {
      if (nowMs - member.askedAtMs > FORGET_MS) this.#members.delete(member);
    }
    const members = [...this.#members];
    const claims = members.map((member) => ({ weight: member.weight, demand: member.takeDemand(seconds) }));
    if (this.#rate === null) return;
    const weights = claims.reduce((sum, { weight }) => sum + weight, 0);
    weightedShares(this.#rate, claims).forEach((share, k) => {
      members[k].setRate(Math.max(share, this.#minRate * claims[k].weight / weights), nowMs);
    });
  }

  /** Who comes between two divisions begins with its part by weight. */
  #firstShare(member: Member): number | null {
    this.#members.add(member);
    let weights = 0;
    for (const { weight } of this.#members) weights += weight;
    return this.#rate === null ? null : this.#rate * member.weight / weights;
  }
}

/** A stream's part. */
class Member implements FeedControl {
  weight = 1;
  askedAtMs = 0;
  readonly #enter: (member: Member) => number | null;
  #limiter: RateLimiter | null = null;
  #enteredRecords = 0;
  #heldBack = false;
  #isMember = false;

  constructor(enter: (member: Member) => number | null) {
    this.#enter = enter;
  }

  get recordsPerSecond(): number | null {
    return this.#limiter?.perSecond ?? null;
  }

  waitMs(feed: Feed, nowMs: number): number {
    this.weight = feed.weight;
    if (!this.#isMember || nowMs - this.askedAtMs > FORGET_MS) {
      this.#isMember = true;
      const rate = this.#enter(this);
      if (rate !== null) this.setRate(rate, nowMs);
    }
    this.askedAtMs = nowMs;
    this.#enteredRecords += feed.enteredRecords;
    const limiter = this.#limiter;
    if (limiter === null) return 0;
    limiter.take(feed.enteredRecords, nowMs);
    limiter.oweAtMost(feed.unsettledRecords, nowMs);
    const waitMs = limiter.waitMs(nowMs);
    if (waitMs > 0) this.#heldBack = true;
    return waitMs;
  }

  setRate(perSecond: number, nowMs: number): void {
    if (this.#limiter === null) this.#limiter = new RateLimiter(perSecond, nowMs);
    else this.#limiter.setRate(perSecond, nowMs);
  }

  /** Records per second that it wanted since it was last asked that, over `seconds`. */
  takeDemand(seconds: number): number {
    const demand = this.#heldBack || seconds === 0 ? Infinity : this.#enteredRecords / seconds;
    this.#heldBack = false;
    this.#enteredRecords = 0;
    return demand;
  }
}
