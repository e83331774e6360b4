/**
 * How the engine is started, by `deno task start` and whoever starts the gateway otherwise.
 *
 * What is read from sockets lies outside the engine's heap, 64 KiB for some hundred bytes inside it. With V8's young
 * generation of 16 MiB, so much of it gathers between two collections that V8 begins a full one instead, of 10 to 30 ms.
 * Measured against 8 MiB: p99 of 1 KiB POSTs 14 ms and 7, memory 233 MiB and 190, bulks into a search cluster 4 to 11 %
 * more, all else alike.
 *
 * @module
 */

/** Flag of `deno run`. */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=8";
