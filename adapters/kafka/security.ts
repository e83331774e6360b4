/**
 * How connections to brokers are made secure, in the words of the client library. To a broker a sink and a source are
 * the same.
 *
 * @module
 */
import { isIP } from "node:net";
import type { Broker, SASLOptions } from "@platformatic/kafka";
import { readOptionFile } from "../../src/sink/option_file.ts";
import type { SaslOption, TlsOption } from "./options.ts";

/** PEM texts of the TLS options. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Options of a connection; without `tls` it is plain. */
export interface Security {
  readonly tls?: TlsFiles;
  /** Whether the broker's name is sent, by which it chooses its certificate. */
  readonly tlsServerName?: boolean;
  readonly sasl?: SASLOptions;
}

/** What is to be secured. */
export interface SecuredOptions {
  /** `host:port` of each. */
  readonly brokers: readonly string[];
  /** Absent for plain connections. */
  readonly tls?: TlsOption | null;
  /** Absent for none. */
  readonly sasl?: SaslOption | null;
}

const MECHANISMS = {
  "plain": "PLAIN",
  "scram-sha-256": "SCRAM-SHA-256",
  "scram-sha-512": "SCRAM-SHA-512",
} as const;

/** Reads the PEM files that `tls` names. Rejects with the name of the option whose file cannot be read. */
export async function securityOf({ brokers, tls, sasl }: SecuredOptions): Promise<Security> {
  return {
    ...tls && {
      tls: await readTls(tls),
      // TLS has no such name for an address; the certificate is held against it all the same.
      tlsServerName: brokers.every((broker) => isIP(brokerOf(broker).host) === 0),
    },
    ...sasl && { sasl: { ...sasl, mechanism: MECHANISMS[sasl.mechanism] } },
  };
}

/** The broker at `host:port`, where an IPv6 host stands in brackets. */
export function brokerOf(address: string): Broker {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}

async function readTls(tls: TlsOption): Promise<TlsFiles> {
  const [ca, cert, key] = await Promise.all(
    (["ca", "cert", "key"] as const).map((name) =>
      tls[name] === undefined ? undefined : readOptionFile(`tls.${name}`, tls[name])
    ),
  );
  return { ca, cert, key };
}
