/** An index of its own for one test, on a real cluster. @module */
import { assert } from "@std/assert";

/** More than any test stores; the most that one search gives. */
const MAX_HITS = 10_000;

/** A document as the cluster holds it. */
export interface StoredDocument {
  readonly _id: string;
  readonly _index: string;
  readonly _routing?: string;
  readonly _source: unknown;
}

/** Asks the cluster at `url`; rejects when the answer is none of 2xx. */
export async function askCluster(
  url: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  const response = await fetch(url + path, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  assert(response.ok, `${method} ${path} answered ${response.status}: ${text}`);
  return JSON.parse(text);
}

/** An index. */
export class SearchIndex implements AsyncDisposable {
  /** Address of the cluster. */
  readonly url: string;
  /** Its name, which no other test uses. */
  readonly name: string;

  private constructor(url: string, name: string) {
    this.url = url;
    this.name = name;
  }

  /** Creates one. Fields are not mapped unless `mappings` says so: documents of all shapes get in. */
  static async create(url: string, mappings: unknown = { dynamic: false }): Promise<SearchIndex> {
    const index = new SearchIndex(url, `weir-test-${crypto.randomUUID()}`);
    const settings = { number_of_shards: 1, number_of_replicas: 0 };
    await askCluster(url, "PUT", `/${index.name}`, { settings, mappings });
    return index;
  }

  /** Sets settings of the index. */
  async set(settings: Readonly<Record<string, unknown>>): Promise<void> {
    await askCluster(this.url, "PUT", `/${this.name}/_settings`, settings);
  }

  /** How many documents it holds. */
  async count(): Promise<number> {
    await askCluster(this.url, "POST", `/${this.name}/_refresh`);
    return Number((await askCluster(this.url, "GET", `/${this.name}/_count`)).count);
  }

  /** All documents, at most 10,000; ids that hold numbers in the order of these. */
  async documents(): Promise<StoredDocument[]> {
    return await documentsOf(this.url, this.name);
  }

  /** Deletes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await askCluster(this.url, "DELETE", `/${this.name}`);
  }
}

/** All documents of the indices that `names` lists. */
export async function documentsOf(url: string, names: string): Promise<StoredDocument[]> {
  await askCluster(url, "POST", `/${names}/_refresh`);
  const { hits } = await askCluster(url, "POST", `/${names}/_search`, { size: MAX_HITS }) as {
    hits: { hits: StoredDocument[] };
  };
  return hits.hits.sort((a, b) => a._id.localeCompare(b._id, "en", { numeric: true }));
}
