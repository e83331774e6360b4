/**
 * Which web pages may open a WebSocket. A browser lets every page connect to every host and sends cookies along; the
 * only guard is the server's look at `Origin` (RFC 6455, 10.2).
 *
 * @module
 */

/**
 * Whether a client with these headers may connect: one that is no browser (no `Origin`), a page of this very host, or
 * one of `allowed`, where `*` is all.
 */
export function mayConnectFrom(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[],
): boolean {
  if (origin === undefined || allowed.includes("*") || allowed.includes(origin.toLowerCase())) return true;
  return URL.canParse(origin) && host !== undefined && new URL(origin).host === host.toLowerCase();
}
