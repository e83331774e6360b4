/**
 * `kcat`, which is librdkafka: another client's view of what a broker holds, so that our own mistakes in the protocol
 * do not cancel out.
 *
 * @module
 */
import { assert } from "@std/assert";

const DEADLINE_MS = 60_000;
/** A broker may stand still for a while on a machine that is busy with other tests; kcat gives up after 5 s by itself. */
const PATIENCE = ["-m", `${DEADLINE_MS / 1000}`, "-X", `api.version.request.timeout.ms=${DEADLINE_MS}`];
const LF = 0x0a;
const decoder = new TextDecoder();

/** A record as it is stored. */
export interface StoredRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Ms since 1970. */
  readonly timestampMs: number;
  readonly key: string | null;
  readonly value: string;
  readonly bytes: Uint8Array;
  /** In their order; names and values without `,` and `=`. */
  readonly headers: readonly (readonly [string, string])[];
}

/** How records are read. */
export interface ConsumeOptions {
  /** Default: read_committed, which hides what a transaction did not commit. */
  readonly isolation?: "read_committed" | "read_uncommitted";
  /** Further librdkafka properties. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** All records of `topic`, partition by partition in the order of their offsets. */
export async function consume(
  address: string,
  topic: string,
  options: ConsumeOptions = {},
): Promise<StoredRecord[]> {
  const properties = { "isolation.level": options.isolation ?? "read_committed", ...options.properties };
  const args = ["-C", "-t", topic, "-e", "-q", "-f", "%p %o %T %K %S %h\n%k%s\n"];
  const output = await kcat(address, args, properties);
  const records: StoredRecord[] = [];
  for (let at = 0; at < output.length;) {
    const lineEnd = output.indexOf(LF, at);
    const fields = decoder.decode(output.subarray(at, lineEnd)).split(" ");
    const [partition, offset, timestampMs, keyLength, valueLength] = fields.map(Number);
    const keyEnd = lineEnd + 1 + Math.max(0, keyLength);
    const bytes = output.slice(keyEnd, keyEnd + Math.max(0, valueLength));
    records.push({
      topic,
      partition,
      offset,
      timestampMs,
      key: keyLength < 0 ? null : decoder.decode(output.subarray(lineEnd + 1, keyEnd)),
      value: decoder.decode(bytes),
      bytes,
      headers: headersOf(fields.slice(5).join(" ")),
    });
    at = keyEnd + bytes.length + 1;
  }
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

function headersOf(text: string): (readonly [string, string])[] {
  if (text === "") return [];
  return text.split(",").map((pair) => {
    const equals = pair.indexOf("=");
    return [pair.slice(0, equals), pair.slice(equals + 1)] as const;
  });
}

/** Writes `lines`, each a value, or with `keyed` a key and a value with a tab between. */
export async function produce(
  address: string,
  topic: string,
  lines: readonly string[],
  { keyed = false, properties = {} }: {
    readonly keyed?: boolean;
    readonly properties?: Readonly<Record<string, string>>;
  } = {},
): Promise<void> {
  await kcat(address, ["-P", "-t", topic, ...keyed ? ["-K", "\t"] : []], properties, lines.join("\n") + "\n");
}

async function kcat(
  address: string,
  args: readonly string[],
  properties: Readonly<Record<string, string>>,
  input = "",
): Promise<Uint8Array> {
  const child = new Deno.Command("kcat", {
    args: [
      "-b",
      address,
      ...PATIENCE,
      ...Object.entries(properties).flatMap(([name, value]) => ["-X", `${name}=${value}`]),
      ...args,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(DEADLINE_MS),
  }).spawn();
  const writer = child.stdin.getWriter();
  const [{ success, stdout, stderr }] = await Promise.all([
    child.output(),
    writer.write(new TextEncoder().encode(input)).then(() => writer.close()),
  ]);
  assert(success, `kcat ${args.join(" ")}: ${decoder.decode(stderr)}`);
  return stdout;
}
