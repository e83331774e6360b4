/**
 * The client library, loaded when a sink is opened: it is large, and most gateways have no Kafka. Weir uses its
 * protocol (framing, TLS, SASL, checksums, codecs) and not its producer, which resends a partly failed request whole.
 *
 * @module
 */
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The library. */
export type KafkaClient = typeof import("@platformatic/kafka");

/** What the library looks up in the environment. */
export const CLIENT_ENV: readonly string[] = ["DEBUG", "NAPI_RS_NATIVE_LIBRARY_PATH"];
/** Where it reads its WebAssembly from. */
export const CLIENT_FOLDER: string = fileURLToPath(new URL("../../node_modules/", import.meta.url));

let loaded: Promise<KafkaClient> | null = null;

/** Loads it, once. */
export function loadClient(): Promise<KafkaClient> {
  return loaded ??= load();
}

async function load(): Promise<KafkaClient> {
  // Its logger (`debug`) lists the whole environment at its import, and with it every secret, unless it takes itself to
  // be in a browser; with this it needs the right to the one variable DEBUG.
  Object.defineProperty(process, "browser", { value: true, configurable: true });
  try {
    return await import("@platformatic/kafka");
  } finally {
    Reflect.deleteProperty(process, "browser");
  }
}
