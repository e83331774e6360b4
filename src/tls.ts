/**
 * The certificates of the data port. They are read and held against each other before they are used: the runtime takes
 * a certificate with another's key without a word, and then fails every handshake.
 *
 * @module
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { TlsConfig } from "./config.ts";
import { ConfigError } from "./core/errors.ts";

/** What the port needs, in PEM. */
export interface TlsMaterial {
  /** The certificate, with those between it and its authority. */
  readonly cert: string;
  /** Its private key. */
  readonly key: string;
  /** Authorities of client certificates; absent when none are asked for. */
  readonly ca?: string;
  /** When the certificate ends, as it says itself. */
  readonly validTo: string;
}

/**
 * Reads the files that `config` names.
 *
 * @throws {ConfigError} with every file that is missing or is no PEM, or when the key is not the certificate's.
 */
export async function readTls(
  config: TlsConfig,
  readTextFile: (path: string) => Promise<string> = (path) => Deno.readTextFile(path),
): Promise<TlsMaterial> {
  const faults: string[] = [];
  const read = async <T>(
    key: keyof TlsConfig,
    what: string,
    parse: (pem: string) => T,
  ): Promise<{ pem: string; parsed: T } | null> => {
    const path = config[key]!;
    let pem: string;
    try {
      pem = await readTextFile(path);
    } catch (error) {
      faults.push(`listen.tls.${key}: cannot read ${path}: ${messageOf(error)}`);
      return null;
    }
    try {
      return { pem, parsed: parse(pem) };
    } catch (error) {
      faults.push(`listen.tls.${key}: must hold ${what} in PEM, but ${path} does not: ${messageOf(error)}`);
      return null;
    }
  };
  const cert = await read("certFile", "a certificate", (pem) => new X509Certificate(pem));
  const key = await read("keyFile", "an unencrypted private key", (pem): KeyObject => createPrivateKey(pem));
  const ca = config.clientCaFile === null
    ? undefined
    : await read("clientCaFile", "certificates", (pem) => new X509Certificate(pem));
  if (cert && key && !cert.parsed.checkPrivateKey(key.parsed)) {
    faults.push(
      `listen.tls.keyFile: must be the key of the certificate in certFile, but ${config.keyFile} is not that of ` +
        `${config.certFile} (${cert.parsed.subject})`,
    );
  }
  if (faults.length > 0 || !cert || !key || ca === null) throw new ConfigError(faults);
  return { cert: cert.pem, key: key.pem, ...ca && { ca: ca.pem }, validTo: cert.parsed.validTo };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
