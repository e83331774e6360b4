/** `examples/kafka.yaml` runs as the README says, with the rights that its config needs and no others. @module */
import { assert, assertEquals } from "@std/assert";
import { parse, stringify } from "yaml";
import { sharedKafka } from "../services/kafka.ts";
import { answersOk } from "../support/gateway_process.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/process.ts";
import { requires } from "../support/requirements.ts";
import { KafkaTopic } from "./kafka_topic.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const START_DEADLINE_MS = 60_000;

requires("kafka", "kcat").test("examples/kafka.yaml stores a record with least rights", async () => {
  await using topic = await KafkaTopic.create(await sharedKafka());
  const folder = await Deno.makeTempDir({ prefix: "weir_kafka_example_" });
  try {
    const [port, adminPort] = [freePort(), freePort()];
    const config = parse(await Deno.readTextFile(`${ROOT}examples/kafka.yaml`));
    config.gateway.dataDir = `${folder}/data`;
    config.listen = { port };
    config.admin.port = adminPort;
    config.sinks.kafka.topic = topic.name;
    await Deno.writeTextFile(`${folder}/kafka.yaml`, stringify(config));
    const env = { KAFKA_BROKER: topic.address };
    const run = ["run", "--config", `${folder}/kafka.yaml`];
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", `${ROOT}mod.ts`, ...run, "--print-permissions"],
      env,
    }).output();
    const rights = new TextDecoder().decode(stdout).split("\n").filter((line) => line.startsWith("--allow-"));
    await using program = new Program(Deno.execPath(), {
      args: ["run", "--no-prompt", ...rights, `${ROOT}mod.ts`, ...run],
      env,
    });
    await program.waitUntil(
      () => answersOk(`http://127.0.0.1:${adminPort}/readyz`),
      START_DEADLINE_MS,
      "it was ready",
    );
    const body = '{"user":"ada","action":"login"}';
    const response = await fetch(`http://127.0.0.1:${port}/v1/streams/events`, { method: "POST", body });
    assert(response.ok, await response.text());
    program.signal("SIGTERM");
    assertEquals((await program.exit(START_DEADLINE_MS)).code, 0);
    assertEquals((await topic.records()).map(({ key, value }) => [key, value]), [["ada", body]]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
