/** The mutants: one deliberate mistake each, and the tests that must see it. @module */

/** One mistake. */
export interface Mutant {
  /** What it breaks. */
  readonly name: string;
  /** File, from the top level. */
  readonly file: string;
  /** Text that stands in it exactly once. */
  readonly from: string;
  /** What stands there instead. */
  readonly to: string;
  /** Tests that must go red. */
  readonly tests: readonly string[];
}

const SIM = ["tests/sim/simulation_test.ts"];
const SENDER = ["tests/channel/credit_sender_test.ts"];
const POOLS = ["tests/buffer/local_buffer_pool_test.ts"];
const PRESSURE = ["tests/scenarios/pressure_test.ts"];
const SHARING = ["tests/scenarios/sharing_test.ts"];
const LIMITS = ["tests/scenarios/limits_test.ts"];
const BATCHES = ["tests/scenarios/batches_test.ts"];
const RETRIES = ["tests/lane/retry_test.ts", "tests/scenarios/retry_test.ts"];
const CONTROLLERS = ["tests/scenarios/controllers_test.ts"];
const SOCKETS = ["tests/ingress/websocket_plain_test.ts"];
const SESSIONS = ["tests/ingress/websocket_session_test.ts"];
const QUOTAS = ["tests/ingress/websocket_quota_test.ts"];
const WINDOWS = ["tests/ingress/credit_windows_test.ts"];
const SOURCES = ["tests/limit/source_scenarios_test.ts"];
const RETURNS = ["tests/admission/source_retry_after_test.ts"];
const GATES = ["tests/ingress/source_gate_test.ts"];
const PARTIALS = ["tests/ingress/websocket_parts_test.ts"];
const WATCHED = ["tests/ingress/socket_watch_test.ts"];
const SHARED = ["tests/ingress/websocket_meta_test.ts"];
const UNFINISHED = ["tests/ingress/websocket_budget_test.ts"];

/** All of them. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "credit is absolute",
    file: "src/channel/credit_sender.ts",
    from: "entry.credits += delta;",
    to: "entry.credits = delta;",
    tests: SENDER,
  },
  {
    name: "lost wake-up: credit that comes does not send",
    file: "src/channel/credit_sender.ts",
    from: "    entry.credits += delta;\n    this.#changed(entry);",
    to: "    entry.credits += delta;",
    tests: SENDER,
  },
  {
    name: "lost wake-up: a write that ends wakes nobody",
    file: "src/lane/sink_writer.ts",
    from: "    if (this.#closed) return;\n    this.gate.wake();",
    to: "    if (this.#closed) return;",
    tests: SIM,
  },
  {
    name: "endless service: what a served body gives back counts as new room",
    file: "src/pipeline.ts",
    from: "if (!serving) returned();",
    to: "returned();",
    tests: SIM,
  },
  {
    name: "an open buffer is counted as backlog",
    file: "src/partition/subpartition.ts",
    from: "    return this.#backlog;",
    to: "    return this.#backlog + 1;",
    tests: SENDER,
  },
  {
    name: "overdraft without end",
    file: "src/buffer/local_buffer_pool.ts",
    from: "return this.#requested - this.#size < this.maxOverdraft &&",
    to: "return true &&",
    tests: POOLS,
  },
  {
    name: "double release of a settled buffer",
    file: "src/lane/held_buffers.ts",
    from: "        entry.unsettled = -1;\n",
    to: "",
    tests: SIM,
  },
  {
    name: "segment leaked on rollback",
    file: "src/partition/segment_list.ts",
    from: "this.#segments.pop()!.release();",
    to: "this.#segments.pop();",
    tests: SIM,
  },
  {
    name: "retry outside the bucket",
    file: "src/lane/sink_writer.ts",
    from: "if (!this.gate.takeTokens(batch.count, this.bodyBytes(batch))) return false;",
    to: "if (batch.attempt === 1 && !this.gate.takeTokens(batch.count, this.bodyBytes(batch))) return false;",
    tests: LIMITS,
  },
  {
    name: "a batch is not cut to a lowered burst",
    file: "src/lane/lane.ts",
    from: "this.#candidate = this.#cutToBurst(batch)",
    to: "this.#candidate = batch",
    tests: SIM,
  },
  {
    name: "ack before settle: one sink is waited for, not all",
    file: "src/partition/result_partition.ts",
    from: "      sinks++;\n",
    to: "      sinks = 1;\n",
    tests: SIM,
  },
  {
    name: "ack before settle: retryable records count as settled",
    file: "src/lane/delivery.ts",
    from: "this.#settle(batch, outcomes, Outcome.ACKED, acked);",
    to: "this.#settle(batch, new Uint8Array(batch.count), Outcome.ACKED, batch.count);",
    tests: SIM,
  },
  {
    name: "eviction of the oldest body",
    file: "src/admission/open_bodies.ts",
    from: "other.age > youngest.age",
    to: "other.age < youngest.age",
    tests: PRESSURE,
  },
  {
    name: "key order is not kept across a retry",
    file: "src/lane/delivery.ts",
    from: "    this.#retries.schedule(batch, rest);",
    to:
      "    this.#keys?.remove(rest, new Uint8Array(rest.count), 0);\n    this.#retries.schedule(batch, rest);",
    tests: SIM,
  },
  {
    name: "halves of a batch pass each other",
    file: "src/lane/retry_queue.ts",
    from: "    if (this.#parts.ordered) this.#followers.set(first, second);\n    else this.#dueNow(second);",
    to: "    this.#dueNow(second);",
    tests: SIM,
  },
  {
    name: "a wrong number of outcomes is accepted",
    file: "src/lane/outcomes.ts",
    from: "outcomes.length !== count",
    to: "outcomes.length === 0",
    tests: SIM,
  },
  {
    name: "a dead letter is dropped when there is no room",
    file: "src/lane/dead_letter.ts",
    from: "first.counter)) {\n          return;",
    to: "first.counter)) {\n          continue;",
    tests: PRESSURE,
  },
  {
    name: "dead letters go to writers that nobody reads",
    file: "src/dead_letters.ts",
    from: "        writers: 1,",
    to: "        writers: target.config.parallelism,",
    tests: SIM,
  },
  {
    name: "shedding is not told",
    file: "src/ingress/ingest_answer.ts",
    from: "shed[sink] = (shed[sink] ?? 0) + committed.records;",
    to: "shed[sink] = 0;",
    tests: PRESSURE,
  },
  {
    name: "a throttle is ignored",
    file: "src/lane/sink_gate.ts",
    from: "if (now < this.throttleUntilMs) {",
    to: "if (now < 0) {",
    tests: LIMITS,
  },
  {
    name: "a pause is ignored",
    file: "src/lane/sink_gate.ts",
    from: "if (this.#paused || this.inFlight",
    to: "if (this.inFlight",
    tests: SIM,
  },
  {
    name: "the place of a refused write does not rest",
    file: "src/lane/sink_writer.ts",
    from: "if (refused) this.gate.rest(",
    to: "if (false) this.gate.rest(",
    tests: CONTROLLERS,
  },
  {
    name: "weights are ignored",
    file: "src/lane/sink_writer.ts",
    from: "this.#lanes.add(lane, weight);",
    to: "this.#lanes.add(lane, 1);",
    tests: SHARING,
  },
  {
    name: "lost records: the writers of a sink are not summed",
    file: "src/stream_unit.ts",
    from: "(lost.get(lane.sink) ?? 0) + lane.input.unsettledRecords",
    to: "lane.input.unsettledRecords",
    tests: SIM,
  },
  {
    name: "socket: a paused socket is read on",
    file: "src/ingress/websocket_connection.ts",
    from: "      this.#socket.pause();",
    to: "",
    tests: SOCKETS,
  },
  {
    name: "socket: a paused socket is never read again",
    file: "src/ingress/websocket_connection.ts",
    from: "      this.#socket.resume();",
    to: "",
    tests: SOCKETS,
  },
  {
    name: "socket: what came behind the pause is forgotten",
    file: "src/ingress/websocket_connection.ts",
    from: "    this.#held.push(message, isKept);",
    to: "",
    tests: SOCKETS,
  },
  {
    name: "socket: a message overtakes those that are held",
    file: "src/ingress/websocket_connection.ts",
    from: "if (this.#held.count === 0 && (",
    to: "if ((",
    tests: SESSIONS,
  },
  {
    name: "socket: the quota is not asked",
    file: "src/ingress/record_run.ts",
    from: 'if (quota === null || quota.take(1, value.length, clock.nowMs())) return "taken";',
    to: 'if (quota === null || clock.nowMs() >= 0) return "taken";',
    tests: SOCKETS,
  },
  {
    name: "session: acks do not wait for delivery",
    file: "src/ingress/websocket_session.ts",
    from: 'options.door.policy.ack === "delivered"',
    to: "false",
    tests: SESSIONS,
  },
  {
    name: "session: acks pass a run that is not settled",
    file: "src/ingress/websocket_session.ts",
    from: "return this.#runs.length > 0 ? this.#runs[0].first - 1 : this.#done;",
    to: "return this.#done;",
    tests: SESSIONS,
  },
  {
    name: "session: a reject is not told",
    file: "src/ingress/websocket_session.ts",
    from: "if (reason !== null) this.#send(",
    to: "if (false) this.#send(",
    tests: SESSIONS,
  },
  {
    name: "session: the last ack is not told before the close",
    file: "src/ingress/websocket_session.ts",
    from: "    if (this.#open !== null) this.#seal();\n    this.#tell();",
    to: "",
    tests: SESSIONS,
  },
  {
    name: "credit: it is told while messages wait for the quota",
    file: "src/ingress/credit_window.ts",
    from: "if (!this.isLow || this.#keptRecords > 0) return null;",
    to: "if (!this.isLow) return null;",
    tests: QUOTAS,
  },
  {
    name: "credit: it is told without room",
    file: "src/ingress/credit_window.ts",
    from: "if (!this.#mayFillTo(target)) return null;",
    to: "",
    tests: WINDOWS,
  },
  {
    name: "credit: an overrun uses what was kept for others",
    file: "src/ingress/credit_window.ts",
    from: "Math.min(bytes, Math.max(0, this.bytes)),",
    to: "bytes,",
    tests: WINDOWS,
  },
  {
    name: "credit: a client that is gone keeps its room",
    file: "src/ingress/credit_window.ts",
    from: "Math.max(0, this.bytes) + this.#keptBytes,\n      Math.max(0, this.records) + this.#keptRecords,",
    to: "0,\n      0,",
    tests: WINDOWS,
  },
  {
    name: "pid: what waits for a limiter counts as waiting for the sink",
    file: "src/lane/sink_gate.ts",
    from: "if (this.#limited) this.#limitedUntilMs = now;",
    to: "",
    tests: SOURCES,
  },
  {
    name: "pid: what is delivered is owed all the same",
    file: "src/admission/pid_admission.ts",
    from: "limiter.oweAtMost(feed.unsettledRecords, nowMs);",
    to: "",
    tests: SOURCES,
  },
  {
    name: "watermark: on again as soon as it is below the high mark",
    file: "src/limit/watermark_controller.ts",
    from: "wasOff ? level > this.#low : level > this.#high",
    to: "level > this.#high",
    tests: SOURCES,
  },
  {
    name: "source: who was told to come back finds the door shut",
    file: "src/admission/admission.ts",
    from: "return body.promised || this.sourceIsOpen;",
    to: "return this.sourceIsOpen;",
    tests: RETURNS,
  },
  {
    name: "source: credit is told while the door is shut",
    file: "src/ingress/credit_window.ts",
    from: "return sourceIsOpen && partition.hasRoomFor(0) &&",
    to: "return partition.hasRoomFor(0) &&",
    tests: GATES,
  },
  {
    name: "partial: the oldest waits too, so nobody can finish",
    file: "src/ingress/partial_budget.ts",
    from: "if (this.#used > this.limit && !this.#isOldest(holder)) this.#wait(holder);",
    to: "if (this.#used > this.limit) this.#wait(holder);",
    tests: PARTIALS,
  },
  {
    name: "partial: silent clients are never given up",
    file: "src/ingress/partial_budget.ts",
    from: "holder.giveUp();",
    to: "continue;",
    tests: UNFINISHED,
  },
  {
    name: "partial: unfinished messages are not counted",
    file: "src/ingress/websocket_connection.ts",
    from: "held + this.#parsing.unfinishedBytes",
    to: "held",
    tests: UNFINISHED,
  },
  {
    name: "held: messages trade places when the bytes are moved",
    file: "src/ingress/held_messages.ts",
    from: "grown.set(bytes.subarray(this.#from, this.#to));",
    to: "grown.set(bytes.subarray(0, this.#to - this.#from));",
    tests: PARTIALS,
  },
  {
    name: "batch: more bytes than maxBytes",
    file: "src/lane/batcher.ts",
    from: "(batch.count > 0 && encoded + length + framing > maxBytes) ||",
    to: "",
    tests: SIM,
  },
  {
    name: "batch: more records than maxRecords",
    file: "src/lane/batcher.ts",
    from: "batch.count >= maxRecords ||",
    to: "batch.count > maxRecords ||",
    tests: BATCHES,
  },
  {
    name: "batch: none lingers",
    file: "src/lane/batcher.ts",
    from: "if (leftMs <= 0) return false;",
    to: "return false;",
    tests: BATCHES,
  },
  {
    name: "batch: full ones linger too",
    file: "src/lane/batcher.ts",
    from: "if (this.#records >= shape.maxRecords || this.#bytes >= shape.maxBytes) return false;",
    to: "",
    tests: BATCHES,
  },
  {
    name: "writes: one less than the sink bears",
    file: "src/lane/sink_writer.ts",
    from: "if (this.inFlight >= this.#writesInFlight) return false;",
    to: "if (this.inFlight > 0 && this.inFlight >= this.#writesInFlight - 1) return false;",
    tests: BATCHES,
  },
  {
    name: "writes: one more than the writer bears",
    file: "src/lane/sink_writer.ts",
    from: "if (this.inFlight >= this.#writesInFlight) return false;",
    to: "if (this.inFlight > this.#writesInFlight) return false;",
    tests: SIM,
  },
  {
    name: "retry: the wait is not doubled",
    file: "src/lane/retry.ts",
    from: " * 2 ** Math.min(attempt - 1, 30)",
    to: "",
    tests: RETRIES,
  },
  {
    name: "retry: before its time",
    file: "src/lane/retry_queue.ts",
    from: "for (const batch of this.#waiting) if (batch.dueMs <= now) return batch;",
    to: "for (const batch of this.#waiting) if (batch.dueMs <= now + 300) return batch;",
    tests: RETRIES,
  },
  {
    name: "watch: a client that answers pings is never idle",
    file: "src/ingress/socket_watch.ts",
    from: "connection.quietSinceMs > idleSinceMs",
    to: "connection.lastByteMs > idleSinceMs",
    tests: WATCHED,
  },
  {
    name: "watch: who waits for room, an ack or credit is idle",
    file: "src/ingress/socket_watch.ts",
    from: "connection.waits || ",
    to: "",
    tests: WATCHED,
  },
  {
    name: "socket: the records of a connection lose its key and headers",
    file: "src/ingress/websocket_connection.ts",
    from: "if (this.#meta === null) return plain;",
    to: "if (this.#meta === null || plain.acceptedAtMs > 0) return plain;",
    tests: SHARED,
  },
];
