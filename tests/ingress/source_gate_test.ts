/**
 * A sink's controller that keeps records out is felt at every door, and only there: sockets pause, credit is not given,
 * a long body waits, other streams go on, and what is in gets out.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { HttpConnection } from "../support/http_client.ts";
import { SocketGateway } from "./socket_gateway.ts";

/** Two of these fill a segment. */
const RECORD = "x".repeat(1900);
const BUFFERS = { segmentBytes: 4096, segments: 1000 };

type Options = Parameters<typeof SocketGateway.start>[0];

/** A gateway whose sink `kept` has the control `watermark`, a queue of 64 buffers, and is held. */
async function start(options: Options = {}): Promise<SocketGateway> {
  const stage = await SocketGateway.start({
    buffers: BUFFERS,
    stream: { ack: "memory", maxRecordBytes: 4000, maxWaitMs: 60_000, ...options.stream },
    streams: options.streams,
    sinks: {
      kept: {
        type: "held",
        timeoutMs: 60_000,
        order: "strict",
        batch: { maxBytes: 10_000 },
        control: { kind: "watermark" },
      },
      ...options.sinks,
    },
  });
  stage.sink.hold();
  return stage;
}

/**
 * Posts one record after the other until `isEnough`; returns how many are in. A segment that is flushed meanwhile may shut
 * the control in front of a record: that one waits, and is withdrawn.
 */
async function postUntil(stage: SocketGateway, isEnough: () => boolean): Promise<number> {
  const { admission } = stage.gateway.streams.get("s")!;
  const connection = await HttpConnection.open(stage.gateway.port);
  let records = 0;
  for (; !isEnough(); records++) {
    assert(records < 500, "500 records were not enough");
    let isAnswered = false;
    const head = { path: "/v1/streams/s", headers: { "Content-Type": "text/plain" } };
    const answer = connection.request(head, RECORD).finally(() => isAnswered = true);
    answer.catch(() => {});
    await stage.until(() => isAnswered || admission.waiters > 0, "the record is in, or waits");
    if (!isAnswered) break;
    const { status, body } = await answer;
    assertEquals(status, 202, body);
  }
  connection[Symbol.dispose]();
  await stage.until(() => admission.waiters === 0, "nobody waits");
  assert(isEnough());
  return records;
}

/** Whether the controller, and nothing else, keeps records of `s` out. */
function isShut({ gateway }: SocketGateway): boolean {
  const { admission, partition } = gateway.streams.get("s")!;
  return !admission.sourceIsOpen && partition.hasRoomFor(RECORD.length);
}

Deno.test("Admission pauses a WebSocket while a sink's control is shut, with room left, and nothing is lost", async () => {
  await using stage = await start();
  const client = await stage.connect();
  const { door } = stage.gateway.streams.get("s")!;
  const sent = (async () => {
    for (let k = 0; k < 300; k++) await client.send(`${k} ${RECORD}`);
  })();
  await stage.until(() => door.pausedSockets === 1, "the socket paused");
  assert(isShut(stage), "the stream has room, and its sink's control is shut");
  stage.sink.release();
  await sent;
  await stage.until(() => stage.sink.stored.length === 300, "all stored");
  assertEquals(stage.sink.stored.map((value) => parseInt(value)), Array.from({ length: 300 }, (_, k) => k));
  assertEquals(door.pausedSockets, 0);
});

Deno.test("Admission gives a weir.v1 client no credit while a sink's control is shut", async () => {
  await using stage = await start();
  await postUntil(stage, () => isShut(stage));
  const client = await stage.connect({ protocol: "weir.v1" });
  await client.until(() => client.texts.length > 0, "told hello");
  assertEquals([client.told[0].credit, client.told[0].creditBytes], [0, 0]);
  stage.sink.release();
  await client.until(() => client.told.some(({ credit }, k) => k > 0 && Number(credit) > 0), "told credit");
});

Deno.test("Admission lets a body wait while a sink's control is shut, unread, and takes it after that", async () => {
  await using stage = await start();
  const before = await postUntil(stage, () => isShut(stage));
  using connection = await HttpConnection.open(stage.gateway.port);
  const head = { path: "/v1/streams/s", headers: { "Content-Type": "text/plain" } };
  const answer = connection.request(head, `${RECORD}\n`.repeat(1000));
  const { admission } = stage.gateway.streams.get("s")!;
  await stage.until(() => admission.waiters === 1, "the body waits");
  const waitedShut = isShut(stage);
  stage.sink.release();
  const { status, body } = await answer;
  assert(waitedShut, "the stream has room, and its sink's control is shut");
  assertEquals([status, JSON.parse(body).accepted], [202, 1000], body);
  await stage.until(() => stage.sink.stored.length === before + 1000, "all stored");
});

Deno.test("HttpIngress tells Expect: 100-continue that a sink is behind while its control is shut, not that memory is short", async () => {
  await using stage = await start();
  await postUntil(stage, () => isShut(stage));
  using connection = await HttpConnection.open(stage.gateway.port);
  const headers = { "Content-Type": "text/plain", "Expect": "100-continue", "Content-Length": 1 };
  await connection.writeHead({ path: "/v1/streams/s", headers });
  const { status, body } = await connection.readAnswer();
  assertEquals([status, JSON.parse(body).type], [429, "urn:weir:problem:sink-behind"], body);
});

Deno.test("Admission keeps a stream open that is not behind itself, though another one of the sink's is", async () => {
  await using stage = await start({
    streams: { other: { sinks: ["kept"], ack: "memory", maxRecordBytes: 4000 } },
  });
  await postUntil(stage, () => isShut(stage));
  assert(stage.gateway.streams.get("other")!.admission.sourceIsOpen);
  const { sinks } = stage.gateway.view.snapshot();
  assertEquals(sinks.find(({ name }) => name === "kept")!.source, {
    closedStreams: ["s"],
    recordsPerSecond: null,
  });
});

Deno.test("Admission is not held by a sink that acks do not wait for, nor by one that sheds", async () => {
  const control = { kind: "watermark" };
  const held = { type: "held", timeoutMs: 60_000, order: "strict", batch: { maxBytes: 10_000 }, control };
  for (const [stream, sink] of [[{ bestEffort: ["kept"] }, {}], [{}, { whenFull: "shed" }]]) {
    await using stage = await start({
      stream: { sinks: ["kept", "archive"], ...stream },
      sinks: { kept: { ...held, ...sink }, archive: { type: "memory" } },
    });
    const [{ lane, plan }] = stage.gateway.streams.get("s")!.lanes;
    const isAboveMark = () => lane.input.queue.backlog > 0.95 * (plan.maxBuffers - plan.credits);
    await postUntil(stage, isAboveMark);
    assert(stage.gateway.streams.get("s")!.admission.sourceIsOpen);
  }
});
