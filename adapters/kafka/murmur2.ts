/**
 * The hash by which Java's Kafka client chooses the partition of a key; others (librdkafka's `murmur2_random`) follow
 * it, so that all writers of a topic put a key in the same place.
 *
 * @module
 */

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
/** Java keeps the hash positive this way. */
const POSITIVE = 0x7fffffff;

/** 32-bit murmur2 of `bytes`, as a signed number, as in Kafka's `Utils.murmur2`. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  let hash = SEED ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let k = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    hash = Math.imul(hash, M) ^ Math.imul(k, M);
  }
  const rest = length - at;
  if (rest > 2) hash ^= bytes[at + 2] << 16;
  if (rest > 1) hash ^= bytes[at + 1] << 8;
  if (rest > 0) hash = Math.imul(hash ^ bytes[at], M);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  return hash ^ (hash >>> 15);
}

/** The partition of `key` among `partitions`. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & POSITIVE) % partitions;
}
