/**
 * A consumer that appends values to a file, a line each, flushes the file to disk after each chunk, and then commits,
 * as a program of thirty lines would. `deno run -A kafka_to_file.ts BROKER TOPIC GROUP FILE`; ends by a signal.
 *
 * @module
 */
import { Consumer } from "@platformatic/kafka";

const CHUNK_BYTES = 1_048_576;
const LF = 10;

const [broker, topic, groupId, path] = Deno.args;
const consumer = new Consumer({ clientId: "yardstick", groupId, bootstrapBrokers: [broker] });
const file = Deno.openSync(path, { create: true, write: true, truncate: true });
const chunk = new Uint8Array(CHUNK_BYTES);
const stream = await consumer.consume({ topics: [topic], mode: "earliest", autocommit: false });
let length = 0;
const ends: Map<number, { offset: bigint; leaderEpoch: number }> = new Map();

async function flush(): Promise<void> {
  for (let rest = chunk.subarray(0, length); rest.length > 0; rest = rest.subarray(file.writeSync(rest)));
  file.syncDataSync();
  length = 0;
  const offsets = [...ends].map(([partition, end]) => ({ topic, partition, ...end }));
  await consumer.commit({ offsets });
}

for await (const { partition, offset, value } of stream) {
  if (length + value.length + 1 > CHUNK_BYTES) await flush();
  chunk.set(value, length);
  length += value.length;
  chunk[length++] = LF;
  ends.set(partition, { offset: offset + 1n, leaderEpoch: -1 });
  if (stream.readableLength === 0) await flush();
}
