/**
 * Weir as a library: mounted in the app of somebody else under both kinds of server, with sinks of one's own, given as
 * an object or named by the path of their module.
 *
 * @module
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import type { AddressInfo } from "node:net";
import { z } from "zod";
import {
  allAcked,
  ConfigError,
  createGateway,
  createWriteController,
  defineSink,
  type SinkDefinition,
  WRITE_CONTROL_KINDS,
} from "../mod.ts";
import { loadConfig } from "../src/config.ts";
import { builtInSinks } from "../adapters/mod.ts";

const decoder = new TextDecoder();

/** A sink of one's own: it keeps what it gets, with a prefix from its config. */
function keepingSink(kept: string[]): SinkDefinition {
  return defineSink({
    type: "keeping",
    config: z.strictObject({ prefix: z.string() }),
    hints: () => ({ maxRecords: 100, maxBytes: 65_536, lingerMs: 0, framingBytes: 0, writesInFlight: 1 }),
    open: ({ prefix }) => ({
      write(batch) {
        for (let i = 0; i < batch.count; i++) kept.push(prefix + decoder.decode(batch.value(i)));
        return allAcked(batch);
      },
      check() {},
      close() {
        kept.push("closed");
      },
    }),
  });
}

const config = { streams: { s: { sinks: ["own"] } }, sinks: { own: { type: "keeping", prefix: "> " } } };

/** What both kinds of server must do: small, streamed and compressed bodies, refusals, and the host's own paths. */
async function assertServes(url: string, kept: string[]): Promise<void> {
  const post = async (path: string, body: BodyInit, headers: Record<string, string> = {}) => {
    const response = await fetch(url + path, {
      method: "POST",
      body,
      headers: { "Content-Type": "text/plain", ...headers },
    });
    return { status: response.status, allow: response.headers.get("allow"), body: await response.json() };
  };
  assertEquals(await (await fetch(`${url}/mine`)).text(), "mine");
  assertEquals((await post("/weir/v1/streams/s", "1\n2")).body, {
    accepted: 2,
    next: 2,
    rejectedCount: 0,
    rejected: [],
  });
  assertEquals((await post("/weir/v1/streams/s?key=k", "3")).status, 200);
  assertEquals(kept.splice(0), ["> 1", "> 2", "> 3"]);

  const lines = Array.from({ length: 30_000 }, (_, k) => `{"number":${k},"text":"${"x".repeat(60)}"}`);
  assertEquals((await post("/weir/v1/streams/s", lines.join("\n"))).body.accepted, 30_000);
  assertEquals(kept.splice(0), lines.map((line) => `> ${line}`));
  const zipped = new Blob([lines.join("\n")]).stream().pipeThrough(new CompressionStream("gzip"));
  const body = await new Response(zipped).arrayBuffer();
  assertEquals(
    (await post("/weir/v1/streams/s", body, { "Content-Encoding": "gzip" })).body.accepted,
    30_000,
  );
  assertEquals(kept.splice(0).length, 30_000);

  assertEquals((await post("/weir/v1/streams/s", "nope")).status, 400);
  assertEquals((await post("/weir/v1/streams/none", "1")).status, 404);
  assertEquals((await post("/weir/v1/streams/s", "1", { "Content-Type": "a/b" })).status, 415);
  const get = await fetch(`${url}/weir/v1/streams/s`);
  assertEquals([get.status, get.headers.get("allow"), (await get.json()).status], [405, "POST", 405]);
  assertEquals(kept, []);
}

Deno.test("createGateway() mounted in another app serves under Deno.serve", async () => {
  const kept: string[] = [];
  {
    await using gateway = await createGateway(config, { sinks: [keepingSink(kept)] });
    await gateway.open();
    const app = new Hono().get("/mine", (c) => c.text("mine")).route("/weir", gateway.app);
    await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, app.fetch);
    await assertServes(`http://127.0.0.1:${server.addr.port}`, kept);
  }
  assertEquals(kept, ["closed"]);
});

Deno.test("createGateway() mounted in another app serves under @hono/node-server", async () => {
  const kept: string[] = [];
  {
    await using gateway = await createGateway(config, { sinks: [keepingSink(kept)] });
    await gateway.open();
    const app = new Hono().get("/mine", (c) => c.text("mine")).route("/weir", gateway.app);
    const { promise, resolve } = Promise.withResolvers<AddressInfo>();
    const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, resolve);
    try {
      await assertServes(`http://127.0.0.1:${(await promise).port}`, kept);
    } finally {
      await new Promise<void>((closed) => {
        server.close(() => closed());
        if ("closeAllConnections" in server) server.closeAllConnections();
      });
    }
  }
  assertEquals(kept, ["closed"]);
});

Deno.test("Gateway.start() opens ports of its own; await using delivers what was taken, and closes", async () => {
  const kept: string[] = [];
  let url: string;
  {
    await using gateway = await createGateway({
      ...config,
      listen: { port: 0 },
      admin: { port: 0 },
      streams: { s: { sinks: ["own"], ack: "memory" } },
    }, { sinks: [keepingSink(kept)] });
    await gateway.start();
    url = `http://127.0.0.1:${gateway.port}/v1/streams/s`;
    const response = await fetch(url, { method: "POST", body: "1\n2" });
    assertEquals([response.status, (await response.json()).accepted], [202, 2]);
  }
  assertEquals(kept, ["> 1", "> 2", "closed"]);
  await assertRejects(() => fetch(url, { method: "POST", body: "1" }), TypeError);
});

Deno.test("createGateway() tells every fault of its config, those of one's own sinks among them", async () => {
  const faulty = {
    streams: { s: { sinks: ["own", "other"] } },
    sinks: { own: { type: "keeping", prefx: "" } },
  };
  const error = await assertRejects(
    async () => await createGateway(faulty, { sinks: [keepingSink([])] }),
    ConfigError,
  );
  assertStringIncludes(error.message, "prefix");
  assertStringIncludes(error.message, "other");
});

Deno.test("defineSink() in a module is loaded by the path that a config file names, relative to the file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const mod = new URL("../mod.ts", import.meta.url).href;
    await Deno.mkdir(`${folder}/sinks`);
    await Deno.writeTextFile(
      `${folder}/sinks/writing_sink.ts`,
      `import { z } from ${JSON.stringify(import.meta.resolve("zod"))};
import { allAcked, defineSink } from ${JSON.stringify(mod)};
export default defineSink({
  type: "writing",
  config: z.strictObject({ path: z.string() }),
  hints: () => ({ maxRecords: 100, maxBytes: 65536, lingerMs: 0, framingBytes: 0, writesInFlight: 1 }),
  open: ({ path }) => ({
    async write(batch) {
      for (let i = 0; i < batch.count; i++) await Deno.writeTextFile(path, new TextDecoder().decode(batch.value(i)), { append: true });
      return allAcked(batch);
    },
    check() {},
    close() {},
  }),
});
`,
    );
    await Deno.writeTextFile(
      `${folder}/weir.yaml`,
      `streams: { s: { sinks: [own] } }\nsinks: { own: { type: ./sinks/writing_sink.ts, path: ${folder}/out } }\n`,
    );
    const parsed = await loadConfig(`${folder}/weir.yaml`, {
      env: () => undefined,
      readTextFile: (path) => Deno.readTextFile(path),
      loadModule: (url) => import(url),
      sinks: builtInSinks,
    });
    await using gateway = await createGateway(parsed);
    await gateway.open();
    const response = await gateway.app.request("/v1/streams/s", { method: "POST", body: "17" });
    assertEquals([response.status, await Deno.readTextFile(`${folder}/out`)], [200, "17"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("createWriteController() gives each controller to a program that has no gateway", () => {
  const limits = WRITE_CONTROL_KINDS.map((kind) => {
    const controller = createWriteController({ kind, initial: 10, min: 1, max: 20 });
    for (let k = 1; k <= 20; k++) {
      controller.update({ endMs: k * 500, latencyMs: 100, inFlight: 10, refused: k > 2 });
    }
    return [kind, controller.limit < 10];
  });
  assertEquals(limits, [["static", false], ["aimd", true], ["arc", true], ["gradient", true]]);
});
