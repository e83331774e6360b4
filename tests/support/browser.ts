/**
 * A real Chromium without a window, driven by its own protocol (CDP) over a WebSocket: a page under test is loaded, asked
 * and photographed. A library for it would bring hundreds of files for these few commands.
 *
 * @module
 */
import { deadline } from "@std/async/deadline";
import { Program } from "./process.ts";

/** A cold start on two cores that other tests share. */
const START_MS = 60_000;
/** Longest answer of a command; pages are asked for what takes long by polling. */
const ANSWER_MS = 60_000;

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** A browser with one page. */
export class Browser implements AsyncDisposable {
  /** What the page complained of: exceptions that nobody caught, and errors in its console. */
  readonly problems: string[] = [];
  readonly #program: Program;
  readonly #folder: string;
  #socket: WebSocket | null = null;
  #lastId = 0;
  readonly #answers = new Map<number, PromiseWithResolvers<Answer>>();

  private constructor(program: Program, folder: string) {
    this.#program = program;
    this.#folder = folder;
  }

  /** Starts Chromium with a fresh profile and connects to its page. */
  static async start(): Promise<Browser> {
    const folder = await Deno.makeTempDir({ prefix: "weir_browser_" });
    // Without the sandbox, which cannot be had as root or in a container; the pages are our own.
    const flags = [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
    ];
    const program = new Program("chromium", {
      args: [...flags, "--remote-debugging-port=0", `--user-data-dir=${folder}`, "about:blank"],
    });
    const browser = new Browser(program, folder);
    try {
      await browser.#connect();
    } catch (error) {
      await browser[Symbol.asyncDispose]();
      throw error;
    }
    return browser;
  }

  /** Loads `url` and waits for its load event. */
  async goto(url: string): Promise<void> {
    await this.#command("Page.navigate", { url });
    await this.until(`location.href === ${JSON.stringify(url)} && document.readyState === "complete"`);
  }

  /** The value of a JavaScript expression in the page, awaited, as JSON carries it. Rejects with what it threw. */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.#command("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    });
    const thrown = answer.exceptionDetails as
      | { exception?: { description?: string }; text: string }
      | undefined;
    if (thrown) throw new Error(`${expression}: ${thrown.exception?.description ?? thrown.text}`);
    return (answer.result as { value?: unknown }).value;
  }

  /** Asks the page until `condition` holds; rejects after `timeoutMs`. */
  async until(condition: string, timeoutMs = ANSWER_MS): Promise<void> {
    const startMs = performance.now();
    while (await this.evaluate(condition) !== true) {
      if (performance.now() - startMs > timeoutMs) {
        throw new Error(
          `${condition}: not within ${timeoutMs} ms; the page says: ${this.problems.join("; ")}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** How the page is seen: its size in CSS pixels, and the colours that its user prefers. */
  async look(width: number, height: number, colours: "light" | "dark"): Promise<void> {
    await this.#command("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: false,
    });
    await this.#command("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: colours }],
    });
  }

  /** The page as a PNG. */
  async screenshot(): Promise<Uint8Array> {
    const { data } = await this.#command("Page.captureScreenshot", { format: "png" });
    return Uint8Array.from(atob(data as string), (character) => character.charCodeAt(0));
  }

  /** Ends the browser and removes its profile. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket?.close();
    await this.#program[Symbol.asyncDispose]();
    // Its helpers end a moment later, and still write into the profile.
    for (let tries = 0; tries < 50 && !await removed(this.#folder); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #connect(): Promise<void> {
    const address = () => /DevTools listening on ws:\/\/([^/]+)\//.exec(this.#program.stderr)?.[1];
    await this.#program.waitUntil(() => address() !== undefined, START_MS, "it told its address");
    const targets: { type: string; webSocketDebuggerUrl: string }[] =
      await (await fetch(`http://${address()}/json/list`)).json();
    const page = targets.find(({ type }) => type === "page");
    if (page === undefined) throw new Error(this.#program.describe("has no page"));
    const socket = new WebSocket(page.webSocketDebuggerUrl);
    this.#socket = socket;
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    const opened = Promise.withResolvers<void>();
    socket.onopen = () => opened.resolve();
    socket.onerror = () => opened.reject(new Error(this.#program.describe("takes no commands")));
    await deadline(opened.promise, START_MS);
    for (const domain of ["Page", "Runtime", "Log"]) await this.#command(`${domain}.enable`, {});
  }

  async #command(
    method: string,
    params: Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.#lastId;
    const waiting = Promise.withResolvers<Answer>();
    this.#answers.set(id, waiting);
    try {
      this.#socket!.send(JSON.stringify({ id, method, params }));
      const { error, result } = await deadline(waiting.promise, ANSWER_MS);
      if (error) throw new Error(`${method}: ${error.message}`);
      return result ?? {};
    } finally {
      this.#answers.delete(id);
    }
  }

  #receive({ id, method, params, ...answer }: Answer): void {
    if (id !== undefined) this.#answers.get(id)?.resolve(answer);
    else if (method === "Runtime.exceptionThrown") {
      this.problems.push(JSON.stringify(params?.exceptionDetails));
    } else if (method === "Log.entryAdded") {
      const { level, text, url } = params?.entry as Record<string, string>;
      if (level === "error") this.problems.push(`${text} ${url ?? ""}`.trimEnd());
    }
  }
}

async function removed(folder: string): Promise<boolean> {
  try {
    await Deno.remove(folder, { recursive: true });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOTEMPTY") return false;
    throw error;
  }
}
