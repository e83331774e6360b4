/**
 * A real search node as a process: started from its jars with the settings that a test wants, killed and brought back
 * on the same data and port.
 *
 * @module
 */
import { join } from "node:path";
import { freePort } from "../support/ports.ts";
import { answersOk } from "../support/gateway_process.ts";
import { Program } from "../support/process.ts";

/** A JVM boots in 5 s alone; test files share two cores with it. */
const READY_DEADLINE_MS = 90_000;

/** A kind of node. */
export interface SearchDistribution {
  /** Its name, for folders. */
  readonly name: string;
  /** Puts what it needs beside empty folders into `home`; returns java's arguments up to the main class. */
  prepare(home: string): Promise<readonly string[]>;
}

/** How a node is started. */
export interface NodeOptions {
  /** Settings of the node, as in its config file. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Heap of the JVM in MiB; default 512. */
  readonly heapMiB?: number;
}

/** A node of a cluster of its own. */
export class SearchNode implements AsyncDisposable {
  /** `http://127.0.0.1:PORT`; the same after a restart. */
  readonly url: string;
  readonly #home: string;
  readonly #command: readonly string[];
  #program: Program | null = null;

  private constructor(home: string, port: number, command: readonly string[]) {
    this.#home = home;
    this.url = `http://127.0.0.1:${port}`;
    this.#command = command;
  }

  /** Starts one on a free port and waits until it answers. */
  static async start(distribution: SearchDistribution, options: NodeOptions = {}): Promise<SearchNode> {
    const home = await Deno.makeTempDir({ prefix: `weir_${distribution.name}_` });
    for (const each of ["config", "plugins", "modules", "lib"]) await Deno.mkdir(join(home, each));
    const main = await distribution.prepare(home);
    const [port, transportPort] = [freePort(), freePort()];
    const settings = {
      "discovery.type": "single-node",
      "network.host": "127.0.0.1",
      "http.port": `${port}`,
      "transport.port": `${transportPort}`,
      "cluster.routing.allocation.disk.threshold_enabled": "false",
      // At each of these, every 30 s by default, Elasticsearch takes `read_only_allow_delete` off all indices.
      "cluster.info.update.interval": "24h",
      ...options.settings,
    };
    const node = new SearchNode(home, port, [
      `-Xms${options.heapMiB ?? 512}m`,
      `-Xmx${options.heapMiB ?? 512}m`,
      "-XX:+UseSerialGC",
      ...main,
      home,
      ...Object.entries(settings).map(([name, value]) => `${name}=${value}`),
    ]);
    try {
      await node.restart();
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
    return node;
  }

  /** Sends `signal` to the JVM: SIGKILL as a crash, SIGSTOP and SIGCONT as a stall. */
  signal(signal: Deno.Signal): void {
    this.#program?.signal(signal);
  }

  /** Kills the process, as a crash does, and waits until it is gone. */
  async kill(): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
    this.#program = null;
  }

  /** Starts it (again) on its data and port, and waits until it answers. */
  async restart(): Promise<void> {
    await this.kill();
    const program = new Program("java", { args: this.#command });
    this.#program = program;
    const health = `${this.url}/_cluster/health?wait_for_status=yellow&timeout=1s`;
    await program.waitUntil(() => answersOk(health), READY_DEADLINE_MS, `${this.url} answered`);
  }

  /** Kills it and removes its data without waiting, for handlers that cannot. */
  abandon(): void {
    this.signal("SIGKILL");
    Deno.removeSync(this.#home, { recursive: true });
  }

  /** Kills it and removes its data. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#home, { recursive: true });
  }
}
