/**
 * Refusals of the admin API as RFC 9457 problems, so that a script reads one shape whatever went wrong.
 *
 * @module
 */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";

const TITLES = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  500: "Internal Server Error",
} as const satisfies Partial<Record<ContentfulStatusCode, string>>;

/** Statuses that the admin API refuses with. */
export type ProblemStatus = keyof typeof TITLES;

/** Members beside those of every problem, as `faults`. */
export type ProblemExtras = Readonly<Record<string, unknown>>;

/** Answers `application/problem+json`; `detail` says action, rule, value, and what to do. */
export function problem(
  c: Context,
  status: ProblemStatus,
  detail: string,
  extras: ProblemExtras = {},
): Response {
  const body = { type: "about:blank", title: TITLES[status], status, detail, ...extras };
  return c.body(JSON.stringify(body), status, { "Content-Type": "application/problem+json" });
}
