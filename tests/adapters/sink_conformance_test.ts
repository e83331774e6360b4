/** The sinks that need no server of others keep the sink contract. @module */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { createFileSink } from "../../adapters/file.ts";
import { httpSink } from "../../adapters/http.ts";
import { createMemorySink, MemoryStore } from "../../adapters/memory.ts";
import { createStdoutSink } from "../../adapters/stdout.ts";
import counterSink from "../../examples/sinks/counter_sink.ts";
import type { SinkDefinition } from "../../src/sink/adapter.ts";
import { conformance, type Conformant } from "./conformance.ts";
import { startHttpTarget } from "./http_target.ts";
import { linesOf, readFrames } from "./stored.ts";

type FileCase = { framing: "lines" | "length" | "base64"; fsync?: boolean };

function fileCase(options: FileCase): Conformant {
  return {
    name: `file ${JSON.stringify(options)}`,
    definition: createFileSink(),
    holds: options.framing === "lines" ? "lines" : "bytes",
    cloudEvents: "structured",
    async place() {
      const folder = await Deno.makeTempDir({ prefix: "weir-file-" });
      const path = join(folder, "deep", "er", "events.log");
      return {
        options: { path, ...options },
        stored: async () => readFrames(await Deno.readFile(path), options.framing),
        [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
      };
    },
  };
}

conformance(fileCase({ framing: "lines" }));
conformance(fileCase({ framing: "lines", fsync: false }));
conformance(fileCase({ framing: "length" }));
conformance(fileCase({ framing: "base64" }));

/** The output and the store are given when the kind is made, so each place needs a kind of its own behind one face. */
function delegating(first: SinkDefinition): { definition: SinkDefinition; use(next: SinkDefinition): void } {
  let current = first;
  return {
    definition: { ...first, open: (config, context) => current.open(config, context) },
    use: (next) => void (current = next),
  };
}

const stdout = delegating(createStdoutSink());
conformance({
  name: "stdout",
  definition: stdout.definition,
  holds: "lines",
  cloudEvents: "structured",
  place() {
    const chunks: Uint8Array[] = [];
    stdout.use(createStdoutSink({
      // Takes a part of what it is given, as a pipe does.
      write(bytes) {
        const taken = Math.min(bytes.length, 65_536);
        chunks.push(bytes.slice(0, taken));
        return Promise.resolve(taken);
      },
    }));
    return Promise.resolve({
      options: {},
      stored: () => Promise.resolve(linesOf(Buffer.concat(chunks))),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
});

const memory = delegating(createMemorySink());
conformance({
  name: "memory",
  definition: memory.definition,
  holds: "bytes",
  cloudEvents: "value",
  place() {
    const store = new MemoryStore();
    memory.use(createMemorySink(store));
    return Promise.resolve({
      options: { maxRecords: 10_000 },
      stored: () => Promise.resolve(store.records()),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
});

for (const format of ["ndjson", "array"] as const) {
  for (const compress of ["none", "gzip"] as const) {
    conformance({
      name: `http ${JSON.stringify({ format, compress })}`,
      definition: httpSink,
      holds: format === "array" ? "json" : "lines",
      cloudEvents: "structured",
      async place() {
        const target = await startHttpTarget();
        return {
          options: { url: target.url, format, compress },
          stored: () => Promise.resolve(target.stored()),
          [Symbol.asyncDispose]: () => target.close(),
        };
      },
    });
  }
}

conformance({
  name: "examples/sinks/counter_sink.ts",
  definition: counterSink,
  holds: "bytes",
  cloudEvents: "value",
  place: () =>
    Promise.resolve({
      options: { everyRecords: 1 },
      stored: () => Promise.resolve(null),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
});
