/**
 * Messages that came after a socket was paused: what the kernel had handed over is parsed and delivered all the same, up
 * to 64 KiB of it. In front of them stand those that are within their client's credit and wait for the stream's quota:
 * their client is read on, and room for them is kept. All are held as bytes with their lengths, because a frame may be as
 * small as seven bytes and an object for each would be ten times what they carry.
 *
 * @module
 */
import { assert } from "../core/assert.ts";

const LENGTH_BYTES = 4;
const FIRST_BYTES = 4_096;

/** Messages in the order in which they came. Bounded by its user, who pauses the socket at the first that has no room kept. */
export class HeldMessages {
  #bytes: Uint8Array<ArrayBuffer> | null = null;
  #from = 0;
  #to = 0;
  #count = 0;
  #keptCount = 0;
  #keptBytes = 0;

  /** Messages held. */
  get count(): number {
    return this.#count;
  }

  /** Whether all of them, maybe none, have room kept. */
  get areKept(): boolean {
    return this.#keptCount === this.#count;
  }

  /** Whether the first one has room kept. */
  get firstIsKept(): boolean {
    return this.#keptCount > 0;
  }

  /** Bytes of those without room kept, with 4 for each message. */
  get unkeptBytes(): number {
    return this.#to - this.#from - this.#keptBytes;
  }

  /** Copies `message` to the end. `isKept`: room is kept for it, as for all before it. */
  push(message: Uint8Array, isKept = false): void {
    if (isKept) {
      assert(this.areKept, "a message that has room does not stand behind one that has none");
      this.#keptCount++;
      this.#keptBytes += LENGTH_BYTES + message.length;
    }
    const bytes = this.#roomFor(LENGTH_BYTES + message.length);
    const { length } = message;
    bytes[this.#to] = length;
    bytes[this.#to + 1] = length >>> 8;
    bytes[this.#to + 2] = length >>> 16;
    bytes[this.#to + 3] = length >>> 24;
    bytes.set(message, this.#to + LENGTH_BYTES);
    this.#to += LENGTH_BYTES + message.length;
    this.#count++;
  }

  /** The first message; a view that is valid until `push` or `shift`. */
  first(): Uint8Array {
    const bytes = this.#bytes;
    assert(bytes !== null && this.#count > 0, "there is a first message only where one is held");
    const begin = this.#from + LENGTH_BYTES;
    return bytes.subarray(begin, begin + this.firstLength);
  }

  /** Bytes of the first message; 0 where none is held. */
  get firstLength(): number {
    const bytes = this.#bytes;
    if (bytes === null) return 0;
    const at = this.#from;
    return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
  }

  /** Forgets the first message. */
  shift(): void {
    const bytes = LENGTH_BYTES + this.firstLength;
    if (this.#keptCount > 0) {
      this.#keptCount--;
      this.#keptBytes -= bytes;
    }
    this.#from += bytes;
    if (--this.#count === 0) this.clear();
  }

  /** Forgets all, and lets go of the memory. */
  clear(): void {
    this.#bytes = null;
    this.#from = 0;
    this.#to = 0;
    this.#count = 0;
    this.#keptCount = 0;
    this.#keptBytes = 0;
  }

  #roomFor(more: number): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes;
    if (bytes !== null && this.#to + more <= bytes.length) return bytes;
    const needed = this.#to - this.#from + more;
    const grown = new Uint8Array(Math.max(FIRST_BYTES, 2 ** Math.ceil(Math.log2(needed))));
    if (bytes !== null) grown.set(bytes.subarray(this.#from, this.#to));
    this.#to -= this.#from;
    this.#from = 0;
    return this.#bytes = grown;
  }
}
