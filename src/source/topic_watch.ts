/**
 * Which of the topics cannot be read, and why. A topic that is not there, or that the gateway may not see, is left out
 * of the membership and looked for from time to time, so that it costs the others nothing and is read as soon as it can
 * be.
 *
 * @module
 */
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { GroupMember, TopicLack } from "./group_member.ts";

/** How often topics that are not there are looked for, ms. */
const PROBE_MS = 2_000;

/** What a watch works with. */
export interface TopicWatchParts {
  /** All topics that are to be read. */
  readonly topics: readonly string[];
  /** Time. */
  readonly clock: Clock;
  /** Log. */
  readonly log: Logger;
  /** The topic cannot be read any more. */
  readonly onLost: (topic: string) => void;
  /** The brokers answered; `error` when they did not. */
  readonly onAnswer: (error?: unknown) => void;
}

/** What a watch asks of a member. */
export type WatchingMember = Pick<GroupMember, "lackOf" | "setTopic">;

/** The watch of a session. */
export class TopicWatch {
  /** Topics that cannot be read, and why. */
  readonly lacking: Map<string, TopicLack> = new Map();
  readonly #parts: TopicWatchParts;
  #member: WatchingMember | null = null;
  #looks = false;
  #timer: Timer | null = null;
  #stopped = false;

  /** Looks for nothing before `begin`. */
  constructor(parts: TopicWatchParts) {
    this.#parts = parts;
  }

  /** `member` reads all topics but those that are lacking: tells of them, and looks for them from now on. */
  begin(member: WatchingMember): void {
    this.#member = member;
    for (const [topic, lack] of this.lacking) this.#tell(topic, lack);
    this.#probeLater();
  }

  /** Looks no more by itself. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** What is to be done about those that are lacking: a sentence for each reason. */
  get faults(): string[] {
    return [
      ...this.#sentence("missing", "there is no topic", "create it, or change topics"),
      ...this.#sentence("forbidden", "may not read topic", "allow READ on it, or change topics"),
    ];
  }

  /** Looks now which topics are there, unless it does so already; never rejects. */
  async look(): Promise<void> {
    if (this.#looks || this.#member === null) return;
    this.#looks = true;
    try {
      await this.#findLacking(this.#member);
      this.#parts.onAnswer();
    } catch (error) {
      this.#parts.onAnswer(error);
    } finally {
      this.#looks = false;
    }
  }

  /** Those that came back are read, those that went are not. */
  async #findLacking(member: WatchingMember): Promise<void> {
    const { topics, log, onLost } = this.#parts;
    for (const topic of topics) {
      const lack = await member.lackOf(topic);
      if (lack === (this.lacking.get(topic) ?? null)) continue;
      member.setTopic(topic, lack === null);
      if (lack === null) {
        this.lacking.delete(topic);
        log.info("the topic is there: it is read", { topic });
        continue;
      }
      this.lacking.set(topic, lack);
      this.#tell(topic, lack);
      onLost(topic);
    }
  }

  #tell(topic: string, lack: TopicLack): void {
    this.#parts.log.warn(
      lack === "missing"
        ? "the topic does not exist: it is not read until it is created"
        : "the gateway may not read the topic: it is not read until its user may",
      { topic },
    );
  }

  #probeLater(): void {
    this.#timer = this.#parts.clock.setTimer(() => void this.#probe(), PROBE_MS);
  }

  async #probe(): Promise<void> {
    if (this.lacking.size > 0) await this.look();
    if (!this.#stopped) this.#probeLater();
  }

  #sentence(lack: TopicLack, fact: string, advice: string): string[] {
    const topics = [...this.lacking].filter(([, each]) => each === lack).map(([topic]) =>
      JSON.stringify(topic)
    );
    return topics.length === 0 ? [] : [`${fact} ${topics.join(", ")}; ${advice}`];
  }
}
