/**
 * `node:https` as the data port needs it. Two things that the runtime does not do are done here: a client that has shown
 * no certificate is not let in, and a paused body closes its sender's window under TLS as it does without.
 *
 * @module
 */
import type { IncomingMessage, ServerOptions, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { TLSSocket } from "node:tls";
import type { TlsMaterial } from "./tls.ts";

/** A handle of the runtime, as far as it reads. */
interface Handle {
  readStart(): number;
  readStop(): number;
  /** The TCP handle below a TLS one. */
  readonly _parent?: Handle;
}

/** A server for TLS 1.2 and later and HTTP/1.1; with `secure.ca` it wants a client certificate of that authority. */
export function createTlsServer(
  options: ServerOptions,
  secure: TlsMaterial,
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  const wantsCertificate = secure.ca !== undefined;
  const server = createServer({
    ...options,
    ...contextOf(secure),
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    requestCert: wantsCertificate,
    rejectUnauthorized: true,
  }, onRequest);
  server.on("secureConnection", (socket: TLSSocket) => {
    if (wantsCertificate && !hasShownCertificate(socket)) socket.destroy();
    else passStopsDown(socket);
  });
  return server;
}

/** `secure` as the server takes it, at the start and later. */
export function contextOf({ cert, key, ca }: TlsMaterial): { cert: string; key: string; ca?: string } {
  return { cert, key, ca };
}

/** Deno calls a connection authorized also when the client has shown nothing. */
function hasShownCertificate(socket: TLSSocket): boolean {
  return socket.authorized && Object.keys(socket.getPeerCertificate() ?? {}).length > 0;
}

/**
 * Under Deno 2.9 a TLS handle that is told to stop reading goes on to read from TCP, and keeps all of it: a body of 300 MB
 * that nobody read took 500 MB (measured). Told the TCP handle too, it stops after 4 MB.
 */
function passStopsDown(socket: TLSSocket): void {
  const handle = (socket as unknown as { readonly _handle: Handle | null })._handle;
  const below = handle?._parent;
  if (!handle || typeof below?.readStop !== "function") return;
  const readStart = handle.readStart.bind(handle);
  const readStop = handle.readStop.bind(handle);
  handle.readStop = () => {
    below.readStop();
    return readStop();
  };
  handle.readStart = () => {
    const started = readStart();
    below.readStart();
    return started;
  };
}
