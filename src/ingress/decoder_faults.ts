/**
 * Keeps a decoder's fault with its decoder. Under Deno 2.9 the native part of a `node:zlib` stream throws one zstd error
 * in a hundred instead of reporting it, out of a `nextTick` where nobody can catch it: one damaged body would end the
 * process. The call is a property of the stream's handle, so it is wrapped, and what it throws becomes the stream's error.
 *
 * @module
 */
import type { Transform } from "node:stream";
import { assert } from "../core/assert.ts";

/** Name of the symbol under which the handle keeps the call. */
const NATIVE_WRITE = "kNativeWrite";

type Handle = Record<symbol, (...args: unknown[]) => unknown>;

/** Has `stream`, of `node:zlib`, end with an `error` event where it would throw. */
export function reportFaults(stream: Transform): void {
  const handle = (stream as unknown as { readonly _handle: Handle })._handle;
  const key = Object.getOwnPropertySymbols(handle).find(({ description }) => description === NATIVE_WRITE);
  assert(key !== undefined, "a stream of node:zlib has a handle with a native write, as in Deno 2.9");
  const write = handle[key];
  handle[key] = function (...args) {
    try {
      return write.apply(this, args);
    } catch (error) {
      stream.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  };
}
