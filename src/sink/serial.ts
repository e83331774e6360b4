/**
 * A file or pipe takes one operation at a time, and none can be taken back: a write to a disk that hangs returns when
 * the kernel lets it. So who waits may give up, and the operation goes on; the next one begins when it has ended.
 *
 * @module
 */

/** Runs operations one after the other. Callers bound their number: a sink has `writesInFlight` of them, a check and a close. */
export class Serial {
  #tail: Promise<unknown> = Promise.resolve();

  /** Runs `operation` after all that came before, whether those succeeded or not. */
  run<T>(operation: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(operation);
    this.#tail = done.catch(() => {});
    return done;
  }
}

/** Settles as `promise` does, or rejects with the signal's reason as soon as it is aborted; `promise` goes on unheard. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: raced, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  return raced;
}

/** `error` in words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
