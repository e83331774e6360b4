/**
 * Options of `elasticsearch`. What a cluster would refuse for every document (a name that no index can have, a pointer
 * that is none) is refused here, before a record is taken.
 *
 * @module
 */
import { z } from "zod";
import { POINTER, POINTER_RULE } from "../../src/core/json_pointer.ts";
import { indexNameFault, IndexPattern } from "./index_name.ts";

/** How the cluster knows who writes. */
export type Auth =
  | { readonly username: string; readonly password: string }
  | { readonly apiKey: string }
  | { readonly bearerToken: string };

/** Where documents go: a name, perhaps with a date in it, or what stands in the document, if it is one of `allow`. */
export type IndexOption = string | { readonly pointer: string; readonly allow: readonly string[] };

/** Options of `elasticsearch`. */
export interface ElasticsearchOptions {
  /** Addresses of nodes, which take turns. */
  readonly nodes: readonly string[];
  /** Where documents go. */
  readonly index: IndexOption;
  /** `create` stores what is not there yet; `index` also replaces what is. */
  readonly op: "create" | "index";
  /** JSON pointer to the `_id`; without one it is the record id. */
  readonly id?: string;
  /** JSON pointer to the routing value. */
  readonly routing?: string;
  /** Ingest pipeline. */
  readonly pipeline?: string;
  /** Credentials. */
  readonly auth?: Auth;
  /** Path of a PEM file with the authorities to trust. */
  readonly ca?: string;
  /** Bodies of at least so many bytes are sent as gzip. */
  readonly gzipAboveBytes?: number;
}

const nodeUrl = z.url({
  protocol: /^https?$/,
  error: 'must be an http or https URL, as "http://127.0.0.1:9200"',
  abort: true,
}).refine(
  (text) => {
    const { username, password, search, hash } = new URL(text);
    return username + password + search + hash === "";
  },
  { error: "must be an address alone; credentials go under auth, where they stay out of logs" },
);

const pointer = z.string({ error: POINTER_RULE }).regex(POINTER, { error: POINTER_RULE });

const indexName = z.string().superRefine((name, issues) => {
  const fault = indexNameFault(name);
  if (fault !== null) issues.addIssue({ code: "custom", message: fault });
});

const indexPattern = z.string().superRefine((text, issues) => {
  const fault = IndexPattern.faultOf(text);
  if (fault !== null) issues.addIssue({ code: "custom", message: fault });
});

const headerText = z.string().regex(/^[\x21-\x7e]+$/, { error: "must be printable ASCII without blanks" });

/** Schema of {@linkcode ElasticsearchOptions}. */
export const optionsSchema: z.ZodType<ElasticsearchOptions> = z.strictObject({
  nodes: z.array(nodeUrl).min(1, { error: "must name at least one node" }).max(100).describe(
    "Addresses of nodes, which take turns; one that fails is left alone for a while",
  ),
  index: z.union([
    indexPattern,
    z.strictObject({ pointer, allow: z.array(indexName).min(1) }),
  ], { error: "must be an index name, or { pointer, allow }" }).describe(
    "Index, alias or data stream: a name; a name with the date of acceptance (UTC), as `logs-{yyyy.MM.dd}`; or " +
      "`{ pointer, allow }`: the name that stands in the document, if `allow` lists it",
  ),
  op: z.enum(["create", "index"]).default("create").describe(
    "create: what is there stays (data streams need this); index: what is there is replaced",
  ),
  id: pointer.optional().describe(
    "JSON pointer to the `_id`; without it the record id, so that a retry stores nothing twice",
  ),
  routing: pointer.optional().describe("JSON pointer to the routing value"),
  pipeline: z.string().min(1).optional().describe("Ingest pipeline"),
  auth: z.union([
    z.strictObject({ username: z.string().regex(/^[^:]+$/), password: z.string() }),
    z.strictObject({ apiKey: headerText }),
    z.strictObject({ bearerToken: headerText }),
  ], { error: "must be { username, password }, { apiKey } or { bearerToken }" }).optional().describe(
    "`{ username, password }`, `{ apiKey }` (as the cluster prints it, base64) or `{ bearerToken }`",
  ),
  ca: z.string().min(1).optional().describe(
    "PEM file with the authorities to trust instead of the usual ones",
  ),
  gzipAboveBytes: z.int().min(0).optional().describe(
    "Bodies of at least so many bytes are sent as gzip; without it none",
  ),
});
