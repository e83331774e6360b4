import { assert, assertEquals, assertMatch } from "@std/assert";
import type { LogLevel } from "../../src/core/log.ts";
import { createLogger } from "../../src/monitor/logger.ts";

function capture(level: LogLevel = "debug") {
  const lines: string[] = [];
  const log = createLogger({ level, write: (line) => void lines.push(line) });
  return { log, lines, parsed: () => lines.map((line) => JSON.parse(line)) };
}

Deno.test("Logger writes one JSON object a line with time, level, message and fields", () => {
  const { log, lines } = capture();
  log.info("sink opened", { sink: "archive", attempt: 2 });
  assertEquals(lines.length, 1);
  assert(lines[0].endsWith("}\n"));
  const { time, ...rest } = JSON.parse(lines[0]);
  assertMatch(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertEquals(rest, { level: "info", message: "sink opened", sink: "archive", attempt: 2 });
});

Deno.test("Logger drops what is below its level", () => {
  const { log, parsed } = capture("warn");
  for (const level of ["debug", "info", "warn", "error"] as const) log[level](level);
  assertEquals(parsed().map(({ level }) => level), ["warn", "error"]);
});

Deno.test("Logger.child() adds its fields to each line, and a line's own field wins", () => {
  const { log, lines, parsed } = capture();
  const child = log.child({ sink: "archive" }).child({ writer: 1 });
  child.warn("slow", { writer: 2 });
  log.warn("fast");
  const [slow, fast] = parsed();
  assertEquals([slow.sink, slow.writer], ["archive", 2]);
  assertEquals(lines[0].match(/"writer"/g)?.length, 1);
  assertEquals("sink" in fast, false);
});

Deno.test("Logger writes an error under any name as name, message, stack and cause", () => {
  const { log, parsed } = capture();
  const cause = new TypeError("reset");
  log.error("write failed", { failure: new RangeError("too large", { cause }) });
  const { failure } = parsed()[0];
  assertEquals([failure.name, failure.message], ["RangeError", "too large"]);
  assertMatch(failure.stack, /^RangeError: too large\n +at /);
  assertEquals([failure.cause.name, failure.cause.message], ["TypeError", "reset"]);
});

Deno.test("Logger survives what JSON cannot hold: rings, big integers, causes that are their own", () => {
  const { log, parsed } = capture();
  const ring: Record<string, unknown> = { bytes: 9_007_199_254_740_993n };
  ring.self = ring;
  const error = new Error("round");
  error.cause = error;
  log.info("odd", { ring, error });
  assertEquals(parsed()[0].ring.self, "[Circular]");
  assertEquals(parsed()[0].error.cause.message, "round");
});

Deno.test("Logger keeps time, level and message its own, and a % as it is", () => {
  const { log, parsed } = capture();
  log.info("50%s full", { level: 3, message: "mine", time: 0 });
  const [line] = parsed();
  assertEquals([line.level, line.message, line._level, line._message, line._time], [
    "info",
    "50%s full",
    3,
    "mine",
    0,
  ]);
});

Deno.test("Logger to standard error loses no line before an exit", async () => {
  const logger = new URL("../../src/monitor/logger.ts", import.meta.url).href;
  const program = `
    import { createLogger } from ${JSON.stringify(logger)};
    const log = createLogger({ level: "info" });
    for (let i = 0; i < 2000; i++) log.info("line", { i, filler: "x".repeat(200) });
    Deno.exit(3);`;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", program],
    cwd: new URL("../..", import.meta.url),
    stdout: "piped",
    stderr: "piped",
  }).output();
  assertEquals([code, stdout.length], [3, 0]);
  const lines = new TextDecoder().decode(stderr).trimEnd().split("\n").filter((line) => line.startsWith("{"));
  assertEquals([lines.length, JSON.parse(lines[lines.length - 1]).i], [2000, 1999]);
});
