/** An open `kafka` sink for one test. @module */
import { kafkaSink } from "../../adapters/kafka.ts";
import { OpenSink, type OwnContext } from "./open_sink.ts";

/** Opens one with `options` as a config has them. */
export async function openKafka(
  options: Readonly<Record<string, unknown>>,
  own: OwnContext = {},
): Promise<OpenSink> {
  return await OpenSink.open(kafkaSink, options, { sink: "kafka", ...own });
}
