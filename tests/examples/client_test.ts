/** What the client does by itself, against a server that says what the test wants it to. @module */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { WeirClient } from "../../examples/client/weir_client.js";
import { type ScriptedConnection, ScriptedGateway } from "./scripted_gateway.ts";

type Options = ConstructorParameters<typeof WeirClient>[1];

/** A client with what it told, and its first connection, not greeted yet. */
class Session implements AsyncDisposable {
  readonly acks: number[] = [];
  readonly rejects: string[] = [];
  readonly states: string[] = [];
  readonly gateway: ScriptedGateway;
  readonly client: WeirClient;
  #changed = Promise.withResolvers<void>();

  private constructor(gateway: ScriptedGateway, options: Options) {
    this.gateway = gateway;
    this.client = new WeirClient(gateway.url, {
      minBackoffMs: 2,
      maxBackoffMs: 20,
      onAck: (number) => this.#note(this.acks, number),
      onReject: (number, reason, record) =>
        this.#note(this.rejects, `${number} ${new TextDecoder().decode(record).slice(0, 20)}: ${reason}`),
      onState: (state, reason) => this.#note(this.states, `${state}: ${reason}`),
      ...options,
    });
  }

  static async start(options: Options = {}): Promise<Session> {
    return new Session(await ScriptedGateway.start(), options);
  }

  /** The next connection, greeted with credit for `records` of 1 KiB. */
  async greeted(records?: number): Promise<ScriptedConnection> {
    const connection = await this.gateway.connection();
    connection.hello(records);
    return connection;
  }

  /** Resolves when `holds` after something was told. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.#changed.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close({ signal: AbortSignal.abort() });
    await this.gateway[Symbol.asyncDispose]();
  }

  #note<T>(list: T[], entry: T): void {
    list.push(entry);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

Deno.test("WeirClient.send() takes records before the greeting and sends them in order after it", async () => {
  await using session = await Session.start();
  const { client } = session;
  const bytes = new TextEncoder().encode("_2_");
  assertEquals([client.send("1"), client.send(bytes.subarray(1, 2)), client.send("ü")], [1, 2, 3]);
  bytes.fill(0);
  const connection = await session.gateway.connection();
  assertEquals(client.state, "connecting");
  assertEquals(connection.messages, []);
  connection.hello();
  assertEquals(await connection.received(3), ["1", "2", "ü"]);
  connection.say({ ack: 2 });
  connection.say({ ack: 3 });
  await session.until(() => session.acks.length === 2);
  assertEquals(session.acks, [2, 3]);
  assertEquals([client.unackedRecords, client.unackedBytes], [0, 0]);
});

Deno.test("WeirClient.send() spends credit in records and in bytes, and goes on with each grant", async () => {
  await using session = await Session.start();
  const { client } = session;
  for (let i = 0; i < 9; i++) client.send(`${i}`.repeat(10));
  const connection = await session.gateway.connection();
  connection.say({ hello: "s", credit: 2, creditBytes: 1000 });
  await connection.received(2);
  connection.say({ credit: 5, creditBytes: 0 });
  await connection.received(7);
  connection.say({ credit: 9, creditBytes: -925 });
  connection.say({ ack: 6 });
  // Five bytes of credit are left, one message is open: the eighth would go beyond.
  await session.until(() => session.acks.length === 1);
  assertEquals(client.credit, { records: 9, bytes: 5 });
  assertEquals(connection.messages.length, 7);
  connection.say({ credit: 0, creditBytes: 5 });
  assertEquals((await connection.received(8))[7], "7777777777");
});

Deno.test("WeirClient.send() sends a record that is longer than the whole window alone", async () => {
  await using session = await Session.start();
  session.client.send("a");
  session.client.send("b".repeat(5000));
  const connection = await session.greeted(1);
  connection.say({ credit: 1, creditBytes: 0 });
  await connection.received(1);
  assertEquals(connection.messages, ["a"]);
  connection.say({ ack: 1 });
  assertEquals((await connection.received(2))[1].length, 5000);
});

Deno.test("WeirClient.ready waits from maxUnackedBytes on, and send() throws meanwhile", async () => {
  await using session = await Session.start({ maxUnackedBytes: 200 });
  const { client } = session;
  const connection = await session.greeted();
  client.send("x".repeat(100));
  await client.ready;
  client.send("y");
  assertEquals([client.isReady, client.unackedBytes], [false, 229]);
  const error = assertThrows(() => client.send("z"), Error);
  assertStringIncludes(error.message, "229 bytes are not acked and maxUnackedBytes is 200");
  const { ready } = client;
  await connection.received(2);
  connection.say({ ack: 1 });
  await ready;
  assertEquals(client.send("z"), 3);
});

Deno.test("WeirClient sends what is not acked again on a new connection, and counts that from 1", async () => {
  await using session = await Session.start();
  const { client } = session;
  for (const name of ["a", "b", "c", "d"]) client.send(name);
  const first = await session.greeted();
  await first.received(4);
  first.say({ ack: 1 });
  await session.until(() => session.acks.length === 1);
  first.cut();
  const second = await session.greeted();
  assertEquals(await second.received(3), ["b", "c", "d"]);
  assertEquals(client.credit, { records: 97, bytes: 100 * 1024 - 3 });
  client.send("e");
  await second.received(4);
  second.say({ ack: 4 });
  await session.until(() => session.acks.length === 2);
  assertEquals(session.acks, [1, 5]);
  // An ack is what makes a connection a good one.
  second.cut();
  (await session.greeted()).cut();
  await session.greeted();
  const attempts = session.states.filter((state) => state.startsWith("connecting: "));
  assertEquals(attempts.map((state) => state.slice(-1)), ["1", "1", "1", "2"]);
});

Deno.test("WeirClient tells rejects with their record, and does not send those again", async () => {
  await using session = await Session.start();
  for (const name of ["a", "bad", "c"]) session.client.send(name);
  const first = await session.greeted();
  await first.received(3);
  first.say({ reject: 2, reason: "no JSON" });
  await session.until(() => session.rejects.length === 1);
  assertEquals(session.rejects, ["2 bad: no JSON"]);
  first.cut();
  const second = await session.greeted();
  assertEquals(await second.received(2), ["a", "c"]);
  second.say({ ack: 2 });
  await session.until(() => session.acks.length === 1);
  assertEquals(session.acks, [3]);
});

Deno.test("WeirClient closed with 1009 rejects its longest record and goes on with the others", async () => {
  await using session = await Session.start();
  for (const record of ["a", "b".repeat(500), "c"]) session.client.send(record);
  const first = await session.greeted();
  await first.received(3);
  first.close(1009);
  const second = await session.greeted();
  assertEquals(await second.received(2), ["a", "c"]);
  assertEquals(session.rejects, ["2 bbbbbbbbbbbbbbbbbbbb: the gateway takes no message of 500 bytes"]);
});

Deno.test("WeirClient closed with 1001 connects again, and says why it waited", async () => {
  await using session = await Session.start();
  const first = await session.greeted();
  first.close(1001, "the gateway goes away; connect again");
  await session.greeted();
  await session.until(() => session.states.length === 5);
  assertEquals(session.states, [
    "connecting: attempt 1",
    "open: session s",
    "waiting: closed with 1001 the gateway goes away; connect again",
    "connecting: attempt 1",
    "open: session s",
  ]);
});

Deno.test("WeirClient waits maxBackoffMs at most, however often it is refused", async () => {
  await using session = await Session.start({ minBackoffMs: 2, maxBackoffMs: 4 });
  // Doubled each time, the last pause alone would be longer than the test waits.
  session.gateway.refusals = 15;
  await session.greeted();
});

Deno.test("WeirClient refused again and again waits longer each time", async () => {
  await using session = await Session.start({ minBackoffMs: 20, maxBackoffMs: 80 });
  session.gateway.refusals = 5;
  await session.greeted();
  const { attemptsMs } = session.gateway;
  assertEquals(attemptsMs.length, 6);
  // At least half of 20, 40, 80, 80, 80; timers and the clock may differ by a millisecond.
  for (const [i, leastMs] of [10, 20, 40, 40, 40].entries()) {
    const pauseMs = attemptsMs[i + 1] - attemptsMs[i];
    assert(pauseMs >= leastMs - 2, `pause ${i} was ${pauseMs} ms`);
  }
  await session.until(() => session.client.state === "open");
});

Deno.test("WeirClient gives up a connection that does not greet within helloTimeoutMs", async () => {
  await using session = await Session.start({ helloTimeoutMs: 100 });
  const silent = await session.gateway.connection();
  await silent.closed();
  assertEquals(session.states[1], "waiting: no greeting within helloTimeoutMs");
  await session.gateway.connection();
});

Deno.test("WeirClient gives up a connection that owes an ack for ackTimeoutMs, and none that is idle", async () => {
  await using idle = await Session.start({ ackTimeoutMs: 1_000 });
  const acking = await idle.greeted();
  idle.client.send("a");
  await acking.received(1);
  acking.say({ ack: 1 });
  await idle.until(() => idle.acks.length === 1);
  await using session = await Session.start({ ackTimeoutMs: 1_000 });
  const silent = await session.greeted();
  await session.until(() => session.client.state === "open");
  session.client.send("b");
  await silent.closed();
  assertEquals(session.states[2], "waiting: no ack within ackTimeoutMs");
  const next = await session.greeted();
  assertEquals(await next.received(1), ["b"]);
  assertEquals(idle.states, ["connecting: attempt 1", "open: session s"]);
});

Deno.test("WeirClient gives up a connection that does not speak weir.v1, and loses nothing by it", async () => {
  await using session = await Session.start();
  session.client.send("a");
  session.client.send("b");
  const reasons: string[] = [];
  for (const words of ["hello!", "null", '{"ack":1}']) {
    const connection = await session.gateway.connection();
    connection.say(words);
    await connection.closed();
    assertEquals(connection.messages, []);
    reasons.push(`waiting: the other side does not speak weir.v1: ${words}`);
  }
  for (const [word, what] of [["ack", "acked"], ["reject", "rejected"]]) {
    // The second has no credit yet, so it is not open either.
    const connection = await session.greeted(1);
    assertEquals(await connection.received(1), ["a"]);
    connection.say({ [word]: 2 });
    await connection.closed();
    reasons.push(`waiting: the gateway ${what} message 2, which is not open`);
  }
  const last = await session.greeted();
  assertEquals(await last.received(2), ["a", "b"]);
  last.say({ ack: 2 });
  await session.until(() => session.acks.length === 1);
  assertEquals(session.states.filter((state) => state.startsWith("waiting: ")), reasons);
});

Deno.test("WeirClient.close() waits for acks, over a lost connection too, and gives back nothing", async () => {
  await using session = await Session.start();
  const { client } = session;
  client.send("a");
  const first = await session.greeted();
  await first.received(1);
  const closing = client.close();
  assertThrows(() => client.send("b"), Error, "the client is closed");
  await assertRejects(() => client.ready, Error, "the client is closed");
  first.cut();
  const second = await session.greeted();
  await second.received(1);
  second.say({ ack: 1 });
  assertEquals(await closing, []);
  assertEquals(client.state, "closed");
  await second.closed();
});

Deno.test("WeirClient.close() gives back what is not acked when its signal is aborted, and wakes who waits for ready", async () => {
  await using session = await Session.start({ maxUnackedBytes: 100 });
  const { client } = session;
  client.send("b");
  client.send("a".repeat(100));
  const { ready } = client;
  const connection = await session.greeted();
  await connection.received(2);
  connection.say({ reject: 1, reason: "no JSON" });
  await session.until(() => session.rejects.length === 1);
  const stop = new AbortController();
  const closing = client.close({ signal: stop.signal });
  await assertRejects(() => ready, Error, "the client is closed");
  stop.abort();
  assertEquals((await closing).map((record) => record.length), [100]);
  assertEquals(session.states.at(-1), "closed: by close()");
});
