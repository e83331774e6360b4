/**
 * A program under test: its output with a cap, its signals, its exit with a deadline, and what it uses, read from
 * /proc. `await using` ends it whatever the test does, stopped (SIGSTOP) or not, and a test file that is torn down
 * ends what it still has running.
 *
 * @module
 */

/** Output kept of each stream, from its end; enough for a failing test's story. */
const DEFAULT_OUTPUT_CAP_BYTES = 256 * 1024;
/** Kernel clock ticks a second in /proc/PID/stat; 100 on every Linux that Deno runs on. */
const TICKS_PER_SECOND = 100;

const running = new Set<Program>();
globalThis.addEventListener("unload", () => {
  for (const program of running) program.signal("SIGKILL");
});

/** What a process uses, as the kernel counts it. */
export interface Usage {
  /** Resident memory now. */
  readonly rssBytes: number;
  /** Largest resident memory so far. */
  readonly peakRssBytes: number;
  /** User and system time of all its threads, to 10 ms. */
  readonly cpuSeconds: number;
}

/** How a program is started. */
export interface ProgramOptions {
  readonly args?: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Bytes kept of standard output and of standard error each; older ones are dropped. */
  readonly outputCapBytes?: number;
}

/** A running child process. */
export class Program implements AsyncDisposable {
  readonly #command: string;
  readonly #child: Deno.ChildProcess;
  readonly #stdout: Tail;
  readonly #stderr: Tail;
  readonly #ended: Promise<Deno.CommandStatus>;
  #status: Deno.CommandStatus | null = null;

  /** Starts `command`; its standard input is empty. */
  constructor(command: string, options: ProgramOptions = {}) {
    const capBytes = options.outputCapBytes ?? DEFAULT_OUTPUT_CAP_BYTES;
    this.#command = [command, ...options.args ?? []].join(" ");
    this.#child = new Deno.Command(command, {
      args: [...options.args ?? []],
      cwd: options.cwd,
      env: options.env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdout = new Tail(this.#child.stdout, capBytes);
    this.#stderr = new Tail(this.#child.stderr, capBytes);
    running.add(this);
    this.#ended = this.#end();
  }

  /** Process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Standard output so far, at most the cap's last bytes. */
  get stdout(): string {
    return this.#stdout.text;
  }

  /** Standard error so far, at most the cap's last bytes. */
  get stderr(): string {
    return this.#stderr.text;
  }

  /** How it ended, or null while it runs. */
  get status(): Deno.CommandStatus | null {
    return this.#status;
  }

  /** Sends `signal`; harmless when the process has ended. */
  signal(signal: Deno.Signal): void {
    if (this.#status) return;
    try {
      this.#child.kill(signal);
    } catch (error) {
      // It may have ended a moment ago: Deno tells that as a TypeError or as NotFound.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Sends `signal` to it and all processes of its group, of which it is the first, as of one that `setsid` starts. */
  signalGroup(signal: Deno.Signal): void {
    Deno.kill(-this.#child.pid, signal);
  }

  /** Resolves when it has ended and all output has been read; rejects with its last words after `deadlineMs`. */
  async exit(deadlineMs: number): Promise<Deno.CommandStatus> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(this.describe(`did not exit within ${deadlineMs} ms`))),
      deadlineMs,
    );
    try {
      return await Promise.race([this.#ended, promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Polls `isReady` until it gives true. Rejects with the program's last words when it ends first, or after `deadlineMs`.
   */
  async waitUntil(
    isReady: () => boolean | Promise<boolean>,
    deadlineMs: number,
    what: string,
  ): Promise<void> {
    const startMs = performance.now();
    while (!await isReady()) {
      if (this.#status) throw new Error(this.describe(`ended with code ${this.#status.code} before ${what}`));
      if (performance.now() - startMs > deadlineMs) {
        throw new Error(this.describe(`${what}: not within ${deadlineMs} ms`));
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** What it uses now. Throws when it has ended. */
  usage(): Usage {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    const stat = Deno.readTextFileSync(`/proc/${this.pid}/stat`);
    // The second field is the command in brackets, which may hold blanks; utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      rssBytes: kibibytes(status, "VmRSS"),
      peakRssBytes: kibibytes(status, "VmHWM"),
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    };
  }

  /** `problem` with the command and the last lines of its output. */
  describe(problem: string): string {
    const tail = (text: string) => text.trimEnd().split("\n").slice(-20).join("\n");
    return `${this.#command}: ${problem}\nstdout: ${tail(this.stdout)}\nstderr: ${tail(this.stderr)}`;
  }

  /** Kills it, if need be, and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.#ended;
  }

  async #end(): Promise<Deno.CommandStatus> {
    const [status] = await Promise.all([this.#child.status, this.#stdout.done, this.#stderr.done]);
    this.#status = status;
    running.delete(this);
    return status;
  }
}

function kibibytes(status: string, name: string): number {
  const line = status.match(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m"));
  if (!line) {
    throw new Error(`Cannot read ${name} from /proc status: the process has ended, or this is not Linux`);
  }
  return Number(line[1]) * 1024;
}

/** The last bytes of a stream. */
class Tail {
  readonly done: Promise<void>;
  readonly #capBytes: number;
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(stream: ReadableStream<Uint8Array>, capBytes: number) {
    this.#capBytes = capBytes;
    this.done = this.#read(stream);
  }

  get text(): string {
    const decoder = new TextDecoder();
    return this.#chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("").slice(
      -this.#capBytes,
    );
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of stream) {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
      while (this.#bytes - this.#chunks[0].length >= this.#capBytes) {
        this.#bytes -= this.#chunks.shift()!.length;
      }
    }
  }
}
