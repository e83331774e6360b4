/**
 * SIGHUP: the config file is read again and taken. Signals that come while one is at work are one more reload behind it,
 * however many they are: the file is read after the last of them, so the last word holds, and nothing queues.
 *
 * @module
 */
import type { Config } from "./config.ts";
import { ConfigError } from "./core/errors.ts";
import type { Logger } from "./core/log.ts";

/** What a hang-up works with. */
export interface HangUpParts {
  /** Reads the config anew; rejects with `ConfigError` when it cannot be used. */
  readonly load: () => Promise<Config>;
  /** Takes it; rejects when it cannot be taken. */
  readonly reload: (config: Config) => Promise<unknown>;
  /** Resolves when the gateway has started: before that there is nothing to reload. */
  readonly started: Promise<unknown>;
  readonly log: Logger;
}

/** The hang-ups of one process. */
export class HangUps {
  readonly #parts: HangUpParts;
  #working = false;
  #again = false;

  /** None yet. */
  constructor(parts: HangUpParts) {
    this.#parts = parts;
  }

  /** The signal came. */
  readonly onSignal = (): void => {
    this.#again = true;
    if (this.#working) return;
    this.#working = true;
    void this.#work();
  };

  async #work(): Promise<void> {
    await this.#parts.started;
    while (this.#again) {
      this.#again = false;
      await this.#reload();
    }
    this.#working = false;
  }

  async #reload(): Promise<void> {
    const { load, reload, log } = this.#parts;
    try {
      await reload(await load());
    } catch (error) {
      const faults = error instanceof ConfigError
        ? error.faults
        : [error instanceof Error ? error.message : String(error)];
      log.error("config is not reloaded, nothing was changed", { faults });
    }
  }
}
