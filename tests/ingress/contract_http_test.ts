/**
 * What `POST /v1/streams/{stream}` makes of a body, over real sockets: one test per row of the contract's tables of
 * types, encodings, keys and headers, and the answer of each.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import type { Answer } from "../support/http_client.ts";
import { jsonOf, OpenDoor, until } from "./open_door.ts";

const JSON_TYPE = { "Content-Type": "application/json" };
const LINES_TYPE = { "Content-Type": "application/x-ndjson" };

/** What the sink got of `body`, and the answer. */
async function taken(
  body: Uint8Array | string,
  headers: Record<string, string> = {},
  stream: Record<string, unknown> = {},
  path?: string,
): Promise<{ answer: Answer; door: Pick<OpenDoor["sink"], "got" | "values"> }> {
  await using door = await OpenDoor.start({ stream });
  const answer = await door.post(body, headers, path);
  return { answer, door: { got: [...door.sink.got], values: door.sink.values } };
}

function assertTaken(answer: Answer, accepted: number): void {
  assertEquals(answer.status, 200, answer.body);
  assertEquals(answer.headers.get("content-type"), "application/json");
  assertEquals(jsonOf(answer), { accepted, next: accepted, rejectedCount: 0, rejected: [] });
}

/** Type, body, values, whether the stream validates. */
const TYPES: readonly (readonly [string | null, string, readonly string[], ("json" | "none")?])[] = [
  ["application/json", '{"a": 1}', ['{"a": 1}']],
  ["application/json", ' "scalar" ', ['"scalar"']],
  ["application/json", '[ {"a" : 1} , [2,3],4 ]', ['{"a" : 1}', "[2,3]", "4"]],
  ["application/json; charset=utf-8", "[1]", ["1"]],
  ["Application/JSON", "[1]", ["1"]],
  ["application/json", "[1,2]", ["1", "2"], "none"],
  ["application/x-ndjson", '{"a":1}\r\n\r\n\n{"a":2}', ['{"a":1}', '{"a":2}']],
  ["application/jsonl", "1\n2\n", ["1", "2"]],
  ["text/plain", "1\n2", ["1", "2"]],
  ["text/plain", "no json\nat all\r\n", ["no json", "at all"], "none"],
  ["application/x-www-form-urlencoded", ' \n[{"a":1},2]', ['{"a":1}', "2"]],
  ["application/x-www-form-urlencoded", '{"a":1}', ['{"a":1}']],
  ["application/x-www-form-urlencoded", "1\n2", ["1", "2"]],
  [null, "[1,2]", ["1", "2"]],
  [null, "a=1&b=2\nc", ["a=1&b=2", "c"], "none"],
  ["application/octet-stream", "{\n}", ["{\n}"]],
  ["application/octet-stream", "any\nbytes\r\n", ["any\nbytes\r\n"], "none"],
  [
    "application/cloudevents+json; charset=UTF-8",
    '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":[1]}',
    ['{"specversion":"1.0","id":"1","source":"/s","type":"t","data":[1]}'],
  ],
  [
    "application/cloudevents-batch+json",
    '[{"specversion":"1.0","id":"1","source":"/s","type":"t"}]',
    ['{"specversion":"1.0","id":"1","source":"/s","type":"t"}'],
  ],
];

Deno.test("HttpIngress makes of each Content-Type the records that the contract names", async (t) => {
  for (const [type, body, values, validate] of TYPES) {
    await t.step(
      `${type ?? "no type"}: ${JSON.stringify(body).slice(0, 40)}, validate: ${validate ?? "json"}`,
      async () => {
        const headers: Record<string, string> = type === null ? {} : { "Content-Type": type };
        const { answer, door } = await taken(body, headers, { validate: validate ?? "json" });
        assertTaken(answer, values.length);
        assertEquals(door.values, values);
      },
    );
  }
});

Deno.test("HttpIngress takes CloudEvents: id of source and id, binary mode with its attributes", async () => {
  await using door = await OpenDoor.start();
  const event = { "Content-Type": "application/cloudevents+json" };
  assertTaken(await door.post('{"specversion":"1.0","id":"7","source":"/s","type":"t"}', event), 1);
  const binary = {
    "Content-Type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "8",
    "ce-source": "/s",
    "ce-type": "t",
    "ce-extension": "x",
  };
  assertTaken(await door.post("[1, 2]", binary), 1);
  assertEquals(door.sink.got.map(({ id, isCloudEvent, value }) => [id, isCloudEvent, value]), [
    ["/s#7", false, '{"specversion":"1.0","id":"7","source":"/s","type":"t"}'],
    ["/s#8", true, "[1, 2]"],
  ]);
  assertEquals(Object.fromEntries(door.sink.got[1].headers), {
    "ce-specversion": "1.0",
    "ce-id": "8",
    "ce-source": "/s",
    "ce-type": "t",
    "ce-extension": "x",
    "content-type": "application/json",
  });
});

Deno.test("HttpIngress refuses CloudEvents of another version, with an id that is empty, no string or too long, or a header twice", async (t) => {
  await using door = await OpenDoor.start();
  const right = { specversion: "1.0", id: "1", source: "/s", type: "t" };
  for (
    const [wrong, told] of [
      [{ specversion: "0.3" }, '"specversion"'],
      [{ specversion: "1.00" }, '"specversion"'],
      [{ specversion: 1.0 }, '"specversion"'],
      [{ id: "" }, '"id"'],
      [{ id: 7 }, '"id"'],
      [{ id: null }, '"id"'],
      [{ id: "x".repeat(1025) }, '"id"'],
      [{ source: "" }, '"source"'],
      [{ type: "" }, '"type"'],
    ] as const
  ) {
    await t.step(JSON.stringify(wrong).slice(0, 40), async () => {
      const event = JSON.stringify({ ...right, ...wrong });
      const answer = await door.post(event, { "Content-Type": "application/cloudevents+json" });
      assertEquals(answer.status, 400, answer.body);
      assertStringIncludes(jsonOf(answer).detail, told);
      // As an element that arrives in pieces it is refused the same way.
      const batch = await door.post(`[${JSON.stringify(right)},${" ".repeat(100_000)}${event}]`, {
        "Content-Type": "application/cloudevents-batch+json",
      });
      assertEquals([batch.status, jsonOf(batch).rejected.length], [200, 1], batch.body);
      assertStringIncludes(jsonOf(batch).rejected[0].reason, told);
    });
  }
  const binary = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t" };
  for (
    const [wrong, told] of [
      [{ "ce-specversion": "0.3" }, "ce-specversion must be 1.0"],
      [{ "ce-id": "" }, "ce-id must not be empty"],
      [{ "CE-ID": "2" }, "ce-id must stand once"],
    ] as const
  ) {
    await t.step(told, async () => {
      const answer = await door.post("1", { ...binary, ...wrong });
      assertEquals(answer.status, 400, answer.body);
      assertStringIncludes(jsonOf(answer).detail, told);
    });
  }
});

Deno.test("HttpIngress gives an event with two ids the id that it was checked by", async () => {
  await using door = await OpenDoor.start();
  const event = '{"specversion":"1.0","id":"1","source":"/s","type":"t","id":""}';
  assertEquals((await door.post(event, { "Content-Type": "application/cloudevents+json" })).status, 200);
  assertEquals(door.sink.got[0].id, "/s#1");
});

Deno.test("HttpIngress refuses CloudEvents that lack a required member or header", async () => {
  await using door = await OpenDoor.start();
  const structured = await door.post('{"specversion":"1.0","id":"1","type":"t"}', {
    "Content-Type": "application/cloudevents+json",
  });
  assertEquals(structured.status, 400);
  assertStringIncludes(jsonOf(structured).detail, '"source"');
  const batch = await door.post(
    '[{"specversion":"1.0","id":"1","type":"t"},{"specversion":"1.0","id":"1","source":"/","type":"t"}]',
    {
      "Content-Type": "application/cloudevents-batch+json",
    },
  );
  assertEquals(batch.status, 200);
  assertEquals([jsonOf(batch).accepted, jsonOf(batch).next, jsonOf(batch).rejected[0].index], [1, 2, 0]);
  const binary = await door.post("1", { "ce-specversion": "1.0", "ce-id": "1", "ce-type": "t" });
  assertEquals(binary.status, 400);
  assertStringIncludes(jsonOf(binary).detail, "ce-source");
});

const ENCODERS: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  identity: (bytes) => bytes,
  gzip: gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
};

Deno.test("HttpIngress decodes every encoding, with a length and chunked, small and streamed", async (t) => {
  const small = Buffer.from("1\n2\n");
  const large = Buffer.from(
    Array.from({ length: 40_000 }, (_, k) => `{"number":${k},"text":"some text"}\n`).join(""),
  );
  assert(large.length > 1_048_576);
  for (const [encoding, encode] of Object.entries(ENCODERS)) {
    for (const [name, plain, count] of [["small", small, 2], ["large", large, 40_000]] as const) {
      for (const chunked of [false, true]) {
        await t.step(`${encoding}, ${name}, ${chunked ? "chunked" : "with Content-Length"}`, async () => {
          // Seconds of a busy machine, in which a connection would have been silent for too long.
          const body = encode(plain);
          await using door = await OpenDoor.start();
          using connection = await door.connect();
          const headers = { ...LINES_TYPE, "Content-Encoding": encoding };
          let answer: Answer;
          if (chunked) {
            await connection.writeHead({
              path: "/v1/streams/s",
              headers: { ...headers, "Transfer-Encoding": "chunked" },
            });
            for (let at = 0; at < body.length; at += 50_000) {
              await connection.writeChunk(body.subarray(at, at + 50_000));
            }
            await connection.writeChunk("");
            answer = await connection.readAnswer();
          } else answer = await connection.request({ path: "/v1/streams/s", headers }, body);
          assertTaken(answer, count);
          assertEquals(door.sink.values.join("\n") + "\n", plain.toString());
        });
      }
    }
  }
});

Deno.test("HttpIngress decodes gzip of several members, in one chunk and in several", async () => {
  await using door = await OpenDoor.start();
  const body = Buffer.concat([gzipSync("1\n2"), gzipSync("3\n"), gzipSync("4\n")]);
  assertTaken(await door.post(body, { ...LINES_TYPE, "Content-Encoding": "gzip" }), 3);
  assertEquals(door.sink.values, ["1", "23", "4"]);
});

Deno.test("HttpIngress answers 400 to encoded bodies that are cut off or none, and takes nothing of them", async (t) => {
  const plain = Buffer.from(Array.from({ length: 2000 }, (_, k) => `${Math.imul(k, 2654435761)}\n`).join(""));
  for (const [encoding, encode] of Object.entries(ENCODERS)) {
    if (encoding === "identity") continue;
    const whole = encode(plain);
    const cases = {
      cut: whole.subarray(0, whole.length - 5),
      none: Buffer.from("this is not compressed"),
      empty: Buffer.from(""),
    };
    for (const [name, body] of Object.entries(cases)) {
      await t.step(`${encoding}, ${name}`, async () => {
        const { answer, door } = await taken(body, { ...LINES_TYPE, "Content-Encoding": encoding });
        assertEquals(answer.status, 400, answer.body);
        assertEquals([jsonOf(answer).accepted, jsonOf(answer).next, door.values.length], [0, 0, 0]);
      });
    }
  }
});

Deno.test("HttpIngress counts the decoded size: a small body that unfolds over maxBodyBytes is 413", async () => {
  const bomb = gzipSync(Buffer.alloc(3_000_000, "1\n"));
  const { answer, door } = await taken(bomb, { ...LINES_TYPE, "Content-Encoding": "gzip" }, {
    maxBodyBytes: 900_000,
    maxRecordBytes: 1000,
  });
  assertEquals(answer.status, 413);
  assertMatch(jsonOf(answer).type, /body-too-large$/);
  assertEquals(door.values, []);
});

Deno.test("HttpIngress rejects single lines and takes the others; application/json is whole or nothing", async () => {
  await using door = await OpenDoor.start();
  const lines = await door.post('1\nnope\n{"a":2}\n{"a":', LINES_TYPE);
  assertEquals(lines.status, 200);
  const { accepted, next, rejectedCount, rejected } = jsonOf(lines);
  assertEquals([accepted, next, rejectedCount], [2, 4, 2]);
  assertEquals(rejected.map(({ index }: { index: number }) => index), [1, 3]);
  assertMatch(rejected[0].reason, /byte 3/);

  const array = await door.post('[1,{"a":2},{"b":nope}]', JSON_TYPE);
  assertEquals(array.status, 400);
  assertEquals(array.headers.get("content-type"), "application/problem+json");
  assertMatch(jsonOf(array).detail, /record 2: .*byte 17/);
  assertEquals([jsonOf(array).accepted, jsonOf(array).next], [0, 0]);
  assertEquals(door.sink.values, ["1", '{"a":2}']);
});

Deno.test("HttpIngress lists at most 100 refused records and counts all", async () => {
  const { answer } = await taken("x\n".repeat(150) + "1\n", LINES_TYPE);
  assertEquals([jsonOf(answer).accepted, jsonOf(answer).next, jsonOf(answer).rejectedCount], [1, 151, 150]);
  assertEquals(jsonOf(answer).rejected.length, 100);
});

Deno.test("HttpIngress answers 400 where nothing is acceptable: empty, blank, no UTF-8, an empty array", async (t) => {
  for (
    const [name, type, body] of [
      ["empty", "application/json", ""],
      ["empty octets", "application/octet-stream", ""],
      ["blank", "application/x-www-form-urlencoded", " \r\n "],
      ["empty lines", "text/plain", "\n\r\n\n"],
      ["empty array", "application/json", " [ ] "],
      ["bad UTF-8", "application/json", new Uint8Array([0x22, 0xc3, 0x28, 0x22])],
      ["bad UTF-8 in a line", "text/plain", new Uint8Array([0x22, 0xff, 0x22, 10])],
      ["two texts", "application/json", "1 2"],
    ] as const
  ) {
    await t.step(name, async () => {
      const { answer, door } = await taken(body, { "Content-Type": type });
      assertEquals(answer.status, 400, answer.body);
      const problem = jsonOf(answer);
      assertEquals([problem.status, problem.accepted, door.values.length], [400, 0, 0]);
    });
  }
});

Deno.test("HttpIngress takes the key of ?key= and X-Weir-Key before the record's own, as the same bytes", async () => {
  await using door = await OpenDoor.start({ stream: { key: "/id" } });
  await door.post('{"id":"é"}', JSON_TYPE);
  await door.post('{"id":"own"}', JSON_TYPE, "/v1/streams/s?key=%C3%A9");
  using connection = await door.connect();
  await connection.write(
    new Uint8Array(
      Buffer.from(
        "POST /v1/streams/s?key=other HTTP/1.1\r\nHost: x\r\nX-Weir-Key: é\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
      ),
    ),
  );
  assertTaken(await connection.readAnswer(), 1);
  await door.post("{}", JSON_TYPE);
  assertEquals(door.sink.got.map(({ key }) => key), ["é", "é", "é", null]);
});

Deno.test("HttpIngress keeps the request headers that the stream names, and no others", async () => {
  const { door } = await taken("1", { "X-Tenant": "a", "X-Other": "b" }, {
    headers: ["X-Tenant", "X-Missing"],
  });
  assertEquals(door.got[0].headers, [["x-tenant", "a"]]);
});

Deno.test("HttpIngress keeps a request header as the bytes that were sent", async () => {
  await using door = await OpenDoor.start({ stream: { headers: ["x-city"] } });
  using connection = await door.connect();
  const head =
    "POST /v1/streams/s HTTP/1.1\r\nHost: x\r\nX-City: Zürich\r\nContent-Type: application/json\r\n";
  await connection.write(new Uint8Array(Buffer.from(`${head}Content-Length: 2\r\n\r\n{}`)));
  assertTaken(await connection.readAnswer(), 1);
  assertEquals(door.sink.got[0].headers, [["x-city", "Zürich"]]);
});

Deno.test("HttpIngress answers 202 with ack: memory, before the sink has anything", async () => {
  await using door = await OpenDoor.start({ stream: { ack: "memory" } });
  door.sink.hold();
  const answer = await door.post("[1,2]", JSON_TYPE);
  assertEquals([answer.status, jsonOf(answer)], [202, {
    accepted: 2,
    next: 2,
    rejectedCount: 0,
    rejected: [],
  }]);
  assertEquals(door.sink.values, []);
  door.sink.release();
  await until(() => door.sink.got.length === 2, "the records arrive");
});

Deno.test("HttpIngress answers 200 with ack: delivered only when every sink but the best-effort ones has the records", async () => {
  await using door = await OpenDoor.start({
    stream: { sinks: ["out", "slow"], bestEffort: ["slow"] },
    sinks: { slow: { type: "memory" } },
  });
  door.sink.hold();
  let answered = false;
  const answer = door.post("[1,2]", JSON_TYPE).then((answer) => {
    answered = true;
    return answer;
  });
  await until(() => door.sink.writes === 1, "the write begins");
  assertEquals(answered, false);
  door.sink.release();
  assertTaken(await answer, 2);
});

Deno.test("HttpIngress tells what was dead-lettered, and a dead letter has the contract's members", async () => {
  await using door = await OpenDoor.start({ stream: { key: "/id" } });
  door.sink.refuses = (value) => value.includes("bad");
  const answer = await door.post('[{"id":"k","x":"bad"},{"id":"k","x":"good"}]', JSON_TYPE);
  assertEquals(answer.status, 200, answer.body);
  assertEquals([jsonOf(answer).accepted, jsonOf(answer).deadLettered], [2, 1]);
  const text = await Deno.readTextFile(`${door.folder}/dead-letter/out.ndjson`);
  const letter = JSON.parse(text);
  assertEquals(Object.keys(letter).sort(), [
    "attempts",
    "id",
    "key",
    "reason",
    "sink",
    "stream",
    "time",
    "value",
  ]);
  assertEquals([letter.stream, letter.sink, letter.reason, letter.attempts, letter.key, letter.value], [
    "s",
    "out",
    "not to its taste",
    1,
    "k",
    '{"id":"k","x":"bad"}',
  ]);
  assertMatch(letter.time, /^\d{4}-\d\d-\d\dT/);
});

Deno.test("HttpIngress tells what a full sink shed", async () => {
  await using door = await OpenDoor.start({
    buffers: { segmentBytes: 4096, segments: 256, exclusivePerLane: 1, floatingPerLane: 0, maxPerLane: 2 },
    stream: { ack: "memory", maxRecordBytes: 1000 },
    sink: { whenFull: "shed", batch: { maxBytes: 2000 } },
  });
  door.sink.hold();
  const body = `"${"x".repeat(900)}"\n`.repeat(4);
  let shed = 0;
  for (let k = 0; k < 40 && shed === 0; k++) {
    const answer = jsonOf(await door.post(body, LINES_TYPE));
    assertEquals(answer.accepted, 4);
    shed = answer.shed?.out ?? 0;
  }
  assertEquals(shed, 4);
});

Deno.test("file holds what was sent byte for byte", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/out.ndjson`;
    await using door = await OpenDoor.start({
      stream: { sinks: ["file"], validate: "none" },
      sinks: { file: { type: "file", path } },
    });
    const body = Array.from({ length: 30_000 }, (_, k) => `line ${k} \u{1f600} ${"x".repeat(k % 200)}\n`)
      .join("");
    assertTaken(await door.post(body, { "Content-Type": "text/plain" }), 30_000);
    assertEquals(await Deno.readTextFile(path), body);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
