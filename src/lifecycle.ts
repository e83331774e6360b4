/**
 * Open right to left, close left to right, one deadline. Sinks open before doors, so that the first record finds its
 * sink; doors close before lanes, so that the last record finds its way out.
 *
 * @module
 */
import type { Hono } from "hono";
import type { NetworkBufferPool } from "./buffer/network_buffer_pool.ts";
import { createAdminApi } from "./admin/api.ts";
import type { Config } from "./config.ts";
import type { DeadLetters } from "./dead_letters.ts";
import type { HttpIngress } from "./ingress/http_ingress.ts";
import type { WebSocketIngress } from "./ingress/websocket_ingress.ts";
import { createMetrics } from "./monitor/metrics.ts";
import { ProcessProbe } from "./monitor/process_probe.ts";
import type { GatewayState, GatewayView } from "./monitor/view.ts";
import { type ListeningServer, openAdminPort, openDataPort } from "./server.ts";
import type { SinkUnit, Surroundings } from "./sink_unit.ts";
import type { StreamUnit } from "./stream_unit.ts";
import { sleep, type Timer } from "./core/clock.ts";

/** How a stop went. */
export interface StopReport {
  /** Acknowledged records that no sink has, and that are gone. */
  readonly lostRecords: number;
  /** Sinks that could not be closed, with the reason. */
  readonly failures: readonly string[];
}

/** What is served at the ports. */
export interface Served {
  /** The data port's own requests. */
  readonly ingress: HttpIngress;
  /** Its WebSockets. */
  readonly sockets: WebSocketIngress;
  /** All others of the data port. */
  readonly app: Hono;
  /** What the admin port shows. */
  readonly view: GatewayView;
}

/** How often the time accounts look (see `StreamUnit.sampleTime`). */
const SAMPLE_MS = 100;
/** How long the start waits for the first try of every sink. */
const OPEN_MS = 5_000;
/** What closing takes at most after the drain: answers on their way out, adapters that let go. */
const CLOSE_MS = 2_000;

/** The life of one gateway. */
export class Lifecycle {
  /** Where it stands. */
  state: GatewayState = "starting";
  /** When it was made, ms since 1970. */
  readonly startedAtMs: number;
  readonly #config: Config;
  readonly #streams: ReadonlyMap<string, StreamUnit>;
  readonly #sinks: ReadonlyMap<string, SinkUnit>;
  readonly #deadLetters: DeadLetters;
  readonly #network: NetworkBufferPool;
  readonly #around: Surroundings;
  #data: ListeningServer | null = null;
  #admin: ListeningServer | null = null;
  #probe: ProcessProbe | null = null;
  #sampler: Timer | null = null;
  #opened = false;
  #drainEndsMs = 0;
  #stopping: Promise<StopReport> | null = null;

  /** Of a gateway that is built. */
  constructor(options: {
    config: Config;
    streams: ReadonlyMap<string, StreamUnit>;
    sinks: ReadonlyMap<string, SinkUnit>;
    deadLetters: DeadLetters;
    network: NetworkBufferPool;
    around: Surroundings;
  }) {
    this.#config = options.config;
    this.#streams = options.streams;
    this.#sinks = options.sinks;
    this.#deadLetters = options.deadLetters;
    this.#network = options.network;
    this.#around = options.around;
    this.startedAtMs = options.around.clock.wallMs();
  }

  /** Port of the data server, or 0. */
  get dataPort(): number {
    return this.#data?.port ?? 0;
  }

  /** Port of the admin server, or 0. */
  get adminPort(): number {
    return this.#admin?.port ?? 0;
  }

  /** Seconds until the gateway may be back, for `Retry-After`; 0 while it takes requests. */
  drainingSeconds(): number {
    if (this.state === "running" || this.state === "starting") return 0;
    return Math.min(60, Math.max(1, Math.ceil((this.#drainEndsMs - this.#around.clock.nowMs()) / 1000)));
  }

  /** Opens the sinks. */
  async open(): Promise<void> {
    if (this.#opened) return;
    this.#opened = true;
    await Deno.mkdir(this.#around.dataDir, { recursive: true });
    // A sink whose open never ends is its users' matter: the others are served meanwhile.
    const opened = Promise.all([...this.#sinks.values()].map((sink) => sink.open()));
    const patience = new AbortController();
    await Promise.race([opened, sleep(this.#around.clock, OPEN_MS, patience.signal).catch(() => {})]);
    patience.abort();
    this.#sample();
    if (this.state === "starting") this.state = "running";
  }

  /** Opens the sinks and the ports. */
  async start(served: Served): Promise<void> {
    await this.open();
    try {
      const { listen, admin } = this.#config;
      this.#data = await openDataPort(listen, served.ingress, served.sockets, served.app);
      const probe = this.#probe = new ProcessProbe(this.#around.clock);
      const api = createAdminApi({
        view: served.view,
        metrics: createMetrics({ view: served.view, process: () => probe.snapshot() }),
        address: () => ({ hostname: admin.hostname, port: this.adminPort }),
        token: admin.token ?? undefined,
        log: this.#around.log,
      });
      this.#admin = await openAdminPort(api, admin.hostname, admin.port);
    } catch (error) {
      await this.stop(AbortSignal.abort());
      throw error;
    }
  }

  /** Drains and closes; the same promise for every caller. A later `signal` is heeded too. */
  stop(signal?: AbortSignal): Promise<StopReport> {
    if (signal) this.#hurryOn(signal);
    return this.#stopping ??= this.#stop();
  }

  readonly #abort = new AbortController();

  #hurryOn(signal: AbortSignal): void {
    if (signal.aborted) this.#abort.abort();
    else signal.addEventListener("abort", () => this.#abort.abort(), { once: true });
  }

  async #stop(): Promise<StopReport> {
    const { clock } = this.#around;
    const { drainMs } = this.#config.gateway;
    this.#drainEndsMs = clock.nowMs() + drainMs;
    this.state = "draining";
    const streams = [...this.#streams.values()];
    const timer = clock.setTimer(() => this.#abort.abort(), drainMs);
    const drained = (async () => {
      await Promise.all(streams.map((stream) => stream.drained()));
      for (const stream of streams) stream.hurry();
      this.#deadLetters.hurry();
      await Promise.all(streams.map((stream) => stream.settled()));
    })();
    for (const stream of streams) stream.hurry();
    await Promise.race([drained, aborted(this.#abort.signal)]);
    timer.cancel();

    // Who still waits is told before the records are given up; then the connections go.
    for (const stream of streams) stream.stopRequests();
    const dataClosed = this.#data?.close();
    this.#sampler?.cancel();
    let lostRecords = 0;
    for (const stream of streams) lostRecords += stream.abandon();
    this.#deadLetters.close();
    const failures = await this.#closeSinks();
    await this.#closePorts(dataClosed);
    this.#probe?.stop();
    this.#network.destroy();
    this.state = "stopped";
    return { lostRecords, failures };
  }

  /** All at once, within one deadline. Returns those that could not be closed. */
  async #closeSinks(): Promise<string[]> {
    const { clock, log } = this.#around;
    const late = new AbortController();
    const timer = clock.setTimer(
      () => late.abort(new Error(`the sink did not close within ${CLOSE_MS} ms`)),
      CLOSE_MS,
    );
    const failures: string[] = [];
    await Promise.all([...this.#sinks.values()].map(async (sink) => {
      try {
        await Promise.race([sink.close(late.signal), rejectedBy(late.signal)]);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        failures.push(`${sink.name}: ${reason}`);
        log.error("cannot close sink", { sink: sink.name, reason });
      }
    }));
    timer.cancel();
    return failures;
  }

  async #closePorts(dataClosed: Promise<void> | undefined): Promise<void> {
    const adminClosed = this.#admin?.close();
    this.#admin?.cut();
    // Answers that were written leave with the connection's own close; a client that does not read is cut off.
    const patience = this.#around.clock.setTimer(
      () => this.#data?.cut(),
      this.#abort.signal.aborted ? 200 : CLOSE_MS,
    );
    await dataClosed;
    patience.cancel();
    await adminClosed;
  }

  #sample(): void {
    for (const stream of this.#streams.values()) stream.sampleTime();
    this.#sampler = this.#around.clock.setTimer(() => this.#sample(), SAMPLE_MS);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Rejects with the signal's reason when it is aborted. */
function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
