/** @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Program } from "./process.ts";

const deno = (code: string) => new Program(Deno.execPath(), { args: ["eval", code], outputCapBytes: 1000 });
const FOREVER = "console.log('up'); setInterval(() => {}, 1000)";

async function isGone(pid: number): Promise<boolean> {
  try {
    await Deno.stat(`/proc/${pid}`);
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

Deno.test("Program.exit() gives the exit code, and the end of long output", async () => {
  await using program = deno("console.log('x'.repeat(50000) + 'end'); console.error('bad'); Deno.exit(3)");
  assertEquals((await program.exit(60_000)).code, 3);
  assertEquals(program.stdout.length, 1000);
  assert(program.stdout.endsWith("xend\n"));
  assertEquals(program.stderr, "bad\n");
});

Deno.test("Program.waitUntil() rejects with the last words when the program ends first", async () => {
  await using program = deno("console.error('no port'); Deno.exit(2)");
  await assertRejects(() => program.waitUntil(() => false, 10_000, "it was ready"), Error, "no port");
});

Deno.test("Program.exit() rejects when the deadline is over", async () => {
  await using program = deno(FOREVER);
  await assertRejects(() => program.exit(1), Error, "did not exit within 1 ms");
});

Deno.test("Program.signal() delivers, and is harmless after the end", async () => {
  await using program = deno(FOREVER);
  await program.waitUntil(() => program.stdout.includes("up"), 10_000, "it was up");
  program.signal("SIGTERM");
  assertEquals((await program.exit(60_000)).signal, "SIGTERM");
  program.signal("SIGTERM");
});

Deno.test("Program disposal ends a stopped process too", async () => {
  let pid: number;
  {
    await using program = deno(FOREVER);
    pid = program.pid;
    await program.waitUntil(() => program.stdout.includes("up"), 10_000, "it was up");
    program.signal("SIGSTOP");
    const state = () => Deno.readTextFileSync(`/proc/${pid}/status`).match(/^State:\s+(\w)/m)?.[1];
    await program.waitUntil(() => state() === "T", 10_000, "it was stopped");
  }
  assert(await isGone(pid));
});

Deno.test("Program.usage() counts memory and CPU time", async () => {
  await using program = deno(
    "const keep = new Uint8Array(64e6).fill(1); const t = Date.now(); while (Date.now() - t < 300);" +
      "console.log('done', keep.length); setInterval(() => {}, 1000)",
  );
  await program.waitUntil(() => program.stdout.includes("done"), 10_000, "it was done");
  const usage = program.usage();
  assert(usage.rssBytes > 64e6 && usage.rssBytes <= usage.peakRssBytes, `${usage.rssBytes}`);
  assert(usage.cpuSeconds > 0.05 && usage.cpuSeconds < 30, `${usage.cpuSeconds}`);
});
