/**
 * Real texts through the gateway into a file: Debian's list of packages as lines, and npm's manifests as a JSON array and
 * as NDJSON. The file holds what was sent, byte for byte.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";

const DPKG_STATUS = "/var/lib/dpkg/status";
const MODULES = new URL("../../node_modules/.deno/", import.meta.url);

async function post(gateway: GatewayProcess, stream: string, type: string, body: string): Promise<void> {
  const response = await fetch(`${gateway.url}/v1/streams/${stream}`, {
    method: "POST",
    headers: { "Content-Type": type },
    body,
  });
  const answer = await response.text();
  assertEquals(response.status, 200, answer);
}

/** The manifests of all packages that are installed, as they stand in their files. */
async function manifests(): Promise<string[]> {
  const texts: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(MODULES)) {
    if (!isDirectory || name.startsWith(".")) continue;
    const at = name.lastIndexOf("@");
    const path = new URL(`${name}/node_modules/${name.slice(0, at).replace("+", "/")}/package.json`, MODULES);
    try {
      texts.push((await Deno.readTextFile(path)).trim());
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return texts.sort();
}

Deno.test("file holds a JSON array and NDJSON of npm's manifests byte for byte", async () => {
  await using gateway = await GatewayProcess.start({
    streams: { array: { sinks: ["array"] }, lines: { sinks: ["lines"] } },
    sinks: { array: { type: "file", path: "array.ndjson" }, lines: { type: "file", path: "lines.ndjson" } },
  });
  const texts = await manifests();
  assert(texts.length >= 20, `only ${texts.length} manifests`);
  const copies = Array.from({ length: Math.ceil(3_000_000 / texts.join().length) }, () => texts).flat();
  // A line holds no line break: in JSON they stand between tokens only, and the file sink writes them as blanks.
  const lines = copies.map((text) => text.replace(/[\r\n]/g, " ") + "\n").join("");
  await post(gateway, "array", "application/json", `[ ${copies.join("\n,")} ]\n`);
  await post(gateway, "lines", "application/x-ndjson", lines);
  assertEquals(await Deno.readTextFile(`${gateway.folder}/array.ndjson`) === lines, true);
  assertEquals(await Deno.readTextFile(`${gateway.folder}/lines.ndjson`) === lines, true);
});

requires("dpkgStatus").test(`file holds ${DPKG_STATUS} byte for byte`, async () => {
  await using gateway = await GatewayProcess.start({
    streams: { s: { sinks: ["file"], validate: "none" } },
    sinks: { file: { type: "file", path: "out.txt" } },
  });
  const text = await Deno.readTextFile(DPKG_STATUS);
  // Empty lines are skipped by contract; everything else is as it was, line by line.
  const sent = text.repeat(4);
  await post(gateway, "s", "text/plain", sent);
  assertEquals(await Deno.readTextFile(`${gateway.folder}/out.txt`) === sent.replace(/\n+/g, "\n"), true);
});

Deno.test("Gateway answers 200 with ack: delivered only when the file has the record", async () => {
  await using gateway = await GatewayProcess.start({
    streams: { s: { sinks: ["file"] } },
    sinks: { file: { type: "file", path: "out.ndjson" } },
  });
  for (let k = 0; k < 50; k++) {
    await post(gateway, "s", "application/json", `{"number":${k}}`);
    const lines = (await Deno.readTextFile(`${gateway.folder}/out.ndjson`)).trimEnd().split("\n");
    assertEquals(lines.at(-1), `{"number":${k}}`);
  }
});
