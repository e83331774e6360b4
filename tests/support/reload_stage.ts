/**
 * A gateway on ports of its own, with sinks that a test stops and lets go, a clock that it moves, and another config
 * whenever it likes.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Gateway } from "../../src/gateway.ts";
import { builtInSinks } from "../../adapters/mod.ts";
import { parseConfig } from "../../src/config.ts";
import type { ReloadReport } from "../../src/reload.ts";
import { type Answer, HttpConnection } from "./http_client.ts";
import { LogLines } from "./log_lines.ts";
import { ManualClock, settle } from "./manual_clock.ts";
import { SwitchSinks } from "./switch_sink.ts";

/** A config as in a file; ports and `gateway.dataDir` are filled in. */
export type StageConfig = Readonly<Record<string, unknown>>;

/** Turns of the event loop in which time moves: what needs little of it has surely happened then. */
const MAX_TURNS = 20_000;
/** Real time until something that needs files, which are slow on a machine that is busy, has surely happened. */
const DEADLINE_MS = 60_000;

/** The stage. */
export class ReloadStage implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly clock: ManualClock;
  readonly log: LogLines = new LogLines();
  readonly sinks: SwitchSinks;
  readonly folder: string;

  private constructor(
    gateway: Gateway,
    clock: ManualClock,
    log: LogLines,
    sinks: SwitchSinks,
    folder: string,
  ) {
    this.gateway = gateway;
    this.clock = clock;
    this.log = log;
    this.sinks = sinks;
    this.folder = folder;
  }

  /** Starts a gateway with `config`; kinds of sinks are `switch` and the built-in ones. */
  static async start(config: StageConfig): Promise<ReloadStage> {
    const folder = await Deno.makeTempDir({ prefix: "weir_reload_" });
    const [clock, log, sinks] = [new ManualClock(), new LogLines(), new SwitchSinks()];
    const definitions = [sinks.definition, ...builtInSinks];
    const gateway = new Gateway(parseConfig(complete(config, folder), definitions), {
      sinks: [sinks.definition],
      clock,
      log,
      random: () => 0.5,
    });
    await gateway.start();
    return new ReloadStage(gateway, clock, log, sinks, folder);
  }

  /** Takes another config; sections that `start` filled in are so again. */
  reload(config: StageConfig): Promise<ReloadReport> {
    return this.gateway.reload(complete(config, this.folder));
  }

  /** Posts `body` as lines on a connection of its own. */
  async post(stream: string, body: string): Promise<Answer> {
    using connection = await HttpConnection.open(this.gateway.port);
    return await connection.request({
      path: `/v1/streams/${stream}`,
      headers: { "Content-Type": "application/x-ndjson" },
    }, body);
  }

  /** Resolves when `isSo` holds. Moves the clock by some ms, as an open buffer is cut by time. */
  async until(isSo: () => boolean, what: string): Promise<void> {
    const endMs = performance.now() + DEADLINE_MS;
    for (let turn = 0; turn < MAX_TURNS || performance.now() < endMs; turn++) {
      if (isSo()) return;
      await settle();
      if (turn % 50 !== 49) continue;
      if (turn < MAX_TURNS) this.clock.advance(1);
      // Sockets need real time.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    throw new Error(`not within ${MAX_TURNS} turns and ${DEADLINE_MS} ms: ${what}`);
  }

  /** Messages of the log, in order. */
  messages(): string[] {
    return this.log.lines.map((line) => line.message);
  }

  /** A series of `/metrics`; 0 where there is none. */
  async metric(series: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.gateway.adminPort}/metrics`);
    const line = (await response.text()).split("\n").find((each) => each.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }

  /** The answer of an admin path. */
  async admin(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(`http://127.0.0.1:${this.gateway.adminPort}${path}`);
    return { status: response.status, body: await response.json() };
  }

  /** Asserts that the ledger adds up, and that sizes and segments do. */
  assertSound(): void {
    const { ledger, pool } = this.gateway.view.snapshot();
    for (const row of ledger) {
      const { accepted, delivered, deadLettered, shed, lost, inFlight } = row;
      assertEquals(accepted, delivered + deadLettered + shed + lost + inFlight, JSON.stringify(row));
    }
    let sizes = 0;
    for (const each of this.gateway.network.pools()) {
      sizes += each.size;
      assert(each.size >= each.minSegments && each.size <= each.maxSegments, `size of ${each.name}`);
    }
    assert(sizes <= pool.total, `sizes sum to ${sizes}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway.stop(AbortSignal.abort());
    await Deno.remove(this.folder, { recursive: true });
  }
}

type Section = Readonly<Record<string, unknown>>;

function complete(config: StageConfig, folder: string): StageConfig {
  return {
    ...config,
    gateway: { id: "stage", dataDir: `${folder}/data`, ...config.gateway as Section },
    listen: { port: 0, ...config.listen as Section },
    admin: { port: 0, ...config.admin as Section },
  };
}
