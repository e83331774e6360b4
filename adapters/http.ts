/**
 * Sends batches to an HTTP server, one request each. The server's status decides for the whole batch; its
 * `Retry-After` holds the sink back.
 *
 * @module
 */
import { z } from "zod";
import type { Clock } from "../src/core/clock.ts";
import {
  type Batch,
  defineSink,
  type SinkAdapter,
  type SinkContext,
  type SinkDefinition,
  type WriteResult,
} from "../src/sink/adapter.ts";
import { reasonOf } from "../src/sink/serial.ts";
import type { AnswerCounter } from "../src/sink/status_counts.ts";
import { Verdict } from "../src/sink/verdict.ts";
import { bodyBytes, type BodyFormat, compressBody, CONTENT_TYPES, encodeBody } from "./http/body.ts";
import { classify, describeAnswer, MAX_REASON_BYTES } from "./http/classify.ts";
import { type Endpoint, exchange, hostAndPort, keepAliveAgent } from "./http/exchange.ts";

/** Options of `http`. */
export interface HttpOptions {
  /** Where batches are sent. */
  readonly url: string;
  /** Method. */
  readonly method: "POST" | "PUT" | "PATCH";
  /** Form of the body. */
  readonly format: BodyFormat;
  /** Further headers; they win over those of the sink. */
  readonly headers: Readonly<Record<string, string>>;
  /** Coding of the body. */
  readonly compress: "none" | "gzip";
}

/** Headers that say how the body is sent, which only the sink knows. */
const FRAMING_HEADERS = ["content-length", "transfer-encoding", "content-encoding", "connection"];

const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, {
  error: "must be the name of a header",
})
  .refine((name) => !FRAMING_HEADERS.includes(name.toLowerCase()), {
    error: "is set by the sink itself; leave it out",
  });
const headerValue = z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, { error: "must be printable characters" });

const optionsSchema: z.ZodType<HttpOptions> = z.strictObject({
  url: z.url({
    protocol: /^https?$/,
    error: 'must be an http or https URL, as "http://127.0.0.1:9000/in"',
  }).describe("Where batches are sent"),
  method: z.enum(["POST", "PUT", "PATCH"]).default("POST").describe("Method"),
  format: z.enum(["ndjson", "array"]).default("ndjson").describe(
    "Form of the body: one record per line, or one JSON array",
  ),
  headers: z.record(headerName, headerValue).default({}).describe(
    "Further headers; they win over the sink's own",
  ),
  compress: z.enum(["none", "gzip"]).default("none").describe("Content coding of the body"),
});

class HttpSink implements SinkAdapter {
  readonly #options: HttpOptions;
  readonly #endpoint: Endpoint;
  readonly #clock: Clock;
  readonly #answers: AnswerCounter;

  constructor(options: HttpOptions, { clock, answers }: SinkContext) {
    const url = new URL(options.url);
    this.#options = options;
    this.#clock = clock;
    this.#answers = answers;
    this.#endpoint = {
      url,
      method: options.method,
      headers: headersOf(options),
      agent: keepAliveAgent(url),
      maxAnswerBytes: MAX_REASON_BYTES,
    };
  }

  async write(batch: Batch, signal: AbortSignal): Promise<WriteResult> {
    const verdict = new Verdict(batch);
    let body = encodeBody(batch, this.#options.format, verdict);
    if (verdict.sent === 0) return verdict.acked();
    try {
      if (this.#options.compress === "gzip") body = await compressBody(body);
      const answer = await exchange(this.#endpoint, body, signal);
      this.#answers.add(answer.status, verdict.sent);
      return classify(answer, verdict, this.#clock.wallMs());
    } catch (error) {
      return verdict.retryable(`no answer from ${this.#endpoint.url.host}: ${reasonOf(error)}`);
    }
  }

  encodedBytes(batch: Batch): number {
    return bodyBytes(batch, this.#options.format);
  }

  /** Asks with HEAD, which stores nothing. Many servers know only their own method there, so 4xx and 501 are fine. */
  async check(signal: AbortSignal): Promise<void> {
    const { "content-type": _, "content-encoding": __, ...headers } = this.#endpoint.headers;
    const answer = await exchange({ ...this.#endpoint, method: "HEAD", headers }, [], signal);
    const { status } = answer;
    if (status === 401 || status === 403 || (status >= 500 && status !== 501)) {
      throw new Error(`${this.#endpoint.url.host} would take no records: ${describeAnswer(answer)}`);
    }
  }

  close(): void {
    this.#endpoint.agent.destroy();
  }
}

function headersOf({ format, compress, headers }: HttpOptions): Record<string, string> {
  const all: Record<string, string> = { "content-type": CONTENT_TYPES[format] };
  if (compress === "gzip") all["content-encoding"] = "gzip";
  for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = value;
  return all;
}

/** Sends batches by HTTP. */
export const httpSink: SinkDefinition<HttpOptions> = defineSink<HttpOptions>({
  type: "http",
  config: optionsSchema,
  hints: () => ({ maxRecords: 1000, maxBytes: 1_048_576, lingerMs: 5, framingBytes: 1, writesInFlight: 4 }),
  permissions: ({ url }) => ({ net: [hostAndPort(new URL(url))] }),
  open: (options, context) => new HttpSink(options, context),
});
