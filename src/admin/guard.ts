/**
 * Who may talk to the admin API. It listens on loopback, where every web page that the operator has open can reach
 * it, so an address is no credential: a page that rebinds its DNS name to 127.0.0.1 is known by the `Host` that its
 * browser sends, and a page that posts across origins by its `Origin`. No CORS header is ever sent.
 *
 * Probes and scrapers call by service names, so their paths are open to any `Host`; they change nothing.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import type { Context, MiddlewareHandler } from "hono";
import { authority } from "../core/authority.ts";
import { problem } from "./problem.ts";

/** Where the admin API listens. */
export interface AdminAddress {
  /** As configured; `0.0.0.0` and `::` are all addresses of the machine. */
  readonly hostname: string;
  /** As bound: never 0. */
  readonly port: number;
}

/** Lets only requests pass whose `Host` names the admin address, else 403. */
export function requireHost(address: () => AdminAddress): MiddlewareHandler {
  return async (c, next) => {
    const host = hostOf(c);
    if (isAdminHost(host, address())) return await next();
    const { hostname, port } = address();
    return problem(
      c,
      403,
      `Cannot answer as the Host header must name the admin address ${
        authority(hostname, port)
      }: got "${host}".`,
    );
  };
}

/** Lets only requests pass that come from no web page or from the admin address's own, else 403. */
export function requireOrigin(): MiddlewareHandler {
  return async (c, next) => {
    const origin = c.req.header("origin");
    if (origin === undefined || origin.toLowerCase() === `http://${hostOf(c)}`) return await next();
    return problem(
      c,
      403,
      `Cannot change anything as the Origin header, when there is one, must be http://${
        hostOf(c)
      }: got "${origin}".`,
    );
  };
}

/** Lets only requests pass that carry the token as a bearer (RFC 6750), else 401; all of them while there is none. */
export function requireToken(token: () => string | null): MiddlewareHandler {
  return async (c, next) => {
    const wanted = token();
    if (wanted === null) return await next();
    const given = /^Bearer +(.+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
    // Digests have one length, so that the comparison tells nothing of the token's.
    if (given !== undefined && timingSafeEqual(digest(given), digest(wanted))) return await next();
    c.header("WWW-Authenticate", given === undefined ? "Bearer" : 'Bearer error="invalid_token"');
    const wrong = given === undefined ? "there is none" : "it is another";
    return problem(
      c,
      401,
      `Cannot change anything without "Authorization: Bearer" and admin.token: ${wrong}.`,
    );
  };
}

/** Whether `host` (a Host header in lower case) is the admin address or a loopback name at its port. */
export function isAdminHost(host: string, { hostname, port }: AdminAddress): boolean {
  if ([hostname, "localhost", "127.0.0.1", "::1"].some((name) => isAuthority(host, name, port))) return true;
  if (hostname !== "0.0.0.0" && hostname !== "::") return false;
  // Bound to every address, it may be called by each. Rebinding needs a name: an IP address cannot be rebound.
  const literal = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(host);
  const name = literal?.[1] ?? literal?.[2] ?? "";
  return isIP(name) !== 0 && isAuthority(host, name, port);
}

function isAuthority(host: string, name: string, port: number): boolean {
  // Clients leave the scheme's own port out.
  const whole = authority(name.toLowerCase(), port);
  return host === whole || (port === 80 && `${host}:80` === whole);
}

function hostOf(c: Context): string {
  return (c.req.header("host") ?? new URL(c.req.url).host).toLowerCase();
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
