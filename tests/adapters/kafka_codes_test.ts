/**
 * What becomes of records by the broker's code, for every code, against the README's table of answers: the two cannot
 * part. A real broker gives few of the codes on demand.
 *
 * @module
 */
import { assertEquals, equal } from "@std/assert";
import { describeCode } from "../../adapters/kafka/error_codes.ts";
import { assert } from "../../src/core/assert.ts";
import { written } from "../support/written.ts";
import { Api, BrokenBroker } from "./kafka/broken_broker.ts";
import { openKafka } from "./kafka_sink.ts";

/** -1 to 140: all of today's ("Error Codes" of the protocol), and some that no broker has yet. */
const CODES = Array.from({ length: 142 }, (_, i) => i - 1);
/** Three records go to the broker, which answers with a code and names the second one as at fault; then it takes all. */
const RECORDS = ["1", "2", "3"];
const NAMED = 1;

/** What a write with one such answer shows. */
interface Seen {
  readonly outcomes: readonly number[];
  /** Produce requests, and how often the sink took a producer id. */
  readonly produced: number;
  readonly ids: number;
  readonly isTopicLookedUp: boolean;
}

const ONE_MORE = { outcomes: [0, 0, 0], produced: 2, ids: 1, isTopicLookedUp: true };
/** The README's words, and what a write shows that keeps to them. */
const MEANINGS: Readonly<Record<string, Seen>> = {
  "stored": { outcomes: [0, 0, 0], produced: 1, ids: 1, isTopicLookedUp: false },
  "not stored; the topic is looked up": ONE_MORE,
  "unknown; the same batch is asked for": ONE_MORE,
  // Half of the bytes holds one of three small records, as each batch has a head.
  "batch halved": { outcomes: [0, 0, 0], produced: 4, ids: 1, isTopicLookedUp: false },
  "those that the broker names": { outcomes: [0, 2, 0], produced: 2, ids: 1, isTopicLookedUp: false },
  "tried again by the lane": { outcomes: [1, 1, 1], produced: 1, ids: 1, isTopicLookedUp: false },
  "not stored; sent under a new producer id": {
    outcomes: [0, 0, 0],
    produced: 2,
    ids: 2,
    isTopicLookedUp: false,
  },
};
const PRESSURES: Readonly<Record<string, string>> = { none: "none", load: "saturated" };

interface Row {
  readonly answer: string;
  readonly codes: readonly number[];
  readonly records: string;
  readonly pressure: string;
}

/** The rows of the table that are about codes; the last one's stand for every code that is not listed. */
async function readRows(): Promise<{ rows: readonly Row[]; others: Row }> {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const table = readme.slice(readme.indexOf("**Answers**, partition by partition:"));
  const rows = table.split("\n\n")[1].split("\n").map((line) => {
    const [answer, records, pressure] = line.split("|").slice(1).map((cell) => cell.trim());
    return { answer, codes: (answer.match(/\b\d+\b/g) ?? []).map(Number), records, pressure };
  }).filter(({ codes }) => codes.length > 0);
  const others = rows.find(({ answer }) => answer.includes("every code not listed"));
  assert(others !== undefined, "the table tells of codes that it does not list");
  return { rows, others };
}

async function answerWith(code: number): Promise<Seen & { readonly pressure: string }> {
  await using broker = await BrokenBroker.open("orders");
  await using sink = await openKafka({ brokers: [broker.address], topic: "orders" });
  const asked = (api: number) => broker.asked.get(api) ?? 0;
  const lookedUpBefore = asked(Api.METADATA);
  broker.intercept = (api) => {
    if (api !== Api.PRODUCE) return false;
    const isFirst = asked(api) === 1;
    broker.stored = [isFirst ? { partition: 0, code, invalid: [NAMED] } : { partition: 0, code: 0 }];
    return false;
  };
  const { outcomes, pressure } = written(await sink.write(RECORDS));
  return {
    outcomes: [...outcomes],
    produced: asked(Api.PRODUCE),
    ids: asked(Api.INIT_PRODUCER_ID),
    isTopicLookedUp: asked(Api.METADATA) > lookedUpBefore,
    pressure: pressure.kind,
  };
}

Deno.test("kafka sink does with records what the README's table says, for every code of a broker", async () => {
  const { rows, others } = await readRows();
  assertEquals(rows.length, Object.keys(MEANINGS).length, "a row for each meaning");
  const wrong = await Promise.all(CODES.map(async (code) => {
    const row = rows.find(({ codes }) => codes.includes(code)) ?? others;
    const meaning = Object.keys(MEANINGS).find((words) => row.records.startsWith(words));
    assert(meaning !== undefined, `no test knows what "${row.records}" means`);
    const expected = { ...MEANINGS[meaning], pressure: PRESSURES[row.pressure] };
    const seen = await answerWith(code);
    return equal(seen, expected) ? [] : [{ code, seen, expected }];
  }));
  assertEquals(wrong.flat(), []);
});

Deno.test("README.md gives each code of a Kafka broker once, and by its own name", async () => {
  const { rows } = await readRows();
  const codes = rows.flatMap((row) => row.codes);
  assertEquals(codes.length, new Set(codes).size);
  for (const { answer } of rows) {
    for (const [, code, name] of answer.matchAll(/(\d+) `([A-Z_]+)`/g)) {
      assertEquals(`${name} (${code})`, describeCode(Number(code)));
    }
  }
});
