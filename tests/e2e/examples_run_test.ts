/** Examples that need another server do what their comments say, with a real one behind them and nothing changed but the ports. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { answer, type HttpTarget, startHttpTarget } from "../adapters/http_target.ts";
import { exampleConfig } from "../support/example_config.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { type Answer, HttpConnection, isConnectionLoss } from "../support/http_client.ts";

const STORED_MS = 60_000;

/** The example, with `variable` naming the target; its files lie in the folder of the process. */
async function startExample(name: string, variable: string, target: HttpTarget): Promise<GatewayProcess> {
  return await GatewayProcess.start(await exampleConfig(name), { env: { [variable]: target.url } });
}

async function post(gateway: GatewayProcess, stream: string, body: string): Promise<Answer> {
  using connection = await HttpConnection.open(gateway.port);
  const headers = { "Content-Type": "application/x-ndjson" };
  return await connection.request({ path: `/v1/streams/${stream}`, headers }, body);
}

/** Records of the answer, in the order of the contract's members; `deadLettered` is left out where it is 0. */
function outcome({ status, body }: Answer): (number | undefined)[] {
  const { accepted, deadLettered } = JSON.parse(body);
  return [status, accepted, deadLettered];
}

function textsOf(target: HttpTarget): string[] {
  return target.stored().map((value) => new TextDecoder().decode(value));
}

async function linesOf(gateway: GatewayProcess, path: string): Promise<string[]> {
  return (await Deno.readTextFile(`${gateway.folder}/${path}`)).trimEnd().split("\n");
}

/** The first of several bodies at once that the quota refuses; the others are given up with the gateway. */
async function refusedByQuota(gateway: GatewayProcess, stream: string, body: string): Promise<Answer> {
  const refused = Promise.withResolvers<Answer>();
  for (let k = 0; k < 4; k++) {
    post(gateway, stream, body).then((answer) => {
      if (answer.status === 429) refused.resolve(answer);
    }).catch((error) => {
      if (!isConnectionLoss(error)) refused.reject(error);
    });
  }
  return await deadline(refused.promise, STORED_MS);
}

function assertQuotaTold({ headers, body }: Answer): void {
  assertEquals(JSON.parse(body).type, "urn:weir:problem:quota-exceeded");
  assertMatch(headers.get("retry-after") ?? "", /^([1-9]|[1-5]\d|60)$/);
  assert(headers.has("ratelimit") && headers.has("ratelimit-policy"), "the quota is told");
}

Deno.test("examples/fan-out.yaml keeps all in a file, sends all on, and keeps what the collector never takes", async () => {
  const target = await startHttpTarget();
  try {
    await using gateway = await startExample("fan-out.yaml", "COLLECTOR_URL", target);
    assertEquals(outcome(await post(gateway, "orders", '{"customer":"ada"}')), [200, 1, undefined]);
    assertEquals(outcome(await post(gateway, "clicks", '{"click":1}')), [200, 1, undefined]);
    await gateway.program.waitUntil(() => target.stored().length === 2, STORED_MS, "both were sent on");
    assertEquals(textsOf(target).sort(), ['{"click":1}', '{"customer":"ada"}']);
    assertEquals((await linesOf(gateway, "data/archive/all.ndjson")).sort(), textsOf(target).sort());

    target.respond = answer(400, "not an order");
    assertEquals(outcome(await post(gateway, "orders", '{"customer":"eve"}')), [200, 1, 1]);
    const [letter] = (await linesOf(gateway, "data/refused/collector.ndjson")).map((line) =>
      JSON.parse(line)
    );
    assertEquals([letter.stream, letter.sink, letter.key, letter.value], [
      "orders",
      "collector",
      "eve",
      '{"customer":"eve"}',
    ]);

    // It stands still: clicks are acked as soon as the file has them.
    target.respond = () => {};
    assertEquals(outcome(await post(gateway, "clicks", '{"click":2}')), [200, 1, undefined]);
    assertQuotaTold(await refusedByQuota(gateway, "clicks", "1\n".repeat(39_999)));
  } finally {
    await target.close();
  }
});

Deno.test("examples/protect-http.yaml lets a burst of 200 and then 100 records a second pass, and tells who sends more 429", async () => {
  const target = await startHttpTarget();
  try {
    await using gateway = await startExample("protect-http.yaml", "SERVICE_URL", target);
    const startMs = performance.now();
    const jobs = Array.from({ length: 300 }, (_, k) => `{"job":${k}}`);
    assertEquals(outcome(await post(gateway, "jobs", jobs.join("\n"))), [200, 300, undefined]);
    // A hundred more than the burst: no sooner than after one second, however fast the machine is.
    assert(performance.now() - startMs >= 1_000, "300 jobs took less than a second");
    assertEquals(textsOf(target).sort(), jobs.sort());
    assert(target.seen.every(({ body }) => body[0] === 0x5b), "each body is an array");

    target.respond = answer(422, "no such job");
    assertEquals(outcome(await post(gateway, "jobs", '{"job":"none"}')), [200, 1, 1]);
    const [letter] = (await linesOf(gateway, "data/dead-letter/service.ndjson")).map((line) =>
      JSON.parse(line)
    );
    assertEquals([letter.sink, letter.value], ["service", '{"job":"none"}']);
    assertQuotaTold(await refusedByQuota(gateway, "jobs", "1\n".repeat(1_000)));
  } finally {
    await target.close();
  }
});
