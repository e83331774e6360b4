/**
 * Messages of 512 bytes over 50 WebSockets, against `ws` alone that only counts them. Each side is let finish what the
 * kernel holds for it before the other begins, or it would do so in the other's time.
 *
 * @module
 */
import { GatewayProcess, type RawConfig } from "../../support/gateway_process.ts";
import { freePort } from "../../support/ports.ts";
import { Program } from "../../support/process.ts";
import type { Side, Slice } from "../compare.ts";
import type { Row } from "../row.ts";
import { memoryConfig, ratioRow, startYardstick } from "../sides.ts";

const CONNECTIONS = 50;
const MESSAGE_BYTES = 512;
const CLIENT_PATH = new URL("../clients/socket_load.ts", import.meta.url).pathname;
/** A count that stands for so long has come to its end. */
const CALM_MS = 50;

/** What a run of the client is told. */
export interface SocketLoad {
  readonly url: string;
  readonly connections: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly protocol?: string;
}

/** Starts the client as a process of its own. */
export function startSocketLoad({ url, connections, bytes, seconds, protocol }: SocketLoad): Program {
  const args = [url, connections, bytes, seconds].map(String);
  return new Program(Deno.execPath(), {
    args: ["run", "-A", CLIENT_PATH, ...args, ...protocol ? [protocol] : []],
  });
}

class SocketSide implements Side {
  readonly #program: Program;
  readonly #url: string;
  readonly #protocol: string | undefined;
  readonly #messages: () => Promise<number>;
  readonly #owned: AsyncDisposable;

  constructor(options: {
    program: Program;
    url: string;
    protocol?: string;
    messages: () => Promise<number>;
    owned: AsyncDisposable;
  }) {
    this.#program = options.program;
    this.#url = options.url;
    this.#protocol = options.protocol;
    this.#messages = options.messages;
    this.#owned = options.owned;
  }

  async measure(seconds: number): Promise<Slice> {
    const before = await this.#messages();
    const cpuBefore = this.#program.usage().cpuSeconds;
    await using client = startSocketLoad({
      url: this.#url,
      connections: CONNECTIONS,
      bytes: MESSAGE_BYTES,
      seconds,
      protocol: this.#protocol,
    });
    const { code } = await client.exit((seconds + 30) * 1000);
    if (code !== 0) throw new Error(client.describe("the client failed"));
    const run: { sent: number; acked: number; seconds: number } = JSON.parse(client.stdout);
    if (this.#protocol !== undefined && run.acked !== run.sent) {
      throw new Error(client.describe(`of ${run.sent} messages ${run.acked} were acked`));
    }
    const exitMs = performance.now();
    const [count, calmMs] = await this.#calm();
    return {
      work: count - before,
      seconds: run.seconds + (calmMs - exitMs) / 1000,
      cpuSeconds: this.#program.usage().cpuSeconds - cpuBefore,
    };
  }

  async #calm(): Promise<[count: number, atMs: number]> {
    let [count, atMs] = [await this.#messages(), performance.now()];
    while (performance.now() - atMs < CALM_MS) {
      await new Promise((resolve) => setTimeout(resolve, CALM_MS / 5));
      const now = await this.#messages();
      if (now !== count) [count, atMs] = [now, performance.now()];
    }
    return [count, atMs];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned[Symbol.asyncDispose]();
  }
}

async function gatewaySide(config: RawConfig, protocol?: string): Promise<Side> {
  const gateway = await GatewayProcess.start(config);
  return new SocketSide({
    program: gateway.program,
    url: `${gateway.url}/v1/streams/s`,
    protocol,
    messages: async () => {
      const { rows } = await gateway.admin("/api/v1/ledger") as { rows: { accepted: number }[] };
      return rows[0].accepted;
    },
    owned: gateway,
  });
}

async function yardstickSide(): Promise<Side> {
  const port = freePort();
  const program = await startYardstick("sockets", port);
  const url = `http://127.0.0.1:${port}/`;
  return new SocketSide({
    program,
    url,
    messages: async () => (await (await fetch(url)).json()).messages,
    owned: program,
  });
}

function socketRow(name: string, what: string, goal: number, validate: string, protocol?: string): Row {
  return ratioRow({
    name,
    title: `WebSocket ${CONNECTIONS} × ${MESSAGE_BYTES} B, ${what}`,
    goal,
    unit: "messages",
    subject: () => gatewaySide(memoryConfig({ validate }), protocol),
    yardstick: yardstickSide,
  });
}

/** Plain messages, unread, read as JSON, and in sessions that are acked. */
export const socketRows: readonly Row[] = [
  socketRow("socket-unvalidated", "validate none", 0.8, "none"),
  socketRow("socket-json", "validate json", 0.6, "json"),
  socketRow("socket-session", "weir.v1 and acks", 0.7, "none", "weir.v1"),
];
