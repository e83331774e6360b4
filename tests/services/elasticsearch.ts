/**
 * Elasticsearch from its jars. It runs as modules, and finds its transport in a folder of its home only.
 *
 * @module
 */
import { join } from "node:path";
import { jarsOf } from "./maven.ts";
import { type NodeOptions, SearchNode } from "./search_node.ts";

const VERSION = "8.19.21";
const MAIN = new URL("./elasticsearch/Main.java", import.meta.url).pathname;
/** Jars that the server has; a second copy would be another class of the same name. */
const OF_THE_SERVER = /^elasticsearch-(core|entitlement)-/;
const DESCRIPTOR = `name=transport-netty4
description=Netty transport
version=${VERSION}
elasticsearch.version=${VERSION}
java.version=17
classname=org.elasticsearch.transport.netty4.Netty4Plugin
`;

/** Starts a node on a free port and waits until it answers. */
export function startElasticsearch(options: NodeOptions = {}): Promise<SearchNode> {
  return SearchNode.start({ name: "elasticsearch", prepare }, options);
}

async function prepare(home: string): Promise<readonly string[]> {
  const jars = await jarsOf("elasticsearch");
  const transport = await jarsOf("elasticsearch/transport");
  const module = join(home, "modules/transport-netty4");
  await Deno.mkdir(module);
  await Deno.writeTextFile(join(module, "plugin-descriptor.properties"), DESCRIPTOR);
  for await (const { name } of Deno.readDir(transport)) {
    if (!OF_THE_SERVER.test(name)) await Deno.symlink(join(transport, name), join(module, name));
  }
  return ["--module-path", jars, "--add-modules", "ALL-MODULE-PATH", MAIN];
}
