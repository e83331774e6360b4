/**
 * A producer that sends the same record over and over, as a program of forty lines would. It fills one partition's batch
 * after another, as sticky partitioning does, up to what a broker takes by default.
 * `deno run -A kafka_send.ts PORT BROKER TOPIC BYTES [TRANSACTIONAL_ID]`; `POST /?batch=N&seconds=S[&records=R]` sends batches
 * of N records, each batch awaited (and in a transaction of its own, with an id), and answers `{"work", "seconds"}`, in records.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import { ProduceAcks, Producer } from "@platformatic/kafka";
import { jsonRecord } from "../bodies.ts";

const [port, broker, topic, bytes, transactionalId] = Deno.args;
const producer = new Producer({
  clientId: "yardstick",
  bootstrapBrokers: [broker],
  acks: ProduceAcks.ALL,
  idempotent: true,
  // As the library's default of 1 s makes transactions one after the other take 1 s each.
  retryDelay: (_client, _operation, attempt) => 5 * attempt,
  ...transactionalId === undefined ? {} : { transactionalId, producerId: -1n, producerEpoch: -1 },
});
const value = jsonRecord(Number(bytes));
const PARTITIONS = 8;
const BATCH_BYTES = 1_000_000;
const recordsPerBatch = Math.floor(BATCH_BYTES / Number(bytes));
let sent = 0;
const nextPartition = () => Math.floor(sent++ / recordsPerBatch) % PARTITIONS;

createServer(async (req, res) => {
  const query = new URL(req.url!, "http://localhost").searchParams;
  const [batch, seconds] = [Number(query.get("batch")), Number(query.get("seconds"))];
  const most = Number(query.get("records") ?? Infinity);
  const startMs = performance.now();
  let work = 0;
  while (work < most && performance.now() < startMs + seconds * 1000) {
    const messages = Array.from({ length: batch }, () => ({
      topic,
      partition: nextPartition(),
      value: Buffer.from(value),
    }));
    if (transactionalId === undefined) await producer.send({ messages });
    else {
      const transaction = await producer.beginTransaction();
      await transaction.send({ messages });
      await transaction.commit();
    }
    work += batch;
  }
  res.end(JSON.stringify({ work, seconds: (performance.now() - startMs) / 1000 }));
}).listen(Number(port), "127.0.0.1");
