/** An open `elasticsearch` sink for one test. @module */
import { type ElasticsearchOptions, elasticsearchSink } from "../../adapters/elasticsearch.ts";
import { OpenSink, type OwnContext } from "./open_sink.ts";

/** Opens one with `options` as a config has them. */
export async function openElasticsearch(
  options: Partial<ElasticsearchOptions>,
  own: OwnContext = {},
): Promise<OpenSink> {
  return await OpenSink.open(elasticsearchSink, { ...options }, { sink: "search", ...own });
}
