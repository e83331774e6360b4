/**
 * Sinks of users' own that break their contract, one in every way: each is told by its name and with the rule that it
 * broke, none harms a neighbour or the process, and the gateway still stops within its time.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { until } from "../ingress/open_door.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { HttpConnection } from "../support/http_client.ts";

/** Faults that leave records where they are, and what is said of the sink. */
const DOWN: Readonly<Record<string, string>> = {
  throws: "thrown on purpose",
  throwsUndefined: "undefined",
  rejects: "rejected on purpose",
  rejectsNull: "null",
  hangs: "did not answer within timeoutMs 200",
  returnsNothing: "no result",
  resolvesNothing: "no result",
  resolvesAnotherKind: "no result",
  tooFew: "0 outcomes for 1 records",
  tooMany: "2 outcomes for 1 records",
  unknownOutcome: "unknown outcome 7",
  plainArray: "no outcomes",
  reasonsNoMap: "no Map",
  thenThrows: "then threw on purpose",
  openThrows: "thrown on purpose",
  openThrowsNull: "null",
  openRejects: "rejected on purpose",
  openHangs: "no answer yet",
  openGivesNothing: "no adapter",
  openGivesHalf: "no adapter",
};

/** Faults that harm no record; the second one is taken as the first. */
const SERVED = [
  "pressureNull",
  "throttleNaN",
  "throttleWithoutEnd",
  "settlesTwice",
  "closeThrows",
  "closeHangs",
];
const DEAD_LETTERED = ["tooLargeWithoutReason"];

interface SinkView {
  readonly name: string;
  readonly state: string;
  readonly reason: string | null;
}

const nameOf = (fault: string) => fault.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

Deno.test("Gateway bears sinks that break their contract: each is told with its rule, and others are served", async (t) => {
  const faults = [...Object.keys(DOWN), ...SERVED, ...DEAD_LETTERED];
  const broken = (fault: string) => ({
    type: new URL("./broken_sink.ts", import.meta.url).pathname,
    fault,
    timeoutMs: 200,
    downAfterMs: 300,
    retry: { initialMs: 20, maxMs: 100 },
  });
  await using gateway = await GatewayProcess.start({
    gateway: { drainMs: 1_000 },
    buffers: { segments: 4_096 },
    streams: {
      neighbour: { sinks: ["calm"] },
      ...Object.fromEntries(
        faults.map((fault) => {
          const impatience = Object.hasOwn(DOWN, fault) ? { deliverTimeoutMs: 1_000 } : {};
          return [nameOf(fault), { sinks: [nameOf(fault)], ...impatience }];
        }),
      ),
    },
    sinks: {
      calm: { type: "file", path: "calm.ndjson" },
      ...Object.fromEntries(faults.map((fault) => [nameOf(fault), broken(fault)])),
    },
  }, { waitReady: false });
  await gateway.program.waitUntil(() => isListening(gateway.port), 60_000, "it listened");
  const post = async (stream: string) => {
    using connection = await HttpConnection.open(gateway.port);
    const { status, body } = await connection.request({ path: `/v1/streams/${stream}` }, "1");
    return { status, body };
  };

  await Promise.all(
    Object.keys(DOWN).map(async (fault) => {
      const { status, body } = await post(nameOf(fault));
      assert(status === 503 || status === 504, `${fault} answered ${status}: ${body}`);
    }),
  );
  assertEquals((await post("neighbour")).status, 200);
  for (const fault of SERVED) {
    await t.step(`${fault} is served`, async () => {
      for (let k = 0; k < 2; k++) {
        const { status, body } = await post(nameOf(fault));
        assertEquals([status, JSON.parse(body).accepted], [200, 1], body);
      }
    });
  }
  for (const fault of DEAD_LETTERED) {
    await t.step(`${fault} goes to the dead letter`, async () => {
      const { status, body } = await post(nameOf(fault));
      assertEquals([status, JSON.parse(body).deadLettered], [200, 1], body);
      const [letter] = (await Deno.readTextFile(`${gateway.folder}/data/dead-letter/${nameOf(fault)}.ndjson`))
        .split("\n");
      assertEquals(typeof JSON.parse(letter).reason, "string");
    });
  }
  for (const [fault, reason] of Object.entries(DOWN)) {
    await t.step(`${fault} is told`, async () => {
      const view = async () => {
        const { sinks } = await gateway.admin("/api/v1/topology") as { sinks: SinkView[] };
        return sinks.find(({ name }) => name === nameOf(fault))!;
      };
      await until(async () => (await view()).state === "down", `${fault} is down`);
      assertStringIncludes((await view()).reason ?? "", reason);
    });
  }
  await t.step("the ledger adds up, and the gateway stops in time and says what did not close", async () => {
    const { balanced } = await gateway.admin("/api/v1/ledger") as { balanced: boolean };
    assert(balanced);
    assertEquals((await post("neighbour")).status, 200);
    const code = await gateway.stop();
    assert(code === 0 || code === 1 || code === 3, `exit code ${code}`);
    const log = gateway.program.stderr;
    for (
      const [sink, reason] of [["close-throws", "not closed on purpose"], [
        "close-hangs",
        "did not close within",
      ]]
    ) {
      assert(
        log.split("\n").some((line) => line.includes(sink) && line.includes(reason)),
        `${sink}: ${reason}`,
      );
    }
    assert(!/invariant|uncaught|unhandled/i.test(log), log.slice(-2_000));
  });
});

async function isListening(port: number): Promise<boolean> {
  try {
    (await HttpConnection.open(port))[Symbol.dispose]();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}
