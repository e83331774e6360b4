/**
 * The sections that describe the process itself: `gateway`, `listen`, `admin`, `buffers`. Each schema stands above
 * the type that it feeds; its descriptions are the README's.
 *
 * @module
 */
import { z } from "zod";
import { between, spanMs, text, whole, yielding } from "./fields.ts";

/** Schema of `gateway`. */
export const gatewaySchema = z.strictObject({
  id: text().optional().describe(
    "Name of this gateway in record ids, metrics and logs; the host's name when not set",
  ),
  dataDir: text().default("./data").describe(
    "Folder for what must outlive the process; made when it is missing",
  ),
  drainMs: spanMs().default(30_000).describe("How long a stop may take to deliver what is in memory"),
});

/** The gateway as a whole. */
export interface GatewayConfig {
  /** Name of this gateway in record ids, metrics and logs. */
  readonly id: string;
  /** Folder, relative to the working directory of the process. */
  readonly dataDir: string;
  /** Deadline of a stop, ms. */
  readonly drainMs: number;
}

/** Schema of `listen.tls`. */
const tlsSchema = z.strictObject({
  certFile: text().describe(
    "Certificate in PEM, with those between it and its authority; TLS is on when set",
  ),
  keyFile: text().describe("Its private key in PEM, unencrypted"),
  clientCaFile: text().optional().describe(
    "Authorities in PEM: clients must show a certificate of one of them",
  ),
});

/** Certificates of the data port. */
export interface TlsConfig {
  /** Path of the certificate, from the working directory of the process. */
  readonly certFile: string;
  /** Path of its key. */
  readonly keyFile: string;
  /** Path of the authorities of client certificates, or null when none are asked for. */
  readonly clientCaFile: string | null;
}

/** Schema of `listen`. */
export const listenSchema = z.strictObject({
  hostname: text().default("127.0.0.1").describe(
    "Address of the data port; 0.0.0.0 for all of IPv4, :: for all",
  ),
  port: whole(0, 65_535).default(8080).describe("Data port; 0 takes any free one"),
  headersTimeoutMs: yielding(spanMs(), 10_000, "A client must have sent its request headers by then"),
  requestTimeoutMs: spanMs().default(300_000).describe("A client must have sent its whole request by then"),
  maxConnections: whole(1, 1_000_000).default(10_000).describe(
    "Connections at once; further ones are closed",
  ),
  pingMs: spanMs(0).default(20_000).describe(
    "A WebSocket without a message is asked so often whether it is alive, and cut after two silences; 0: never",
  ),
  idleTimeoutMs: spanMs(0).default(0).describe(
    "A WebSocket without a message for so long is closed, unless it is not read or waits for an ack or credit; 0: never",
  ),
  reusePort: z.boolean().default(false).describe(
    "Another gateway may listen on the same port, so that one takes over from the other; Linux, same user",
  ),
  tls: tlsSchema.optional(),
}).transform((listen) => ({
  ...listen,
  tls: listen.tls ? { ...listen.tls, clientCaFile: listen.tls.clientCaFile ?? null } : null,
  headersTimeoutMs: listen.headersTimeoutMs ?? Math.min(10_000, listen.requestTimeoutMs),
})).refine(
  // `node:http` refuses to start with such a pair.
  (listen) => listen.headersTimeoutMs <= listen.requestTimeoutMs,
  between<ListenConfig>(({ headersTimeoutMs, requestTimeoutMs }) =>
    `headersTimeoutMs (${headersTimeoutMs}) must not be longer than requestTimeoutMs (${requestTimeoutMs})`
  ),
);

/** The data port. */
export interface ListenConfig {
  /** Address to bind. */
  readonly hostname: string;
  /** Port to bind; 0 for any. */
  readonly port: number;
  /** Deadline of the request headers, ms. */
  readonly headersTimeoutMs: number;
  /** Deadline of the whole request, ms. */
  readonly requestTimeoutMs: number;
  /** Connections at once. */
  readonly maxConnections: number;
  /** How often a WebSocket without messages is pinged, ms; 0 never. */
  readonly pingMs: number;
  /** How long a WebSocket may send no message although it could, ms; 0 for ever. */
  readonly idleTimeoutMs: number;
  /** Whether the port is shared with other gateways, and handed over to them at a stop. */
  readonly reusePort: boolean;
  /** Certificates for HTTPS, or null for plain HTTP. */
  readonly tls: TlsConfig | null;
}

/** Schema of `admin`. */
export const adminSchema = z.strictObject({
  hostname: text().default("127.0.0.1").describe("Address of the admin port"),
  port: whole(0, 65_535).default(8081).describe("Admin port; 0 takes any free one"),
  token: text().optional().describe("Bearer token that changing calls need"),
});

/** The admin port. */
export interface AdminConfig {
  /** Address to bind. */
  readonly hostname: string;
  /** Port to bind; 0 for any. */
  readonly port: number;
  /** Bearer token of changing calls, or null for none. */
  readonly token: string | null;
}

/** The pool is one block; larger ones are not tried. */
const MAX_POOL_BYTES = 17_179_869_184;

const SEGMENT_RULE = "must be a power of two from 4096 to 1048576";

/** Schema of `buffers`. */
export const buffersSchema = z.strictObject({
  segmentBytes: whole(4096, 1_048_576).refine((bytes) => (bytes & (bytes - 1)) === 0, { error: SEGMENT_RULE })
    .default(32_768)
    .describe("Bytes of one segment, a power of two from 4096 to 1048576"),
  segments: whole(1, 4_194_304).default(2048)
    .describe("Segments of the network buffer pool; memory is touched only when used"),
  exclusivePerLane: whole(0, 65_536).default(2).describe("Credits that a lane always has"),
  floatingPerLane: whole(0, 65_536).default(8)
    .describe(
      "More credits by backlog; raised so that one batch times its writes in flight, and the largest record, fit",
    ),
  maxPerLane: whole(1, 1_048_576).default(64)
    .describe("Queue limit of a lane in buffers; raised to twice its credits where needed"),
  partialBytes: whole(65_536).default(16_777_216).describe("Unfinished WebSocket messages, all together"),
  decoderBytes: whole(65_536).default(33_554_432).describe("Windows of body decoders, all together"),
}).refine(
  (buffers) => buffers.segments * buffers.segmentBytes <= MAX_POOL_BYTES,
  between<BuffersConfig>(({ segments, segmentBytes }) =>
    `segments (${segments}) times segmentBytes (${segmentBytes}) must be at most ${MAX_POOL_BYTES} (16 GiB)`
  ),
);

/** The network buffer pool and what lanes take of it. */
export interface BuffersConfig {
  /** Bytes of one segment, a power of two. */
  readonly segmentBytes: number;
  /** Segments of the pool. */
  readonly segments: number;
  /** Credits that a lane always has. */
  readonly exclusivePerLane: number;
  /** Credits that a lane may have by backlog, before they are raised. */
  readonly floatingPerLane: number;
  /** Queue limit of a lane in buffers, before it is raised. */
  readonly maxPerLane: number;
  /** Bytes of all unfinished WebSocket messages together. */
  readonly partialBytes: number;
  /** Bytes of all decoder windows together. */
  readonly decoderBytes: number;
}
