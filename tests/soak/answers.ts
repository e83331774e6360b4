/** What a clear answer is. @module */
import { assert } from "@std/assert";

/** Statuses that a damaged request may get; a 5xx is one only where it says what to do instead. */
const STATUSES = [200, 202, 400, 404, 405, 408, 413, 415, 417, 429, 431, 501, 503, 505];

/** Throws unless it is one: a status with a meaning here, and a body that agrees with it. Returns the records told as accepted. */
export function acceptedOf(status: number, body: string): number {
  assert(STATUSES.includes(status), `the answer ${status} is none that an input may get: ${body}`);
  const told = JSON.parse(body) as Record<string, unknown>;
  if (status < 300) {
    assert(typeof told.accepted === "number" && told.accepted > 0, `${status} without records: ${body}`);
  } else {
    assert(told.status === status, `the problem ${told.status} came with the status ${status}`);
    assert(typeof told.detail === "string" && told.detail.length > 10, `${status} says too little: ${body}`);
    assert(body.length < 32_768, `${status} says too much: ${body.length} bytes`);
  }
  return Number(told.accepted ?? 0);
}
