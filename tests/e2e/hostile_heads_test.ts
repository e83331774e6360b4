/**
 * Heads that are wrong, ambiguous or too much, byte for byte on a running gateway: each ends in a refusal or a closed
 * connection, and none of the requests hidden behind one is ever taken.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { latin1, Siege, type Verdict, verdictOf } from "./siege.ts";

const POST = "POST /v1/streams/events HTTP/1.1\r\nHost: weir\r\n";
/** Taken for a request of its own, it would be stored. */
const HIDDEN = `${POST}Content-Length: 8\r\n\r\n"hidden"`;
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;

const AMBIGUOUS: readonly (readonly [string, string, Verdict])[] = [
  ["two lengths", `${POST}Content-Length: 3\r\nContent-Length: 0\r\n\r\n${HIDDEN}`, 400],
  ["a list of lengths", `${POST}Content-Length: 0, 3\r\n\r\n${HIDDEN}`, 400],
  ["a signed length", `${POST}Content-Length: +0\r\n\r\n${HIDDEN}`, 400],
  ["a hexadecimal length", `${POST}Content-Length: 0x0\r\n\r\n${HIDDEN}`, 400],
  ["an empty length", `${POST}Content-Length: \r\n\r\n${HIDDEN}`, 400],
  ["a length over 2^64", `${POST}Content-Length: 99999999999999999999\r\n\r\n${HIDDEN}`, 400],
  ["a length over 2^53", `${POST}Content-Length: 9007199254740993\r\n\r\n${HIDDEN}`, 413],
  [
    "a length with chunked",
    `${POST}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
    400,
  ],
  [
    "chunked with a length",
    `${POST}Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n${HIDDEN}`,
    400,
  ],
  ["chunked twice", `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n${HIDDEN}`, 400],
  ["gzip, chunked", `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n${HIDDEN}`, 501],
  ["chunked, identity", `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${HIDDEN}`, 400],
  ["xchunked", `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${HIDDEN}`, 501],
  ["chunked behind a vertical tab", `${POST}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n${HIDDEN}`, 400],
  ["a blank before the colon", `${POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${HIDDEN}`, 400],
  ["a folded field", `${POST}X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n${HIDDEN}`, 400],
  ["a bare LF between fields", `${POST}X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`, 400],
  ["a bare CR in a field", `${POST}X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`, 400],
  ["a NUL in a field", `${POST}X: a\0b\r\n\r\n${HIDDEN}`, 400],
  ["HTTP/1.0 with chunked", `${CHUNKED.replace("1.1", "1.0")}0\r\n\r\n${HIDDEN}`, 400],
  ["two hosts", `${POST}host: other\r\nContent-Length: 0\r\n\r\n${HIDDEN}`, 400],
  ["no host", `${POST.replace("Host: weir\r\n", "")}Content-Length: 1\r\n\r\n1`, 400],
  ["a host with a blank", `${POST.replace("weir", "we ir")}Content-Length: 1\r\n\r\n1`, 400],
  ["HTTP/0.9", "GET /v1/streams/events\r\n\r\n", 505],
  ["HTTP/2.0", `${POST.replace("1.1", "2.0")}Content-Length: 1\r\n\r\n1`, 505],
  ["HTTP/1.9", `${POST.replace("1.1", "1.9")}Content-Length: 1\r\n\r\n1`, 400],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
  ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
  ["CONNECT", "CONNECT weir:80 HTTP/1.1\r\nHost: weir\r\n\r\n", "closed"],
  ["a control byte in the path", "POST /v1/streams/ev\x01ents HTTP/1.1\r\nHost: weir\r\n\r\n", 400],
  ["bytes over 127 in the path", "POST /v1/streams/\xc3\xa4 HTTP/1.1\r\nHost: weir\r\n\r\n", 400],
];

const BAD_CHUNKS: readonly (readonly [string, string])[] = [
  ["a size that is none", "x\r\n1\r\n0\r\n\r\n"],
  ["a negative size", "-1\r\n1\r\n0\r\n\r\n"],
  ["a size with 0x", "0x1\r\n1\r\n0\r\n\r\n"],
  ["a size over 2^64", "10000000000000000\r\n1\r\n0\r\n\r\n"],
  ["a size with a blank", "1 \r\n1\r\n0\r\n\r\n"],
  ["bare LF behind a size", "1\n1\r\n0\r\n\r\n"],
  ["a chunk longer than its size", "1\r\n12\r\n0\r\n\r\n"],
  ["no end of a chunk", `1\r\n10\r\n\r\n${HIDDEN}`],
  ["a length among the trailers", `1\r\n1\r\n0\r\nContent-Length: 5\r\n\r\n${HIDDEN}`],
  ["256 KiB of trailers", `1\r\n1\r\n0\r\n${"T: t\r\n".repeat(43_000)}\r\n`],
];

Deno.test("Gateway refuses heads that two readers may read in two ways, and nothing hidden behind them", async (t) => {
  await using siege = await Siege.start();
  for (const [name, bytes, expected] of AMBIGUOUS) {
    await t.step(name, async () => assertEquals(await siege.send(bytes), expected));
  }
  await siege.end(0);
});

Deno.test("Gateway refuses chunked bodies whose framing is wrong, and takes nothing of them", async (t) => {
  await using siege = await Siege.start();
  for (const [name, body] of BAD_CHUNKS) {
    await t.step(name, async () => {
      const verdict = await siege.send(CHUNKED + body);
      assert(verdict === 400 || verdict === 431 || verdict === "closed", `${verdict}`);
    });
  }
  await siege.end(0);
});

Deno.test("Gateway refuses floods of header fields, and one that is endless", async (t) => {
  await using siege = await Siege.start();
  const fields = (count: number) => Array.from({ length: count }, (_, k) => `a${k}:\r\n`).join("");
  for (
    const [name, bytes, expected] of [
      // What came behind the thousandth was once dropped: here a coding that the body has.
      ["1,000 fields", `${POST}${fields(1_000)}Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\n1`, 431],
      ["one field of 1 MiB", `${POST}A: ${"a".repeat(1_048_576)}\r\n\r\n`, 431],
      ["a path of 1 MiB", `POST /v1/streams/${"a".repeat(1_048_576)} HTTP/1.1\r\nHost: weir\r\n\r\n`, 431],
      ["a method of 1 MiB", `${"A".repeat(1_048_576)} / HTTP/1.1\r\n\r\n`, 400],
    ] as const
  ) {
    await t.step(name, async () => {
      const verdict = await siege.send(bytes);
      assert(verdict === expected || verdict === "closed", `${verdict}`);
    });
  }
  await t.step("fields without end", async () => {
    using connection = await siege.connect();
    const verdict = verdictOf(connection);
    await connection.write(POST);
    let sent = 0;
    try {
      for (; sent < 64 * 1_048_576; sent += 12_000) await connection.write("A: aaaaaaa\r\n".repeat(1_000));
    } catch {
      // Closed, as it should be.
    }
    assert([431, "closed"].includes(await verdict));
    assert(sent < 32 * 1_048_576, `${sent} bytes of fields were read`);
  });
  await siege.end(0);
});

Deno.test("Gateway never gives a refusal to a request that waits for another answer", async () => {
  // A parse error was once answered at once: before, and so in place of, the answer of the request in front of it.
  await using siege = await Siege.start({ archive: { batch: { lingerMs: 300 } } });
  using connection = await siege.connect();
  await connection.write(latin1(`${POST}Content-Length: 1\r\n\r\n1NONSENSE\r\n\r\n`));
  const verdict = await verdictOf(connection);
  assert(verdict === 200 || verdict === "closed", `${verdict}`);
  await siege.end(1);
});

Deno.test("Gateway takes what is unusual and right: an absolute target, blank lines in front, chunk extensions, trailers", async () => {
  await using siege = await Siege.start();
  const requests = [
    `POST http://weir/v1/streams/events HTTP/1.1\r\nHost: weir\r\nContent-Length: 1\r\n\r\n1`,
    `\r\n\r\n${POST}Content-Length: 1\r\n\r\n2`,
    `${CHUNKED}1;name="va;lue"\r\n3\r\n0\r\nT: t\r\n\r\n`,
    `${POST.replace("weir", "[::1]:8080")}Content-Length: 1\r\n\r\n4`,
    `${POST.replace("weir", "")}Content-Length: 1\r\n\r\n5`,
  ];
  for (const request of requests) assertEquals(await siege.send(request), 200, request);
  await siege.end(requests.length);
});

Deno.test("Gateway says what is wrong with a head once, and nothing behind it", async (t) => {
  await using siege = await Siege.start();
  const chunks = "Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n";
  for (
    const [name, bytes, said] of [
      ["no Host", `POST /v1/streams/events HTTP/1.1\r\n${chunks}`, "a request of HTTP/1.1 has a Host"],
      [
        "a target with a backslash",
        `POST /v1\\streams HTTP/1.1\r\nHost: weir\r\n${chunks}`,
        "Backslash in request path",
      ],
      // The answer to HTTP/0.9 has no length: what came behind it was once read as a part of it.
      ["no version", `POST /v1/streamHTTP/1.1\r\nHost: weir\r\n${chunks}NONSENSE`, "not 0.9"],
    ] as const
  ) {
    await t.step(name, async () => {
      using connection = await siege.connect();
      await connection.write(latin1(bytes));
      await connection.closeWrite();
      const { status, body } = await connection.readAnswer();
      assertEquals(JSON.parse(body).status, status);
      assertStringIncludes(JSON.parse(body).detail, said);
    });
  }
  await siege.end(0);
});
