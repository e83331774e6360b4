/** The `file` sink on a disk that fails, one operation at a time: whole batches or nothing of them. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { createFileSink } from "../../adapters/file.ts";
import { type AppendFile, openAppendFile } from "../../adapters/file/append_file.ts";
import { Outcome, type SinkAdapter, type WriteResult } from "../../src/sink/adapter.ts";
import { HeapBatch } from "../support/heap_batch.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { outcomesOf, written } from "../support/written.ts";
import { sinkContext } from "./open_sink.ts";

const NEVER = new AbortController().signal;

/** A disk of which each operation can be made to fail, or to hang. */
class FaultyDisk {
  readonly folder = Deno.makeTempDirSync({ prefix: "weir-fault-" });
  readonly path = join(this.folder, "events.ndjson");
  /** Operations so far, by name; the opening of a durable file is `durable`. */
  readonly calls: string[] = [];
  /** How much of the bytes a failed append leaves: the half on a full disk, all when the flush fails. */
  leaves: "half" | "all" = "half";
  /** Which operation fails next, counted from 1 over all; 0 for none. */
  failAt = 0;
  #hang: { reached: () => void; released: Promise<void> } | null = null;

  async open(fsync = true): Promise<SinkAdapter> {
    const sink = createFileSink(async (path) => this.#wrap(await openAppendFile(path)));
    const options = sink.config.parse({ path: this.path, fsync });
    return await sink.open(options, sinkContext({ dataDir: this.folder, clock: new ManualClock() }));
  }

  /** Makes the next append hang: `reached` resolves when it does, `release` lets it go on. */
  hangNext(): { reached: Promise<void>; release: () => void } {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#hang = { reached: reached.resolve, released: released.promise };
    return { reached: reached.promise, release: released.resolve };
  }

  text(): string {
    return Deno.readTextFileSync(this.path);
  }

  #wrap(file: AppendFile): AppendFile {
    return {
      identity: () => file.identity(),
      append: async (bytes) => {
        const hang = this.#hang;
        this.#hang = null;
        hang?.reached();
        await hang?.released;
        const left = this.leaves === "half" ? bytes.length >> 1 : bytes.length;
        const fails = this.#fails("append");
        if (fails) await file.append(bytes.subarray(0, left));
        throwIf(fails);
        await file.append(bytes);
      },
      sync: async () => {
        throwIf(this.#fails("sync"));
        await file.sync();
      },
      truncate: async (size) => {
        throwIf(this.#fails("truncate"));
        await file.truncate(size);
      },
      close: () => file.close(),
    };
  }

  #fails(name: string): boolean {
    this.calls.push(name);
    return this.calls.length === this.failAt;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

function throwIf(fails: boolean): void {
  if (fails) throw new Error("No space left on device (os error 28)");
}

function write(sink: SinkAdapter, values: readonly string[], signal = NEVER): Promise<WriteResult> {
  return Promise.resolve(sink.write(new HeapBatch(values), signal));
}

Deno.test("file write() flushes what it appended before the ack, unless fsync is off", async () => {
  using disk = new FaultyDisk();
  for (const fsync of [true, false]) {
    disk.calls.length = 0;
    const sink = await disk.open(fsync);
    await write(sink, ["one"]);
    assertEquals(disk.calls, fsync ? ["append", "sync"] : ["append"]);
    await sink.close(NEVER);
  }
});

Deno.test("file write() fails every batch that a failed flush may have lost, and stores each once when sent again", async () => {
  // Calls: append a, sync (a), append b, append c, sync (b and c). Each sync fails in turn.
  for (const failAt of [2, 5]) {
    using disk = new FaultyDisk();
    disk.failAt = failAt;
    const sink = await disk.open();
    const batches = [["a"], ["b"], ["c"]];
    let left = batches;
    while (left.length > 0) {
      const results = await Promise.all(left.map((batch) => write(sink, batch)));
      left = left.filter((_, i) => outcomesOf(results[i])[0] !== Outcome.ACKED);
    }
    await sink.close(NEVER);
    assertEquals(disk.text().split("\n").toSorted().join(), ",a,b,c", `with call ${failAt} failing`);
    assertEquals(disk.text(), "a\nb\nc\n", `in order, with call ${failAt} failing: ${disk.calls}`);
  }
});

for (const leaves of ["half", "all"] as const) {
  Deno.test(`file write() stores each batch once and whole, whichever operation fails and leaves ${leaves}`, async () => {
    const batches = [["a1", "a2"], ["b1", "b2"], ["c1", "c2"]];
    const failures: number[] = [];
    for (let failAt = 1; failAt <= 4; failAt++) {
      using disk = new FaultyDisk();
      disk.leaves = leaves;
      const sink = await disk.open(false);
      disk.failAt = failAt;
      let failed = 0;
      for (const batch of batches) {
        for (let result = await write(sink, batch);; result = await write(sink, batch)) {
          if (outcomesOf(result)[0] === Outcome.ACKED) break;
          assertEquals(outcomesOf(result), [Outcome.RETRYABLE, Outcome.RETRYABLE]);
          assertEquals(written(result).reasons!.get(1), "No space left on device (os error 28)");
          assertEquals(result.pressure.kind, "saturated");
          failed++;
        }
      }
      await sink.close(NEVER);
      assertEquals(disk.text(), batches.flat().map((value) => `${value}\n`).join(""), `failAt ${failAt}`);
      failures.push(failed);
    }
    assertEquals(failures, [1, 1, 1, 0]);
  });
}

Deno.test("file write() stays retryable until what it left can be cut off", async () => {
  using disk = new FaultyDisk();
  const sink = await disk.open(false);
  disk.failAt = 1;
  assertEquals(outcomesOf(await write(sink, ["one", "two"])), [1, 1]);
  disk.failAt = 2;
  assertEquals(outcomesOf(await write(sink, ["one", "two"])), [1, 1]);
  disk.failAt = 3;
  await assertRejects(() => Promise.resolve(sink.check(NEVER)), Error, "No space left");
  assertEquals(disk.calls, ["append", "truncate", "truncate"]);
  assertEquals(outcomesOf(await write(sink, ["one", "two"])), [0, 0]);
  await sink.close(NEVER);
  assertEquals(disk.text(), "one\ntwo\n");
});

Deno.test("file write() is given up when it hangs; what it stores later is cut off again", async () => {
  using disk = new FaultyDisk();
  const sink = await disk.open();
  await write(sink, ["before"]);
  const { reached, release } = disk.hangNext();
  const abort = new AbortController();
  const hanging = write(sink, ["hangs"], abort.signal);
  await reached;
  abort.abort(new Error("timeoutMs 30000 is over"));
  assertEquals(outcomesOf(await hanging), [Outcome.RETRYABLE]);

  const waiting = new AbortController();
  const batch = new HeapBatch(["waits"]);
  const behind = sink.write(batch, waiting.signal);
  waiting.abort(new Error("timeoutMs 30000 is over"));
  await behind;
  // The lane lends the memory to others now.
  batch.overwrite();

  const after = write(sink, ["after"]);
  release();
  assertEquals(outcomesOf(await after), [Outcome.ACKED]);
  await sink.close(NEVER);
  assertEquals(disk.text(), "before\nafter\n");
  assertEquals(disk.calls.filter((call) => call === "append").length, 3);
});

Deno.test("file close() gives up at its deadline when the disk hangs, and lets go when it can", async () => {
  using disk = new FaultyDisk();
  const sink = await disk.open();
  const { reached, release } = disk.hangNext();
  const abort = new AbortController();
  const hanging = write(sink, ["hangs"], abort.signal);
  await reached;
  abort.abort(new Error("over"));
  await hanging;
  await assertRejects(
    () => Promise.resolve(sink.close(AbortSignal.abort(new Error("deadline")))),
    Error,
    "deadline",
  );
  await assertRejects(() => disk.open(), Error, "another file sink");
  release();
  await sink.close(NEVER);
  await (await disk.open()).close(NEVER);
});
