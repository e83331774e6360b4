/** What the writes of one writer share: they are many short objects, and the brokers' view of the writer is one. @module */
import type { Clock } from "../../src/core/clock.ts";
import type { Logger } from "../../src/core/log.ts";
import type { KafkaClient } from "./client.ts";
import type { Cluster } from "./cluster.ts";
import type { KafkaOptions } from "./options.ts";
import type { Producer } from "./producer.ts";
import type { RecordBatchEncoder } from "./record_batch.ts";
import type { Throttle } from "./throttle.ts";

/** What writes of a sink share. */
export interface DeliveryContext {
  readonly client: KafkaClient;
  readonly cluster: Cluster;
  readonly producer: Producer;
  /** Id of the producer's transactions, or null where it has none. */
  readonly transactionalId: string | null;
  readonly encoder: RecordBatchEncoder;
  readonly options: KafkaOptions;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long brokers want to hear nothing. */
  readonly throttle: Throttle;
  /** Told why a write goes on. */
  readonly failing: (reason: string) => void;
  /** Aborted when the sink is closed. */
  readonly closing: AbortSignal;
  /** Bytes of a batch by topic, where the brokers' limit showed to be below the sink's. */
  readonly learnedBytes: Map<string, number>;
}
