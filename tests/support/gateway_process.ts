/**
 * The gateway as its users run it, `deno run mod.ts run --config FILE` with the engine's flags of `deno task start`, as a
 * process of its own on free ports, with its config and data in a temporary folder that goes when the gateway goes.
 *
 * @module
 */
import { V8_FLAGS } from "../../src/v8_flags.ts";
import { freePort } from "./ports.ts";
import { Program } from "./process.ts";

const MOD_TS = new URL("../../mod.ts", import.meta.url).pathname;
/** A cold start also type-strips and loads every module, on two cores that other tests share. */
const READY_DEADLINE_MS = 60_000;

/** A config as in a file; `gateway.dataDir`, `listen.port` and `admin.port` are filled in where they are absent. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** How a gateway is started. */
export interface GatewayOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** True: with the rights that the config needs and no others, as `deno task start` gives them; false: with all. */
  readonly hasLeastRights?: boolean;
  /** False: do not wait for `/readyz`, for configs that are not to become ready. */
  readonly waitReady?: boolean;
  /** Folder for config and data; kept. Without one a temporary folder is made and removed. */
  readonly folder?: string;
}

/** A gateway that runs as a process. */
export class GatewayProcess implements AsyncDisposable {
  /** The process. */
  readonly program: Program;
  /** `http://127.0.0.1:PORT` of the data port, and of the admin port. */
  readonly url: string;
  readonly adminUrl: string;
  /** Ports of the two. */
  readonly port: number;
  readonly adminPort: number;
  /** Folder that holds `weir.json` and `data/`. */
  readonly folder: string;
  /** The config file; a test may write it again and send SIGHUP. */
  readonly configPath: string;
  readonly #isTemporary: boolean;

  private constructor(
    program: Program,
    folder: string,
    port: number,
    adminPort: number,
    isTemporary: boolean,
  ) {
    this.program = program;
    this.folder = folder;
    this.configPath = `${folder}/weir.json`;
    this.port = port;
    this.adminPort = adminPort;
    this.url = `http://127.0.0.1:${port}`;
    this.adminUrl = `http://127.0.0.1:${adminPort}`;
    this.#isTemporary = isTemporary;
  }

  /** Writes `config`, starts the gateway with it and waits until it is ready; rejects with its last words otherwise. */
  static async start(config: RawConfig, options: GatewayOptions = {}): Promise<GatewayProcess> {
    const folder = options.folder ?? await Deno.makeTempDir({ prefix: "weir_gateway_" });
    const complete = withPlaces(config, folder);
    await Deno.writeTextFile(`${folder}/weir.json`, JSON.stringify(complete, null, 2));
    const run = ["run", "--config", `${folder}/weir.json`];
    const rights = options.hasLeastRights ? await rightsOf(run, { cwd: folder, env: options.env }) : ["-A"];
    const program = new Program(Deno.execPath(), {
      args: ["run", "--no-prompt", ...rights, V8_FLAGS, MOD_TS, ...run],
      cwd: folder,
      env: options.env,
    });
    const isTemporary = options.folder === undefined;
    const gateway = new GatewayProcess(
      program,
      folder,
      complete.listen.port,
      complete.admin.port,
      isTemporary,
    );
    try {
      if (options.waitReady ?? true) await gateway.waitReady();
    } catch (error) {
      await gateway[Symbol.asyncDispose]();
      throw error;
    }
    return gateway;
  }

  /** Resolves when `/readyz` answers 200. */
  async waitReady(deadlineMs = READY_DEADLINE_MS): Promise<void> {
    await this.program.waitUntil(() => answersOk(`${this.adminUrl}/readyz`), deadlineMs, "it was ready");
  }

  /** The body of an admin path, as JSON. Rejects when the answer is not 200. */
  async admin(path: string, method = "GET"): Promise<unknown> {
    const response = await fetch(this.adminUrl + path, { method });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text);
  }

  /** Records that are accepted and not settled, by the ledger. */
  async unsettledRecords(): Promise<number> {
    const { rows } = await this.admin("/api/v1/ledger") as { rows: { inFlight: number }[] };
    return rows.reduce((sum, row) => sum + row.inFlight, 0);
  }

  /**
   * Value of a sample of `/metrics`: the sum over all series of `name` whose labels include `labels`; 0 where there is none.
   */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const response = await fetch(`${this.adminUrl}/metrics`);
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    let sum = 0;
    for (const line of (await response.text()).split("\n")) {
      const sample = line.match(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/);
      if (sample?.[1] === name && wanted.every((each) => (sample[2] ?? "").includes(each))) {
        sum += Number(sample[3]);
      }
    }
    return sum;
  }

  /** SIGTERM, and the exit code; rejects with the last words when it takes longer than `deadlineMs`. */
  async stop(deadlineMs = 60_000): Promise<number> {
    this.program.signal("SIGTERM");
    return (await this.program.exit(deadlineMs)).code;
  }

  /** Kills the process and removes the temporary folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    if (this.#isTemporary) await Deno.remove(this.folder, { recursive: true });
  }
}

/** The flags that `weir` names for `run`. */
async function rightsOf(run: readonly string[], options: Deno.CommandOptions): Promise<string[]> {
  const args = ["run", "-A", MOD_TS, ...run, "--print-permissions"];
  const { stdout } = await new Deno.Command(Deno.execPath(), { ...options, args }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line.startsWith("--allow-"));
}

type Section = Readonly<Record<string, unknown>>;

function withPlaces(
  config: RawConfig,
  folder: string,
): RawConfig & Record<"listen" | "admin", { port: number }> {
  return {
    ...config,
    gateway: { dataDir: `${folder}/data`, ...config.gateway as Section },
    listen: { port: freePort(), ...config.listen as Section },
    admin: { port: freePort(), ...config.admin as Section },
  };
}

/** Whether `GET url` answers 200 now. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.status === 200;
  } catch (error) {
    // Nobody listens yet.
    if (error instanceof TypeError) return false;
    throw error;
  }
}
