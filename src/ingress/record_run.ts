/**
 * Records that come one by one, each of them whole, and enter the stream together: the messages that a socket was read
 * for, the records of a fetch. What is asked and told for each request is asked and told for each run.
 *
 * A run can only be taken back as a whole. So it goes on only with records of which it is known beforehand that they
 * enter: there is no quota to ask, and no key to be stored behind the record that the open segment may not have room for.
 *
 * @module
 */
import { assert } from "../core/assert.ts";
import { type RecordMeta, SlotFlag } from "../core/record.ts";
import type { AckCounter } from "../partition/acks.ts";
import type { RecordWriter } from "../partition/record_writer.ts";
import type { StreamDoor } from "./stream_door.ts";

/** Flags of a record that is not looked into. */
const TRUSTED_FLAGS = SlotFlag.NEWLINE | SlotFlag.UNSEEN;

/** What became of a record. `no-room`, `no-quota`: it is the first of its run, and has to wait; `refused`: it never enters. */
export type Added = "taken" | "refused" | "no-room" | "no-quota";

/** Why a record never enters. */
export interface RunRefusal {
  /** `too-large`: over a limit of its size. `bad`: not what the stream takes. */
  readonly kind: "bad" | "too-large";
  /** What is wrong. */
  readonly detail: string;
}

/** Whose records they are. */
export interface RunOwner {
  /** `records` enter the stream. Whose delivery they belong to, or null. */
  counterOf(records: number): AckCounter | null;
}

/** The runs of one connection, or of one partition of a topic; one at a time is open. */
export class RecordRun {
  /** Why the last record was refused. */
  refusal: RunRefusal | null = null;
  readonly #door: StreamDoor;
  readonly #owner: RunOwner;
  /** What a record is called in refusals. */
  readonly #noun: string;
  #writer: RecordWriter | null = null;

  /** No run is open. `noun` is what a record is for its sender, as "the message". */
  constructor(door: StreamDoor, owner: RunOwner, noun: string) {
    this.#door = door;
    this.#owner = owner;
    this.#noun = noun;
  }

  /** Whether records with a shared key of the hash `keyHash`, or -1 without one, enter the stream together. */
  takesMany(keyHash: number): boolean {
    const { admission, policy } = this.#door;
    return admission.quota === null && (keyHash >= 0 || policy.keyPointer === null);
  }

  /** From here on records carry `meta`, which may be the same object with other things in it. */
  useMeta(meta: RecordMeta): void {
    this.#writer?.useMeta(meta);
  }

  /** Whether a record of `length` bytes may be added to the open run. Ends the run when it may not. */
  goesOn(length: number, keyHash: number): boolean {
    const writer = this.#writer;
    if (writer === null) return false;
    if (this.takesMany(keyHash) && writer.fits(length)) return true;
    this.end();
    return false;
  }

  /** Begins a run: the stream has room. */
  begin(meta: RecordMeta): void {
    assert(this.#writer === null, "one run at a time");
    this.#writer = this.#door.admission.partition.begin(meta);
  }

  /** Adds `value` to the run, whose key is that of its meta where `keyHash` is not -1. */
  add(value: Uint8Array, keyHash: number): Added {
    const writer = this.#writer;
    assert(writer !== null, "a record is added to a run that has begun");
    const { admission, policy, clock } = this.#door;
    const flags = keyHash >= 0 ? SlotFlag.KEY_SHARED : 0;
    const isTrusted = !policy.validateJson && (keyHash >= 0 || policy.keyPointer === null);
    if (
      !isTrusted || !writer.addRecord(value, 0, value.length, flags | TRUSTED_FLAGS, -1, -1, keyHash)
    ) {
      const framer = this.#door.wholeFramer("octets");
      framer.begin(writer, keyHash, flags);
      const end = framer.push(value, 0, value.length, true);
      if (framer.failure !== null) {
        const { kind, detail } = framer.failure;
        return this.#refuse(kind === "record-too-large" ? "too-large" : "bad", detail);
      }
      if (framer.rejectedCount > 0) return this.#refuse("bad", framer.rejected[0].reason);
      if (end < value.length || !framer.done) {
        assert(writer.records === 0, "a record that may find no room is the first of its run");
        const neverFits = admission.neverFits(writer.segments.length);
        this.#drop();
        if (!neverFits) return "no-room";
        return this.#refuse("too-large", `${this.#noun} needs more segments than the stream may have`);
      }
    }
    writer.flushCopies();
    const { quota } = admission;
    if (quota === null || quota.take(1, value.length, clock.nowMs())) return "taken";
    this.#drop();
    if (quota.fits(1, value.length)) return "no-quota";
    const detail = `${this.#noun} of ${value.length} bytes is over the burst of the stream's quota`;
    return this.#refuse("too-large", detail);
  }

  /** Hands over the records that were taken since the run began; harmless when none is open. */
  end(): void {
    const writer = this.#writer;
    if (writer === null) return;
    this.#writer = null;
    const { partition } = this.#door.admission;
    if (writer.records === 0) partition.rollback();
    else partition.commit(this.#owner.counterOf(writer.records));
  }

  #refuse(kind: RunRefusal["kind"], detail: string): "refused" {
    this.refusal = { kind, detail };
    return "refused";
  }

  #drop(): void {
    this.#writer = null;
    this.#door.admission.partition.rollback();
  }
}
