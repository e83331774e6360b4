/**
 * The answer at `/`: what can be called, as JSON for programs and as a page for people. It has no script, so the
 * content security policy can forbid them all.
 *
 * @module
 */
import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { html } from "hono/html";
import type { GatewaySnapshot } from "../monitor/view.ts";

/** One call of the API. */
export interface AdminCall {
  /** `GET`, `PUT` or `POST`. */
  readonly method: string;
  /** Path with `:name` for variables. */
  readonly path: string;
  /** What it does. */
  readonly does: string;
}

/** HTML where `Accept` prefers it, else JSON. */
export function indexPage(
  c: Context,
  calls: readonly AdminCall[],
  gateway: GatewaySnapshot,
): Response | Promise<Response> {
  const format = accepts(c, {
    header: "Accept",
    supports: ["application/json", "text/html"],
    default: "application/json",
  });
  c.header("Vary", "Accept");
  if (format === "application/json") {
    return c.json({
      name: "weir",
      id: gateway.id,
      version: gateway.version,
      calls: calls.map(({ method, path, does }) => ({ method, path: template(path), does })),
    });
  }
  return c.html(html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <title>Weir ${gateway.id}</title>
        <style>${STYLE}</style>
      </head>
      <body>
        <h1>Weir ${gateway.version} · ${gateway.id}</h1>
        <table>${calls.map(row)}</table>
      </body>
    </html>
  `);
}

const STYLE = "body{font:16px system-ui;margin:2rem}td{padding:.2rem 1rem .2rem 0}";

function row({ method, path, does }: AdminCall): ReturnType<typeof html> {
  const shown = template(path);
  const link = method === "GET" ? html`<a href="${path}">${shown}</a>` : shown;
  return html`
    <tr>
      <td>${method}</td>
      <td>${link}</td>
      <td>${does}</td>
    </tr>
  `;
}

function template(path: string): string {
  return path.replace(/:(\w+)/g, "{$1}");
}
