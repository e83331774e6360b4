/**
 * Load by wrk: a C program, so that the load generator never is the part that is measured. Requests are put together
 * before the run, by a Lua script that is written for it.
 *
 * @module
 */

/** Connections where a row says nothing else. */
const DEFAULT_CONNECTIONS = 64;

/** One request of a load. */
export interface LoadRequest {
  /** As `/v1/streams/a`. */
  readonly path: string;
  readonly contentType: string;
  readonly body: string;
}

/** What wrk sends: `requests` by turns, over keep-alive connections. */
export interface Load {
  readonly requests: readonly LoadRequest[];
  readonly connections?: number;
}

/** What a run came to. */
export interface LoadSummary {
  readonly seconds: number;
  /** Answers of any status. */
  readonly answers: number;
  /** Answers with a status from 400. */
  readonly refusals: number;
  /** Connections that failed, and answers that did not come. */
  readonly failures: number;
  /** Time that one answer in a hundred took longer than, in ms. */
  readonly p99Ms: number;
}

const DONE = `
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('SUMMARY {"seconds":%.6f,"answers":%d,"refusals":%d,"failures":%d,"p99Ms":%.3f}\\n',
    summary.duration / 1e6, summary.requests, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(99) / 1e3))
end
`;

/** The script that sends `requests` by turns. */
export function luaScript(requests: readonly LoadRequest[]): string {
  const lines = requests.map(({ path, contentType, body }) =>
    `  all[#all + 1] = wrk.format("POST", ${luaString(path)}, { ["Content-Type"] = ${
      luaString(contentType)
    }, ["Host"] = "127.0.0.1" }, ${luaString(body)})`
  );
  return `local all, turn = {}, 0
init = function()
${lines.join("\n")}
end
request = function()
  turn = turn % #all + 1
  return all[turn]
end
${DONE}`;
}

/** A Lua string literal; the level of its brackets is one that the text does not close, and Lua drops a first LF. */
export function luaString(text: string): string {
  let level = "";
  while (text.includes(`]${level}]`) || text.endsWith(`]${level}`)) level += "=";
  return `[${level}[\n${text}]${level}]`;
}

/** A load written to a temporary folder, ready to run again and again. */
export class WrkLoad implements AsyncDisposable {
  readonly #folder: string;
  readonly #connections: number;

  private constructor(folder: string, connections: number) {
    this.#folder = folder;
    this.#connections = connections;
  }

  /** Writes the script. */
  static async create({ requests, connections = DEFAULT_CONNECTIONS }: Load): Promise<WrkLoad> {
    const folder = await Deno.makeTempDir({ prefix: "weir_wrk_" });
    await Deno.writeTextFile(`${folder}/load.lua`, luaScript(requests));
    return new WrkLoad(folder, connections);
  }

  /** Loads `url` for `seconds` (whole). Rejects when wrk itself fails. */
  async run(url: string, seconds: number): Promise<LoadSummary> {
    const { code, stdout, stderr } = await new Deno.Command("wrk", {
      args: ["-t1", `-c${this.#connections}`, `-d${seconds}s`, "--timeout", "30s", "-s", "load.lua", url],
      cwd: this.#folder,
    }).output();
    const text = new TextDecoder().decode(stdout);
    const summary = text.match(/^SUMMARY (.*)$/m);
    if (code !== 0 || !summary) {
      throw new Error(`wrk ended with code ${code}: ${new TextDecoder().decode(stderr)}${text}`);
    }
    return JSON.parse(summary[1]);
  }

  /** Removes the script. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}
