/** What parseConfig() accepts, fills in and refuses. @module */
import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import * as fc from "fast-check";
import { z } from "zod";
import {
  type Config,
  defaultConfig,
  draftSegments,
  effectiveYaml,
  parseConfig,
  parseConfigText,
} from "../src/config.ts";
import { ConfigError } from "../src/core/errors.ts";
import { defineSink } from "../src/sink/adapter.ts";
import { SINKS } from "./config/definitions.ts";
import { faultsOf } from "./config/faults_of.ts";

const hostname = (): string => "edge-1";

function parse(raw: unknown): Config {
  return parseConfig(raw, SINKS, { hostname });
}

/** One stream `s` and one sink `out`, with `stream`, `sink` and `root` laid over them. */
function config(parts: { stream?: object; sink?: object; sinks?: object; root?: object } = {}): unknown {
  return {
    streams: { s: { sinks: ["out"], ...parts.stream } },
    sinks: { out: { type: "stdout", ...parts.sink }, ...parts.sinks },
    ...parts.root,
  };
}

/** The only fault of `raw`. */
function fault(raw: unknown): string {
  const faults = faultsOf(() => parse(raw));
  assertEquals(faults.length, 1, faults.join("\n"));
  return faults[0];
}

Deno.test("parseConfig() fills in every default", () => {
  const parsed = parse(config());
  assertEquals(parsed.gateway, { id: "edge-1", dataDir: "./data", drainMs: 30_000 });
  assertEquals(parsed.listen, {
    hostname: "127.0.0.1",
    port: 8080,
    headersTimeoutMs: 10_000,
    requestTimeoutMs: 300_000,
    maxConnections: 10_000,
    pingMs: 20_000,
    idleTimeoutMs: 0,
    reusePort: false,
    tls: null,
  });
  assertEquals(parsed.admin, { hostname: "127.0.0.1", port: 8081, token: null });
  assertEquals(parsed.buffers, {
    segmentBytes: 32_768,
    segments: 2048,
    exclusivePerLane: 2,
    floatingPerLane: 8,
    maxPerLane: 64,
    partialBytes: 16_777_216,
    decoderBytes: 33_554_432,
  });
  assertEquals(parsed.streams.get("s"), {
    name: "s",
    sinks: ["out"],
    ack: "delivered",
    bestEffort: [],
    validate: "json",
    key: null,
    headers: [],
    origins: [],
    maxRecordBytes: 1_048_576,
    maxBodyBytes: 33_554_432,
    maxWaitMs: 1000,
    maxWaiters: 1024,
    maxStallMs: 10_000,
    deliverTimeoutMs: 30_000,
    minSegments: null,
    maxSegments: null,
    limit: null,
  });
  const { definition, ...sink } = parsed.sinks.get("out")!;
  assertEquals(definition.type, "stdout");
  assertEquals(sink, {
    name: "out",
    type: "stdout",
    options: {},
    limit: null,
    control: {
      kind: "static",
      initial: 4,
      min: 1,
      max: 32,
      minRecordsPerSecond: 100,
      highMark: 0.9,
      lowMark: 0.4,
    },
    batch: { maxRecords: 1000, maxBytes: 1_048_576, lingerMs: 5, framingBytes: 1, writesInFlight: 1 },
    parallelism: 1,
    weights: new Map([["s", 1]]),
    order: "key",
    whenFull: "block",
    downAfterMs: 5000,
    timeoutMs: 30_000,
    retry: { initialMs: 100, maxMs: 10_000, maxAttempts: 0 },
    deadLetter: null,
  });
});

Deno.test("defaultConfig() is one stream into one file", () => {
  const { streams, sinks } = defaultConfig(SINKS, { hostname });
  assertEquals([...streams.values()].map(({ name, sinks }) => [name, sinks]), [["events", ["archive"]]]);
  assertEquals([...sinks.values()].map(({ name, type, options }) => [name, type, options]), [
    ["archive", "file", { path: "data/archive/events.ndjson", fsync: true, framing: "lines" }],
  ]);
});

Deno.test("parseConfig() lets defaults give way to the neighbour that was set", () => {
  const { streams, sinks, listen } = parse(config({
    stream: { maxBodyBytes: 1000 },
    sink: { control: { max: 2 }, retry: { maxMs: 20 } },
    root: { listen: { requestTimeoutMs: 2000 } },
  }));
  assertEquals(streams.get("s")!.maxRecordBytes, 1000);
  const { initial, max } = sinks.get("out")!.control;
  assertEquals({ initial, max }, { initial: 2, max: 2 });
  assertEquals(sinks.get("out")!.retry, { initialMs: 20, maxMs: 20, maxAttempts: 0 });
  assertEquals(listen.headersTimeoutMs, 2000);
});

Deno.test("parseConfig() makes bursts of a second's worth, at least one", () => {
  const limit = { recordsPerSecond: 0.5, bytesPerSecond: 1000 };
  assertEquals(parse(config({ sink: { limit } })).sinks.get("out")!.limit, {
    ...limit,
    burstRecords: 1,
    burstBytes: 1000,
  });
  assertEquals(
    parse(config({ stream: { limit: { bytesPerSecond: 10, burstBytes: 99 } } })).streams.get("s")!.limit,
    {
      recordsPerSecond: null,
      burstRecords: null,
      bytesPerSecond: 10,
      burstBytes: 99,
    },
  );
});

Deno.test("parseConfig() lays batch over the sink's hints, and weights over its streams", () => {
  const { sinks } = parse({
    streams: { a: { sinks: ["web"] }, b: { sinks: ["web"] } },
    sinks: { web: { type: "http", url: "http://x/", batch: { maxBytes: 10 }, weight: { b: 3 } } },
  });
  const web = sinks.get("web")!;
  assertEquals(web.batch, {
    maxRecords: 1000,
    maxBytes: 10,
    lingerMs: 5,
    framingBytes: 1,
    writesInFlight: 8,
  });
  assertEquals([...web.weights], [["a", 1], ["b", 3]]);
});

Deno.test("parseConfig() reads numbers and flags that came as strings, also in a sink's own options", () => {
  const raw = parseConfigText(
    'listen: { port: "${PORT:-9000}" }\n' +
      "streams: { s: { sinks: [out] } }\n" +
      'sinks: { out: { type: file, path: "${ID}", fsync: "${SYNC}", rotateBytes: "${ROTATE}", weight: "${WEIGHT}" } }\n',
    { env: (name) => ({ ID: "12", SYNC: "false", ROTATE: "500", WEIGHT: "7" })[name] },
  );
  const { listen, sinks } = parse(raw);
  assertEquals(listen.port, 9000);
  // A string that is wanted stays one, though it reads as a number.
  assertEquals(sinks.get("out")!.options, { path: "12", fsync: false, rotateBytes: 500, framing: "lines" });
  assertEquals(sinks.get("out")!.weights.get("s"), 7);
});

Deno.test("parseConfig() names an unknown key's path and the nearest known key, at every depth", () => {
  assertEquals(
    fault(config({ root: { listn: {} } })),
    'listn: unknown key; the nearest known key is "listen"',
  );
  assertEquals(
    fault(config({ root: { listen: { max_connections: 1 } } })),
    'listen.max_connections: unknown key; the nearest known key is "maxConnections"',
  );
  assertEquals(
    fault(config({ stream: { limit: { recordsPerSecond: 1, burstRecord: 1 } } })),
    'streams.s.limit.burstRecord: unknown key; the nearest known key is "burstRecords"',
  );
  assertEquals(
    fault(config({ sink: { retry: { maxAttempt: null } } })),
    'sinks.out.retry.maxAttempt: unknown key; the nearest known key is "maxAttempts"',
  );
});

Deno.test("parseConfig() looks for the nearest key among a sink's own and the common ones", () => {
  const file = { type: "file", path: "x" };
  assertStringIncludes(
    fault(config({ sink: { ...file, rotatebytes: 1 } })),
    'the nearest known key is "rotateBytes"',
  );
  assertStringIncludes(
    fault(config({ sink: { ...file, timeoutMS: 1 } })),
    'the nearest known key is "timeoutMs"',
  );
});

Deno.test("parseConfig() refuses a sink's unknown key even if the sink's schema would drop it", () => {
  const loose = defineSink({ ...SINKS[1], type: "loose", config: z.object({ a: z.int().optional() }) });
  const raw = { streams: { s: { sinks: ["out"] } }, sinks: { out: { type: "loose", b: 1 } } };
  assertEquals(faultsOf(() => parseConfig(raw, [loose])), [
    'sinks.out.b: unknown key; the nearest known key is "a"',
  ]);
});

Deno.test("parseConfig() never accepts what is not built yet", () => {
  assertEquals(
    fault(config({ stream: { ack: "disk" } })),
    'streams.s.ack: must be one of memory, delivered ("disk" is not built yet), but is "disk"',
  );
  assertEquals(
    fault(config({ sink: { whenFull: "spill" } })),
    'sinks.out.whenFull: must be one of block, shed ("spill" is not built yet), but is "spill"',
  );
});

Deno.test("parseConfig() tells path, rule and value of a value that breaks its rule", () => {
  const cases: [unknown, string][] = [
    [
      config({ root: { listen: { port: 65_536 } } }),
      "listen.port: must be a whole number from 0 to 65535, but is 65536",
    ],
    [
      config({ root: { listen: { port: 80.5 } } }),
      "listen.port: must be a whole number from 0 to 65535, but is 80.5",
    ],
    [
      config({ root: { listen: { port: "abc" } } }),
      'listen.port: must be a whole number from 0 to 65535, but is "abc"',
    ],
    [config({ root: { gateway: [] } }), "gateway: must be a map of keys, but is []"],
    [
      config({ root: { buffers: { segmentBytes: 5000 } } }),
      "buffers.segmentBytes: must be a power of two from 4096 to 1048576, but is 5000",
    ],
    [
      config({ root: { buffers: { segments: 4_194_304 } } }),
      "buffers: segments (4194304) times segmentBytes (32768) must be at most 17179869184 (16 GiB)",
    ],
    [config({ stream: { sinks: [] } }), "streams.s.sinks: must name at least one sink, but is []"],
    [
      config({ stream: { maxRecordBytes: 9, maxBodyBytes: 8 } }),
      "streams.s: maxRecordBytes (9) must not be larger than maxBodyBytes (8)",
    ],
    [
      config({ stream: { minSegments: 9, maxSegments: 8 } }),
      "streams.s: minSegments (9) must not be larger than maxSegments (8)",
    ],
    [
      config({ stream: { limit: {} } }),
      "streams.s.limit: must hold recordsPerSecond, bytesPerSecond or both",
    ],
    [
      config({ sink: { limit: { bytesPerSecond: 1, burstRecords: 5 } } }),
      "sinks.out.limit: burstRecords needs recordsPerSecond beside it",
    ],
    [
      config({ sink: { limit: { bytesPerSecond: 0 } } }),
      "sinks.out.limit.bytesPerSecond: must be a number above 0 and at most 2199023255552, but is 0",
    ],
    [
      config({ sink: { control: { min: 5, initial: 2 } } }),
      "sinks.out.control: min (5), initial (2) and max (32) must stand in this order",
    ],
    [
      config({ sink: { control: { kind: "watermark", highMark: 0.3 } } }),
      "sinks.out.control: lowMark (0.4) must be below highMark (0.3)",
    ],
    [
      config({ sink: { control: { kind: "pid", minRecordsPerSecond: 0 } } }),
      "sinks.out.control.minRecordsPerSecond: must be a number above 0 and at most 2199023255552, but is 0",
    ],
    [config({ sink: { type: "file" } }), "sinks.out.path: must be a string, but is missing"],
    [
      config({ sink: { type: "file", path: "x", framing: "csv" } }),
      'sinks.out.framing: must be one of lines, length, base64, but is "csv"',
    ],
    [
      config({ sink: { type: "fil" } }),
      "sinks.out.type: must be one of file, stdout, http, or a path to a module (./my_sink.ts), " +
      'but is "fil"; the nearest is "file"',
    ],
    [config({ sink: { type: null } }), "sinks.out.type: must be a string that is not empty, but is missing"],
    [config({ sinks: { more: null } }), "sinks.more: must be a map of keys with a type, but is missing"],
    [
      config({ root: { admin: { port: 8080 } } }),
      "admin.port: must differ from listen.port on the same address, but is 8080",
    ],
    [{ sinks: { out: { type: "stdout" } } }, "streams: must name at least one stream, but is missing"],
    ["text", 'config: must be a map of keys, but is "text"'],
  ];
  for (const [raw, expected] of cases) assertEquals(fault(raw), expected);
});

Deno.test("parseConfig() takes a key only as a JSON pointer", () => {
  for (const key of ["/id", "/user/id", "/a~1b", "/"]) {
    assertEquals(parse(config({ stream: { key } })).streams.get("s")!.key, key);
  }
  for (const key of ["", "id", "$.id", "/a~2", "/a~"]) {
    assertStringIncludes(fault(config({ stream: { key } })), "streams.s.key: must be a JSON pointer");
  }
});

Deno.test("parseConfig() keeps header names in lower case and refuses what is none", () => {
  assertEquals(parse(config({ stream: { headers: ["X-Tenant"] } })).streams.get("s")!.headers, ["x-tenant"]);
  assertStringIncludes(
    fault(config({ stream: { headers: ["a b"] } })),
    "streams.s.headers[0]: must be the name of an HTTP",
  );
});

Deno.test("parseConfig() refuses names outside [a-z0-9-], and words that every object knows", () => {
  for (const name of ["Events", "a_b", "a.b", "", "a".repeat(65), "constructor", "__proto__", "toString"]) {
    const streams = JSON.parse(`{"s": {"sinks": ["out"]}, ${JSON.stringify(name)}: {"sinks": ["out"]}}`);
    const faults = faultsOf(() => parse(config({ root: { streams } })));
    assertEquals(faults.length, 1, name);
    assertStringIncludes(faults[0], "name");
  }
  assertEquals(parse(config({ root: { streams: { "a-1": { sinks: ["out"] } } } })).streams.has("a-1"), true);
});

Deno.test("parseConfig() refuses __proto__ wherever a key may stand", () => {
  const raw = JSON.parse(
    '{"__proto__": 1, "streams": {"s": {"sinks": ["out"]}}, "sinks": {"out": {"type": "stdout"}}}',
  );
  assertEquals(fault(raw), "__proto__: unknown key; this name cannot be used");
  const headers = JSON.parse('{"__proto__": "x"}');
  assertEquals(
    fault(config({ sink: { type: "http", url: "http://x/", headers } })),
    "sinks.out.headers.__proto__: unknown key; this name cannot be used",
  );
});

Deno.test("parseConfig() refuses sinks that do not exist, are named twice, or are best effort without being used", () => {
  assertEquals(
    fault(config({ stream: { sinks: ["out", "otu"] } })),
    'streams.s.sinks[1]: must be the name of a sink, but is "otu"; the nearest is "out"',
  );
  assertEquals(
    fault(config({ stream: { sinks: ["out", "out"] } })),
    'streams.s.sinks[1]: must name each sink once, but is "out"',
  );
  assertEquals(
    fault(config({ stream: { bestEffort: ["other"] }, sinks: { other: { type: "stdout" } } })),
    'streams.s.bestEffort[0]: must be among the stream\'s sinks (out), but is "other"',
  );
  assertStringIncludes(
    fault(config({ sink: { deadLetter: "nope" } })),
    "sinks.out.deadLetter: must be the name of a sink",
  );
  assertEquals(
    fault(config({ sink: { weight: { t: 2 } } })),
    "sinks.out.weight.t: must be for a stream that uses the sink, but is 2",
  );
});

Deno.test("parseConfig() refuses ack: delivered with a sink that sheds, unless nobody waits for it", () => {
  const sink = { whenFull: "shed" };
  assertStringIncludes(
    fault(config({ sink })),
    "streams.s.sinks[0]: must not be a sink that sheds, as ack: delivered waits",
  );
  parse(config({ sink, stream: { bestEffort: ["out"] } }));
  parse(config({ sink, stream: { ack: "memory" } }));
});

Deno.test("parseConfig() tells each circle of dead letters once", () => {
  const sinks = {
    a: { type: "stdout", deadLetter: "b" },
    b: { type: "stdout", deadLetter: "c" },
    c: { type: "stdout", deadLetter: "b" },
    d: { type: "stdout", deadLetter: "d" },
  };
  const faults = faultsOf(() => parse(config({ sinks })));
  assertEquals(faults.length, 2);
  assertStringIncludes(
    faults[0],
    "sinks.b.deadLetter: dead letters must not go in a circle, but go b → c → b",
  );
  assertStringIncludes(faults[1], "d → d");
});

Deno.test("parseConfig() tells all faults at once, and hides secrets in them", () => {
  const faults = faultsOf(() =>
    parse(
      config({
        root: { admin: { token: ["hunter2"] }, x: 1 },
        stream: { ack: "soon" },
        sink: { order: 5, y: 1 },
      }),
    )
  );
  assertEquals(faults.map((sentence) => sentence.split(":")[0]), [
    "admin.token",
    "x",
    "streams.s.ack",
    "sinks.out.order",
    "sinks.out.y",
  ]);
  assert(!faults.join().includes("hunter2"));
});

Deno.test("parseConfig() refuses hints that no lane can work by", () => {
  const broken = defineSink({ ...SINKS[1], hints: () => ({ ...SINKS[1].hints({}), writesInFlight: NaN }) });
  assertEquals(faultsOf(() => parseConfig(config(), [broken])), [
    "sinks.out.type: the hint writesInFlight of stdout must be a whole number, at least 1, but is NaN",
  ]);
  const throwing = defineSink({
    ...SINKS[1],
    hints() {
      throw new Error("thrown on purpose");
    },
  });
  assertEquals(faultsOf(() => parseConfig(config(), [throwing])), [
    "sinks.out.type: the hints of stdout cannot be had: thrown on purpose",
  ]);
});

Deno.test("parseConfig() leaves the caller's object as it is", () => {
  const raw = config({ root: { listen: { port: "8080" } }, sink: { retry: null } });
  const before = structuredClone(raw);
  parse(raw);
  assertEquals(raw, before);
});

Deno.test("parseConfig() ends with a config or a ConfigError, whatever it is given", () => {
  const keys = [
    "streams",
    "sinks",
    "s",
    "out",
    "type",
    "limit",
    "control",
    "kind",
    "listen",
    "port",
    "__proto__",
    "constructor",
  ];
  const leaf = fc.constantFrom<unknown>(null, 0, -1, 1.5, "", "stdout", "out", "8080", true, NaN, undefined);
  const tree = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 5 }, leaf, fc.array(tie("any"), { maxLength: 3 }), tie("map")),
    map: fc.array(fc.tuple(fc.constantFrom(...keys), tie("any")), { maxLength: 5 }).map((entries) =>
      Object.fromEntries(entries)
    ),
  }));
  const parts = fc.record({ stream: tree.map, sink: tree.map, sinks: tree.map, root: tree.map });
  fc.assert(
    fc.property(parts, (given) => {
      try {
        parse(config(given as Record<string, object>));
      } catch (error) {
        assertInstanceOf(error, ConfigError);
      }
    }),
    { numRuns: 400 },
  );
});

Deno.test("effectiveYaml() is a config that means the same", () => {
  const count = fc.integer({ min: 1, max: 60 });
  const parts = fc.record({
    stream: fc.record({
      ack: fc.constantFrom("memory", "delivered"),
      key: fc.constantFrom("/a", "/${b}"),
      maxWaitMs: count,
      minSegments: count,
      limit: fc.record({ recordsPerSecond: count, bytesPerSecond: count }, {
        requiredKeys: ["recordsPerSecond"],
      }),
    }, { requiredKeys: [] }),
    sink: fc.record({
      weight: count,
      parallelism: count,
      batch: fc.record({ maxRecords: count }),
      retry: fc.record({ maxMs: count }),
    }, {
      requiredKeys: [],
    }),
    root: fc.record({ gateway: fc.record({ drainMs: count }), admin: fc.record({ port: count }) }, {
      requiredKeys: [],
    }),
  });
  fc.assert(
    fc.property(parts, (given) => {
      const first = parse(config(given));
      const yaml = effectiveYaml(first, draftSegments(first));
      const second = parse(parseConfigText(yaml, { env: () => undefined }));
      assertEquals(effectiveYaml(second, draftSegments(second)), yaml);
      assertEquals(second.sinks.get("out")!.batch, first.sinks.get("out")!.batch);
      assertEquals(second.streams.get("s")!.key, first.streams.get("s")!.key);
    }),
    { numRuns: 50 },
  );
});

Deno.test("effectiveYaml() tells the bounds that a controller can have with the sink's writers", () => {
  const given = { control: { kind: "arc", max: 100 }, parallelism: 2 };
  const parsed = parse(config({ sink: given }));
  const { writesInFlight } = parsed.sinks.get("out")!.batch;
  assertStringIncludes(effectiveYaml(parsed, draftSegments(parsed)), `max: ${2 * writesInFlight}\n`);
});

Deno.test("effectiveYaml() hides secrets", () => {
  const parsed = parse(config({
    root: { admin: { token: "hunter2" } },
    sink: {
      type: "http",
      url: "http://me:hunter2@x/",
      headers: { Authorization: "Bearer hunter2", "x-api-key": "hunter2" },
    },
  }));
  const yaml = effectiveYaml(parsed, draftSegments(parsed));
  assert(!yaml.includes("hunter2"), yaml);
  assertStringIncludes(yaml, "token: (hidden)");
});
