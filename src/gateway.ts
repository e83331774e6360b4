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
import { DeadLetters } from "./dead_letters.ts";
import { createDataApp } from "./ingress/app.ts";
import { DecoderBudget } from "./ingress/decoder.ts";
import { type DoorKeeper, HttpIngress } from "./ingress/http_ingress.ts";
import { PartialBudget } from "./ingress/partial_budget.ts";
import { WebSocketIngress } from "./ingress/websocket_ingress.ts";
import { Lifecycle, type StopReport } from "./lifecycle.ts";
import { toLimits } from "./limits_of.ts";
import type { GatewayView } from "./monitor/view.ts";
import type { SinkDefinition } from "./sink/adapter.ts";
import { SinkUnit, type Surroundings } from "./sink_unit.ts";
import { takeSnapshot } from "./snapshot.ts";
import { StreamUnit } from "./stream_unit.ts";

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
  /** The config in force. */
  readonly config: Config;
  /** Who gets how many segments. */
  readonly plan: SegmentPlan;
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
  readonly #lifecycle: Lifecycle;

  /** Builds every stage, and opens nothing. Throws `ConfigError` or `InsufficientSegmentsError`. */
  constructor(config: Config, options: GatewayOptions = {}) {
    const around: Surroundings = {
      clock: options.clock ?? systemClock,
      random: options.random ?? Math.random,
      log: options.log ?? silentLogger,
      dataDir: config.gateway.dataDir,
    };
    this.config = config;
    this.plan = planSegments(config);
    this.network = new NetworkBufferPool(config.buffers);
    // An epoch per start: ids of this life differ from those of every other life of the same gateway.
    const idPrefix = `${config.gateway.id}-${around.clock.wallMs().toString(36)}${
      Math.floor(around.random() * 36 ** 4).toString(36)
    }-`;

    const sinks = new Map<string, SinkUnit>();
    for (const sink of config.sinks.values()) {
      sinks.set(sink.name, new SinkUnit(sink.name, sink, around, true));
    }
    const deadLetters = new DeadLetters({ config, sinks, idPrefix, around });
    const decoders = new DecoderBudget(config.buffers.decoderBytes);
    const streams = new Map<string, StreamUnit>();
    for (const stream of config.streams.values()) {
      streams.set(
        stream.name,
        new StreamUnit({
          config: stream,
          plan: this.plan.streams.find((plan) => plan.stream === stream.name)!,
          lanePlans: this.plan.lanes.filter((plan) => plan.stream === stream.name),
          network: this.network,
          sinks,
          deadLetter: (sink) => deadLetters.of(sink),
          decoders,
          idPrefix,
          around,
        }),
      );
    }
    this.sinks = sinks;
    this.streams = streams;
    this.#lifecycle = new Lifecycle({ config, streams, sinks, deadLetters, network: this.network, around });
    const keeper: DoorKeeper = {
      door: (name) => streams.get(name)?.door,
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

  /** Port of the data server; 0 when it is not open. */
  get port(): number {
    return this.#lifecycle.dataPort;
  }

  /** Port of the admin server; 0 when it is not open. */
  get adminPort(): number {
    return this.#lifecycle.adminPort;
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
          streams: this.streams.values(),
          sinks: this.sinks.values(),
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
  const own = options.sinks ?? [];
  const definitions = [
    ...own,
    ...builtInSinks.filter((sink) => !own.some((other) => other.type === sink.type)),
  ];
  const parsed = isParsed(config) ? config : parseConfig(config, definitions);
  return Promise.resolve(new Gateway(parsed, options));
}

function isParsed(config: Config | Readonly<Record<string, unknown>>): config is Config {
  return config.streams instanceof Map;
}
