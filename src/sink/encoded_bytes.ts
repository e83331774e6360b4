/** What a value takes at a sink without record headers, for adapters that tell their `encodedBytes`. @module */
import type { Batch } from "./adapter.ts";
import { structuredEvent } from "./cloud_event.ts";

/** Bytes of value `i`; of a CloudEvent in binary mode those of the structured event that it becomes. */
export function encodedValueBytes(batch: Batch, i: number): number {
  return batch.isCloudEvent(i)
    ? structuredEvent(batch.headers(i), batch.value(i)).length
    : batch.valueLength(i);
}
