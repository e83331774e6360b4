/**
 * Records made to break out of their line: line feeds with a bulk action behind them, through every door into every
 * line-framed sink.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { startHttpTarget } from "../adapters/http_target.ts";
import { until } from "../ingress/open_door.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { HttpConnection } from "../support/http_client.ts";
import { sendMessages } from "./message_sender.ts";
import { latin1 } from "./siege.ts";

/** Taken for a line of its own, it would delete what it names. */
const ACTION = '{"delete":{"_index":"users","_id":"1"}}';
const EVENT = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t" };
const EVENT_HEAD = '"specversion":"1.0","id":"1","source":"/s","type":"t"';
const decoder = new TextDecoder();

/** How a record comes in: its stream, headers and body, and whether it is taken or refused by the sinks. */
interface Attempt {
  readonly name: string;
  readonly stream: "checked" | "trusted";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Records that are stored; the others are dead-lettered. */
  readonly stored: number;
  readonly deadLettered: number;
}

const type = (contentType: string) => ({ "Content-Type": contentType });

const ATTEMPTS: readonly Attempt[] = [
  ...["\n", "\r\n", "\r"].flatMap((end): Attempt[] => {
    const named = (name: string) => `${name} with ${JSON.stringify(end)}`;
    const both = { headers: type("application/octet-stream"), deadLettered: 0 };
    // JSON with line ends between its tokens: each a whole line would be an action.
    const spread = `{"a":${end}${ACTION}${end}}`;
    const holdsLineFeed = end.includes("\n");
    return [
      { ...both, name: named("octets, checked"), stream: "checked", body: spread, stored: 1 },
      { ...both, name: named("octets, trusted"), stream: "trusted", body: spread, stored: 1 },
      {
        ...both,
        name: named("octets that are no JSON"),
        stream: "trusted",
        body: `a${end}${ACTION}`,
        stored: holdsLineFeed ? 0 : 1,
        deadLettered: holdsLineFeed ? 1 : 0,
      },
      {
        ...both,
        name: named("octets of two JSON texts"),
        stream: "trusted",
        body: `{}${end}${ACTION}`,
        stored: holdsLineFeed ? 0 : 1,
        deadLettered: holdsLineFeed ? 1 : 0,
      },
      {
        ...both,
        name: named("a JSON text"),
        headers: type("application/json"),
        stream: "checked",
        body: `${end}${spread}${end}`,
        stored: 1,
      },
      {
        ...both,
        name: named("a JSON array"),
        headers: type("application/json"),
        stream: "trusted",
        body: `[${end}1${end},${end}${spread}${end}]`,
        stored: 2,
      },
      {
        ...both,
        name: named("curl -d"),
        headers: type("application/x-www-form-urlencoded"),
        stream: "checked",
        body: spread,
        stored: 1,
      },
      {
        ...both,
        name: named("a structured CloudEvent"),
        headers: type("application/cloudevents+json"),
        stream: "checked",
        body: `{${EVENT_HEAD},"data":${end}${ACTION}${end}}`,
        stored: 1,
      },
      {
        ...both,
        name: named("a batch of CloudEvents"),
        headers: type("application/cloudevents-batch+json"),
        stream: "trusted",
        body: `[{${EVENT_HEAD},"data":${end}${ACTION}${end}}]`,
        stored: 1,
      },
      {
        ...both,
        name: named("a binary CloudEvent of JSON"),
        headers: { ...EVENT, ...type("application/json") },
        stream: "trusted",
        body: spread,
        stored: 1,
      },
      {
        ...both,
        name: named("a binary CloudEvent of text"),
        headers: { ...EVENT, "ce-subject": "%0A{}%0D%0A", ...type("text/plain") },
        stream: "trusted",
        body: `a${end}${ACTION}`,
        stored: 1,
      },
      {
        ...both,
        name: named("a binary CloudEvent of bytes"),
        headers: { ...EVENT, ...type("application/x-any") },
        stream: "trusted",
        body: `\xff${end}${ACTION}`,
        stored: 1,
      },
    ];
  }),
  {
    name: "lines with lone CRs",
    stream: "trusted",
    headers: type("text/plain"),
    body: `a\r${ACTION}\rb\nc\r\r\n`,
    stored: 2,
    deadLettered: 0,
  },
];

/** Lines that an action would be, or that are no line of a record: none may be there. */
function assertNoAction(lines: readonly string[], where: string): void {
  for (const line of lines) {
    assert(line.trim() !== ACTION && line !== "", `${where} holds the line ${JSON.stringify(line)}`);
  }
}

Deno.test("Gateway lets no record break out of its line: every door, every line-framed sink", async (t) => {
  const target = await startHttpTarget();
  try {
    const sinks = ["file", "http", "stdout"];
    await using gateway = await GatewayProcess.start({
      streams: {
        checked: { sinks },
        trusted: { sinks, validate: "none" },
      },
      sinks: {
        file: { type: "file", path: "out.ndjson" },
        http: { type: "http", url: target.url },
        stdout: { type: "stdout" },
      },
    });
    using connection = await HttpConnection.open(gateway.port);
    let stored = 0;
    let deadLettered = 0;
    for (const attempt of ATTEMPTS) {
      await t.step(attempt.name, async () => {
        const path = `/v1/streams/${attempt.stream}`;
        const answer = await connection.request({ path, headers: attempt.headers }, latin1(attempt.body));
        assertEquals(answer.status, 200, answer.body);
        const told = JSON.parse(answer.body);
        assertEquals(
          [told.accepted, told.deadLettered ?? 0],
          [attempt.stored + attempt.deadLettered, attempt.deadLettered * sinks.length],
        );
        stored += attempt.stored;
        deadLettered += attempt.deadLettered;
      });
    }
    for (const protocol of ["plain", "weir.v1"]) {
      await t.step(`a WebSocket message, ${protocol}`, async () => {
        for (const stream of ["checked", "trusted"]) {
          const messages = [`{"a":\n${ACTION}\r\n}`, `{"b":\r${ACTION}}`];
          stored += messages.length;
          if (stream === "trusted") {
            messages.push(`a\n${ACTION}`, `{}\r\n${ACTION}`);
            deadLettered += 2;
          }
          await sendMessages(`ws://127.0.0.1:${gateway.port}/v1/streams/${stream}`, protocol, messages);
        }
      });
    }
    const ledger = async () => await gateway.admin("/api/v1/ledger") as Ledger;
    await until(async () => (await ledger()).rows.every((row) => row.inFlight === 0), "all are settled");
    const rows = (await ledger()).rows;
    for (const sink of sinks) {
      const sums = rows.filter((row) => row.sink === sink);
      assertEquals(sums.reduce((sum, row) => sum + row.delivered, 0), stored, sink);
      assertEquals(sums.reduce((sum, row) => sum + row.deadLettered, 0), deadLettered, sink);
    }
    const file = (await Deno.readTextFile(`${gateway.folder}/out.ndjson`)).split("\n").slice(0, -1);
    const http = target.seen.map(({ body }) => decoder.decode(body)).join("").split("\n").slice(0, -1);
    const printed = () => gateway.program.stdout.split("\n").slice(0, -1);
    // What is delivered is in the pipe, and perhaps not read from it yet.
    await until(() => printed().length >= stored, "all that was printed is read");
    const stdout = printed();
    for (const [where, lines] of Object.entries({ file, http, stdout })) {
      assertEquals(lines.length, stored, where);
      assertNoAction(lines, where);
    }
    for (const sink of sinks) {
      const path = `${gateway.folder}/data/dead-letter/${sink}.ndjson`;
      const letters = (await Deno.readTextFile(path)).split("\n").slice(0, -1);
      assertEquals(letters.map((letter) => JSON.parse(letter).sink), new Array(deadLettered).fill(sink));
      assertNoAction(letters, path);
    }
  } finally {
    await target.close();
  }
});

interface Ledger {
  readonly rows: readonly {
    readonly sink: string;
    readonly delivered: number;
    readonly deadLettered: number;
    readonly inFlight: number;
  }[];
}
