/** One promise for all who wait for the same thing, made when the first of them asks. @module */

/** Re-armed by asking again after it ended. */
export class SharedWait {
  #waiting: PromiseWithResolvers<void> | null = null;

  /** Whether somebody asked since it last ended. */
  get isAwaited(): boolean {
    return this.#waiting !== null;
  }

  /** The promise of the next `resolve` or `reject`. */
  promise(): Promise<void> {
    if (this.#waiting === null) {
      this.#waiting = Promise.withResolvers<void>();
      // Whoever waits gets the rejection; one who lost interest must not end the process by it.
      this.#waiting.promise.catch(() => {});
    }
    return this.#waiting.promise;
  }

  /** Lets go of all who wait. */
  resolve(): void {
    this.#waiting?.resolve();
    this.#waiting = null;
  }

  /** Tells all who wait that it will not happen. */
  reject(reason: Error): void {
    this.#waiting?.reject(reason);
    this.#waiting = null;
  }
}
