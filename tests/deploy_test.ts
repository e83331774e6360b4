/**
 * `examples/deploy` holds what it says: each file passes its own tool's check, and what one says of the other (times,
 * ports, memory) fits.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { validate } from "dockerfile-utils";
import { parse, parseAllDocuments } from "yaml";
import { builtInSinks } from "../adapters/mod.ts";
import { type Config, loadConfig, parseConfig, planSegments } from "../src/config.ts";
import { CLOSE_MS } from "../src/sink_unit.ts";
import { V8_FLAGS } from "../src/v8_flags.ts";
import { answersOk } from "./support/gateway_process.ts";
import { HttpConnection } from "./support/http_client.ts";
import { freePort } from "./support/ports.ts";
import { Program } from "./support/process.ts";
import { requires } from "./support/requirements.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const DEPLOY = `${ROOT}examples/deploy/`;
const MIB = 1_048_576;
/** An idle Deno with the gateway's code, and what bodies take beside the pool (see the README's "Numbers"). */
const BESIDE_POOL_BYTES = (128 + 128) * MIB;
const DEADLINE_MS = 60_000;

const read = (name: string) => Deno.readTextFile(DEPLOY + name);

function load(path: string, env: Readonly<Record<string, string>> = {}): Promise<Config> {
  return loadConfig(path, {
    env: (name) => env[name],
    readTextFile: Deno.readTextFile,
    loadModule: (url) => import(url),
    sinks: builtInSinks,
  });
}

/** How long a stop may take, ms: the drain, the sinks, the connections. */
function longestStopMs({ gateway }: Config): number {
  return gateway.drainMs + 2 * CLOSE_MS;
}

function neededBytes({ buffers }: Config): number {
  const { segments, segmentBytes, partialBytes, decoderBytes } = buffers;
  return segments * segmentBytes + partialBytes + decoderBytes + BESIDE_POOL_BYTES;
}

async function outputOf(command: string, ...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** The last value that `unit` gives `key`. */
function settingOf(unit: string, key: string): string {
  const values = [...unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))];
  assert(values.length > 0, `the unit has ${key}`);
  return values.at(-1)![1];
}

requires("systemdAnalyze").test(
  "weir@.service is a unit that systemd takes, exposed no more than it must be",
  async () => {
    const folder = await Deno.makeTempDir({ prefix: "weir_unit_" });
    try {
      const path = `${folder}/weir@.service`;
      // The command must exist to be verified.
      await Deno.writeTextFile(path, (await read("weir@.service")).replaceAll("/opt/weir/", ROOT));
      assertEquals(await outputOf("systemd-analyze", "verify", path), { code: 0, text: "" });
      // In tenths: 1.3 was reached, of which 1.1 are the network, and JIT code.
      const security = ["security", "--offline=yes", "--no-pager", "--threshold=15", path];
      const { code, text } = await outputOf("systemd-analyze", ...security);
      assertEquals(code, 0, text);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

Deno.test("weir@.service waits for the drain, reloads by SIGHUP, and has memory for the pool", async () => {
  const unit = await read("weir@.service");
  const config = await load(`${DEPLOY}weir.yaml`);
  assert(Number(settingOf(unit, "TimeoutStopSec")) * 1000 > longestStopMs(config));
  assertStringIncludes(settingOf(unit, "ExecReload"), "-HUP $MAINPID");
  assert(Number.parseInt(settingOf(unit, "MemoryMax")) * MIB >= neededBytes(config));
  assert(Number(settingOf(unit, "LimitNOFILE")) > config.listen.maxConnections);
  // Two instances share the port, as one user, each with an own folder.
  assertEquals([config.listen.reusePort, settingOf(unit, "User")], [true, "weir"]);
  assertEquals(settingOf(unit, "StateDirectory"), "weir/%i");
});

Deno.test("examples/deploy/weir.sh runs examples/deploy/weir.yaml with its rights, as one process that signals reach", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weir_deploy_" });
  const [port, adminPort] = [freePort(), freePort()];
  try {
    const config = (await read("weir.yaml")).replace("port: 8080", `port: ${port}`);
    await Deno.writeTextFile(`${folder}/weir.yaml`, config);
    await using program = new Program(`${DEPLOY}weir.sh`, {
      args: ["--config", `${folder}/weir.yaml`],
      cwd: folder,
      env: { WEIR_HOME: ROOT, STATE_DIRECTORY: `${folder}/state`, WEIR_ADMIN_PORT: `${adminPort}` },
    });
    const ready = () => answersOk(`http://127.0.0.1:${adminPort}/readyz`);
    await program.waitUntil(ready, DEADLINE_MS, "it was ready");
    using connection = await HttpConnection.open(port);
    const { status, body } = await connection.request({ path: "/v1/streams/events" }, "{}");
    assertEquals([status, JSON.parse(body).accepted], [200, 1]);
    connection[Symbol.dispose](); // an idle one would be waited for
    program.signal("SIGTERM");
    assertEquals((await program.exit(DEADLINE_MS)).code, 0, program.describe("it ended cleanly"));
    assertEquals(await Deno.readTextFile(`${folder}/state/archive/events.ndjson`), "{}\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Containerfile is one without faults: pinned, not root, with a health check and this Deno", async () => {
  const text = await read("Containerfile");
  assertEquals(validate(text), []);
  const instructions = text.replaceAll("\\\n", " ").split("\n").filter((line) => /^[A-Z]/.test(line));
  const of = (name: string) => instructions.filter((line) => line.startsWith(`${name} `));
  assertEquals(of("FROM").map((line) => line.split(":").at(-1)), [`debian-${Deno.version.deno}`]);
  assert(Number(of("USER").at(-1)!.split(/[ :]/)[1]) > 0, "it does not run as root");
  assertStringIncludes(of("HEALTHCHECK")[0], "/healthz");
  const entrypoint: string[] = JSON.parse(of("ENTRYPOINT")[0].slice("ENTRYPOINT ".length));
  assertEquals(entrypoint, ["/opt/weir/examples/deploy/weir.sh"]);
  assert(((await Deno.stat(`${DEPLOY}weir.sh`)).mode! & 0o111) !== 0, "weir.sh is executable");
  assertStringIncludes(await read("weir.sh"), ` ${V8_FLAGS} `);
});

requires("kubernetesValidate").test(
  "kubernetes.yaml keeps to the schemas of Kubernetes, unknown keys included",
  async () => {
    const { code, text } = await outputOf("kubernetes-validate", "--strict", `${DEPLOY}kubernetes.yaml`);
    assertEquals(code, 0, text);
  },
);

Deno.test("kubernetes.yaml gives a pod time to drain, memory for the pool, and no rights", async () => {
  const documents = parseAllDocuments(await read("kubernetes.yaml")).map((document) => document.toJS());
  const ofKind = (kind: string) => documents.find((document) => document.kind === kind);
  const { spec: pod } = ofKind("StatefulSet").spec.template;
  const [container] = pod.containers;
  const config = configOf(ofKind("ConfigMap").data["weir.yaml"]);

  const [sleep, preStopSeconds] = container.lifecycle.preStop.exec.command;
  assertEquals(sleep, "sleep");
  assert(pod.terminationGracePeriodSeconds * 1000 > Number(preStopSeconds) * 1000 + longestStopMs(config));
  assert(Number.parseInt(container.resources.limits.memory) * MIB >= neededBytes(config));
  assertEquals(container.resources.requests.memory, container.resources.limits.memory);

  const ports = new Map(
    container.ports.map((port: { name: string; containerPort: number }) => [port.name, port.containerPort]),
  );
  assertEquals([ports.get("data"), ports.get("admin")], [config.listen.port, config.admin.port]);
  assertEquals(container.readinessProbe.httpGet, { path: "/readyz", port: "admin" });
  assertEquals(container.livenessProbe.httpGet, { path: "/healthz", port: "admin" });

  assertEquals(pod.automountServiceAccountToken, false);
  assertEquals([pod.securityContext.runAsNonRoot, pod.securityContext.runAsUser], [true, 1000]);
  assertEquals(pod.securityContext.seccompProfile, { type: "RuntimeDefault" });
  assertEquals(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
  const image: string = container.image;
  assert(/:\d+\.\d+\.\d+$/.test(image), `${image} names a version`);
});

/** The config of the map, with what the pod puts in. */
function configOf(text: string): Config {
  const config = parseConfig(
    parse(text.replace("${WEIR_ID}", "weir-0").replace("${WEIR_ADMIN_TOKEN}", "secret")),
    builtInSinks,
  );
  planSegments(config);
  assert(config.admin.token !== null, "the admin port is reached from other pods, and wants a token");
  return config;
}
