/**
 * Documents that a cluster will not take, and clusters that take none for a while, seen through a whole gateway:
 * what is stored, what the dead letter tells, and what the sender gets to know.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/process.ts";
import { requires } from "../support/requirements.ts";
import { assertNumbers, NUMBERED, postNumbers, searchSink, startGateway } from "./elasticsearch_gateway.ts";
import { askCluster, SearchIndex } from "./search_index.ts";

const DEADLINE_MS = 30_000;

async function post(
  gateway: GatewayProcess,
  stream: string,
  type: string,
  body: string,
): Promise<Record<string, unknown> & { status: number }> {
  const response = await fetch(`${gateway.url}/v1/streams/${stream}`, {
    method: "POST",
    headers: { "content-type": type },
    body,
  });
  return { ...await response.json(), status: response.status };
}

requires("searchCluster").test(
  "elasticsearch sink stores the good documents and tells the dead letter why the cluster refused the others",
  async () => {
    await using index = await SearchIndex.create(await sharedOpenSearch(), NUMBERED);
    await using gateway = await GatewayProcess.start({
      streams: { docs: { sinks: ["search"] } },
      sinks: {
        search: { ...searchSink(index), deadLetter: "letters" },
        letters: { type: "file", path: "letters.ndjson" },
      },
    });
    const values = Array.from({ length: 500 }, (_, n) => `{"n":${n % 5 === 0 ? `"no number ${n}"` : n}}`);
    const told = await post(gateway, "docs", "application/x-ndjson", values.join("\n"));
    assertEquals([told.status, told.accepted, told.deadLettered], [200, 500, 100]);
    const stored = (await index.documents()).map(({ _source }) => JSON.stringify(_source));
    assertEquals(stored.toSorted(), values.filter((_, n) => n % 5 !== 0).toSorted());
    const answered = (status: string) => gateway.metric("weir_sink_answered_records_total", { status });
    assertEquals([await answered("201"), await answered("400")], [400, 100]);
    const letters = (await Deno.readTextFile(`${gateway.folder}/letters.ndjson`)).trim().split("\n")
      .map((line) => JSON.parse(line));
    assertEquals(
      letters.map(({ value }) => value).toSorted(),
      values.filter((_, n) => n % 5 === 0).toSorted(),
    );
    for (const { reason } of letters) {
      assertMatch(reason, /^400 mapper_parsing_exception: failed to parse field \[n\]/);
    }
  },
);

requires("searchCluster").test(
  "elasticsearch sink runs no bulk action that a document brings, at whatever door and however trusted",
  async () => {
    await using index = await SearchIndex.create(await sharedOpenSearch());
    await using gateway = await GatewayProcess.start({
      streams: { docs: { sinks: ["search"] }, trusted: { sinks: ["search"], validate: "none" } },
      sinks: { search: { ...searchSink(index), id: "/id" } },
    });
    await askCluster(index.url, "PUT", `/${index.name}/_doc/victim`, { id: "victim" });
    const action = `{"delete":{"_index":"${index.name}","_id":"victim"}}`;
    const split = `{"id":"split"}\n${action}`;
    const attempts: readonly (readonly [stream: string, type: string, body: string, stored: string[]])[] = [
      ["docs", "application/json", `{"id":"spread",\n"text":"${action.replaceAll('"', '\\"')}"\n}`, [
        "spread",
      ]],
      ["docs", "application/json", JSON.stringify([{ id: `"}}\n${action}\n` }]), [`"}}\n${action}\n`]],
      ["docs", "application/x-ndjson", `${split}\n{"id":"next"}`, ["split", "next"]],
      ["trusted", "application/octet-stream", split, []],
      ["trusted", "application/octet-stream", `${action}\n{"id":"behind"}`, []],
      ["trusted", "application/octet-stream", split.replace("\n", "\r"), []],
      ["trusted", "application/octet-stream", `{"id":"open"`, []],
      ["trusted", "text/plain", `{"id":"line"}\n${action}`, ["line"]],
    ];
    for (const [stream, type, body] of attempts) {
      assertEquals((await post(gateway, stream, type, body)).status, 200, body);
    }
    // A document that is an action has no id of its own, and is refused for that.
    const expected = ["victim", ...attempts.flatMap(([, , , stored]) => stored)];
    assertEquals((await index.documents()).map(({ _id }) => _id).toSorted(), expected.toSorted());
  },
);

requires("searchCluster").test(
  "elasticsearch sink waits while an index is blocked for a full disk, asks now and then, and goes on when it is free",
  async () => {
    await using index = await SearchIndex.create(await sharedOpenSearch(), NUMBERED);
    await using gateway = await startGateway(index, { limit: { recordsPerSecond: 2000, burstRecords: 250 } });
    await postNumbers(gateway, 0, 250);
    await index.set({ "index.blocks.read_only_allow_delete": true });
    const posting = postNumbers(gateway, 250, 3000);
    const throttled = () => gateway.metric("weir_sink_throttle_seconds_total");
    await gateway.program.waitUntil(async () => await throttled() > 0, DEADLINE_MS, "the block was seen");
    const writes = () => gateway.metric("weir_sink_write_seconds_count");
    const before = await writes();
    await gateway.program.waitUntil(async () => await throttled() >= 3, DEADLINE_MS, "it was asked again");
    const probes = await writes() - before;
    assert(probes <= 8, `${probes} writes: those in flight when the block came, and one probe at a time`);
    await index.set({ "index.blocks.read_only_allow_delete": null });
    await posting;
    await assertNumbers(index, 3000);
  },
);

requires("searchCluster", "nginx").test(
  "elasticsearch sink with a wrong password keeps what it has, tells what is wrong, and delivers when the account is mended",
  async () => {
    await using index = await SearchIndex.create(await sharedOpenSearch(), NUMBERED);
    await using door = await PasswordDoor.start(index.url, "old");
    await using gateway = await startGateway(index, {
      nodes: [door.url],
      auth: { username: "weir", password: "new" },
      downAfterMs: 1000,
    }, { deliverTimeoutMs: 4 * DEADLINE_MS });
    const waiting = post(gateway, "docs", "application/x-ndjson", `{"n":0}\n{"n":1}`);
    const health = async () => (await (await fetch(`${gateway.adminUrl}/readyz`)).json()).reason ?? "";
    await gateway.program.waitUntil(
      async () => (await health()).includes("401"),
      DEADLINE_MS,
      "it told of 401",
    );
    const refused = await post(gateway, "docs", "application/json", `{"n":-1}`);
    assertEquals(refused.status, 503);
    await door.setPassword("new");
    assertEquals((await waiting).status, 200);
    await postNumbers(gateway, 2, 1000);
    await assertNumbers(index, 1000);
    assertEquals(await gateway.metric("weir_sink_rejected_records_total"), 0);
  },
);

/** nginx with a password before a cluster: how those without a security plugin of their own are kept. */
class PasswordDoor implements AsyncDisposable {
  readonly url: string;
  readonly #folder: string;
  readonly #program: Program;

  private constructor(url: string, folder: string, program: Program) {
    this.url = url;
    this.#folder = folder;
    this.#program = program;
  }

  static async start(cluster: string, password: string): Promise<PasswordDoor> {
    const folder = await Deno.makeTempDir({ prefix: "weir_password_" });
    // The workers of nginx, where it starts as root, are of another user.
    await Deno.chmod(folder, 0o755);
    const port = freePort();
    await Deno.writeTextFile(
      `${folder}/nginx.conf`,
      `pid ${folder}/nginx.pid;
       error_log stderr;
       events {}
       http {
         access_log off;
         client_body_temp_path ${folder};
         client_max_body_size 0;
         server {
           listen 127.0.0.1:${port};
           auth_basic cluster;
           auth_basic_user_file ${folder}/users;
           location / { proxy_pass ${cluster}; proxy_http_version 1.1; proxy_set_header Authorization ""; }
         }
       }`,
    );
    const program = new Program("nginx", {
      args: [
        "-c",
        `${folder}/nginx.conf`,
        "-p",
        folder,
        "-e",
        "stderr",
        "-g",
        "daemon off; master_process off;",
      ],
    });
    const door = new PasswordDoor(`http://127.0.0.1:${port}`, folder, program);
    await door.setPassword(password);
    return door;
  }

  /** The account's password from now on; nginx reads the file at each request. */
  async setPassword(password: string): Promise<void> {
    await Deno.writeTextFile(`${this.#folder}/users`, `weir:{PLAIN}${password}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}
