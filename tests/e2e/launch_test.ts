/**
 * The small process of `deno task start` that stands beside the gateway: whoever signals it means the gateway, and each
 * signal comes there once; and what it does before the gateway runs, it does without the rights to do harm.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { answersOk } from "../support/gateway_process.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/process.ts";
import { requires } from "../support/requirements.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const STALLED = new URL("./stalled_sink.ts", import.meta.url).pathname;
const TERMINAL = new URL("./terminal.py", import.meta.url).pathname;
const DEADLINE_MS = 60_000;
const PATH = "/v1/streams/s";
/** Above the time in which the launcher takes two signals for one. */
const APART_MS = 1_000;

/** Of a scenario whose verdict hangs on how soon one signal comes behind another. */
const MOST_TRIES = 3;

const TASK = ["task", "--cwd", ROOT, "start"];
const LAUNCHER = ["run", "--allow-read", "--allow-env", "--allow-run", `${ROOT}src/launch.ts`];

/** A gateway of one stream and one sink, started by the launcher. */
class Launched implements AsyncDisposable {
  readonly program: Program;
  readonly folder: string;
  readonly port: number;
  readonly adminUrl: string;

  private constructor(program: Program, folder: string, port: number, adminUrl: string) {
    this.program = program;
    this.folder = folder;
    this.port = port;
    this.adminUrl = adminUrl;
  }

  /** Starts `command` with the config behind it, and waits until the gateway is ready. */
  static async start(
    command: readonly string[],
    sinkIn: (folder: string) => Record<string, unknown>,
  ): Promise<Launched> {
    const folder = await Deno.makeTempDir({ prefix: "weir_launch_" });
    const [port, adminPort] = [freePort(), freePort()];
    const path = `${folder}/weir.json`;
    await Deno.writeTextFile(
      path,
      JSON.stringify({
        gateway: { dataDir: `${folder}/data`, drainMs: 120_000 },
        listen: { port },
        admin: { port: adminPort },
        streams: { s: { sinks: ["out"], ack: "memory" } },
        sinks: { out: sinkIn(folder) },
      }),
    );
    const [name, ...args] = [...command, "--config", path];
    const program = new Program(name, { args });
    const launched = new Launched(program, folder, port, `http://127.0.0.1:${adminPort}`);
    await program.waitUntil(() => answersOk(`${launched.adminUrl}/readyz`), DEADLINE_MS, "it was ready");
    return launched;
  }

  async post(body: string): Promise<number> {
    using connection = await HttpConnection.open(this.port);
    return (await connection.request({ path: PATH }, body)).status;
  }

  /** Resolves when the gateway says that it drains. */
  draining(): Promise<void> {
    const said = () => this.#said.includes('"draining"');
    return this.program.waitUntil(said, DEADLINE_MS, "it drains");
  }

  get #said(): string {
    return this.program.stdout + this.program.stderr;
  }

  /** Exit code. */
  async exitCode(): Promise<number> {
    return (await this.program.exit(DEADLINE_MS)).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Twice ends a drain; a kill of the launcher would leave the gateway behind.
    for (let k = 0; k < 2 && this.program.status === null; k++) {
      this.program.signal("SIGTERM");
      await delay(APART_MS);
    }
    await this.program[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Tries `scenario` again when it fails: the second signal is late where the machine stands still between the two. */
async function tried(scenario: () => Promise<void>): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      return await scenario();
    } catch (error) {
      if (tries === MOST_TRIES) throw error;
    }
  }
}

for (
  const [whom, command] of [
    ["the launcher", [Deno.execPath(), ...LAUNCHER]],
    ["deno task start", [Deno.execPath(), ...TASK]],
  ] as const
) {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.test(`${signal} to ${whom} alone drains the gateway and ends as it does`, async () => {
      await using launched = await Launched.start(command, (folder) => ({
        type: "file",
        path: `${folder}/data/out.ndjson`,
        batch: { lingerMs: 60_000 },
      }));
      for (let k = 0; k < 20; k++) assertEquals(await launched.post(`${k}`), 202);
      launched.program.signal(signal);
      assertEquals(await launched.exitCode(), 0, launched.program.describe("it did not end cleanly"));
      const stored = (await Deno.readTextFile(`${launched.folder}/data/out.ndjson`)).trimEnd().split("\n");
      assertEquals(stored, Array.from({ length: 20 }, (_, k) => `${k}`));
    });
  }
}

Deno.test("SIGTERM twice within milliseconds, as a supervisor sends it to all processes, is one drain; later once more ends it", async () => {
  await tried(async () => {
    await using launched = await Launched.start([Deno.execPath(), ...LAUNCHER], () => ({ type: STALLED }));
    assertEquals(await launched.post("1"), 202);
    launched.program.signal("SIGTERM");
    await delay(20);
    launched.program.signal("SIGTERM");
    await launched.draining();
    await delay(APART_MS);
    assertEquals(await launched.post("2"), 503);
    launched.program.signal("SIGTERM");
    assertEquals(await launched.exitCode(), 3);
    assertStringIncludes(launched.program.stderr, '"lostRecords":1');
  });
});

requires("setsid").test(
  "SIGTERM to all processes of deno task start is one drain, also where all get it at once",
  () =>
    tried(async () => {
      await using launched = await Launched.start(
        ["setsid", Deno.execPath(), ...TASK],
        () => ({ type: STALLED }),
      );
      assertEquals(await launched.post("1"), 202);
      launched.program.signalGroup("SIGTERM");
      await launched.draining();
      await delay(APART_MS);
      assertEquals(await launched.post("2"), 503);
      launched.program.signalGroup("SIGTERM");
      assertEquals(await launched.exitCode(), 3);
    }),
);

requires("setsid").test("SIGKILL to all processes of deno task start leaves no gateway behind", async () => {
  await using launched = await Launched.start(
    ["setsid", Deno.execPath(), ...TASK],
    () => ({ type: STALLED }),
  );
  launched.program.signalGroup("SIGKILL");
  await launched.program.exit(DEADLINE_MS);
  assertEquals(await answersOk(`${launched.adminUrl}/healthz`), false);
});

requires("python3").test(
  "Ctrl-C in a terminal drains the gateway of deno task start, a second one ends that",
  () =>
    tried(async () => {
      const terminal = ["python3", TERMINAL, Deno.execPath(), ...TASK];
      await using launched = await Launched.start(terminal, () => ({ type: STALLED }));
      assertEquals(await launched.post("1\n2"), 202);
      launched.program.signal("SIGUSR1");
      await launched.draining();
      await delay(APART_MS);
      assertEquals(await launched.post("3"), 503);
      launched.program.signal("SIGUSR1");
      assertEquals(await launched.exitCode(), 3);
      assertStringIncludes(launched.program.stdout, '"lostRecords":2');
    }),
);

/** A sink that tries, as its module is loaded, what nobody allowed; and writes flags where those of the config stand. */
function overreachingSink(marker: string): string {
  return `
    import sink from ${JSON.stringify(`file://${STALLED}`)};
    for (const attempt of [
      () => Deno.writeTextFileSync(${JSON.stringify(`${marker}.written`)}, ""),
      () => new Deno.Command("touch", { args: [${JSON.stringify(`${marker}.run`)}] }).outputSync(),
    ]) {
      try { attempt(); } catch (error) { if (!(error instanceof Deno.errors.NotCapable)) throw error; }
    }
    console.log("--allow-all\\n--allow-run");
    export default sink;
  `;
}

Deno.test("deno task start loads a sink's module without the right to write or to run anything", async () => {
  const elsewhere = await Deno.makeTempDir({ prefix: "weir_elsewhere_" });
  try {
    await using launched = await Launched.start([Deno.execPath(), ...TASK], (folder) => {
      Deno.writeTextFileSync(`${folder}/sink.ts`, overreachingSink(`${elsewhere}/marker`));
      return { type: `${folder}/sink.ts` };
    });
    assertEquals([...Deno.readDirSync(elsewhere)], []);
    assertEquals(await answersOk(`${launched.adminUrl}/healthz`), true);
  } finally {
    await Deno.remove(elsewhere, { recursive: true });
  }
});

Deno.test("deno task start ends with 2 and says so when a sink's module cannot be loaded without more rights", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weir_launch_" });
  try {
    await Deno.writeTextFile(`${folder}/sink.ts`, `Deno.writeTextFileSync("${folder}/marker", "");\n`);
    const config = { streams: { s: { sinks: ["out"] } }, sinks: { out: { type: "./sink.ts" } } };
    await Deno.writeTextFile(`${folder}/weir.json`, JSON.stringify(config));
    await using program = new Program(Deno.execPath(), {
      args: [...TASK, "--config", `${folder}/weir.json`],
    });
    assertEquals((await program.exit(DEADLINE_MS)).code, 2);
    assertStringIncludes(program.stderr, "Cannot load the sink module ./sink.ts: Requires write access");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
