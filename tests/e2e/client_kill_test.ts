/**
 * The client against a gateway that is killed (kill -9) twice while it sends: in Deno, in Node and in a real browser,
 * every record is stored, none that was acked is missing, and they are stored in the order in which they were sent.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Browser } from "../support/browser.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/process.ts";
import { requires } from "../support/requirements.ts";
import { type Numbered, sendNumbered } from "./numbered_records.js";

const RECORDS = 4_000;
/** Records that a gateway stores before it is killed. */
const BURSTS = [600, 1_000];
/** With one more write, its sink has all but come to a stop. */
const WRITE_RECORDS = 50;
/** Its pace then, so that the kill comes while records are under way, however late the test sees that it is time. */
const RECORDS_PER_SECOND = 20;
const WAIT_MS = 60_000;
/** What the page loads. */
const MODULES = ["/tests/e2e/numbered_records.js", "/examples/client/weir_client.js"];
const PROGRAM = new URL("./numbered_records.js", import.meta.url).pathname;

/** A gateway that is killed and started again, on one port and with one file. */
class KilledGateway {
  readonly url: string;
  readonly #folder: string;
  readonly #ports = { listen: { port: freePort() }, admin: { port: freePort() } };

  constructor(folder: string) {
    this.#folder = folder;
    this.url = `ws://127.0.0.1:${this.#ports.listen.port}/v1/streams/s`;
  }

  /** Numbers of the records in the file, in their order. A line that a kill cut off is left out. */
  stored(): number[] {
    const lines = readIfThere(`${this.#folder}/out.ndjson`).split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line).n);
  }

  /**
   * Kills it whenever the file has a burst more and `isTime`; `killed` is called when it is gone. Then runs it until
   * `done`.
   */
  async run(
    done: Promise<unknown>,
    isTime: () => boolean = () => true,
    killed: () => void = () => {},
  ): Promise<void> {
    for (const burstRecords of BURSTS) {
      const count = this.stored().length + burstRecords;
      await using gateway = await this.#start({
        recordsPerSecond: RECORDS_PER_SECOND,
        burstRecords: burstRecords + WRITE_RECORDS,
      });
      const isStored = () => this.stored().length >= count && isTime();
      await gateway.program.waitUntil(isStored, WAIT_MS, `${count} were stored`);
      gateway.program.signal("SIGKILL");
      await gateway.program.exit(WAIT_MS);
      killed();
    }
    await using _gateway = await this.#start();
    await done;
  }

  #start(limit?: Readonly<Record<string, number>>): Promise<GatewayProcess> {
    return GatewayProcess.start({
      ...this.#ports,
      streams: { s: { sinks: ["file"], origins: ["*"] } },
      sinks: {
        file: {
          type: "file",
          path: `${this.#folder}/out.ndjson`,
          limit,
          batch: { maxRecords: WRITE_RECORDS },
        },
      },
    }, { folder: this.#folder });
  }
}

function readIfThere(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** What holds wherever the client ran. */
function assertAllStored(stored: readonly number[], result: Numbered): void {
  const { mostUnackedBytes, ...rest } = result;
  assertEquals(rest, { sent: RECORDS, acked: RECORDS, rejected: [], left: 0, sessions: BURSTS.length + 1 });
  assert(mostUnackedBytes < 131_072 + 256, `${mostUnackedBytes} bytes were not acked`);
  // Each record for the first time in the order of sending; what comes again comes as a run of its own.
  assertEquals([...new Set(stored)], Array.from({ length: RECORDS }, (_, n) => n));
  const stepsBack = stored.filter((n, i) => i > 0 && n <= stored[i - 1]).length;
  assert(stepsBack <= BURSTS.length, `the order was left ${stepsBack} times with ${BURSTS.length} kills`);
}

async function inFolder(test: (gateway: KilledGateway) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "weir_client_" });
  try {
    await test(new KilledGateway(folder));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("WeirClient in Deno: a gateway killed twice has every record, none twice that was acked", async () => {
  await inFolder(async (gateway) => {
    let [acked, unacked, mayComeTwice] = [0, 0, 0];
    const sending = sendNumbered(gateway.url, RECORDS, (client, number) => {
      [acked, unacked] = [number, client.unackedRecords];
    });
    // A burst may be stored before the first ack of it is told, up to 50 ms later.
    let ackedBefore = 0;
    await gateway.run(sending, () => acked > ackedBefore, () => {
      const stored = gateway.stored();
      ackedBefore = acked;
      assert(unacked > 0, "the kill came while records were under way");
      assertEquals(stored.includes(acked - 1), true, `record ${acked} was acked and is not stored`);
      mayComeTwice += stored.at(-1)! - (acked - 1);
    });
    const stored = gateway.stored();
    assertAllStored(stored, await sending);
    assert(
      stored.length - RECORDS <= mayComeTwice,
      `${stored.length - RECORDS} came twice, of ${mayComeTwice}`,
    );
  });
});

requires("nodeWebSocket").test(
  "WeirClient in Node: a gateway killed twice has every record, in order",
  async () => {
    await inFolder(async (gateway) => {
      await using node = new Program("node", {
        args: ["--experimental-websocket", "--no-warnings", PROGRAM, gateway.url, String(RECORDS)],
      });
      await gateway.run(node.exit(WAIT_MS));
      assertEquals(node.status?.code, 0, node.describe("failed"));
      assertAllStored(gateway.stored(), JSON.parse(node.stdout));
    });
  },
);

/** Serves the files that a page imports, by their paths in the repository. */
async function serveModule(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (!MODULES.includes(pathname)) {
    return new Response("<!DOCTYPE html>", { headers: { "Content-Type": "text/html" } });
  }
  const code = await Deno.readTextFile(new URL(`../..${pathname}`, import.meta.url));
  return new Response(code, { headers: { "Content-Type": "text/javascript" } });
}

requires("chromium").test(
  "WeirClient in Chromium: a gateway killed twice has every record, in order",
  async () => {
    await inFolder(async (gateway) => {
      const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
      await using server = Deno.serve(options, serveModule);
      await using browser = await Browser.start();
      await browser.goto(`http://127.0.0.1:${server.addr.port}/`);
      const call = `sendNumbered(${JSON.stringify(gateway.url)}, ${RECORDS})`;
      const sending = browser.evaluate(`import("${MODULES[0]}").then(({ sendNumbered }) => ${call})`);
      await gateway.run(sending);
      assertAllStored(gateway.stored(), await sending as Numbered);
    });
  },
);
