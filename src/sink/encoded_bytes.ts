/** What a value takes at a sink without record headers, for adapters that tell their `encodedBytes`. @module */
import type { Batch } from "./adapter.ts";
import { structuredEvent } from "./cloud_event.ts";

/** The sum of what `bytesOf` gives for each record. */
export function encodedBytesOf(batch: Batch, bytesOf: (batch: Batch, i: number) => number): number {
  let bytes = 0;
  for (let i = 0; i < batch.count; i++) bytes += bytesOf(batch, i);
  return bytes;
}

/** Bytes of value `i`; of a CloudEvent in binary mode those of the structured event that it becomes. */
export function encodedValueBytes(batch: Batch, i: number): number {
  return batch.isCloudEvent(i)
    ? structuredEvent(batch.headers(i), batch.value(i)).length
    : batch.valueLength(i);
}
