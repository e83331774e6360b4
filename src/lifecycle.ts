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
import type { HttpIngress } from "./ingress/http_ingress.ts";
import type { WebSocketIngress } from "./ingress/websocket_ingress.ts";
import { createMetrics } from "./monitor/metrics.ts";
import { ProcessProbe } from "./monitor/process_probe.ts";
import type { GatewayState, GatewayView } from "./monitor/view.ts";
import { type DataServer, type ListeningServer, openAdminPort, openDataPort } from "./server.ts";
import { readTls, type TlsMaterial } from "./tls.ts";
import { rejectedBy, sleep, type Timer } from "./core/clock.ts";
import { ClosedError } from "./core/errors.ts";
import { CLOSE_MS, type Surroundings } from "./sink_unit.ts";
import type { Units } from "./units.ts";

/** How a stop went. */
export interface StopReport {
  /** Acknowledged records that no sink has, and that are gone. */
  readonly lostRecords: number;
  /** Sources and sinks that could not be closed, with the reason. */
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
/**
 * How long clients may go on with the connections that they have when the port is handed over; at most half of the drain.
 * Clients under load come back sooner; what is idle then is closed.
 */
const HAND_OVER_MS = 5_000;

/** The life of one gateway. */
export class Lifecycle {
  /** Where it stands. */
  state: GatewayState = "starting";
  /** When it was made, ms since 1970. */
  readonly startedAtMs: number;
  readonly #config: () => Config;
  readonly #units: Units;
  readonly #network: NetworkBufferPool;
  readonly #around: Surroundings;
  #data: DataServer | null = null;
  #admin: ListeningServer | null = null;
  #probe: ProcessProbe | null = null;
  #sampler: Timer | null = null;
  #opened = false;
  #drainEndsMs = 0;
  #handsOver = false;
  #stopping: Promise<StopReport> | null = null;

  /** Of a gateway that is built; `config` gives the one in force. */
  constructor(options: {
    config: () => Config;
    units: Units;
    network: NetworkBufferPool;
    around: Surroundings;
  }) {
    this.#config = options.config;
    this.#units = options.units;
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
    if (this.state === "running" || this.state === "starting" || this.#handsOver) return 0;
    return Math.min(60, Math.max(1, Math.ceil((this.#drainEndsMs - this.#around.clock.nowMs()) / 1000)));
  }

  /** Opens the sinks. */
  async open(): Promise<void> {
    if (this.#opened) return;
    this.#opened = true;
    const { dataDir } = this.#around;
    try {
      await Deno.mkdir(dataDir, { recursive: true });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`Cannot make the folder gateway.dataDir ${dataDir}: ${reason}`, { cause: error });
    }
    // A sink whose open never ends is its users' matter: the others are served meanwhile.
    const opened = this.#units.open();
    const patience = new AbortController();
    await Promise.race([opened, sleep(this.#around.clock, OPEN_MS, patience.signal).catch(() => {})]);
    patience.abort();
    this.#units.sources.open();
    this.#sample();
    if (this.state === "starting") this.state = "running";
  }

  /** Opens the sinks and the ports. */
  async start(served: Served): Promise<void> {
    await this.open();
    try {
      const { listen, admin } = this.#config();
      const secure = await this.prepare(this.#config());
      const { ingress, sockets, app } = served;
      this.#data = await openDataPort(listen, secure, ingress, sockets, app, this.#around.clock);
      const probe = this.#probe = new ProcessProbe(this.#around.clock);
      const api = createAdminApi({
        view: served.view,
        metrics: createMetrics({ view: served.view, process: () => probe.snapshot() }),
        address: () => ({ hostname: admin.hostname, port: this.adminPort }),
        token: () => this.#config().admin.token,
        log: this.#around.log,
      });
      this.#admin = await openAdminPort(api, admin.hostname, admin.port);
    } catch (error) {
      await this.stop(AbortSignal.abort());
      throw error;
    }
  }

  /** Reads what `config` names and a reload needs; rejects with `ConfigError` when it cannot be used. */
  async prepare({ listen: { tls } }: Config): Promise<TlsMaterial | null> {
    if (tls === null) return null;
    const secure = await readTls(tls);
    this.#around.log.info("certificate is read", { certFile: tls.certFile, validTo: secure.validTo });
    return secure;
  }

  /** Throws when the gateway stops, or has stopped: nothing is changed then. */
  requireRunning(): void {
    if (this.state === "starting" || this.state === "running") return;
    throw new ClosedError(
      `Cannot reload: the gateway is ${this.state}; start another one with the new config`,
    );
  }

  /** Goes on with `config` at the open data port. */
  adopt({ listen }: Config, secure: TlsMaterial | null): void {
    this.#data?.adopt(listen, secure);
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
    const { drainMs } = this.#config().gateway;
    this.#drainEndsMs = clock.nowMs() + drainMs;
    this.state = "draining";
    const timer = clock.setTimer(() => this.#abort.abort(), drainMs);
    // What has not entered a stream stays where it is.
    this.#units.sources.stop();
    if (this.#config().listen.reusePort) await this.#handOver(Math.min(HAND_OVER_MS, drainMs / 2));
    const streams = this.#units.allStreams();
    const drained = (async () => {
      await Promise.all(streams.map((stream) => stream.drained()));
      for (const stream of streams) stream.hurry();
      this.#units.deadLetters.hurry();
      await Promise.all(streams.map((stream) => stream.settled()));
    })();
    for (const stream of streams) stream.hurry();
    await Promise.race([drained, aborted(this.#abort.signal)]);
    timer.cancel();
    const left = await this.#closeSources();

    // Who still waits is told before the records are given up; then the connections go.
    for (const stream of streams) stream.stopRequests();
    const dataClosed = this.#data?.close();
    this.#sampler?.cancel();
    let { lostRecords } = this.#units.retirement;
    for (const stream of streams) lostRecords += stream.abandon();
    this.#units.deadLetters.close();
    const failures = [...left, ...await this.#closeSinks()];
    await this.#closePorts(dataClosed);
    this.#probe?.stop();
    this.#network.destroy();
    this.state = "stopped";
    return { lostRecords, failures };
  }

  /** Another gateway listens on the same port: who comes anew finds that one, and who is here is served until then. */
  async #handOver(atMostMs: number): Promise<void> {
    if (this.#data === null || this.#abort.signal.aborted) return;
    this.#handsOver = true;
    const over = new AbortController();
    const late = sleep(this.#around.clock, atMostMs, over.signal).catch(() => {});
    await Promise.race([this.#data.handOver(), late, aborted(this.#abort.signal)]);
    over.abort();
    this.#handsOver = false;
  }

  /** Before anything is given up, so that what is settled is committed. */
  async #closeSources(): Promise<string[]> {
    const { clock, log } = this.#around;
    const late = new AbortController();
    const timer = clock.setTimer(
      () => late.abort(new Error(`the source did not leave its group within ${CLOSE_MS} ms`)),
      CLOSE_MS,
    );
    const failures = await this.#units.sources.close(late.signal);
    timer.cancel();
    for (const reason of failures) log.error("cannot close source", { reason });
    return failures;
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
    await Promise.all(
      this.#units.allSinks().map(async (sink) => {
        try {
          await Promise.race([sink.close(late.signal), rejectedBy(late.signal)]);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          failures.push(`${sink.name}: ${reason}`);
          log.error("cannot close sink", { sink: sink.name, reason });
        }
      }),
    );
    timer.cancel();
    this.#units.retirement.close();
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
    for (const { units: [stream] } of this.#units.byStream()) stream.sampleTime();
    this.#sampler = this.#around.clock.setTimer(() => this.#sample(), SAMPLE_MS);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
