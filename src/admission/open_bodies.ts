/**
 * Bodies that hold segments of their own, and which of them has to give its back when one needs a segment and none is
 * free: the youngest, so that the oldest always finishes.
 *
 * @module
 */
import type { AdmittedBody } from "./arrivals.ts";

/** The bodies; their connections bound them. */
export class OpenBodies implements Iterable<AdmittedBody> {
  readonly #bodies: Set<AdmittedBody> = new Set();

  /** How many there are. */
  get count(): number {
    return this.#bodies.size;
  }

  /** Those that are open now; they may be deleted meanwhile. */
  [Symbol.iterator](): IterableIterator<AdmittedBody> {
    return [...this.#bodies].values();
  }

  /** The body holds segments from now on. */
  add(body: AdmittedBody): void {
    this.#bodies.add(body);
  }

  /** The body holds none any more. */
  delete(body: AdmittedBody): void {
    this.#bodies.delete(body);
  }

  /**
   * Which body gives back what `body` needs: the youngest of those that are younger, or else one whose client has sent
   * nothing after `silentSinceMs`; null when there is neither.
   */
  victimOf(body: AdmittedBody, silentSinceMs: number): AdmittedBody | null {
    let youngest: AdmittedBody | null = null;
    for (const other of this.#bodies) {
      if (other.age > body.age && other.heldSegments > 0 && (youngest === null || other.age > youngest.age)) {
        youngest = other;
      }
    }
    return youngest ?? this.#silent(body, silentSinceMs);
  }

  /** A body that others wait for, though its client sends nothing: whatever its age, it may not hold them up for ever. */
  #silent(asking: AdmittedBody, sinceMs: number): AdmittedBody | null {
    for (const other of this.#bodies) {
      if (other !== asking && other.heldSegments > 0 && other.lastByteMs <= sinceMs) return other;
    }
    return null;
  }
}
