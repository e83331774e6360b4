/** Numbered documents through a gateway into a cluster, and what came of them. @module */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { GatewayProcess, type RawConfig } from "../support/gateway_process.ts";
import { askCluster, type SearchIndex } from "./search_index.ts";

const SENDERS = 8;
const PAGE = 10_000;
/** A cluster that boots again shares two cores with other tests. */
const ARRIVAL_DEADLINE_MS = 120_000;

/** Fields of the numbered documents. */
export const NUMBERED = { dynamic: false, properties: { n: { type: "long" } } };

/** Starts a gateway whose stream `docs` goes to `index`; `sink` are further options of the sink, `stream` of the stream. */
export async function startGateway(
  index: SearchIndex,
  sink: RawConfig = {},
  stream: RawConfig = {},
): Promise<GatewayProcess> {
  return await GatewayProcess.start({
    streams: { docs: { sinks: ["search"], ...stream } },
    sinks: { search: { ...searchSink(index), ...sink } },
  });
}

/** A sink that writes to `index`, in small batches. */
export function searchSink(index: Pick<SearchIndex, "url" | "name">): RawConfig {
  return {
    type: "elasticsearch",
    nodes: [index.url],
    index: index.name,
    order: "none",
    batch: { maxRecords: 250 },
    retry: { initialMs: 20, maxMs: 500 },
  };
}

/** Posts documents numbered `from` to `to - 1` by eight clients at once, `perBody` at a time, which come again when they are told to. */
export async function postNumbers(
  gateway: GatewayProcess,
  from: number,
  to: number,
  perBody = 250,
): Promise<void> {
  let next = from;
  await Promise.all(Array.from({ length: SENDERS }, async () => {
    while (next < to) {
      const start = next;
      next = Math.min(start + perBody, to);
      const numbers = Array.from({ length: next - start }, (_, k) => start + k);
      await post(gateway, numbers.map((n) => `{"n":${n},"text":"${"x".repeat(200)}"}\n`).join(""));
    }
  }));
}

async function post(gateway: GatewayProcess, body: string): Promise<void> {
  for (;;) {
    const response = await fetch(`${gateway.url}/v1/streams/docs`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body,
    });
    const text = await response.text();
    // 504: the documents stay accepted, and are looked for like the others.
    if (response.ok || response.status === 504) return;
    assert(response.status === 429 || response.status === 503, text);
    await delay(Number(response.headers.get("retry-after")) * 1000);
  }
}

/** Resolves when `index` holds the numbers 0 to `count - 1`, each once, and nothing else; rejects after a while. */
export async function assertNumbers(index: SearchIndex, count: number): Promise<void> {
  const deadlineMs = performance.now() + ARRIVAL_DEADLINE_MS;
  while (await index.count() < count) {
    assert(performance.now() < deadlineMs, `${await index.count()} of ${count} documents arrived in time`);
    await delay(100);
  }
  const numbers: number[] = [];
  for (let after: number[] | undefined = [-1]; after !== undefined;) {
    const { hits } = await askCluster(index.url, "POST", `/${index.name}/_search`, {
      size: PAGE,
      sort: [{ n: "asc" }],
      search_after: after,
    }) as { hits: { hits: { sort: number[] }[] } };
    numbers.push(...hits.hits.map(({ sort }) => sort[0]));
    after = hits.hits.at(-1)?.sort;
  }
  assertEquals(numbers.length, count, "nothing is missing, nothing is there twice");
  assertEquals(numbers.findIndex((n, at) => n !== at), -1, "each number is there once");
}
