/** What a record of a WebSocket carries beside its bytes: the key and the headers that the sink gets. @module */
import { assertEquals } from "@std/assert";
import { SocketClient } from "../support/socket_client.ts";
import { OpenDoor, until } from "./open_door.ts";

interface Case {
  readonly name: string;
  /** Keys of the stream. */
  readonly stream?: Readonly<Record<string, unknown>>;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of each of {@linkcode MESSAGES}. */
  readonly keys: readonly (string | null)[];
  readonly kept?: readonly (readonly [string, string])[];
}

/** Sent in one connection: what a connection has in common is in all, what a message has of its own in none but it. */
const MESSAGES = ['{"key":"of one"}', '{"key":"of two"}', '{"none":1}', '{"key":"of two","n":4}'];
const all = (key: string | null) => MESSAGES.map(() => key);
const POINTED = ["of one", "of two", null, "of two"];

const CASES: readonly Case[] = [
  { name: "no key where none is asked for", keys: all(null) },
  { name: "the key of ?key=", query: "?other=x&key=k%20y%C3%A9", keys: all("k yé") },
  { name: "the key of X-Weir-Key", headers: { "X-Weir-Key": "of the head" }, keys: all("of the head") },
  { name: "the keys at the stream's pointer", stream: { key: "/key" }, keys: POINTED },
  {
    name: "?key= where the stream has a pointer",
    stream: { key: "/key" },
    query: "?key=asked",
    keys: all("asked"),
  },
  {
    name: "X-Weir-Key where the stream has a pointer",
    stream: { key: "/key" },
    headers: { "X-Weir-Key": "told" },
    keys: all("told"),
  },
  {
    name: "X-Weir-Key where ?key= stands beside it",
    query: "?key=asked",
    headers: { "X-Weir-Key": "told" },
    keys: all("told"),
  },
  {
    name: "the headers that the stream keeps, and no others",
    stream: { headers: ["x-source", "x-absent", "x-site"] },
    headers: { "X-Source": "edge", "X-Other": "not kept", "X-Site": "7" },
    keys: all(null),
    kept: [["x-source", "edge"], ["x-site", "7"]],
  },
  {
    name: "headers beside keys of its own",
    stream: { key: "/key", headers: ["x-source"] },
    headers: { "X-Source": "edge" },
    keys: POINTED,
    kept: [["x-source", "edge"]],
  },
];

for (const protocol of [undefined, "weir.v1"]) {
  const kind = protocol ?? "plain";
  for (const { name, stream, query = "", headers, keys, kept = [] } of CASES) {
    Deno.test(`WebSocketIngress gives the sink ${name} (${kind})`, async () => {
      await using stage = await OpenDoor.start({ stream });
      using client = await SocketClient.connect(stage.gateway.port, `/v1/streams/s${query}`, {
        protocol,
        headers,
      });
      for (const message of MESSAGES) await client.send(message);
      const { got } = stage.sink;
      await until(() => got.length === MESSAGES.length, "all are stored");
      assertEquals(got.map(({ value }) => value).toSorted(), MESSAGES.toSorted());
      assertEquals(MESSAGES.map((message) => got.find(({ value }) => value === message)?.key), keys);
      assertEquals(got.map((record) => record.headers), MESSAGES.map(() => kept));
    });
  }
}
