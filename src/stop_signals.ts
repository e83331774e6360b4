/**
 * Signals that end the gateway: the first one begins the drain, a second one ends that.
 *
 * Under `deno task start` one signal may come twice: a Ctrl-C in a terminal, or what a supervisor sends to all processes,
 * comes to the gateway and to the process that started it, which passes it on, as it may have been meant for that one
 * alone. What is passed on is a signal of its own, so the two are counted apart, and the larger number holds.
 *
 * @module
 */

/** What `deno task start` passes on. */
export const PASSED_ON = "SIGUSR2";

const OWN: readonly Deno.Signal[] = ["SIGINT", "SIGTERM"];

/** Listens from its making on: without a listener a signal ends the process where it is. */
export class StopSignals implements Disposable {
  readonly #first = Promise.withResolvers<void>();
  readonly #second = new AbortController();
  #own = 0;
  #passedOn = 0;
  readonly #onOwn = () => {
    this.#own++;
    this.#look();
  };
  readonly #onPassedOn = () => {
    this.#passedOn++;
    this.#look();
  };

  constructor() {
    for (const signal of OWN) Deno.addSignalListener(signal, this.#onOwn);
    Deno.addSignalListener(PASSED_ON, this.#onPassedOn);
  }

  /** Resolves with the first. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  /** Aborted by a second one. */
  get second(): AbortSignal {
    return this.#second.signal;
  }

  /** Listens no more. */
  [Symbol.dispose](): void {
    for (const signal of OWN) Deno.removeSignalListener(signal, this.#onOwn);
    Deno.removeSignalListener(PASSED_ON, this.#onPassedOn);
  }

  #look(): void {
    const count = Math.max(this.#own, this.#passedOn);
    if (count === 1) this.#first.resolve();
    else this.#second.abort();
  }
}
