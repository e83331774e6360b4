/**
 * Kafka as a door of a stream: a membership in a consumer group for as long as the gateway runs, begun anew whenever it
 * ends. Whatever is wrong with the brokers is told and tried again: the records wait in Kafka.
 *
 * @module
 */
import { rejectedBy, sleep } from "../core/clock.ts";
import type { SourceState } from "../monitor/view.ts";
import { GroupSession, type SessionCounts, type SessionOptions } from "./group_session.ts";
import { reasonOf } from "./kafka_faults.ts";
import type { KafkaConnection } from "./group_member.ts";

/** Pause before the next try to join, ms; it doubles from there. */
const FIRST_RETRY_MS = 250;
/** Longest such pause, ms. */
const LAST_RETRY_MS = 5_000;

/** What a source works with. */
export interface SourceOptions extends Omit<SessionOptions, "member" | "onAnswer"> {
  /** Name in the config. */
  readonly name: string;
  /** The group. */
  readonly groupId: string;
  /** Whether what is not committed yet is read too. */
  readonly readsUncommitted: boolean;
  /** How long a broker may wait for records, ms. */
  readonly maxWaitMs: number;
  /** How the brokers are reached: asked for at each try, as it may read files. */
  readonly connection: () => Promise<KafkaConnection>;
}

/** The source. */
export class KafkaSource {
  /** Name in the config. */
  readonly name: string;
  readonly #options: SourceOptions;
  readonly #abort = new AbortController();
  readonly #past: SessionCounts = { taken: 0, refused: 0, resets: 0 };
  #session: GroupSession | null = null;
  #joined = false;
  #reason: string | null = null;
  #running: Promise<void> = Promise.resolve();

  /** Nothing is fetched before `start`. */
  constructor(options: SourceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Where it stands. */
  get state(): SourceState {
    if (this.#abort.signal.aborted) return "stopped";
    if (this.#reason !== null) return "down";
    if (!this.#joined) return "joining";
    return this.#lacks.length > 0 ? "degraded" : "up";
  }

  /** Why it is not up; null when it is. */
  get reason(): string | null {
    return this.#reason ?? (this.#lacks.length > 0 ? this.#lacks.join("; ") : null);
  }

  /** The membership, while there is one. */
  get session(): GroupSession | null {
    return this.#session;
  }

  /** What it has counted since its start. */
  get counts(): SessionCounts {
    const now = this.#session?.counts;
    return {
      taken: this.#past.taken + (now?.taken ?? 0),
      refused: this.#past.refused + (now?.refused ?? 0),
      resets: this.#past.resets + (now?.resets ?? 0),
    };
  }

  /** Joins the group, and goes on trying until it is in it. */
  start(): void {
    this.#running = this.#run();
  }

  /** The stream's door may be another one. */
  rebind(): void {
    this.#session?.readers.rebind();
  }

  /** Fetches nothing more. What has entered the stream is still settled; the rest stays in Kafka. */
  stop(): void {
    this.#abort.abort();
    this.#session?.stop();
  }

  /** Resolves when everything that entered the stream is settled. `stop` comes before. */
  async settled(): Promise<void> {
    await this.#session?.readers.settled();
  }

  /**
   * Commits what is settled, leaves the group and disconnects. Rejects when it could not until `signal` was aborted, if
   * it was in the group: else there is nothing to commit.
   */
  async close(signal: AbortSignal): Promise<void> {
    this.stop();
    const wasMember = this.#joined;
    const closed = (async () => {
      await this.#session?.close();
      await this.#running;
    })();
    try {
      await Promise.race([closed, rejectedBy(signal)]);
    } catch (error) {
      if (wasMember) throw error;
      this.#options.log.warn("stopped while it was joining its group", { reason: reasonOf(error) });
    }
  }

  /** What cannot be read while the rest is. */
  get #lacks(): string[] {
    return this.#session?.faults ?? [];
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    for (let delayMs = FIRST_RETRY_MS; !signal.aborted; delayMs = Math.min(LAST_RETRY_MS, delayMs * 2)) {
      if (await this.#member()) delayMs = FIRST_RETRY_MS;
      if (!signal.aborted) await sleep(this.#options.clock, delayMs, signal).catch(() => {}); // stopped
    }
  }

  /** One membership. False when there was none. */
  async #member(): Promise<boolean> {
    const { groupId, readsUncommitted, maxWaitMs } = this.#options;
    let session: GroupSession | null = null;
    try {
      const connection = await this.#options.connection();
      session = this.#session = new GroupSession({
        ...this.#options,
        member: { connection, groupId, readsUncommitted, maxWaitMs },
        onAnswer: (error) => this.#answered(error),
      });
      if (!await session.open()) {
        this.#answered(new Error(this.reason ?? "no topic is there"));
        return false;
      }
      this.#joined = true;
      if (this.#abort.signal.aborted) await session.close();
      await session.ended;
      return true;
    } catch (error) {
      this.#answered(error);
      return false;
    } finally {
      this.#joined = false;
      if (session !== null) add(this.#past, session.counts);
      this.#session = null;
    }
  }

  /** Keeps what is wrong, and says it once. */
  #answered(error?: unknown): void {
    if (error === undefined) {
      if (this.#reason !== null) this.#options.log.info("the brokers answer again");
      this.#reason = null;
      return;
    }
    const reason = reasonOf(error);
    if (reason !== this.#reason) this.#options.log.warn("cannot go on reading: tries again", { reason });
    this.#reason = reason;
  }
}

function add(sum: SessionCounts, more: SessionCounts): void {
  sum.taken += more.taken;
  sum.refused += more.refused;
  sum.resets += more.resets;
}
