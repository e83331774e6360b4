/**
 * Damaged requests, behind the server's own parser: heads, encodings, framers, JSON, keys and CloudEvents, at the speed
 * of this process.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async/deadline";
import type { Exchange } from "../../src/ingress/exchange.ts";
import type { Reply } from "../../src/ingress/replies.ts";
import { acceptedOf } from "./answers.ts";
import { HEADER_VALUES, REQUEST_BODIES, REQUESTS } from "./corpus.ts";
import type { Mutator } from "./mutator.ts";
import type { SoakedGateway, StreamName } from "./soaked_gateway.ts";

const STREAMS: readonly StreamName[] = ["memory", "memory", "delivered", "trusted", "trusted", "vanishing"];
const ANSWER_MS = 20_000;

/** An exchange that is the client too. */
class SoakExchange implements Exchange {
  readonly answered: Promise<Reply>;
  given: Reply | null = null;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #answer: (reply: Reply) => void;
  #paused: PromiseWithResolvers<void> | null = null;

  constructor(headers: Readonly<Record<string, string>>) {
    this.#headers = headers;
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.answered = promise;
    this.#answer = resolve;
  }

  /** Resolves when the body may go on, or need not. */
  get mayGoOn(): Promise<void> | undefined {
    return this.given === null ? this.#paused?.promise : undefined;
  }

  header(name: string): string | undefined {
    return this.#headers[name];
  }

  headers(): Iterable<readonly [string, string]> {
    return Object.entries(this.#headers);
  }

  takeRank(): number {
    return -1;
  }

  keepRank(): void {}

  pause(): void {
    this.#paused ??= Promise.withResolvers();
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = null;
  }

  reply(reply: Reply): void {
    assert(this.given === null, "an input is answered once");
    this.given = reply;
    this.#answer(reply);
    this.resume();
  }
}

/** Sends one damaged request and judges its answer. */
export async function soakRequest(soaked: SoakedGateway, mutator: Mutator): Promise<void> {
  const { ingress } = soaked.gateway;
  const stream = mutator.pick(STREAMS);
  const sound = mutator.pick(REQUESTS);
  const body = mutator.damaged(sound.body, REQUEST_BODIES);
  const headers = damagedHeaders(sound.headers, mutator);
  const length = headers["content-encoding"] === undefined || mutator.happens(0.5) ? body.length : null;
  if (length !== null) headers["content-length"] = String(length);
  const query = mutator.happens(0.05) ? mutator.damagedText(sound.query) : sound.query;
  const exchange = new SoakExchange(headers);
  const method = mutator.happens(0.002) ? "PUT" : "POST";
  const request = ingress.begin(method, `/v1/streams/${stream}${query}`, exchange);
  if (request !== null) {
    const vanishesAt = stream === "vanishing" ? mutator.below(4) : Infinity;
    let sent = 0;
    for (const piece of mutator.pieces(body)) {
      if (sent++ >= vanishesAt) break;
      await exchange.mayGoOn;
      if (exchange.given !== null) break;
      request.onData(piece);
    }
    if (exchange.given === null) {
      if (sent > vanishesAt) return request.onGone();
      await exchange.mayGoOn;
      if (exchange.given === null) request.onEnd();
    }
  }
  const { status, body: text } = await deadline(exchange.answered, ANSWER_MS);
  const accepted = acceptedOf(status, text);
  if (status >= 400 && status < 500) {
    assertEquals(accepted, 0, `a small body refused with ${status} is not taken`);
  }
  soaked.answered(stream, status, accepted);
}

function damagedHeaders(sound: Readonly<Record<string, string>>, mutator: Mutator): Record<string, string> {
  const headers = { ...sound };
  if (mutator.happens(0.15)) {
    const [name, values] = mutator.pick(HEADER_VALUES);
    headers[name] = mutator.pick(values);
  }
  if (mutator.happens(0.1)) {
    for (const name of Object.keys(headers)) headers[name] = mutator.damagedText(headers[name]);
  }
  return headers;
}
