/**
 * Refused bodies are read off a few at a time. What is read is thrown away, but the collector sees the chunks late:
 * 256 bodies of 1 MiB read off at once were 350 to 450 MB of memory (measured), one behind the other they are none.
 *
 * @module
 */
import { Ring } from "../core/ring.ts";

/** A body that brings nothing for so long gives its turn to the next, ms: silent clients must not hold up the others. */
export const SILENT_MS = 50;

/** A body that is to be read off. */
export interface ReadOff {
  /** Its turn: let it flow. */
  flow(): void;
}

/** Bodies read off at once, and the pause before the next, ms: some 200 MB/s, which the collector keeps up with. */
const MAX_AT_ONCE = 4;
const PAUSE_MS = 20;

/** The bodies that wait for their turn; their connections bound them. */
export class ReadOffQueue {
  readonly #flowing: Set<ReadOff> = new Set();
  readonly #waiting: Ring<ReadOff> = new Ring();

  /** Lets `body` flow, now or when it is its turn. */
  begin(body: ReadOff): void {
    if (this.#flowing.size >= MAX_AT_ONCE) return this.#waiting.push(body);
    this.#flowing.add(body);
    body.flow();
  }

  /** `body` was read off, or its connection is gone; harmless when it never began. */
  end(body: ReadOff): void {
    if (!this.#flowing.delete(body)) return this.#waiting.remove(body);
    if (this.#waiting.length === 0) return;
    setTimeout(() => this.#next(), PAUSE_MS);
  }

  #next(): void {
    if (this.#waiting.length === 0 || this.#flowing.size >= MAX_AT_ONCE) return;
    const next = this.#waiting.shift();
    this.#flowing.add(next);
    next.flow();
  }
}
