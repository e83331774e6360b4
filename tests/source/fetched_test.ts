/** What of a fetch may be delivered. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { BatchBit, deliverable, type FetchedBatch, offsetBehind } from "../../src/source/fetched.ts";

function batch(options: {
  offset: number;
  producer?: number;
  records?: number;
  attributes?: number;
  marker?: "abort" | "commit";
}): FetchedBatch {
  const { offset, producer = -1, records = 1, attributes = 0, marker } = options;
  const key = marker === undefined ? null : Uint8Array.of(0, 0, 0, marker === "abort" ? 0 : 1);
  return {
    firstOffset: BigInt(offset),
    lastOffsetDelta: records - 1,
    attributes,
    firstTimestamp: 0n,
    maxTimestamp: 0n,
    producerId: BigInt(producer),
    records: Array.from({ length: records }, (_, i) => ({
      length: 10,
      offsetDelta: i,
      timestampDelta: 0n,
      key,
      value: new Uint8Array(1),
      headers: [],
    })),
  };
}

Deno.test("deliverable() leaves out records whose abort is told in a later fetch", () => {
  const batches = [
    batch({ offset: 5, producer: 7, attributes: BatchBit.TRANSACTIONAL }),
    batch({ offset: 6, producer: 8, attributes: BatchBit.TRANSACTIONAL }),
    batch({ offset: 7 }),
  ];
  const offsets = deliverable(batches, [{ producerId: 7n, firstOffset: 2n }]).map(({ firstOffset }) =>
    firstOffset
  );
  assertEquals(offsets, [6n, 7n]);
});

Deno.test("deliverable() leaves out what compaction has emptied, and offsetBehind() counts it", () => {
  const emptied = { ...batch({ offset: 5, records: 0 }), lastOffsetDelta: 2 };
  assertEquals(deliverable([emptied], []), []);
  assertEquals(offsetBehind([emptied]), 8);
});

Deno.test("deliverable() gives what a reader that knows every transaction's end gives, wherever the fetch begins", () => {
  const step = fc.record({
    producer: fc.integer({ min: 1, max: 3 }),
    what: fc.constantFrom("write", "plain", "commit", "abort"),
    records: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (steps, cut) => {
        const log: FetchedBatch[] = [];
        const begun = new Map<number, { first: number; batches: number[] }>();
        const aborted: { producerId: bigint; firstOffset: bigint; last: bigint }[] = [];
        const good = new Set<FetchedBatch>();
        let offset = 0;
        for (const { producer, what, records } of steps) {
          const open = begun.get(producer);
          if (what === "plain") {
            log.push(batch({ offset, records }));
            good.add(log.at(-1)!);
            offset += records;
          } else if (what === "write") {
            log.push(batch({ offset, producer, records, attributes: BatchBit.TRANSACTIONAL }));
            if (open === undefined) begun.set(producer, { first: offset, batches: [log.length - 1] });
            else open.batches.push(log.length - 1);
            offset += records;
          } else if (open !== undefined) {
            const attributes = BatchBit.TRANSACTIONAL | BatchBit.CONTROL;
            log.push(batch({ offset, producer, attributes, marker: what }));
            begun.delete(producer);
            if (what === "commit") { for (const i of open.batches) good.add(log[i]); }
            else {
              const last = BigInt(offset);
              aborted.push({ producerId: BigInt(producer), firstOffset: BigInt(open.first), last });
            }
            offset++;
          }
        }
        // The broker shows nothing behind the first transaction that is still open.
        const stable = Math.min(...[...begun.values()].map(({ first }) => first), offset);
        const from = Math.floor(cut * log.length);
        const fetched = log.slice(from).filter(({ firstOffset }) => Number(firstOffset) < stable);
        const start = fetched[0]?.firstOffset ?? 0n;
        const told = aborted.filter(({ last, firstOffset }) => last >= start && Number(firstOffset) < stable);
        assertEquals(deliverable(fetched, told), fetched.filter((each) => good.has(each)));
      },
    ),
  );
});

Deno.test("offsetBehind() counts what compaction took out of the last batch", () => {
  const last = { ...batch({ offset: 10, records: 1 }), lastOffsetDelta: 4 };
  assertEquals(offsetBehind([last]), 15);
  assertEquals(offsetBehind([]), null);
});
