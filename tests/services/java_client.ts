/**
 * Kafka's own console producer: batches as the Java client packs them, whose framings of snappy and lz4 are not those of
 * librdkafka.
 *
 * @module
 */
import { assert } from "@std/assert";
import { jarsOf } from "./maven.ts";

/** A JVM that starts shares two cores with other tests. */
const DEADLINE_MS = 90_000;

/** Writes `lines` to `topic`, each a value, in batches compressed by `codec`. */
export async function produceByJava(
  address: string,
  topic: string,
  lines: readonly string[],
  codec: string,
): Promise<void> {
  const child = new Deno.Command("java", {
    args: [
      "-Xmx128m",
      "-XX:+UseSerialGC",
      "-cp",
      `${await jarsOf("kafka")}/*`,
      "org.apache.kafka.tools.ConsoleProducer",
      "--bootstrap-server",
      address,
      "--topic",
      topic,
      `--compression-codec=${codec}`,
    ],
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
    signal: AbortSignal.timeout(DEADLINE_MS),
  }).spawn();
  const writer = child.stdin.getWriter();
  const [{ success, stderr }] = await Promise.all([
    child.output(),
    writer.write(new TextEncoder().encode(lines.join("\n") + "\n")).then(() => writer.close()),
  ]);
  assert(success, `ConsoleProducer: ${new TextDecoder().decode(stderr)}`);
}
