/**
 * `deno task start` as the README's first lines have it: no config, no flags, the ports and the file of the embedded
 * default, with its own rights and no more. It runs in a copy of the tree, as its file lies in the working directory,
 * and in a network of its own, as its ports are fixed.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { copyTree } from "../support/copy_tree.ts";
import { Program } from "../support/process.ts";
import { requires } from "../support/requirements.ts";

const TOP = new URL("../../", import.meta.url).pathname;
const REGISTRY = `${TOP}node_modules/language-subtag-registry/data/json/registry.json`;
const DPKG_STATUS = "/var/lib/dpkg/status";
const DEADLINE_MS = 60_000;
const DATA_URL = "http://127.0.0.1:8080/v1/streams/events";
const READY_URL = "http://127.0.0.1:8081/readyz";

/** The gateway, and curl beside it. */
class EmbeddedDefault implements AsyncDisposable {
  readonly #folder: string;
  readonly #program: Program;

  private constructor(folder: string) {
    this.#folder = folder;
    const task = `exec ${Deno.execPath()} task --cwd ${folder} start`;
    this.#program = new Program("unshare", { args: ["--net", "sh", "-ec", `ip link set lo up\n${task}`] });
  }

  static async start(): Promise<EmbeddedDefault> {
    const folder = await Deno.makeTempDir({ prefix: "weir_default_" });
    for (const each of ["src", "adapters"]) await copyTree(`${TOP}${each}`, `${folder}/${each}`);
    for (const each of ["mod.ts", "deno.json", "deno.lock"]) {
      await Deno.copyFile(`${TOP}${each}`, `${folder}/${each}`);
    }
    await Deno.symlink(`${TOP}node_modules`, `${folder}/node_modules`);
    const started = new EmbeddedDefault(folder);
    const isReady = async () => (await started.#curl("--fail", READY_URL)).success;
    await started.#program.waitUntil(isReady, DEADLINE_MS, "it was ready");
    return started;
  }

  /** Posts `body` and checks that it was stored, all of it. */
  async store(body: string, records: number, type?: string): Promise<void> {
    const path = `${this.#folder}/body`;
    await Deno.writeTextFile(path, body);
    const headers = type === undefined ? [] : ["-H", `Content-Type: ${type}`];
    const { success, text } = await this.#curl(...headers, "--data-binary", `@${path}`, DATA_URL);
    assertEquals(success, true, text);
    const { accepted, next, rejectedCount } = JSON.parse(text);
    assertEquals({ accepted, next, rejectedCount }, { accepted: records, next: records, rejectedCount: 0 });
  }

  /** The file as it is. */
  stored(): Promise<string> {
    return Deno.readTextFile(`${this.#folder}/data/archive/events.ndjson`);
  }

  /** SIGTERM to the task, and its exit code. */
  async stop(): Promise<number> {
    this.#program.signal("SIGTERM");
    return (await this.#program.exit(DEADLINE_MS)).code;
  }

  async #curl(...args: string[]): Promise<{ success: boolean; text: string }> {
    const network = `--net=/proc/${this.#program.pid}/ns/net`;
    const { success, stdout, stderr } = await new Deno.Command("nsenter", {
      args: [network, "curl", "-sS", ...args],
    }).output();
    const decoder = new TextDecoder();
    return { success, text: decoder.decode(success ? stdout : stderr) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#program.status === null) await this.stop();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** The elements of the registry as they stand in its file, cut where its own layout begins and ends them. */
async function registryElements(): Promise<{ text: string; elements: string[] }> {
  const text = await Deno.readTextFile(REGISTRY);
  const elements = text.match(/(?<=^\t)\{$[^]*?^\t\}(?=,?$)/gm) ?? [];
  return { text, elements };
}

/** A file of lines holds no line break: in JSON they stand between tokens only, and are written as blanks. */
function asLine(element: string): string {
  return `${element.replaceAll("\n", " ")}\n`;
}

const test = requires("curl", "ip", "networkNamespace", "dpkgStatus").test;

test("deno task start without a config stores a JSON array and lines byte for byte, and ends with 0", async () => {
  const { text, elements } = await registryElements();
  assertEquals(elements.length, JSON.parse(text).length);
  assert(elements.length > 9_000 && text.length > 1_048_576, "the array is more than one whole body");
  const lines = (await Deno.readTextFile(DPKG_STATUS)).split("\n").filter((line) => line !== "")
    .map((line) => `${JSON.stringify(line)}\n`);

  await using gateway = await EmbeddedDefault.start();
  await gateway.store('{"hello":"world"}', 1);
  assertEquals(await gateway.stored(), '{"hello":"world"}\n');
  await gateway.store(text, elements.length, "application/json");
  await gateway.store(elements.map(asLine).join(""), elements.length, "application/x-ndjson");
  await gateway.store(lines.join(""), lines.length, "application/x-ndjson");
  await gateway.store(`[${lines.join(",")}]`, lines.length, "application/json");
  const stored = await gateway.stored();
  assertEquals(await gateway.stop(), 0);
  const array = elements.map(asLine).join("");
  assertEquals(stored === `{"hello":"world"}\n${array}${array}${lines.join("").repeat(2)}`, true);
});
