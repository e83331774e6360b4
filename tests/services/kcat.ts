/**
 * `kcat`, which is librdkafka: another client's view of what a broker holds, so that our own mistakes in the protocol
 * do not cancel out.
 *
 * @module
 */
import { assert } from "@std/assert";

const DEADLINE_MS = 60_000;

/** A record as it is stored. */
export interface StoredRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Ms since 1970. */
  readonly timestampMs: number;
  readonly key: string | null;
  readonly value: string;
  /** In their order. */
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
  const output = await kcat(address, ["-C", "-t", topic, "-e", "-q", "-J"], properties);
  const records: StoredRecord[] = [];
  for (const line of output.split("\n")) {
    if (line === "") continue;
    const { topic, partition, offset, ts, key, payload, headers = [] } = JSON.parse(line) as {
      topic: string;
      partition: number;
      offset: number;
      ts: number;
      key: string | null;
      payload: string;
      headers?: string[];
    };
    const pairs = Array.from(
      { length: headers.length / 2 },
      (_, i) => [headers[2 * i], headers[2 * i + 1]] as const,
    );
    records.push({ topic, partition, offset, timestampMs: ts, key, value: payload, headers: pairs });
  }
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
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
): Promise<string> {
  const child = new Deno.Command("kcat", {
    args: [
      "-b",
      address,
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
  assert(success, `kcat ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
