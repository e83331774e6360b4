/**
 * Sources: where the gateway itself fetches records, to put them into a stream as if a client had sent them. There is
 * one kind, Kafka.
 *
 * @module
 */
import { z } from "zod";
import { choice, matching, reference, spanMs, text, whole } from "./fields.ts";

const brokerText = matching(/^[^\s:/]+:\d{1,5}$|^\[[^\]\s]+\]:\d{1,5}$/, "must be host:port");
/** Names as Kafka allows them. */
const topicText = matching(
  /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/,
  "must be 1 to 249 characters of a-z, A-Z, 0-9, . _ and -, and not . or ..",
);

const tlsSchema = z.strictObject({
  ca: text().optional().describe(
    "PEM file with the authorities to trust instead of the usual ones; for those `tls: {}` is enough",
  ),
  cert: text().optional().describe("PEM file with the certificate that the gateway shows"),
  key: text().optional().describe("PEM file with its key"),
}, { error: "must be a map, {} for the usual authorities" }).refine(
  ({ cert, key }) => (cert === undefined) === (key === undefined),
  {
    error: "must hold cert and key, or neither",
  },
);

const saslSchema = z.strictObject({
  mechanism: choice(["plain", "scram-sha-256", "scram-sha-512"]).describe("How the password is proven"),
  username: text().describe("Name of the user"),
  password: text().describe("The user's password"),
});

/** Schema of a source. */
export const sourceSchema = z.strictObject({
  type: choice(["kafka"]).describe("Kind of source"),
  brokers: z.array(brokerText, { error: "must be a list of host:port" }).min(1, {
    error: "must name at least one broker",
  }).describe("Addresses of brokers as host:port; list all, as the process may connect to no others"),
  topics: z.array(topicText, { error: "must be a list of topics" }).min(1, {
    error: "must name at least one topic",
  }).describe("Topics to read"),
  groupId: text().describe("Consumer group; gateways with the same one share the partitions"),
  stream: reference("stream").describe("Stream that the records enter"),
  isolation: choice(["read_committed", "read_uncommitted"]).default("read_committed").describe(
    "Whether records of transactions are read only when these are committed",
  ),
  startAt: choice(["earliest", "latest"]).default("earliest").describe(
    "Where a partition begins that the group has no offset of",
  ),
  clientId: text().default("weir").describe("Name that the brokers know the gateway by, as in quotas"),
  fetchBytes: whole(1024, 104_857_600).default(1_048_576).describe(
    "Most bytes of a partition in one fetch; a larger batch still comes whole",
  ),
  maxWaitMs: spanMs().default(250).describe("How long a broker may wait for new records before it answers"),
  commitMs: spanMs().default(500).describe("How often what is settled is committed"),
  requestTimeoutMs: spanMs().default(30_000).describe("How long a broker may take for an answer"),
  tls: tlsSchema.optional().describe("TLS to the brokers; {} for the usual authorities"),
  sasl: saslSchema.optional(),
});

/** A source, with every default in its place. */
export interface SourceConfig {
  /** Name in the config. */
  readonly name: string;
  /** Kind of source. */
  readonly type: "kafka";
  /** `host:port` of each broker. */
  readonly brokers: readonly string[];
  /** Topics to read. */
  readonly topics: readonly string[];
  /** Consumer group. */
  readonly groupId: string;
  /** Name of the stream that the records enter. */
  readonly stream: string;
  /** Whether records of transactions that are not committed are read too. */
  readonly isolation: "read_committed" | "read_uncommitted";
  /** Where a partition begins that the group has no offset of. */
  readonly startAt: "earliest" | "latest";
  /** Name that the brokers know the gateway by. */
  readonly clientId: string;
  /** Most bytes of a partition in one fetch. */
  readonly fetchBytes: number;
  /** How long a broker may wait for new records, ms. */
  readonly maxWaitMs: number;
  /** How often what is settled is committed, ms. */
  readonly commitMs: number;
  /** How long a broker may take for an answer, ms. */
  readonly requestTimeoutMs: number;
  /** PEM files of TLS, or null for plain connections. */
  readonly tls: {
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  } | null;
  /** Credentials, or null for none. */
  readonly sasl: {
    readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
    readonly username: string;
    readonly password: string;
  } | null;
}

/** The source `name` of what {@linkcode sourceSchema} gave. */
export function toSourceConfig(name: string, parsed: z.output<typeof sourceSchema>): SourceConfig {
  return { ...parsed, name, tls: parsed.tls ?? null, sasl: parsed.sasl ?? null };
}
