/** What a shell sees of the command line: output and exit code. @module */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import manifest from "../deno.json" with { type: "json" };
import { main } from "../src/cli.ts";
import { parseConfigText } from "../src/config.ts";
import { ConfigError } from "../src/core/errors.ts";
import { SINKS } from "./config/definitions.ts";

const FILES = new Map([
  [
    "good.yaml",
    "listen: { port: 9000 }\nstreams: { s: { sinks: [out] } }\nsinks: { out: { type: stdout } }\n",
  ],
  [
    "wrong.yaml",
    "listn: {}\nstreams: { s: { sinks: [out], ack: soon } }\nsinks: { out: { type: stdout } }\n",
  ],
  [
    "small.yaml",
    "buffers: { segments: 10 }\nstreams: { s: { sinks: [out] } }\nsinks: { out: { type: stdout } }\n",
  ],
]);

interface Seen {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Port and path of each run. */
  readonly runs: [number, string | null][];
}

async function weir(args: string[], ending: () => Promise<number> = () => Promise.resolve(0)): Promise<Seen> {
  let stdout = "";
  let stderr = "";
  const runs: [number, string | null][] = [];
  const code = await main(args, {
    stdout: (text) => stdout += text,
    stderr: (text) => stderr += text,
    env: () => undefined,
    readTextFile: (path) => {
      const text = FILES.get(path);
      return text === undefined ? Promise.reject(new Error("no such file")) : Promise.resolve(text);
    },
    loadModule: () => Promise.reject(new Error("no modules here")),
    sinks: SINKS,
    home: "/weir/",
    run: (config, path) => {
      runs.push([config.listen.port, path]);
      return ending();
    },
  });
  return { code, stdout, stderr, runs };
}

Deno.test("main() run starts the config of the file, or the embedded default", async () => {
  assertEquals((await weir(["run", "--config", "good.yaml"])).runs, [[9000, "good.yaml"]]);
  assertEquals((await weir(["run"])).runs, [[8080, null]]);
});

Deno.test("main() run ends with the gateway's exit code", async () => {
  assertEquals((await weir(["run"], () => Promise.resolve(3))).code, 3);
});

Deno.test("main() run starts nothing when the config is wrong or does not fit", async () => {
  for (const file of ["wrong.yaml", "small.yaml", "missing.yaml"]) {
    const { code, runs, stderr } = await weir(["run", "-c", file]);
    assertEquals([code, runs.length], [2, 0], file);
    assert(stderr.length > 0, file);
  }
});

Deno.test("main() says what failed without a stack trace, and ends with 1", async () => {
  const failed = await weir(["run"], () => Promise.reject(new Error("Cannot listen on 127.0.0.1:8080")));
  assertEquals([failed.code, failed.stderr], [1, "Cannot listen on 127.0.0.1:8080\n"]);
  const refused = await weir(["run"], () => Promise.reject(new ConfigError(["listen.port: is taken"])));
  assertEquals([refused.code, refused.stderr], [2, "listen.port: is taken\n"]);
});

Deno.test("main() check prints a config that can be read back, and the segments below it", async () => {
  const { code, stdout, stderr } = await weir(["check", "--config", "good.yaml"]);
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "# whole: 35 of 2048 segments are guaranteed; it fits\n");
  const raw = parseConfigText(stdout, { env: () => undefined }) as { listen: { port: number } };
  assertEquals(raw.listen.port, 9000);
});

Deno.test("main() check shows what does not fit, and ends with 2 and the number that would do", async () => {
  const { code, stdout, stderr } = await weir(["check", "-c", "small.yaml"]);
  assertEquals(code, 2);
  assertStringIncludes(stdout, "# whole: 35 of 10 segments are guaranteed; it does not fit\n");
  assertStringIncludes(stderr, "the smallest buffers.segments that would do is 35\n");
});

Deno.test("main() check tells every fault on stderr, one a line", async () => {
  const { code, stdout, stderr } = await weir(["check", "-c", "wrong.yaml"]);
  assertEquals([code, stdout], [2, ""]);
  assertEquals(
    stderr,
    "2 faults in the config:\n" +
      '  listn: unknown key; the nearest known key is "listen"\n' +
      '  streams.s.ack: must be one of memory, delivered, but is "soon"\n',
  );
});

Deno.test("main() schema prints JSON", async () => {
  const { code, stdout } = await weir(["schema"]);
  assertEquals([code, JSON.parse(stdout).title], [0, "Weir config"]);
});

Deno.test("main() answers --version and --help on stdout", async () => {
  assertEquals(await weir(["--version"]), { code: 0, stdout: `${manifest.version}\n`, stderr: "", runs: [] });
  const { code, stdout, stderr } = await weir(["--help"]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /run[\s\S]*check[\s\S]*schema[\s\S]*Exit codes:/);
});

Deno.test("main() ends with 2 on arguments that it does not know, and names the nearest", async () => {
  const cases: [string[], string][] = [
    [["chek"], "(Did you mean check?)"],
    [["check", "--confg", "x"], "(Did you mean --config?)"],
    [["run", "good.yaml"], "too many arguments"],
    [["run", "--config"], "argument missing"],
    [[], "Usage: weir"],
  ];
  for (const [args, expected] of cases) {
    const { code, stdout, stderr } = await weir(args);
    assertEquals([code, stdout], [2, ""], args.join(" "));
    assertStringIncludes(stderr, expected);
  }
});
