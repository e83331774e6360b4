/**
 * Options of `kafka`. What would make promises that the sink cannot keep (an idempotent producer with `acks: leader`)
 * is refused here, before a record is taken.
 *
 * @module
 */
import { z } from "zod";
import { POINTER, POINTER_RULE } from "../../src/core/json_pointer.ts";

/** How batches are compressed. */
export type Compression = "none" | "gzip" | "snappy" | "lz4" | "zstd";

/** Where records go: a topic, or what a record names, if it is one of `allow`. */
export type TopicOption =
  | string
  | { readonly pointer: string; readonly allow: readonly string[] }
  | { readonly header: string; readonly allow: readonly string[] };

/** TLS of the connections to brokers. */
export interface TlsOption {
  /** PEM file with the authorities to trust instead of the usual ones. */
  readonly ca?: string;
  /** PEM file with the certificate that the sink shows. */
  readonly cert?: string;
  /** PEM file with its key. */
  readonly key?: string;
}

/** Credentials. */
export interface SaslOption {
  /** How they are proven. */
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

/** Options of `kafka`. */
export interface KafkaOptions {
  /** `host:port` of brokers. */
  readonly brokers: readonly string[];
  /** What brokers know the sink by. */
  readonly clientId: string;
  /** Where records go. */
  readonly topic: TopicOption;
  /** Whether all in-sync replicas must have a record before it is acked, or its leader. */
  readonly acks: "all" | "leader";
  /** Whether brokers drop what a retry would store again. */
  readonly idempotent: boolean;
  /** Whether each batch of a write is stored in a transaction. */
  readonly transactional: boolean;
  /** Begin of the ids of the writers' transactions. */
  readonly transactionalId?: string;
  /** Compacted topic of the positions that are stored with the batches. */
  readonly positionTopic: string;
  /** How long a transaction may stay open before brokers abort it. */
  readonly transactionTimeoutMs: number;
  /** How batches are compressed. */
  readonly compression: Compression;
  /** TLS; without it connections are plain. */
  readonly tls?: TlsOption;
  /** Credentials. */
  readonly sasl?: SaslOption;
  /** Bytes of one record batch, before compression; a larger record goes alone. */
  readonly maxBatchBytes: number;
  /** How long one request may take. */
  readonly requestTimeoutMs: number;
  /** Whether brokers may create a topic that is not there. */
  readonly createTopics: boolean;
}

const address = z.string().regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):\d{1,5}$/, {
  error: "must be host:port",
});
const topicName = z.string().max(249).regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]+$/, {
  error: "must be a topic name: letters, digits, . _ and -, at most 249",
});
const pointer = z.string({ error: POINTER_RULE }).regex(POINTER, { error: POINTER_RULE });
const allow = z.array(topicName).min(1);
const file = z.string().min(1);

/** Schema of {@linkcode KafkaOptions}. */
export const optionsSchema: z.ZodType<KafkaOptions> = z.strictObject({
  brokers: z.array(address).min(1, { error: "must name at least one broker" }).max(100).describe(
    "Addresses of brokers as `host:port`; list all, as the process may connect to no others",
  ),
  clientId: z.string().regex(/^[\x21-\x7e]+$/, { error: "must be printable ASCII without blanks" })
    .default("weir").describe("What brokers know the sink by, in logs and quotas"),
  topic: z.union([
    topicName,
    z.strictObject({ pointer, allow }),
    z.strictObject({ header: z.string().min(1).toLowerCase(), allow }),
  ], { error: "must be a topic name, { pointer, allow } or { header, allow }" }).describe(
    "A topic; or `{ pointer, allow }` or `{ header, allow }`: the one that the record names, if `allow` lists it; " +
      "a header must be one that the stream keeps (`headers`)",
  ),
  acks: z.enum(["all", "leader"]).default("all").describe(
    "Who must have a record before it is acked: all in-sync replicas, or the leader alone",
  ),
  idempotent: z.boolean().default(true).describe(
    "Brokers recognize what a retry sends again; `acks: leader` needs false",
  ),
  transactional: z.boolean().default(false).describe(
    "Each batch in one transaction, with its position: readers of `read_committed` see all of it or nothing",
  ),
  transactionalId: z.string().min(1).max(200).optional().describe(
    "Id of the transactions, to which the writer's number is added; default: `weir-`, the gateway's id, the sink",
  ),
  positionTopic: topicName.default("weir-positions").describe(
    "Compacted topic for the positions of transactions; `createTopics` makes it",
  ),
  transactionTimeoutMs: z.int().min(1000).max(900_000).default(60_000).describe(
    "How long a transaction may be open before brokers abort it; the brokers' `transaction.max.timeout.ms` bounds it",
  ),
  compression: z.enum(["none", "gzip", "snappy", "lz4", "zstd"]).default("none").describe("Codec of batches"),
  tls: z.strictObject({
    ca: file.optional().describe(
      "PEM file with the authorities to trust instead of the usual ones; for those `tls: {}` is enough",
    ),
    cert: file.optional().describe("PEM file with the certificate that the sink shows"),
    key: file.optional().describe("PEM file with its key"),
  }, { error: "must be a map, {} for the usual authorities" })
    .refine(({ cert, key }) => (cert === undefined) === (key === undefined), {
      error: "must hold cert and key, or neither",
    }).optional().describe(
      "TLS; `{}` for the usual authorities, or PEM files: `ca` to trust others, `cert` and `key` to show one's own",
    ),
  sasl: z.strictObject({
    mechanism: z.enum(["plain", "scram-sha-256", "scram-sha-512"]).describe("How the password is proven"),
    username: z.string().min(1).describe("Name of the user"),
    password: z.string().describe("The user's password"),
  }).optional().describe("Credentials: `{ mechanism, username, password }`"),
  maxBatchBytes: z.int().min(1024).max(104_857_600).default(1_000_000).describe(
    "Bytes of a record batch for one partition, before compression; below the topic's `max.message.bytes`",
  ),
  requestTimeoutMs: z.int().min(100).max(600_000).default(30_000).describe(
    "How long a broker may take for an answer before it is asked again, on a new connection",
  ),
  createTopics: z.boolean().default(false).describe(
    "Lets brokers create a topic that is not there, if they do so at all",
  ),
}).refine(({ acks, idempotent }) => !idempotent || acks === "all", {
  path: ["idempotent"],
  error: "must be false with acks: leader, as an idempotent producer needs all",
}).refine(({ transactional, idempotent }) => !transactional || idempotent, {
  path: ["transactional"],
  error: "needs idempotent: true, as a transaction is of an idempotent producer",
}).refine(({ transactional, transactionalId }) => transactional || transactionalId === undefined, {
  path: ["transactionalId"],
  error: "needs transactional: true",
});
