/**
 * Which framer reads a body, by its Content-Type. A new input format is one row here and one framer.
 *
 * @module
 */

/** What a body is. */
export type BodyFormat = "json" | "lines" | "sniff" | "octets" | "cloud-event" | "cloud-event-batch";

/** Types that are known, for the answer to one that is not. */
export const KNOWN_TYPES: readonly string[] = [
  "application/json",
  "application/x-ndjson",
  "application/jsonl",
  "text/plain",
  "application/x-www-form-urlencoded",
  "application/octet-stream",
  "application/cloudevents+json",
  "application/cloudevents-batch+json",
];

/** Encodings that are known. */
export const KNOWN_ENCODINGS: readonly string[] = ["identity", "gzip", "deflate", "br", "zstd"];

const FORMATS: ReadonlyMap<string, BodyFormat> = new Map([
  ["application/json", "json"],
  ["application/x-ndjson", "lines"],
  ["application/jsonl", "lines"],
  ["text/plain", "lines"],
  ["application/x-www-form-urlencoded", "sniff"],
  ["application/octet-stream", "octets"],
  ["application/cloudevents+json", "cloud-event"],
  ["application/cloudevents-batch+json", "cloud-event-batch"],
]);

// Clients mostly repeat themselves: comparing with the last text is cheaper than hashing it for a look-up.
let lastType = "application/json";
let lastFormat: BodyFormat | null = "json";

/** The format of a body with this Content-Type; null when it is not known. No type is what `curl -d` without type and plain sockets send. */
export function formatOf(contentType: string | undefined): BodyFormat | null {
  if (contentType === undefined || contentType === "") return "sniff";
  if (contentType !== lastType) {
    lastFormat = parse(contentType);
    lastType = contentType;
  }
  return lastFormat;
}

function parse(contentType: string): BodyFormat | null {
  const [type, ...parameters] = contentType.toLowerCase().split(";").map((part) => part.trim());
  for (const parameter of parameters) {
    const [name, value] = parameter.split("=").map((part) => part.trim().replaceAll('"', ""));
    // Records are bytes; text in another charset would be stored as something else than it says.
    if (name === "charset" && value !== "utf-8" && value !== "utf8" && value !== "us-ascii") return null;
  }
  return FORMATS.get(type) ?? null;
}

/** Why {@linkcode formatOf} knows no format for `contentType`: the type itself, or its charset. */
export function unknownTypeReason(contentType: string): string {
  const type = contentType.split(";", 1)[0].trim().toLowerCase();
  return FORMATS.has(type)
    ? `the charset of ${JSON.stringify(contentType)} is not taken: records are UTF-8`
    : `the type ${JSON.stringify(contentType)} is not known`;
}

/** The format of a body of no type, or of `curl -d`'s, by its first byte that is not blank; null while all of `chunks` are. */
export function sniff(chunks: readonly Uint8Array[]): "json" | "lines" | null {
  for (const bytes of chunks) {
    for (const byte of bytes) {
      if (byte === 32 || byte === 9 || byte === 10 || byte === 13) continue;
      return byte === 0x7b || byte === 0x5b ? "json" : "lines";
    }
  }
  return null;
}
