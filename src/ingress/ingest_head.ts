/**
 * What the headers of a request say of its body. They are judged before the first byte of it is read, and what all its
 * records have in common follows from them alone.
 *
 * @module
 */
import { type RecordMeta, SlotFlag } from "../core/record.ts";
import type { BodyFormat } from "./formats.ts";

/** What the headers of a request said. */
export interface IngestHead {
  /** What the body is. */
  readonly format: BodyFormat;
  /** Content-Encoding, or "identity". */
  readonly encoding: string;
  /** Content-Length, or -1. */
  readonly contentLength: number;
  /** What its records share beside the moment, or null. */
  readonly shared: RecordMeta | null;
  /** Whether the headers make it a CloudEvent in binary mode. */
  readonly isCloudEvent: boolean;
}

/** Flags of every slot of a body of `format`, whose records share `key`; an empty one is none. */
export function slotFlags(head: IngestHead, format: BodyFormat, key: Uint8Array): number {
  const isEvent = format === "cloud-event" || format === "cloud-event-batch";
  return (key.length > 0 ? SlotFlag.KEY_SHARED : 0) |
    (head.isCloudEvent ? SlotFlag.CLOUD_EVENT : 0) |
    (isEvent ? SlotFlag.CLOUD_EVENT_JSON : 0);
}
