/**
 * The demo page as a newcomer meets it, in a real browser against a gateway of its own: it slows down when the sink is
 * stalled, catches up when it goes on, and what it counts as stored is in the file.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { parse } from "yaml";
import { serveFile } from "../../examples/client/serve.ts";
import { Browser } from "../support/browser.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";

const DEMO_YAML = new URL("../../examples/client/demo.yaml", import.meta.url);

/** A number that the page shows. */
function shown(id: string): string {
  return `Number(document.getElementById("${id}").textContent.replaceAll(",", ""))`;
}

async function changeSink(gateway: GatewayProcess, action: "pause" | "resume"): Promise<void> {
  const url = `${gateway.adminUrl}/api/v1/sinks/file/${action}`;
  const response = await fetch(url, { method: "POST", body: "" });
  assertEquals(response.status, 200, await response.text());
}

requires("chromium").test(
  "examples/client: the page slows while the sink is paused, catches up after it, and all that it sent is stored",
  async () => {
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, serveFile);
    const origin = `http://127.0.0.1:${server.addr.port}`;
    const config = parse(await Deno.readTextFile(DEMO_YAML));
    config.streams.demo.origins = [origin];
    await using gateway = await GatewayProcess.start(config);
    await using browser = await Browser.start();
    const stream = `ws://127.0.0.1:${gateway.port}/v1/streams/demo`;
    await browser.goto(`${origin}/?stream=${encodeURIComponent(stream)}`);
    const press = () => browser.evaluate(`document.getElementById("toggle").click()`);
    await press();
    await browser.until(`${shown("acked")} > 500`);

    await changeSink(gateway, "pause");
    // It is full, and more is due every moment.
    const sentAt = async (behind: number) => {
      await browser.until(`${shown("behind")} > ${behind}`);
      return await browser.evaluate(`${shown("sent")}`) as number;
    };
    let [stalledAt, later] = [await sentAt(1500), await sentAt(2500)];
    // Once more for a write that was under way, and whose end made room.
    if (later !== stalledAt) [stalledAt, later] = [await sentAt(4000), await sentAt(5000)];
    assertEquals(later, stalledAt, "nothing is sent beyond the bound");
    assert(await browser.evaluate(`${shown("unacked")}`) as number > 0);
    const verdict = `document.getElementById("verdict").textContent`;
    assertEquals(
      await browser.evaluate(verdict),
      "The page waits: 256 KiB are sent and not acked. Nothing is lost, and it goes on by itself.",
    );

    await changeSink(gateway, "resume");
    await browser.until(`${shown("behind")} < 200 && ${shown("sent")} > ${stalledAt + 2500}`);
    await press();
    await browser.until(`${verdict}.includes("all are stored")`);
    const sent = await browser.evaluate(`${shown("sent")}`) as number;
    const lines = (await Deno.readTextFile(`${gateway.folder}/data/demo.ndjson`)).trimEnd().split("\n");
    assertEquals(lines.map((line) => JSON.parse(line).n), Array.from({ length: sent }, (_, n) => n));
    assertEquals(browser.problems, []);
  },
);

Deno.test("examples/client/serve.ts serves the files of the page and nothing else", async () => {
  const get = (path: string) => serveFile(new Request(`http://localhost${path}`));
  for (const path of ["/", "/page.js", "/rate_chart.js", "/weir_client.js"]) {
    const response = await get(path);
    assertEquals(response.status, 200);
    assert((await response.text()).length > 1000);
  }
  for (const path of ["/serve.ts", "/../minimal.yaml", "/toString"]) {
    assertEquals((await get(path)).status, 404);
  }
});
