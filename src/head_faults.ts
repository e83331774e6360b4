/**
 * Heads that `node:http` lets pass on this runtime and a gateway must not (each was measured): whoever stands before or
 * behind it may read them in another way, and two readings of one request are how a request is smuggled past a guard.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Connection } from "./ingress/connection.ts";

/** What is wrong with a head. */
export interface HeadFault {
  /** HTTP status of the answer. */
  readonly status: 400 | 431 | 505;
  /** The rule, and what was found. */
  readonly detail: string;
}

/** `node:http` drops what comes behind so many fields without a word: a Content-Encoding, a second Host. */
const MAX_FIELDS = 1000;
/** After the answer the connection stays so long, ms: closed at once, a client that still sends would lose the answer. */
const LINGER_MS = 1_000;

/** RFC 9110, 7.2: a name or an address, and a port; it may be empty. */
const HOST = /^(?:[\w.~!$&'()*+,;=%-]*|\[[\da-f:.]+\])(?::\d*)?$/i;
// Clients mostly repeat themselves: comparing with the last host is cheaper than the expression.
let lastHost = "localhost";

/** What is wrong with the head of `request`; null for nothing. */
export function headFault(request: IncomingMessage): HeadFault | null {
  const { httpVersion, headers, rawHeaders } = request;
  if (httpVersion !== "1.1") {
    if (httpVersion !== "1.0") return fault(505, `HTTP/1.0 and HTTP/1.1 are spoken here, not ${httpVersion}`);
    // RFC 9112, 6.1: its framing is faulty.
    if (headers["transfer-encoding"] !== undefined) return fault(400, "HTTP/1.0 has no Transfer-Encoding");
  }
  if (rawHeaders.length >= 2 * MAX_FIELDS) {
    return fault(431, `a head holds fewer than ${MAX_FIELDS} fields`);
  }
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i].length === 4 && rawHeaders[i].toLowerCase() === "host") hosts++;
  }
  if (hosts > 1) return fault(400, `there is one Host, not ${hosts}`);
  if (hosts === 0 && httpVersion === "1.1") return fault(400, "a request of HTTP/1.1 has a Host");
  const host = headers.host ?? lastHost;
  if (host !== lastHost) {
    if (!HOST.test(host)) return fault(400, `the Host ${JSON.stringify(host.slice(0, 100))} is none`);
    lastHost = host;
  }
  return null;
}

/** Tells the client what is wrong, and closes: where the request ends is not to be trusted. */
export function answerHeadFault(
  { status, detail }: HeadFault,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { socket } = request;
  Connection.of(socket).isEnding = true;
  const body = { type: "urn:weir:problem:bad-request", title: "Bad head", status, detail };
  response.statusCode = status;
  response.setHeader("Content-Type", "application/problem+json");
  response.setHeader("Connection", "close");
  response.end(JSON.stringify(body));
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
}

function fault(status: HeadFault["status"], detail: string): HeadFault {
  return { status, detail };
}
