/**
 * The command as a process: signals, exit codes, the last log line.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { builtInSinks } from "../adapters/mod.ts";
import { main } from "./cli.ts";
import { type Config, type ConfigIo, loadConfig } from "./config.ts";
import { authority } from "./core/authority.ts";
import { ConfigError } from "./core/errors.ts";
import type { Logger } from "./core/log.ts";
import { Gateway } from "./gateway.ts";
import { HangUps } from "./hang_ups.ts";
import { missingRights } from "./permissions.ts";
import { StopSignals } from "./stop_signals.ts";

/** Stopped with acknowledged records that no sink has. */
const EXIT_LOST = 3;
const EXIT_FAILED = 1;

/** Folder of `mod.ts`. */
const HOME = fileURLToPath(new URL("..", import.meta.url));

/** Runs the command of this process and exits with its code. */
export async function runAsProgram(): Promise<void> {
  const encoder = new TextEncoder();
  const io: ConfigIo = {
    env: (name) => Deno.env.get(name),
    readTextFile: (path) => Deno.readTextFile(path),
    loadModule: (url) => import(url),
    sinks: builtInSinks,
  };
  const code = await main(Deno.args, {
    ...io,
    stdout: (text) => writeAll(Deno.stdout, encoder.encode(text)),
    stderr: (text) => writeAll(Deno.stderr, encoder.encode(text)),
    home: HOME,
    run: async (config, path) => {
      // Not before: it reads the environment as it is loaded, and without the right to the command could not say so.
      const { createLogger } = await import("./monitor/logger.ts");
      return runGateway(config, () => reloadConfig(config, path, io), createLogger({ level: "info" }));
    },
  });
  Deno.exit(code);
}

/** The config of the file once more. What a new sink needs was not known when this process was given its rights. */
async function reloadConfig(running: Config, path: string | null, io: ConfigIo): Promise<Config> {
  const config = await loadConfig(path, io);
  const { gateway, listen, admin } = running;
  const missing = missingRights({ ...config, gateway, listen, admin }, {
    path,
    env: [],
    sys: [],
    home: HOME,
  });
  if (missing.length === 0) return config;
  throw new ConfigError([
    `sinks: need ${
      missing.join(" ")
    }, which this process was not given; restart it with the new config, or give it ` +
    `wider rights at the start`,
  ]);
}

/** Runs a gateway until a signal ends it; resolves to the exit code. `load` reads its config anew. */
async function runGateway(config: Config, load: () => Promise<Config>, log: Logger): Promise<number> {
  const gateway = new Gateway(config, { log });
  const started = Promise.withResolvers<void>();
  using signals = new StopSignals();
  const hangUps = new HangUps({
    load,
    reload: (next) => gateway.reload(next),
    started: started.promise,
    log,
  });
  Deno.addSignalListener("SIGHUP", hangUps.onSignal);
  try {
    await gateway.start();
  } catch (error) {
    log.error("cannot start", { reason: error instanceof Error ? error.message : String(error) });
    return EXIT_FAILED;
  }
  log.info("gateway is ready", {
    id: config.gateway.id,
    listen: `${config.listen.tls ? "https" : "http"}://${authority(config.listen.hostname, gateway.port)}`,
    admin: `http://${authority(config.admin.hostname, gateway.adminPort)}`,
    streams: [...config.streams.keys()],
    segments: gateway.plan.segments,
    guaranteedSegments: gateway.plan.totalGuaranteed,
  });
  started.resolve();

  await signals.first;
  log.info("draining", {
    drainMs: config.gateway.drainMs,
    hint: "delivers what is in memory; a second signal ends that at once",
  });
  const report = await gateway.stop(signals.second);
  Deno.removeSignalListener("SIGHUP", hangUps.onSignal);
  if (report.lostRecords > 0) {
    log.error("stopped with acknowledged records that no sink has", { lostRecords: report.lostRecords });
    return EXIT_LOST;
  }
  log.info("stopped", { lostRecords: 0 });
  return report.failures.length > 0 ? EXIT_FAILED : 0;
}

/** Without a promise, because what is written here may be followed by the exit. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
}
