/** The `stdout` sink on outputs that are slow, break, or are shared. @module */
import { assertEquals, assertMatch } from "@std/assert";
import { createStdoutSink, type Output } from "../../adapters/stdout.ts";
import { Outcome, type SinkAdapter } from "../../src/sink/adapter.ts";
import { HeapBatch } from "../support/heap_batch.ts";
import { ManualClock, settle } from "../support/manual_clock.ts";
import { outcomesOf, written } from "../support/written.ts";
import { sinkContext } from "./open_sink.ts";

const NEVER = new AbortController().signal;

async function open(definition: ReturnType<typeof createStdoutSink>): Promise<SinkAdapter> {
  return await definition.open({}, sinkContext({ clock: new ManualClock() }));
}

/** Takes three bytes a turn, and breaks when `text` has reached `breakAt`. */
class SlowOutput implements Output {
  text = "";
  breakAt = Infinity;
  stuck = false;
  #free: (() => void)[] = [];

  async write(bytes: Uint8Array): Promise<number> {
    await settle();
    if (this.stuck) await new Promise<void>((resolve) => this.#free.push(resolve));
    if (this.text.length >= this.breakAt) {
      this.breakAt = Infinity;
      throw new Deno.errors.BrokenPipe("Broken pipe (os error 32)");
    }
    const taken = bytes.subarray(0, 3);
    this.text += new TextDecoder().decode(taken);
    return taken.length;
  }

  unstick(): void {
    this.stuck = false;
    for (const free of this.#free.splice(0)) free();
  }
}

Deno.test("stdout write() is acked when the output has taken every byte", async () => {
  const output = new SlowOutput();
  const sink = await open(createStdoutSink(output));
  assertEquals(outcomesOf(await sink.write(new HeapBatch(["one", "two"]), NEVER)), [
    Outcome.ACKED,
    Outcome.ACKED,
  ]);
  assertEquals(output.text, "one\ntwo\n");
});

Deno.test("stdout write() of two sinks tears no line of the other", async () => {
  const output = new SlowOutput();
  const definition = createStdoutSink(output);
  const sinks = [await open(definition), await open(definition)];
  await Promise.all(
    sinks.map((sink, n) => sink.write(new HeapBatch([`sink ${n}, first`, `sink ${n}, second`]), NEVER)),
  );
  assertEquals(output.text, "sink 0, first\nsink 0, second\nsink 1, first\nsink 1, second\n");
});

Deno.test("stdout write() is retryable when the output breaks, and the torn line is ended", async () => {
  const output = new SlowOutput();
  output.breakAt = 6;
  const sink = await open(createStdoutSink(output));
  const result = written(await sink.write(new HeapBatch(["one", "two"]), NEVER));
  assertEquals([outcomesOf(result), result.pressure.kind], [
    [Outcome.RETRYABLE, Outcome.RETRYABLE],
    "saturated",
  ]);
  assertMatch(result.reasons!.get(0)!, /^cannot write to standard output: Broken pipe/);
  await sink.write(new HeapBatch(["one", "two"]), NEVER);
  assertEquals(output.text, "one\ntw\none\ntwo\n");
});

Deno.test("stdout write() is given up when nobody reads, and the sink goes on when somebody does", async () => {
  const output = new SlowOutput();
  output.stuck = true;
  const sink = await open(createStdoutSink(output));
  const abort = new AbortController();
  const batch = new HeapBatch(["stuck"]);
  const writing = sink.write(batch, abort.signal);
  await settle();
  await settle();
  abort.abort(new Error("over"));
  assertEquals(outcomesOf(await writing), [Outcome.RETRYABLE]);
  batch.overwrite();
  const next = sink.write(new HeapBatch(["next"]), NEVER);
  output.unstick();
  assertEquals(outcomesOf(await next), [Outcome.ACKED]);
  assertEquals(output.text, "stu\nnext\n");
});

Deno.test("stdout of a real process carries nothing but the lines", async () => {
  const script = `
    import { stdoutSink } from ${JSON.stringify(new URL("../../adapters/stdout.ts", import.meta.url).href)};
    import { HeapBatch } from ${JSON.stringify(new URL("../support/heap_batch.ts", import.meta.url).href)};
    const sink = await stdoutSink.open({}, {});
    const values = Array.from({ length: 20000 }, (_, n) => JSON.stringify({ n }));
    await sink.write(new HeapBatch(values), new AbortController().signal);
    await sink.close(new AbortController().signal);
    console.log("still open");
  `;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  const config = new URL("../../deno.json", import.meta.url).pathname;
  try {
    await Deno.writeTextFile(file, script);
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", config, file],
    })
      .output();
    const lines = new TextDecoder().decode(stdout).split("\n");
    assertEquals([lines.length, lines[19_999], lines[20_000]], [20_002, '{"n":19999}', "still open"]);
  } finally {
    await Deno.remove(file);
  }
});
