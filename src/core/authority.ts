/**
 * `host:port` as URLs and Host headers write it: an IPv6 address stands in brackets (RFC 3986, 3.2.2), or nobody could
 * tell its colons from the port's.
 *
 * @module
 */

/** `hostname` (a name or an address) and `port` as one text. */
export function authority(hostname: string, port: number): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
