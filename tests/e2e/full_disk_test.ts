/**
 * A disk that is really full, as a small one in memory: what was acknowledged is in the file, each record once and
 * whole, the sink says why it takes nothing, and it goes on by itself when there is room.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { until } from "../ingress/open_door.ts";
import { answersOk, GatewayProcess, type RawConfig } from "../support/gateway_process.ts";
import { HttpConnection } from "../support/http_client.ts";
import { requires } from "../support/requirements.ts";

const ANSWER_MS = 60_000;
const DISK_BYTES = 2_097_152;
const FILLER_BYTES = 1_048_576;
/** Answers of a stream whose sink takes nothing: no room, down, or no outcome in time. */
const REFUSALS = [429, 503, 504];

/** A disk of 2 MiB, half of it taken by what can be given free. */
class SmallDisk implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async mount(): Promise<SmallDisk> {
    const folder = await Deno.makeTempDir({ prefix: "weir_disk_" });
    await run("mount", "-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "weir", folder);
    const disk = new SmallDisk(folder);
    await Deno.writeFile(`${folder}/filler`, new Uint8Array(FILLER_BYTES));
    return disk;
  }

  /** Lets nothing be written, or everything again. */
  async allowWrites(allowed: boolean): Promise<void> {
    await run("mount", "-o", `remount,${allowed ? "rw" : "ro"}`, this.folder);
  }

  /** Gives room. */
  async free(): Promise<void> {
    await Deno.remove(`${this.folder}/filler`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("umount", "-l", this.folder);
    await Deno.remove(this.folder);
  }
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

const IMPATIENT = { retry: { initialMs: 20, maxMs: 100 }, downAfterMs: 300 };

function configOf(disk: SmallDisk, options: Readonly<Record<string, unknown>>): RawConfig {
  return {
    streams: {
      events: { sinks: ["archive"], deliverTimeoutMs: 1_000, maxWaitMs: 500, validate: "json" },
      neighbour: { sinks: ["calm"] },
    },
    sinks: {
      archive: { type: "file", path: `${disk.folder}/archive.ndjson`, ...IMPATIENT, ...options },
      calm: { type: "file", path: "calm.ndjson" },
    },
  };
}

/** Sends numbered records; knows which of them were acknowledged, and which the gateway may have. */
class Sender {
  readonly acked: number[] = [];
  sent = 0;
  readonly #gateway: GatewayProcess;

  constructor(gateway: GatewayProcess) {
    this.#gateway = gateway;
  }

  /** The status of one more record of `bytes`. */
  async send(bytes: number): Promise<number> {
    const n = this.sent++;
    using connection = await HttpConnection.open(this.#gateway.port);
    const answer = connection.request(
      { path: "/v1/streams/events" },
      `{"n":${n},"text":"${textOf(n, bytes)}"}`,
    );
    const { status } = await deadline(answer, ANSWER_MS);
    if (status === 200) this.acked.push(n);
    else assert(REFUSALS.includes(status), `record ${n} was answered ${status}`);
    return status;
  }
}

/** Sends records until one is acked: on a machine that is busy an outcome may come later than `deliverTimeoutMs`. */
async function sendUntilAcked(sender: Sender, bytes: number): Promise<void> {
  for (let tries = 0;; tries++) {
    const status = await sender.send(bytes);
    if (status === 200) return;
    assert(status === 504 && tries < 3, `a sink that is up again answered ${status}`);
  }
}

/** Does not shrink much when it is compressed. */
function textOf(seed: number, bytes: number): string {
  let text = "";
  for (let k = 0; text.length < bytes; k++) text += Math.sin(seed * 1_000 + k).toString(36).slice(3);
  return text.slice(0, bytes);
}

/** Lines of all files of the sink, whole and parsed. */
async function storedNumbers(disk: SmallDisk): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { name } of Deno.readDir(disk.folder)) {
    if (!name.startsWith("archive")) continue;
    const bytes = await Deno.readFile(`${disk.folder}/${name}`);
    const stream = name.endsWith(".gz")
      ? new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))
      : new Blob([bytes]).stream();
    const text = await new Response(stream).text();
    assert(text === "" || text.endsWith("\n"), `${name} ends inside a record`);
    for (const line of text.split("\n").slice(0, -1)) numbers.push(JSON.parse(line).n);
  }
  return numbers.sort((a, b) => a - b);
}

async function readiness(gateway: GatewayProcess): Promise<{ status: number; text: string }> {
  const response = await fetch(`${gateway.adminUrl}/readyz`);
  return { status: response.status, text: await response.text() };
}

for (
  const [name, options] of [
    ["one file", {}],
    ["one file without fsync", { fsync: false }],
    ["files that are rotated and compressed", { rotateBytes: 200_000, gzip: true }],
  ] as const
) {
  requires("mountTmpfs").test(
    `file on a full disk loses nothing that was acked, tells why it is down, and goes on when there is room: ${name}`,
    async () => {
      await using disk = await SmallDisk.mount();
      await using gateway = await GatewayProcess.start(configOf(disk, options));
      const sender = new Sender(gateway);
      // What is compressed may give some room once more.
      for (let refused = 0; refused < 5; assert(sender.sent < 200, "the disk never was full")) {
        refused = await sender.send(30_000) === 200 ? 0 : refused + 1;
      }
      assert(sender.acked.length > 10, `${sender.acked.length} records were acked before the disk was full`);

      await until(async () => (await readiness(gateway)).status === 503, "it is not ready", ANSWER_MS);
      assertStringIncludes((await readiness(gateway)).text, "No space left on device");
      using neighbour = await HttpConnection.open(gateway.port);
      assertEquals((await neighbour.request({ path: "/v1/streams/neighbour" }, "1")).status, 200);

      await disk.free();
      await until(async () => (await readiness(gateway)).status === 200, "it is ready again", ANSWER_MS);
      await sendUntilAcked(sender, 1_000);
      await until(
        async () => await gateway.unsettledRecords() === 0,
        "all that was taken is stored",
        ANSWER_MS,
      );
      assertEquals(await gateway.stop(), 0);
      const stored = await storedNumbers(disk);
      assertEquals(stored.length, new Set(stored).size, "no record is there twice");
      assertEquals(sender.acked.filter((n) => !stored.includes(n)), [], "acked records that are not there");
    },
  );
}

requires("mountTmpfs").test(
  "DeadLetter that cannot be written holds the records back and tells why, and goes on when it can",
  async () => {
    await using disk = await SmallDisk.mount();
    await disk.allowWrites(false);
    await using gateway = await GatewayProcess.start({
      streams: { events: { sinks: ["archive"], deliverTimeoutMs: 500, validate: "none" } },
      sinks: {
        archive: { type: "file", path: "archive.ndjson", deadLetter: "letters" },
        letters: { type: "file", path: `${disk.folder}/letters.ndjson`, ...IMPATIENT },
      },
    }, { waitReady: false });
    await gateway.program.waitUntil(
      () => answersOk(`${gateway.adminUrl}/healthz`),
      ANSWER_MS,
      "it was there",
    );
    using connection = await HttpConnection.open(gateway.port);
    // No JSON with a line feed inside: a file of lines never takes it.
    const head = { path: "/v1/streams/events", headers: { "Content-Type": "application/octet-stream" } };
    assertEquals((await connection.request(head, "two\nlines")).status, 504);
    const letterSink = async () => {
      const { sinks } = await gateway.admin("/api/v1/topology") as {
        sinks: { name: string; reason: string | null }[];
      };
      return sinks.find(({ name }) => name === "letters");
    };
    await until(
      async () => (await letterSink())?.reason?.includes("Read-only file system") === true,
      "the reason is told",
      ANSWER_MS,
    );
    assertEquals(await gateway.unsettledRecords(), 1);
    await disk.allowWrites(true);
    await until(async () => await gateway.unsettledRecords() === 0, "the letter is written", ANSWER_MS);
    const letter = JSON.parse(await Deno.readTextFile(`${disk.folder}/letters.ndjson`));
    assertEquals(letter.value, "two\nlines");
    assertEquals(await gateway.stop(), 0);
  },
);

Deno.test("weir run ends with 1 and names gateway.dataDir when the folder cannot be made", async () => {
  const file = await Deno.makeTempFile({ prefix: "weir_no_folder_" });
  try {
    await using gateway = await GatewayProcess.start({
      gateway: { dataDir: `${file}/data` },
      streams: { events: { sinks: ["kept"] } },
      sinks: { kept: { type: "memory" } },
    }, { waitReady: false });
    assertEquals((await gateway.program.exit(ANSWER_MS)).code, 1);
    assertStringIncludes(gateway.program.stderr, `gateway.dataDir ${file}/data: Not a directory`);
  } finally {
    await Deno.remove(file);
  }
});

requires("mountTmpfs").test(
  "weir run ends with 1 and names gateway.dataDir when it cannot be made on a disk that is read-only",
  async () => {
    await using disk = await SmallDisk.mount();
    await disk.allowWrites(false);
    const dataDir = `${disk.folder}/data`;
    await using gateway = await GatewayProcess.start({
      gateway: { dataDir },
      streams: { events: { sinks: ["kept"] } },
      sinks: { kept: { type: "memory" } },
    }, { waitReady: false });
    assertEquals((await gateway.program.exit(ANSWER_MS)).code, 1);
    assertStringIncludes(
      gateway.program.stderr,
      `Cannot make the folder gateway.dataDir ${dataDir}: Read-only file system`,
    );
  },
);

requires("mountTmpfs").test(
  "weir run on a gateway.dataDir that is read-only is not ready and tells why, and goes on when it can write",
  async () => {
    await using disk = await SmallDisk.mount();
    await disk.allowWrites(false);
    await using gateway = await GatewayProcess.start({
      gateway: { dataDir: disk.folder },
      streams: { events: { sinks: ["archive"], deliverTimeoutMs: 1_000 } },
      sinks: { archive: { type: "file", path: `${disk.folder}/archive/events.ndjson`, ...IMPATIENT } },
    }, { waitReady: false });
    const told = async () =>
      await answersOk(`${gateway.adminUrl}/healthz`) &&
      (await readiness(gateway)).text.includes("Read-only file system");
    await gateway.program.waitUntil(told, ANSWER_MS, "the reason is told");
    const { status, text } = await readiness(gateway);
    assertEquals(status, 503, text);
    const sender = new Sender(gateway);
    assert(await sender.send(100) !== 200, "it cannot have been stored");
    await disk.allowWrites(true);
    await gateway.waitReady(ANSWER_MS);
    await sendUntilAcked(sender, 100);
    assertEquals(await gateway.stop(), 0);
  },
);
