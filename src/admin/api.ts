/**
 * The admin API: a Hono app over the gateway's view, so that it can be tested without a gateway and mounted anywhere.
 * Each path is one entry of a table, from which the routes, the 405 answers and the page at `/` all follow: they
 * cannot disagree.
 *
 * @module
 */
import { type Context, type Handler, Hono, type MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";
import { ConfigError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { reportBackPressure } from "../monitor/backpressure.ts";
import type { Metrics } from "../monitor/metrics.ts";
import type { GatewayView } from "../monitor/view.ts";
import { type AdminAddress, requireHost, requireOrigin, requireToken } from "./guard.ts";
import { health, type HealthReport, readiness } from "./health.ts";
import { type AdminCall, indexPage } from "./index_page.ts";
import { parseLimit } from "./limit_body.ts";
import { problem } from "./problem.ts";
import { ledger, topology } from "./topology.ts";

/** What the admin API needs. */
export interface AdminApiOptions {
  /** The gateway. */
  readonly view: GatewayView;
  /** What `/metrics` serves. */
  readonly metrics: Metrics;
  /** Where the server listens; asked with every request, as the port may be known only after it is bound. */
  readonly address: () => AdminAddress;
  /** Token for changing calls, or null where they need none; asked with every call, as a reload may change it. */
  readonly token: () => string | null;
  /** Tells of changes and of our own faults. */
  readonly log: Logger;
}

interface Route extends AdminCall {
  /** `probe`: any Host may ask. `read`: the admin address. `change`: also its Origin, and the token. */
  readonly access: "probe" | "read" | "change";
  readonly handle: Handler;
}

/** A limit is some hundred bytes; more is no limit. */
const MAX_BODY_BYTES = 64 * 1024;

/** Builds the API. It keeps no state: two apps over one view are as one. */
export function createAdminApi(options: AdminApiOptions): Hono {
  const { view, metrics, address, token, log } = options;
  const app = new Hono();
  const routes = routesOf(view, metrics, log);

  const hostGuard = requireHost(address);
  const guards: Record<Route["access"], MiddlewareHandler[]> = {
    probe: [],
    read: [hostGuard],
    change: [
      hostGuard,
      requireOrigin(),
      requireToken(token),
    ],
  };

  app.use(secureHeaders({
    // The page has no script, and none may frame it to have its visitor click.
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      styleSrc: ["'unsafe-inline'"],
      frameAncestors: ["'none'"],
    },
    strictTransportSecurity: false,
  }));
  app.use(async (c, next) => {
    await next();
    c.header("Cache-Control", "no-store");
  });
  for (const { method, path, access, handle } of routes) {
    for (const handler of [...guards[access], handle]) app.on(method, path, handler);
  }
  for (const [path, allowed] of methodsByPath(routes)) {
    app.all(path, (c) => {
      c.header("Allow", allowed);
      return problem(c, 405, `Cannot ${c.req.method} ${c.req.path}: it takes ${allowed}.`);
    });
  }
  app.notFound((c) => problem(c, 404, `There is nothing at ${c.req.path}; GET / lists what there is.`));
  app.onError((error, c) => {
    log.error("admin call failed", { method: c.req.method, path: c.req.path, error });
    return problem(c, 500, "The call failed by a fault of Weir; the log tells more.");
  });
  return app;
}

/** The body, or null if it is too long. Hono's `bodyLimit` rebuilds the request, which fails under `node:http`. */
async function readBody(c: Context): Promise<string | null> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return await new Blob(chunks).text();
}

function routesOf(view: GatewayView, metrics: Metrics, log: Logger): Route[] {
  const changed = (c: Context, name: string, change: string) => {
    const sink = view.snapshot().sinks.find((each) => each.name === name)!;
    const { state, reason, limit } = sink;
    log.info(`sink ${change} by an admin call`, { sink: name, state, limit });
    return c.json({ name, state, reason, limit });
  };
  // From the look-up on nothing waits, so that a reload cannot take the sink away in between.
  const onSink = (change: (c: Context, name: string, body: string) => Response): Handler => async (c) => {
    const body = c.req.method === "PUT" ? await readBody(c) : "";
    if (body === null) {
      return problem(c, 413, `Cannot read the body as it must not exceed ${MAX_BODY_BYTES} bytes.`);
    }
    const name = c.req.param("name") ?? "";
    const known = view.snapshot().sinks.map((sink) => sink.name);
    if (known.includes(name)) return change(c, name, body);
    return problem(c, 404, `There is no sink "${name}"; there are: ${known.join(", ")}.`);
  };
  const routes: Route[] = [
    {
      method: "GET",
      path: "/",
      does: "Lists these calls",
      access: "read",
      handle: (c) => indexPage(c, routes, view.snapshot()),
    },
    {
      method: "GET",
      path: "/healthz",
      does: "200 while the process works, part by part",
      access: "probe",
      handle: (c) => healthAnswer(c, health(view.state(), view.snapshot())),
    },
    {
      method: "GET",
      path: "/readyz",
      does: "200 while traffic may be sent here, part by part",
      access: "probe",
      handle: (c) => healthAnswer(c, readiness(view.state(), view.snapshot())),
    },
    {
      method: "GET",
      path: "/metrics",
      does: "Prometheus text",
      access: "probe",
      handle: async (c) => c.body(await metrics.render(), 200, { "Content-Type": metrics.contentType }),
    },
    {
      method: "GET",
      path: "/api/v1/topology",
      does: "Streams, lanes and sinks: rates, pools, credits, backlog",
      access: "read",
      handle: (c) => c.json(topology(view.state(), view.snapshot())),
    },
    {
      method: "GET",
      path: "/api/v1/ledger",
      does: "What became of every accepted record, per stream and sink",
      access: "read",
      handle: (c) => c.json(ledger(view.snapshot())),
    },
    {
      method: "GET",
      path: "/api/v1/backpressure",
      does: "How each task spends its time, and who holds the others up",
      access: "read",
      handle: (c) => c.json(reportBackPressure(view.snapshot())),
    },
    {
      method: "PUT",
      path: "/api/v1/sinks/:name/limit",
      does: "Replaces the static limit of a sink",
      access: "change",
      handle: onSink((c, name, body) => {
        const parsed = parseLimit(body);
        if (parsed.kind === "faulty") {
          return problem(c, 400, `Cannot set the limit: ${parsed.faults.join("; ")}.`, {
            faults: parsed.faults,
          });
        }
        try {
          view.control.setLimit(name, parsed.limit);
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          return problem(c, 400, error.message, { faults: error.faults });
        }
        return changed(c, name, "limited");
      }),
    },
    {
      method: "POST",
      path: "/api/v1/sinks/:name/pause",
      does: "Stops the lanes of a sink; the pressure goes upstream",
      access: "change",
      handle: onSink((c, name) => {
        view.control.pauseSink(name);
        return changed(c, name, "paused");
      }),
    },
    {
      method: "POST",
      path: "/api/v1/sinks/:name/resume",
      does: "Restarts the lanes of a paused sink",
      access: "change",
      handle: onSink((c, name) => {
        view.control.resumeSink(name);
        return changed(c, name, "resumed");
      }),
    },
  ];
  return routes;
}

function healthAnswer(c: Context, report: HealthReport): Response {
  return c.json(report, report.status === "ok" ? 200 : 503);
}

/** The Allow value of each path; Hono answers HEAD by GET. */
function methodsByPath(routes: readonly Route[]): Map<string, string> {
  const methods = new Map<string, string>();
  for (const [path, group] of Map.groupBy(routes, (route) => route.path)) {
    methods.set(
      path,
      group.flatMap(({ method }) => method === "GET" ? ["GET", "HEAD"] : [method]).join(", "),
    );
  }
  return methods;
}
