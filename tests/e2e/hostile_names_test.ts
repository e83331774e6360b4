/**
 * Names of streams and sinks, keys, ids and members made to break out of where they are put: control characters, paths
 * out, a megabyte of name, and words that every object knows.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Answer } from "../support/http_client.ts";
import { Siege } from "./siege.ts";

const EVENT = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t" };

const type = (contentType: string) => ({ "Content-Type": contentType });

Deno.test("Gateway knows no stream and no sink by a word that every object knows, a path out, or a name without end", async (t) => {
  await using siege = await Siege.start();
  const words = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "EVENTS", "events%00"];
  const paths = [
    "..",
    "../streams/events",
    "%2e%2e/admin",
    "events/",
    "events/x",
    "events%0a",
    "%65vents",
    "",
  ];
  for (const name of [...words, ...paths, "a".repeat(8_000)]) {
    await t.step(name.slice(0, 30), async () => {
      const head = `HTTP/1.1\r\nHost: weir\r\nContent-Length: 1\r\n\r\n1`;
      assertEquals(await siege.send(`POST /v1/streams/${name} ${head}`), 404);
      const admin = `HTTP/1.1\r\nHost: localhost:${siege.gateway.adminPort}\r\nContent-Length: 0\r\n\r\n`;
      if (name.includes("/") || name === "" || name === "..") return;
      assertEquals(
        await siege.send(`POST /api/v1/sinks/${name}/pause ${admin}`, siege.gateway.adminPort),
        404,
      );
    });
  }
  await siege.end(0);
});

Deno.test("Gateway stores keys, ids and members of any characters, and refuses those that are too long", async (t) => {
  await using siege = await Siege.start({
    events: { key: "/key", headers: ["x-kept"] },
    archive: { order: "key" },
  });
  using connection = await siege.connect();
  const ask = async (body: string, headers: Record<string, string> = {}, query = ""): Promise<Answer> =>
    await connection.request({ path: `/v1/streams/events${query}`, headers }, body);
  let accepted = 0;
  const long = "k".repeat(1_025);
  const mega = "m".repeat(1_000_000);
  const eventOf = (members: Record<string, string>) =>
    JSON.stringify({ specversion: "1.0", id: "1", source: "/s", type: "t", ...members });
  const event = { ...EVENT, ...type("application/json") };
  for (
    const [name, body, headers, query, status] of [
      ["control characters in a key", '{"key":"\\u0000\\n\\u001b\\u007f"}', {}, "", 200],
      ["half a surrogate in a key", '{"key":"\\ud800"}', {}, "", 200],
      ["__proto__ as a key", '{"key":"__proto__"}', {}, "", 200],
      [
        "constructor as a key",
        '{"key":"constructor","constructor":{"prototype":{"polluted":1}}}',
        {},
        "",
        200,
      ],
      ["a member __proto__", '{"__proto__":{"polluted":1},"key":{"__proto__":[]}}', {}, "", 200],
      ["a key of 1 MB", `{"key":"${"k".repeat(1_000_000)}"}`, {}, "", 400],
      ["a key of 1,025 bytes in the query", "1", {}, `?key=${long}`, 431],
      ["a key of 1,025 bytes in the head", "1", { "X-Weir-Key": long }, "", 431],
      ["controls in the query", "1", {}, "?key=%00%0a%ff&key=b&__proto__=x", 200],
      ["bytes over 127 in the head", "1", { "X-Weir-Key": "\u00e9\u00ff", "X-Kept": "\u00c3" }, "", 200],
      ["a kept header of 12 KB", "1", { "X-Kept": "v".repeat(12_000) }, "", 431],
      ["an id of controls", "1", { ...event, "ce-id": "%00%0A__proto__", "ce-__proto__": "p" }, "", 200],
      ["an id of 12 KB", "1", { ...event, "ce-id": "i".repeat(12_000) }, "", 431],
      ["an id of 1 MB", eventOf({ id: mega }), type("application/cloudevents+json"), "", 400],
      ["a source of 1 MB", eventOf({ source: mega }), type("application/cloudevents+json"), "", 400],
      [
        "an id of 1 MB in a batch",
        `[${eventOf({ id: mega })}]`,
        type("application/cloudevents-batch+json"),
        "",
        400,
      ],
      [
        "an id of 1 MB of escapes",
        eventOf({ id: "\0".repeat(170_000) }),
        type("application/cloudevents+json"),
        "",
        400,
      ],
    ] as const
  ) {
    await t.step(name, async () => {
      const answer = await ask(body, headers, query);
      assertEquals(answer.status, status, answer.body);
      if (status === 200) accepted++;
      if (status === 400) assertStringIncludes(answer.body, "longer than 1024 bytes");
    });
  }
  await t.step("an id of 1 MB in the head, with which the connection ends", async () => {
    const head =
      `POST /v1/streams/events HTTP/1.1\r\nHost: weir\r\nContent-Length: 1\r\nce-id: ${mega}\r\n\r\n1`;
    assertEquals(await siege.send(head), 431);
  });
  await t.step("every line is JSON, and nobody's prototype has changed", async () => {
    const lines = await siege.archived();
    for (const line of lines) JSON.parse(line);
    assert(lines.some((line) => line.startsWith('{"__proto__":{"polluted":1}')));
    assert(!(await ask("")).body.includes("polluted"));
  });
  await siege.end(accepted);
});
