/**
 * The composition root: the only file that knows every stage, in the order in which a record meets them.
 *
 * ```text
 * producer ▶ ingress ▶ admission ▶ partition ▶ channel ▶ lane ▶ adapter ▶ sink
 * ```
 *
 * @module
 */
import type { Hono } from "hono";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import manifest from "../deno.json" with { type: "json" };
import { builtInSinks } from "../adapters/mod.ts";
import { NetworkBufferPool } from "./buffer/network_buffer_pool.ts";
import { type Config, limitFaults, parseConfig, planSegments, type SegmentPlan } from "./config.ts";
import { type Clock, systemClock } from "./core/clock.ts";
import { ConfigError } from "./core/errors.ts";
import { type Logger, silentLogger } from "./core/log.ts";
import { createDataApp } from "./ingress/app.ts";
import { DecoderBudget } from "./ingress/decoder.ts";
import { type DoorKeeper, HttpIngress } from "./ingress/http_ingress.ts";
import { PartialBudget } from "./ingress/partial_budget.ts";
import { WebSocketIngress } from "./ingress/websocket_ingress.ts";
import { Lifecycle, type StopReport } from "./lifecycle.ts";
import { toLimits } from "./limits_of.ts";
import type { GatewayView } from "./monitor/view.ts";
import type { SinkDefinition } from "./sink/adapter.ts";
import { heldAgainstRunning, inForce, type ReloadReport } from "./reload.ts";
import type { SinkUnit, Surroundings } from "./sink_unit.ts";
import { takeSnapshot } from "./snapshot.ts";
import type { StreamUnit } from "./stream_unit.ts";
import { Units } from "./units.ts";

/** What a gateway may be given beside its config. */
export interface GatewayOptions {
  /** Kinds of sinks beside the built-in ones; one of the same `type` wins. */
  readonly sinks?: readonly SinkDefinition[];
  /** Time; the machine's own by default. */
  readonly clock?: Clock;
  /** Chance for jitter, 0 to 1; `Math.random` by default. */
  readonly random?: () => number;
  /** Where log lines go; nowhere by default. */
  readonly log?: Logger;
}

/** What `attach` needs of a server of `node:http` or `node:https`. */
export interface UpgradeSource {
  /** Calls `listener` for each request for an upgrade, with its socket and what came behind the head. */
  on(
    event: "upgrade",
    listener: (request: IncomingMessage, socket: Socket, head: Uint8Array) => void,
  ): unknown;
}

/** A gateway, as its owner uses it. Use `await using`, or call `stop`. */
export interface WeirGateway extends AsyncDisposable {
  /** The config in force. */
  readonly config: Config;
  /** The data port as a Hono app: `POST /v1/streams/{stream}`. */
  readonly app: Hono;
  /** Port of the data server; 0 when it is not open. */
  readonly port: number;
  /** Port of the admin server; 0 when it is not open. */
  readonly adminPort: number;
  /** Opens the sinks, and no port: for a gateway whose `app` is mounted elsewhere. A sink that cannot be opened goes on trying. */
  open(): Promise<void>;
  /** Takes the WebSocket upgrades of a `node:http` server of your own, in which `app` is mounted. */
  attach(server: UpgradeSource): void;
  /** Opens the sinks and both ports of the config. Rejects, with everything closed again, when a port cannot be had. */
  start(): Promise<void>;
  /**
   * Runs another config, given as in `createGateway`, from now on: what did not change is not touched, what is gone
   * delivers what it has within `gateway.drainMs`, in the background. Resolves when new requests meet the new config;
   * the report names what changed, and the keys that hold only after a restart. Rejects with `ConfigError`, and with
   * nothing changed, when the config cannot be used.
   */
  reload(config: Config | Readonly<Record<string, unknown>>): Promise<ReloadReport>;
  /** Drains and closes everything, within `gateway.drainMs`; an aborted `signal` ends the drain at once. */
  stop(signal?: AbortSignal): Promise<StopReport>;
}

/**
 * The gateway: streams, lanes and sinks, and the HTTP doors to them.
 *
 * @example Mounted in a server of your own
 * ```ts
 * import { createGateway } from "./mod.ts";
 *
 * const gateway = await createGateway({
 *   streams: { events: { sinks: ["out"] } },
 *   sinks: { out: { type: "stdout" } },
 * });
 * await gateway.open();
 * Deno.serve(gateway.app.fetch);
 * ```
 */
export class Gateway implements WeirGateway {
  /** The data port as a Hono app: `POST /v1/streams/{stream}`. */
  readonly app: Hono;
  /** The HTTP door that `app` and the data port share. */
  readonly ingress: HttpIngress;
  /** The WebSocket door of the data port, and of servers that `attach` was called for. */
  readonly sockets: WebSocketIngress;
  /** The gateway for whoever looks. */
  readonly view: GatewayView;
  /** All memory for records. */
  readonly network: NetworkBufferPool;
  /** Streams by name. */
  readonly streams: ReadonlyMap<string, StreamUnit>;
  /** Sinks by name, the files of dead letters included. */
  readonly sinks: ReadonlyMap<string, SinkUnit>;
  readonly #units: Units;
  readonly #lifecycle: Lifecycle;
  readonly #definitions: readonly SinkDefinition[];
  readonly #log: Logger;
  #config: Config;
  #plan: SegmentPlan;
  /** Reloads come one after the other: each is held against the config that the one before left. */
  #reloaded: Promise<unknown> = Promise.resolve();

  /** Builds every stage, and opens nothing. Throws `ConfigError` or `InsufficientSegmentsError`. */
  constructor(config: Config, options: GatewayOptions = {}) {
    const around: Surroundings = {
      clock: options.clock ?? systemClock,
      random: options.random ?? Math.random,
      log: options.log ?? silentLogger,
      gateway: config.gateway.id,
      dataDir: config.gateway.dataDir,
    };
    this.#config = config;
    this.#plan = planSegments(config);
    this.#definitions = definitionsOf(options);
    this.#log = around.log;
    this.network = new NetworkBufferPool(config.buffers);
    // An epoch per start: ids of this life differ from those of every other life of the same gateway.
    const idPrefix = `${config.gateway.id}-${around.clock.wallMs().toString(36)}${
      Math.floor(around.random() * 36 ** 4).toString(36)
    }-`;

    const decoders = new DecoderBudget(config.buffers.decoderBytes);
    const units = this.#units = new Units({ network: this.network, decoders, idPrefix, around });
    units.apply(config, this.#plan);
    this.streams = units.streams;
    this.sinks = units.sinks;
    this.#lifecycle = new Lifecycle({ config: () => this.#config, units, network: this.network, around });
    const keeper: DoorKeeper = {
      door: (name) => units.streams.get(name)?.door,
      drainingSeconds: () => this.#lifecycle.drainingSeconds(),
    };
    this.ingress = new HttpIngress(keeper);
    let sessions = 0;
    this.sockets = new WebSocketIngress({
      keeper,
      budget: new PartialBudget(config.buffers.partialBytes, around.clock),
      clock: around.clock,
      times: config.listen,
      sessionId: () => `${idPrefix}${sessions++}`,
    });
    this.app = createDataApp(this.ingress);
    this.view = this.#makeView(around.clock);
  }

  /** Opens the sinks. Requests are taken from now on. A sink that cannot be opened goes on trying. */
  async open(): Promise<void> {
    await this.sockets.open();
    await this.#lifecycle.open();
  }

  /** Takes the WebSocket upgrades of a `node:http` server of your own, in which `app` is mounted. */
  attach(server: UpgradeSource): void {
    server.on("upgrade", (request, socket, head) => this.sockets.upgrade(request, socket, head));
  }

  /** Opens the sinks and both ports of the config. Rejects, with everything closed again, when a port cannot be had. */
  async start(): Promise<void> {
    await this.sockets.open();
    await this.#lifecycle.start(this);
  }

  /** The config in force. */
  get config(): Config {
    return this.#config;
  }

  /** Who gets how many segments. */
  get plan(): SegmentPlan {
    return this.#plan;
  }

  /** Port of the data server; 0 when it is not open. */
  get port(): number {
    return this.#lifecycle.dataPort;
  }

  /** Port of the admin server; 0 when it is not open. */
  get adminPort(): number {
    return this.#lifecycle.adminPort;
  }

  /**
   * Runs another config from now on, and resolves when new requests meet it. Rejects with `ConfigError`, and with nothing
   * changed, when it cannot be used.
   */
  reload(config: Config | Readonly<Record<string, unknown>>): Promise<ReloadReport> {
    const reloaded = this.#reloaded.then(() => this.#reload(config));
    this.#reloaded = reloaded.catch(() => {}); // told to who asked for it, and no reason not to try the next
    return reloaded;
  }

  async #reload(config: Config | Readonly<Record<string, unknown>>): Promise<ReloadReport> {
    const { config: next, needRestart } = inForce(
      this.#config,
      isParsed(config) ? config : parseConfig(config, this.#definitions),
    );
    const plan = heldAgainstRunning(needRestart, () => planSegments(next));
    const secure = await this.#lifecycle.prepare(next);
    this.#lifecycle.requireRunning();
    // From here on nothing waits.
    const changes = heldAgainstRunning(needRestart, () => this.#units.apply(next, plan));
    this.#config = next;
    this.#plan = plan;
    this.#lifecycle.adopt(next, secure);
    const report = { ...changes, needRestart };
    this.#log.info("config is reloaded", { ...report });
    if (needRestart.length > 0) {
      this.#log.warn("some keys hold only after a restart", { keys: needRestart });
    }
    return report;
  }

  /**
   * Drains and closes everything, within `gateway.drainMs`; an aborted `signal` ends the drain at once.
   * The report says what was lost: acknowledged records that no sink has.
   */
  stop(signal?: AbortSignal): Promise<StopReport> {
    return this.#lifecycle.stop(signal);
  }

  /** The same as `stop`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #makeView(clock: Clock): GatewayView {
    const sinkOf = (name: string) => {
      const sink = this.sinks.get(name);
      if (sink === undefined) throw new Error(`there is no sink ${JSON.stringify(name)}`);
      return sink;
    };
    return {
      state: () => this.#lifecycle.state,
      snapshot: () =>
        takeSnapshot({
          config: this.config,
          version: manifest.version,
          startedAtMs: this.#lifecycle.startedAtMs,
          clock,
          network: this.network,
          units: this.#units,
        }),
      control: {
        setLimit: (name, limit) => {
          const faults = limitFaults(limit);
          if (faults.length > 0) throw new ConfigError(faults);
          sinkOf(name).setLimits(toLimits(limit));
        },
        pauseSink: (name) => sinkOf(name).gate.setPaused(true),
        resumeSink: (name) => {
          if (sinkOf(name).gate.paused) sinkOf(name).gate.setPaused(false);
        },
      },
    };
  }
}

/**
 * Makes a gateway from a config object (as written in YAML) or a parsed one. It takes nothing before `open` or `start`.
 *
 * @throws {ConfigError} with every fault, each with its path.
 *
 * @example
 * ```ts
 * import { createGateway } from "./mod.ts";
 *
 * await using gateway = await createGateway({
 *   listen: { port: 0 },
 *   admin: { port: 0 },
 *   streams: { events: { sinks: ["archive"] } },
 *   sinks: { archive: { type: "memory" } },
 * });
 * await gateway.start();
 * await fetch(`http://127.0.0.1:${gateway.port}/v1/streams/events`, { method: "POST", body: '{"hello":"world"}' });
 * ```
 */
export function createGateway(
  config: Config | Readonly<Record<string, unknown>>,
  options: GatewayOptions = {},
): Promise<WeirGateway> {
  const parsed = isParsed(config) ? config : parseConfig(config, definitionsOf(options));
  return Promise.resolve(new Gateway(parsed, options));
}

/** The kinds of sinks; one of the caller's own wins over a built-in one of the same type. */
function definitionsOf({ sinks = [] }: GatewayOptions): SinkDefinition[] {
  return [...sinks, ...builtInSinks.filter((sink) => !sinks.some((other) => other.type === sink.type))];
}

function isParsed(config: Config | Readonly<Record<string, unknown>>): config is Config {
  return config.streams instanceof Map;
}
