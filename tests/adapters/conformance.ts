/**
 * What every sink promises, as one suite: whoever writes an adapter hands in its definition and a way to read back
 * what is stored, and gets a test for each promise.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { assert } from "../../src/core/assert.ts";
import type { SinkDefinition } from "../../src/sink/adapter.ts";
import type { HeapLayout, HeapRecord } from "../support/heap_batch.ts";
import { type RequirementName, requires, type TraitName } from "../support/requirements.ts";
import { type ConformancePlace, SinkRun, SOON_MS, withContext } from "./sink_run.ts";

/**
 * What a sink can hold: JSON `objects` only; `json` texts only; `lines`, of JSON or without LF; any `bytes`. A record
 * that does not fit is rejected with a reason.
 */
export type Holds = "objects" | "json" | "lines" | "bytes";

/** A sink under test. */
export interface Conformant {
  /** Begins the test names. */
  readonly name: string;
  /** The kind. */
  readonly definition: SinkDefinition;
  /** What it can hold. */
  readonly holds: Holds;
  /** Whether a CloudEvent in binary mode is stored as a structured one, or as its value. */
  readonly cloudEvents: "structured" | "value";
  /** What its tests need beside Deno. */
  readonly needs?: readonly (RequirementName | TraitName)[];
  /** Makes a fresh, empty place. */
  place(): Promise<ConformancePlace>;
}

/** Every byte of the length differs, so that a framing with one too few shows. */
const LARGE_BYTES = 0x0f_c3_5a;
const LAYOUTS: readonly HeapLayout[] = ["adjacent", "apart", "spanning"];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Declares the suite for one sink. */
export function conformance(sink: Conformant): void {
  const isJsonOnly = sink.holds === "json" || sink.holds === "objects";
  const test = (promise: string, body: (run: SinkRun) => Promise<void>): void => {
    requires(...sink.needs ?? []).test(`${sink.name} ${promise}`, () =>
      withContext(async (context) => {
        await using place = await sink.place();
        await using run = new SinkRun(sink.definition, place, context);
        await body(run);
      }));
  };

  test("hints() gives a usable batch shape", (run) => {
    const hints = sink.definition.hints(run.config);
    assert(hints.maxRecords >= 1 && hints.maxBytes >= 1, "a batch has room for a record");
    assert(hints.lingerMs >= 0 && hints.framingBytes >= 0, "no negative hints");
    assert(
      Number.isInteger(hints.writesInFlight) && hints.writesInFlight >= 1,
      "at least one write in flight",
    );
    return Promise.resolve();
  });

  test("config refuses an unknown key", async (run) => {
    const parsed = await sink.definition.config.safeParseAsync({ ...run.options, noSuchOption: 1 });
    assert(!parsed.success, "the schema is strict");
  });

  for (const layout of LAYOUTS) {
    test(`write() stores 1000 records in order, laid out ${layout}, and keeps no view of them`, async (run) => {
      const values = Array.from({ length: 1000 }, (_, i) => `{"n":${i},"text":"${"x".repeat(i % 90)}"}`);
      await run.writeAcked(values, { layout });
      await run.assertStored(values);
    });
  }

  test("write() stores batch after batch, in order", async (run) => {
    const batches = Array.from({ length: 20 }, (_, b) => [`{"b":${b},"n":0}`, `{"b":${b},"n":1}`]);
    for (const batch of batches) await run.writeAcked(batch);
    await run.assertStored(batches.flat());
  });

  test("write() bears as many writes at once as hints() says", async (run) => {
    const { writesInFlight } = sink.definition.hints(run.config);
    const values = Array.from({ length: writesInFlight }, (_, b) => [`{"b":${b},"n":0}`, `{"b":${b},"n":1}`]);
    await Promise.all(values.map((batch) => run.writeAcked(batch)));
    const stored = await run.stored();
    if (stored === null) return;
    // Batches in any order, the records of each together.
    const pairs = Array.from(
      values,
      (_, b) => stored.slice(2 * b, 2 * b + 2).map((each) => decoder.decode(each)),
    );
    assertEquals(pairs.sort(), values.sort());
  });

  test("write() stores a record of nearly 1 MiB", async (run) => {
    const empty = JSON.stringify({ large: "" });
    const large = JSON.stringify({ large: "é".repeat((LARGE_BYTES - empty.length) / 2) });
    for (const layout of LAYOUTS) await run.writeAcked(['{"before":1}', large, '{"after":1}'], { layout });
    await run.assertStored(LAYOUTS.flatMap(() => ['{"before":1}', large, '{"after":1}']));
  });

  test("write() stores JSON with newlines as one record that means the same", async (run) => {
    const json = '{\r\n  "a": [1,\n2],\r"b": "\\n"\n}';
    for (const known of [true, false]) {
      for (const layout of LAYOUTS) {
        await run.writeAcked([{ value: json, json: known }, '{"next":1}'], { layout });
      }
    }
    const stored = await run.stored();
    if (stored === null) return;
    assertEquals(stored.length, 12);
    for (let i = 0; i < stored.length; i += 2) {
      assertEquals(JSON.parse(decoder.decode(stored[i])), JSON.parse(json));
      assertEquals(decoder.decode(stored[i + 1]), '{"next":1}');
    }
  });

  test("write() stores text that is no JSON, or rejects it with a reason", async (run) => {
    const texts = ["plain text", "a\rb", "two\nlines", "", "{not json", "tail\n"];
    const fits = (text: string): boolean =>
      sink.holds === "bytes" || (sink.holds === "lines" && !text.includes("\n"));
    for (const layout of LAYOUTS) {
      const result = await run.write(['{"first":1}', ...texts, '{"last":1}'], { layout });
      run.assertOutcomes(result, [true, ...texts.map(fits), true]);
    }
    const kept = ['{"first":1}', ...texts.filter(fits), '{"last":1}'];
    await run.assertStored(LAYOUTS.flatMap(() => kept));
  });

  test("write() stores bytes that are not UTF-8, or rejects them with a reason", async (run) => {
    const bytes = Uint8Array.of(0xff, 0x00, 0xc3, 0x28, 0x80);
    const withNewline = Uint8Array.of(0xff, 0x0a, 0x0d, 0x00);
    const result = await run.write([{ value: bytes }, { value: withNewline }, '{"last":1}']);
    run.assertOutcomes(result, [!isJsonOnly, sink.holds === "bytes", true]);
    const kept = [...isJsonOnly ? [] : [bytes], ...sink.holds === "bytes" ? [withNewline] : []];
    await run.assertStored([...kept, encoder.encode('{"last":1}')]);
  });

  test("write() settles a batch of which it can hold no record", async (run) => {
    const unfit = isJsonOnly ? "no json" : "two\nlines";
    const result = await run.write([unfit, unfit]);
    run.assertOutcomes(result, [sink.holds === "bytes", sink.holds === "bytes"]);
    await run.writeAcked(['{"next":1}']);
    await run.assertStored([...sink.holds === "bytes" ? [unfit, unfit] : [], '{"next":1}']);
  });

  test(`write() stores a CloudEvent in binary mode as ${sink.cloudEvents}`, async (run) => {
    const headers = [["ce-specversion", "1.0"], ["ce-id", "1"], ["ce-source", "/s"], [
      "ce-type",
      "t",
    ]] as const;
    const event = (value: string): HeapRecord => ({
      value,
      cloudEvent: true,
      headers: [...headers, ["content-type", "application/json"]],
    });
    await run.writeAcked(['{"before":1}', event('{\n"n":1}'), event('{"n":2}'), '{"after":1}']);
    const stored = await run.stored();
    if (stored === null) return;
    const texts = stored.map((each) => JSON.parse(decoder.decode(each)));
    const attributes = {
      specversion: "1.0",
      id: "1",
      source: "/s",
      type: "t",
      datacontenttype: "application/json",
    };
    const wanted = (n: number) => sink.cloudEvents === "value" ? { n } : { ...attributes, data: { n } };
    assertEquals(texts, [{ before: 1 }, wanted(1), wanted(2), { after: 1 }]);
  });

  test("write() settles soon after its signal is aborted, and the sink goes on", async (run) => {
    const before = await deadline(
      run.settled(['{"n":1}'], AbortSignal.abort(new Error("too late"))),
      SOON_MS,
    );
    const abort = new AbortController();
    const during = run.settled(['{"n":2}'], abort.signal);
    abort.abort(new Error("too late"));
    run.assertNotRefused([before, await deadline(during, SOON_MS)]);
    await run.writeAcked(['{"n":3}']);
    const stored = await run.stored();
    if (stored === null) return;
    assertEquals(decoder.decode(stored.at(-1)), '{"n":3}');
  });

  test("check() passes while the sink can be reached", async (run) => {
    await (await run.open()).check(AbortSignal.timeout(SOON_MS));
    await run.assertStored([]);
  });

  test("close() is harmless before the first write, and twice", async (run) => {
    const adapter = await run.open();
    await adapter.close(AbortSignal.timeout(SOON_MS));
    await adapter.close(AbortSignal.timeout(SOON_MS));
  });

  test("open() after close() goes on behind what is stored", async (run) => {
    for (const value of ['{"n":1}', '{"n":2}', '{"n":3}']) {
      await run.writeAcked([value]);
      await run.close();
    }
    await run.assertStored(['{"n":1}', '{"n":2}', '{"n":3}']);
  });
}
