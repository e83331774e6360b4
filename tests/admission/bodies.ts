/** Bodies that are none: what admission tells them is counted. @module */
import type { AdmittedBody } from "../../src/admission/arrivals.ts";

/** A body under the test's hand. */
export class FakeBody implements AdmittedBody {
  readonly age: number;
  promised = false;
  expectedBytes = 100;
  heldSegments = 1;
  lastByteMs = Infinity;
  evicted = 0;
  expired = 0;

  constructor(age: number) {
    this.age = age;
  }

  evict(): void {
    this.evicted++;
  }

  retry(): boolean {
    return true;
  }

  expire(): void {
    this.expired++;
  }
}
