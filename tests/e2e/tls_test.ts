/** HTTPS on the data port, as curl sees it: versions, client certificates, and certificates that change. @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Certificates } from "../support/certificates.ts";
import { GatewayProcess, type RawConfig } from "../support/gateway_process.ts";
import { requires } from "../support/requirements.ts";

const DEADLINE_MS = 60_000;
/** Far more than the pool, the sockets and one read ahead hold together. */
const BODY_BYTES = 256 * 1024 * 1024;
const REFUSED = "config is not reloaded, nothing was changed";

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function curl(port: number, ...args: string[]): Promise<Said> {
  const { code, stdout, stderr } = await new Deno.Command("curl", {
    args: ["-sS", "-v", "--max-time", "60", ...args, "-d", "[1,2]", `https://localhost:${port}/v1/streams/s`],
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

function config(tls: Record<string, string>): RawConfig {
  return { listen: { tls }, streams: { s: { sinks: ["m"] } }, sinks: { m: { type: "memory" } } };
}

async function hangUp(gateway: GatewayProcess, message = "config is reloaded"): Promise<void> {
  const count = () => gateway.program.stderr.split(JSON.stringify(message)).length;
  const before = count();
  gateway.program.signal("SIGHUP");
  await gateway.program.waitUntil(() => count() > before, DEADLINE_MS, message);
}

const { test } = requires("curl", "openssl");

test("weir run serves HTTPS with TLS 1.2 and 1.3 and HTTP/1.1, and goes on after who speaks neither", async () => {
  await using files = await Certificates.create();
  await files.authority("ca");
  await files.signed("server", "ca");
  await using gateway = await GatewayProcess.start(
    config({ certFile: files.path("server.pem"), keyFile: files.path("server.key") }),
  );
  const ca = ["--cacert", files.path("ca.pem")];
  const accepted = '{"accepted":2,"next":2,"rejectedCount":0,"rejected":[]}';
  for (const args of [[], ["--http2"], ["--tls-max", "1.2"], ["--tlsv1.3"]]) {
    const said = await curl(gateway.port, ...ca, ...args);
    assertEquals([said.code, said.stdout], [0, accepted], said.stderr);
    assertStringIncludes(said.stderr, "HTTP/1.1 200 OK");
  }
  assert((await curl(gateway.port, ...ca, "--tls-max", "1.1")).code !== 0);
  const plain = await new Deno.Command("curl", { args: ["-sS", "-d", "1", `${gateway.url}/v1/streams/s`] })
    .output();
  assert(plain.code !== 0);
  assertEquals((await curl(gateway.port, ...ca)).code, 0);
  assertStringIncludes(gateway.program.stderr, `https://127.0.0.1:${gateway.port}`);
});

test("weir run with clientCaFile lets nobody in who shows no certificate, or another authority's", async () => {
  await using files = await Certificates.create();
  for (const authority of ["ca", "clients", "strangers"]) await files.authority(authority);
  await files.signed("server", "ca");
  await files.signed("client", "clients");
  await files.signed("stranger", "strangers");
  const tls = {
    certFile: files.path("server.pem"),
    keyFile: files.path("server.key"),
    clientCaFile: files.path("clients.pem"),
  };
  await using gateway = await GatewayProcess.start(config(tls));
  const as = (name: string) =>
    curl(
      gateway.port,
      "--cacert",
      files.path("ca.pem"),
      "--cert",
      files.path(`${name}.pem`),
      "--key",
      files.path(`${name}.key`),
    );
  assertEquals((await as("client")).code, 0);
  assert((await as("stranger")).code !== 0);
  assert((await curl(gateway.port, "--cacert", files.path("ca.pem"))).code !== 0);
  // Another authority takes the place of the first, in the same file.
  await Deno.copyFile(files.path("strangers.pem"), files.path("clients.pem"));
  await hangUp(gateway);
  assertEquals((await as("stranger")).code, 0);
  assert((await as("client")).code !== 0);
  assert((await curl(gateway.port, "--cacert", files.path("ca.pem"))).code !== 0);
  assertEquals(await gateway.metric("weir_requests_total", { status: "200" }), 2);
});

test("weir run reads its certificate again on SIGHUP, and a bad one changes nothing", async () => {
  await using files = await Certificates.create();
  await files.authority("ca");
  for (const name of ["first", "second"]) await files.signed(name, "ca");
  const use = async (cert: string, key: string) => {
    await Deno.copyFile(files.path(cert), files.path("use.pem"));
    await Deno.copyFile(files.path(key), files.path("use.key"));
  };
  await use("first.pem", "first.key");
  await using gateway = await GatewayProcess.start(
    config({ certFile: files.path("use.pem"), keyFile: files.path("use.key") }),
  );
  const subject = async () => {
    const said = await curl(gateway.port, "--cacert", files.path("ca.pem"));
    assertEquals(said.code, 0, said.stderr);
    return /subject: CN=(\w+)/.exec(said.stderr.replaceAll("CN = ", "CN="))?.[1];
  };
  assertEquals(await subject(), "first");
  await use("second.pem", "first.key");
  await hangUp(gateway, REFUSED);
  assertStringIncludes(
    gateway.program.stderr,
    "listen.tls.keyFile: must be the key of the certificate in certFile",
  );
  assertEquals(await subject(), "first");
  await use("second.pem", "second.key");
  await hangUp(gateway);
  assertEquals(await subject(), "second");
  await Deno.remove(files.path("use.pem"));
  await hangUp(gateway, REFUSED);
  assertEquals(await subject(), "second");
});

test("weir run closes the window of a sender whose body waits, under TLS too, and takes the rest later", async () => {
  await using files = await Certificates.create();
  await files.authority("ca");
  await files.signed("server", "ca");
  const tls = { certFile: files.path("server.pem"), keyFile: files.path("server.key") };
  await using gateway = await GatewayProcess.start({
    listen: { tls },
    streams: { s: { sinks: ["m"], maxBodyBytes: BODY_BYTES, maxStallMs: 600_000 } },
    sinks: { m: { type: "memory" } },
  });
  const press = async (button: string) => {
    const answer = await fetch(`${gateway.adminUrl}/api/v1/sinks/m/${button}`, { method: "POST" });
    await answer.body?.cancel();
  };
  await press("pause");
  const caCerts = [await Deno.readTextFile(files.path("ca.pem"))];
  using connection = await Deno.connectTls({ hostname: "localhost", port: gateway.port, caCerts });
  const encoder = new TextEncoder();
  const line = encoder.encode(`"${"x".repeat(1021)}"\n`);
  const block = new Uint8Array(64 * line.length);
  for (let at = 0; at < block.length; at += line.length) block.set(line, at);
  let sent = 0;
  const sending = (async () => {
    await connection.write(encoder.encode(
      `POST /v1/streams/s HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`,
    ));
    while (sent < BODY_BYTES) sent += await connection.write(block.subarray(0, BODY_BYTES - sent));
  })();
  for (let before = -1; before !== sent || sent === 0;) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  assert(sent < BODY_BYTES / 2, `${sent} bytes were read of a body that must wait`);
  await press("resume");
  await sending;
  const answer = new Uint8Array(1024);
  const length = await connection.read(answer);
  assertStringIncludes(new TextDecoder().decode(answer.subarray(0, length ?? 0)), "HTTP/1.1 200 OK");
  assertEquals(await gateway.metric("weir_records_total", { outcome: "accepted" }), BODY_BYTES / line.length);
});

test("weir check prints listen.tls, and weir run ends with 2 when a file is missing, is no PEM, or does not match", async () => {
  await using files = await Certificates.create();
  await files.authority("ca");
  for (const name of ["server", "other"]) await files.signed(name, "ca");
  await Deno.writeTextFile(files.path("junk.pem"), "junk");
  const mod = new URL("../../mod.ts", import.meta.url).pathname;
  const run = async (command: string, tls: Record<string, string>) => {
    const path = files.path("weir.json");
    await Deno.writeTextFile(path, JSON.stringify(config(tls)));
    const args = ["run", "-A", mod, command, "--config", path];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: files.folder })
      .output();
    return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  };
  const good = { certFile: "server.pem", keyFile: "server.key" };
  const checked = await run("check", { ...good, clientCaFile: "ca.pem" });
  assertEquals(checked.code, 0, checked.text);
  for (const line of ["certFile: server.pem", "keyFile: server.key", "clientCaFile: ca.pem"]) {
    assertStringIncludes(checked.text, line);
  }
  for (
    const [tls, said] of [
      [{ ...good, certFile: "none.pem" }, "listen.tls.certFile: cannot read none.pem"],
      [
        { ...good, certFile: "junk.pem" },
        "listen.tls.certFile: must hold a certificate in PEM, but junk.pem does not",
      ],
      [{ ...good, keyFile: "junk.pem" }, "listen.tls.keyFile: must hold an unencrypted private key in PEM"],
      [{ ...good, keyFile: "other.key" }, "other.key is not that of server.pem"],
      [{ ...good, clientCaFile: "junk.pem" }, "listen.tls.clientCaFile: must hold certificates in PEM"],
      [{ certFile: "server.pem" }, "listen.tls.keyFile"],
    ] as const
  ) {
    const { code, text } = await run("run", tls);
    assertEquals(code, 2, text);
    assertStringIncludes(text, said);
  }
});
