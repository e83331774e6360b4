/**
 * Which topic a record goes to. What a record names must be in a list: topics are cheap to name and dear to have, and
 * whoever may post must not be able to write to any of them.
 *
 * @module
 */
import { PointerScanner, ScanStatus } from "../../src/core/json_pointer.ts";
import type { Batch } from "../../src/sink/adapter.ts";
import type { TopicOption } from "./options.ts";

/** Chooses topics, as indices of {@linkcode topics}. */
export class TopicChoice {
  /** All topics that there can be. */
  readonly topics: readonly string[];
  readonly #scanner: PointerScanner | null;
  readonly #header: string | null;
  readonly #allowed: ReadonlyMap<string, number>;
  readonly #decoder = new TextDecoder();

  constructor(option: TopicOption) {
    this.topics = typeof option === "string" ? [option] : [...new Set(option.allow)];
    this.#allowed = new Map(this.topics.map((topic, at) => [topic, at]));
    this.#scanner = typeof option === "object" && "pointer" in option
      ? new PointerScanner(option.pointer)
      : null;
    this.#header = typeof option === "object" && "header" in option ? option.header : null;
  }

  /** Index of the topic of record `i`, or why it has none. */
  of(batch: Batch, i: number): number | string {
    if (this.#scanner !== null) return this.#byPointer(this.#scanner, batch, i);
    if (this.#header === null) return 0;
    const named = batch.headers(i).find(([name]) => name === this.#header);
    if (named !== undefined) return this.#known(named[1]);
    return `it has no header ${this.#header} with its topic, or the stream does not keep it (headers)`;
  }

  #byPointer(scanner: PointerScanner, batch: Batch, i: number): number | string {
    scanner.begin();
    for (const part of batch.valueParts(i)) scanner.scan(part, 0, part.length);
    scanner.finish();
    if (scanner.status !== ScanStatus.FOUND || scanner.tooLong || !scanner.isText) {
      return "no topic stands where the JSON pointer looks";
    }
    return this.#known(this.#decoder.decode(scanner.key.subarray(0, scanner.keyLength)));
  }

  #known(topic: string): number | string {
    return this.#allowed.get(topic) ??
      `the topic ${JSON.stringify(topic)} is not in the list of allowed ones`;
  }
}
