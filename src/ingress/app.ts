/**
 * The data port as a Hono app, so that Weir can be mounted in a server that is there. Under `@hono/node-server` the raw
 * request is at hand and takes the same path as on Weir's own port; elsewhere the body is read from its web stream.
 *
 * @module
 */
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type HttpIngress, STREAMS_PATH } from "./http_ingress.ts";
import { WebExchange } from "./web_exchange.ts";

interface Bindings {
  /** The raw request, under `@hono/node-server`. */
  incoming?: IncomingMessage;
  /** Its response. */
  outgoing?: ServerResponse;
}

/** The app: `{prefix}/v1/streams/{stream}`. */
export function createDataApp(ingress: HttpIngress): Hono {
  const app = new Hono<{ Bindings: Bindings }>();
  app.all(`${STREAMS_PATH}:stream`, (c) => {
    const stream = c.req.param("stream");
    const target = `${STREAMS_PATH}${stream}${new URL(c.req.url).search}`;
    const { incoming, outgoing } = c.env ?? {};
    if (incoming && outgoing) {
      ingress.handle(incoming, outgoing, target);
      return RESPONSE_ALREADY_SENT;
    }
    const exchange = new WebExchange(c.req.raw);
    const ingest = ingress.begin(c.req.method, target, exchange);
    if (ingest !== null) exchange.bind(ingest);
    return exchange.response;
  });
  app.notFound((c) =>
    c.body(
      JSON.stringify({
        type: "urn:weir:problem:not-found",
        title: "Not found",
        status: 404,
        detail: `there is nothing at ${c.req.path}; records go to POST ${STREAMS_PATH}{stream}`,
      }),
      404,
      { "Content-Type": "application/problem+json" },
    )
  );
  return app as unknown as Hono;
}
