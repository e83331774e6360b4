/**
 * How much of what was fetched has not entered the stream. The records of one answer are views of one block, so that a
 * partition that waits keeps the whole answer alive: an answer counts until all its partitions are done with it.
 *
 * @module
 */

/** What answers that are held may take together: four of the largest. Beyond, nothing more is fetched. */
const MAX_HELD_BYTES = 33_554_432;

/** The account. */
export class FetchMemory {
  #heldBytes = 0;
  readonly #onRoom: () => void;

  /** `onRoom` is told when more may be fetched again. */
  constructor(onRoom: () => void) {
    this.#onRoom = onRoom;
  }

  /** Bytes of answers that some partition is not done with. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether another answer may be asked for. */
  get hasRoom(): boolean {
    return this.#heldBytes < MAX_HELD_BYTES;
  }

  /** An answer of `bytes` is here, for `partitions`. Each of them calls what is returned when it is done. */
  hold(bytes: number, partitions: number): () => void {
    this.#heldBytes += bytes;
    let left = partitions;
    return () => {
      if (--left > 0) return;
      const had = this.hasRoom;
      this.#heldBytes -= bytes;
      if (!had && this.hasRoom) this.#onRoom();
    };
  }
}
