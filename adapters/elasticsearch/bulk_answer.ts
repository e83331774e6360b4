/**
 * What a cluster's answer to `_bulk` means, item by item. The status of the whole says little: a full write queue, a
 * mapping conflict and a blocked index all come with 200.
 *
 * @module
 */
import { NO_PRESSURE, type Pressure, SATURATED } from "../../src/sink/adapter.ts";
import { askedPressure, describeAnswer } from "../http/classify.ts";
import type { Answer } from "../http/exchange.ts";

/** What becomes of one item. */
export type ItemFate =
  & {
    /** The cluster's own word for it. */
    readonly status: number;
  }
  & (
    | { readonly kind: "stored" }
    | { readonly kind: "retry" | "blocked" | "rejected"; readonly reason: string }
  );

/** What an answer says; `status` is that of every item, where the answer does not tell them apart. */
export type BulkAnswer =
  /** All items are stored. */
  | { readonly kind: "stored"; readonly status: number }
  /** One fate per item, in order. */
  | { readonly kind: "items"; readonly fates: readonly ItemFate[] }
  /** The body is too large. */
  | { readonly kind: "tooLarge"; readonly status: number; readonly reason: string }
  /** The body is not as it should be; `line` (from 1) is the one that the cluster names, or 0. */
  | { readonly kind: "malformed"; readonly status: number; readonly reason: string; readonly line: number }
  /** An index that the bulk writes to is blocked, as a disk is full. */
  | { readonly kind: "blocked"; readonly status: number; readonly reason: string }
  /** Nothing is known to be stored; it may be later. `status` is null where there was no answer that could be read. */
  | {
    readonly kind: "retry";
    readonly status: number | null;
    readonly reason: string;
    readonly pressure: Pressure;
  };

/** An item as `filter_path` leaves it. */
interface Item {
  readonly status: number;
  readonly error?: { readonly type: string; readonly reason: string };
}

/** Of an item that is stored; `index` answers 201 or 200, and is counted by the one. */
const STORED_STATUS = { create: 201, index: 200 } as const;
const BLOCK = "cluster_block_exception";
/** How an answer without errors begins, as nearly all do: no need to parse the rest. */
const NO_ERRORS = new TextEncoder().encode(`{"errors":false`);
const MAX_REASON_CHARS = 500;

/** Reads the answer to a bulk of `count` items of operation `op`. `wallMs` is now, for a `Retry-After` that is a date. */
export function readBulkAnswer(
  answer: Answer,
  count: number,
  op: "create" | "index",
  wallMs: number,
): BulkAnswer {
  const { status } = answer;
  if (status === 200) return readItems(answer, count, op);
  const reason = describeAnswer(answer);
  if (status === 413) return { kind: "tooLarge", status, reason };
  if (status === 400) {
    return { kind: "malformed", status, reason, line: Number(/line \[(\d+)\]/.exec(reason)?.[1] ?? 0) };
  }
  if (status === 429 && reason.includes(BLOCK)) return { kind: "blocked", status, reason };
  if (status === 429 || status === 503) {
    return { kind: "retry", status, reason, pressure: askedPressure(answer.retryAfter, wallMs) };
  }
  // What else is wrong with a whole bulk (credentials, the address, a proxy) is for the operator to mend.
  return {
    kind: "retry",
    status,
    reason,
    pressure: status === 408 || status >= 500 ? SATURATED : NO_PRESSURE,
  };
}

function readItems(answer: Answer, count: number, op: "create" | "index"): BulkAnswer {
  const { body } = answer;
  if (NO_ERRORS.every((byte, at) => body[at] === byte)) return { kind: "stored", status: STORED_STATUS[op] };
  const items = answer.isWhole ? parseItems(body) : null;
  if (items?.length !== count) {
    const reason = `the answer to a bulk of ${count} documents cannot be read: ${describeAnswer(answer)}`;
    return { kind: "retry", status: null, reason, pressure: SATURATED };
  }
  return { kind: "items", fates: items.map((item) => fateOf(item, op)) };
}

/** The items; null where the answer is not one that a cluster gives. */
function parseItems(body: Uint8Array): Item[] | null {
  try {
    const answer: unknown = JSON.parse(new TextDecoder().decode(body));
    if (!isObject(answer) || !Array.isArray(answer.items)) return null;
    const items: unknown[] = answer.items.map((item: unknown) =>
      isObject(item) ? Object.values(item)[0] : null
    );
    return items.every(isItem) ? items : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** A status that is none says nothing of its document: not that it is stored, nor that it is refused. */
function isItem(value: unknown): value is Item {
  if (!isObject(value)) return false;
  const { status, error } = value;
  return typeof status === "number" && Number.isInteger(status) && status >= 200 && status <= 599 &&
    (error === undefined || isObject(error));
}

function fateOf({ status, error }: Item, op: "create" | "index"): ItemFate {
  if (status >= 200 && status < 300) return { kind: "stored", status };
  // Ids are the same at every try, so what is there already is this very document.
  if (status === 409 && op === "create" && error?.type === "version_conflict_engine_exception") {
    return { kind: "stored", status };
  }
  const text = `${status} ${error?.type ?? ""}: ${error?.reason ?? ""}`;
  const reason = text.length > MAX_REASON_CHARS ? `${text.slice(0, MAX_REASON_CHARS - 1)}…` : text;
  if (status === 429 && error?.type === BLOCK) return { kind: "blocked", status, reason };
  if (status === 429 || status === 408 || status >= 500) return { kind: "retry", status, reason };
  return { kind: "rejected", status, reason };
}
