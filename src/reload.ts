/**
 * What of another config can hold while the process runs. Ports, the pool and the names of things are what everything
 * else was built on: a key that changes them waits for a restart and is told, and the rest of the config is taken. An
 * operator who added a stream should not have to take back another line first.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import type { Config } from "./config.ts";
import { ConfigError } from "./core/errors.ts";
import type { UnitChanges } from "./units.ts";

/** What a reload did. */
export interface ReloadReport extends UnitChanges {
  /** Keys that are otherwise in the new config and hold only after a restart, as `listen.port`. */
  readonly needRestart: readonly string[];
}

/** Keys of the process's own sections that are asked for anew whenever they are needed. */
const LIVE_KEYS = [
  "gateway.drainMs",
  "listen.headersTimeoutMs",
  "listen.requestTimeoutMs",
  "listen.maxConnections",
  "admin.token",
];

/** `wanted` as far as it can hold beside what is `running`, and the keys that cannot. */
export function inForce(running: Config, wanted: Config): { config: Config; needRestart: readonly string[] } {
  const needRestart: string[] = [];
  const section = <T extends object>(name: string, from: T, to: T): T => {
    const section = { ...to };
    for (const key of Object.keys(to) as (keyof T & string)[]) {
      const path = `${name}.${key}`;
      if (LIVE_KEYS.includes(path) || isDeepStrictEqual(from[key], to[key])) continue;
      if (path === "listen.tls" && isSameKindOfTls(running, wanted)) continue;
      section[key] = from[key];
      needRestart.push(path);
    }
    return section;
  };
  const config = {
    ...wanted,
    gateway: section("gateway", running.gateway, wanted.gateway),
    listen: section("listen", running.listen, wanted.listen),
    admin: section("admin", running.admin, wanted.admin),
    buffers: section("buffers", running.buffers, wanted.buffers),
  };
  return { config, needRestart };
}

/** Runs `check`; a fault that it finds may be one of the running values only, so those that the file has otherwise are told. */
export function heldAgainstRunning<T>(needRestart: readonly string[], check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ConfigError) || needRestart.length === 0) throw error;
    const hint = `${
      needRestart.join(", ")
    }: changes only with a restart; the faults above are of the running values`;
    throw new ConfigError([...error.faults, hint]);
  }
}

/** Other files can be read into an open port; whether it speaks TLS, and asks for client certificates, is settled. */
function isSameKindOfTls({ listen: { tls: from } }: Config, { listen: { tls: to } }: Config): boolean {
  return from !== null && to !== null && (from.clientCaFile === null) === (to.clientCaFile === null);
}
