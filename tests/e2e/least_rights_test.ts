/** The gateway with the rights that its config needs: enough for all it does, and the lack of one is told. @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { answersOk } from "../support/gateway_process.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/process.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const START_DEADLINE_MS = 60_000;

/** A config that uses every right there is: a sink of its own, files outside the data folder, another server. */
async function writeConfig(folder: string): Promise<{ path: string; url: string; adminUrl: string }> {
  const [port, adminPort] = [freePort(), freePort()];
  const config = {
    gateway: { dataDir: `${folder}/data` },
    listen: { port },
    admin: { port: adminPort, token: "${WEIR_TEST_TOKEN:-none}" },
    streams: { s: { sinks: ["near", "far", "mine"] } },
    sinks: {
      near: { type: "file", path: `${folder}/data/near/s.ndjson` },
      far: { type: "file", path: `${folder}/logs/s.ndjson`, rotateBytes: 64, gzip: true },
      mine: { type: `${ROOT}examples/sinks/counter_sink.ts` },
    },
  };
  await Deno.mkdir(`${folder}/logs`);
  const path = `${folder}/weir.json`;
  await Deno.writeTextFile(path, JSON.stringify(config));
  return { path, url: `http://127.0.0.1:${port}`, adminUrl: `http://127.0.0.1:${adminPort}` };
}

Deno.test("deno task start runs any config with its own rights and no more, and ends as the gateway does", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weir_rights_" });
  try {
    const { path, url, adminUrl } = await writeConfig(folder);
    await using program = new Program(Deno.execPath(), {
      args: ["task", "--cwd", ROOT, "start", "--config", path],
    });
    await program.waitUntil(() => answersOk(`${adminUrl}/readyz`), START_DEADLINE_MS, "it was ready");
    for (let i = 0; i < 4; i++) {
      const response = await fetch(`${url}/v1/streams/s`, {
        method: "POST",
        body: `{"number":${i},"text":"${"x".repeat(40)}"}`,
      });
      assertEquals([response.status, (await response.json()).accepted], [200, 1]);
    }
    assertEquals(await answersOk(`${adminUrl}/metrics`), true);
    program.signal("SIGTERM");
    assertEquals((await program.exit(START_DEADLINE_MS)).code, 0, program.describe("it did not end cleanly"));
    const near = await Deno.readTextFile(`${folder}/data/near/s.ndjson`);
    assertEquals(near.split("\n").length, 5);
    const rotated = [...Deno.readDirSync(`${folder}/logs`)].filter(({ name }) => name !== "s.ndjson");
    assert(rotated.length >= 2, "the file outside the data folder was rotated");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("weir run says which right is missing and who gives it, and asks nobody", async () => {
  await using program = new Program(Deno.execPath(), {
    args: ["run", "--no-prompt", `${ROOT}mod.ts`, "run"],
  });
  assertEquals((await program.exit(START_DEADLINE_MS)).code, 1);
  assertStringIncludes(program.stderr, 'Requires sys access to "hostname"');
  assertStringIncludes(program.stderr, "--print-permissions");
});

Deno.test("weir run keeps a sink down that may not write its file, and says why", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weir_rights_" });
  try {
    const { path, adminUrl } = await writeConfig(folder);
    const flags = (await printedFlags(path))
      .map((flag) => flag.startsWith("--allow-write=") ? `--allow-write=${folder}/data` : flag);
    await using program = new Program(Deno.execPath(), {
      args: ["run", "--no-prompt", ...flags, `${ROOT}mod.ts`, "run", "--config", path],
    });
    const told = () => saysWhy(adminUrl, "Requires write access to");
    await program.waitUntil(told, START_DEADLINE_MS, "readyz told the missing right");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("weir run says of a folder that it may not create what to do", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weir_rights_" });
  try {
    const { path, adminUrl } = await writeConfig(folder);
    const config = JSON.parse(await Deno.readTextFile(path));
    config.sinks.far.path = `${folder}/absent/logs/s.ndjson`;
    await Deno.writeTextFile(path, JSON.stringify(config));
    await using program = new Program(Deno.execPath(), {
      args: ["run", "--no-prompt", ...await printedFlags(path), `${ROOT}mod.ts`, "run", "--config", path],
    });
    const told = () => saysWhy(adminUrl, "create it (mkdir -p)");
    await program.waitUntil(told, START_DEADLINE_MS, "readyz told that the folder is missing");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function printedFlags(configPath: string): Promise<string[]> {
  const printed = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-read",
      "--allow-env",
      `${ROOT}mod.ts`,
      "run",
      "--print-permissions",
      "--config",
      configPath,
    ],
  }).output();
  return new TextDecoder().decode(printed.stdout).trim().split("\n");
}

async function saysWhy(adminUrl: string, reason: string): Promise<boolean> {
  try {
    return (await (await fetch(`${adminUrl}/readyz`)).text()).includes(reason);
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}
