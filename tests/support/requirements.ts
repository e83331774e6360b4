/**
 * What tests need beside Deno. A test that cannot run here is registered all the same, as ignored and with the reason
 * in its name, so that the last lines of a run say what was not tried; a test that silently is not there looks like
 * one that passed.
 *
 * @module
 */

/** A program that tests call, and how it comes onto the machine. */
export interface Requirement {
  /** Command as found on the PATH. */
  readonly command: string;
  /** Debian package that brings it, or what brings it. */
  readonly debianPackage: string;
  /** Package of the Python index that brings it, with its version, where Debian has none. */
  readonly pythonPackage?: string;
  /** What tests do with it. */
  readonly use: string;
}

/** A file or a right that no package brings; where it is not there, the tests that need it are not run, and say so. */
export interface MachineTrait {
  /** What the machine must have, for the name of a test that is not run. */
  readonly what: string;
  /** Whether it is there. */
  readonly isThere: () => boolean;
}

/** Traits that tests may ask for, by name. */
export const TRAITS = {
  dpkgStatus: {
    what: "a Debian machine's /var/lib/dpkg/status",
    isThere: () => isFile("/var/lib/dpkg/status"),
  },
  nodeWebSocket: {
    what: "Node 22, or 20.10 and up, which have a WebSocket of their own",
    isThere: () => isOnPath("node") && nodeKnows("WebSocket"),
  },
  searchCluster: {
    what: "javac and mvn on the PATH, or WEIR_TEST_OPENSEARCH",
    isThere: () => Deno.env.has("WEIR_TEST_OPENSEARCH") || isOnPath("javac") && isOnPath("mvn"),
  },
  kafka: {
    what: "java and mvn on the PATH, or WEIR_TEST_KAFKA",
    isThere: () => Deno.env.has("WEIR_TEST_KAFKA") || isOnPath("java") && isOnPath("mvn"),
  },
  mountTmpfs: { what: "Linux and the right to mount a tmpfs", isThere: mayMountTmpfs },
  networkNamespace: {
    what: "Linux 5.14 and the right to make a network namespace",
    isThere: mayMakeNetworkNamespace,
  },
} as const satisfies Record<string, MachineTrait>;

/** Name of a trait. */
export type TraitName = keyof typeof TRAITS;

/** All that tests may ask for, by name. */
export const REQUIREMENTS = {
  curl: { command: "curl", debianPackage: "curl", use: "requests as users send them" },
  python3: { command: "python3", debianPackage: "python3", use: "clients that are none of ours" },
  setsid: { command: "setsid", debianPackage: "util-linux", use: "signals to a group of processes" },
  wrk: { command: "wrk", debianPackage: "wrk", use: "load" },
  openssl: { command: "openssl", debianPackage: "openssl", use: "certificates" },
  chromium: { command: "chromium", debianPackage: "chromium", use: "pages as browsers run them" },
  nginx: { command: "nginx", debianPackage: "nginx-light", use: "a proxy before the gateway" },
  haproxy: { command: "haproxy", debianPackage: "haproxy", use: "a proxy before the gateway" },
  systemdAnalyze: { command: "systemd-analyze", debianPackage: "systemd", use: "checking the unit" },
  ip: { command: "ip", debianPackage: "iproute2", use: "networks of their own" },
  sysctl: { command: "sysctl", debianPackage: "procps", use: "settings of those networks" },
  kubernetesValidate: {
    command: "kubernetes-validate",
    debianPackage: "python3-pip",
    pythonPackage: "kubernetes-validate==1.37.0",
    use: "checking the manifest",
  },
  javac: { command: "javac", debianPackage: "openjdk-17-jdk-headless", use: "search clusters and brokers" },
  mvn: { command: "mvn", debianPackage: "maven", use: "fetching their jars" },
  kcat: { command: "kcat", debianPackage: "kcat", use: "reading brokers by another client" },
  promtool: { command: "promtool", debianPackage: "prometheus", use: "checking /metrics" },
} as const satisfies Record<string, Requirement>;

/** Name of a requirement. */
export type RequirementName = keyof typeof REQUIREMENTS;

/** Whether `command` is an executable file in one of the folders of `path`. */
export function isOnPath(command: string, path: string = Deno.env.get("PATH") ?? ""): boolean {
  return path.split(":").filter((folder) => folder !== "").some((folder) => {
    try {
      const file = Deno.statSync(`${folder}/${command}`);
      return file.isFile && ((file.mode ?? 0) & 0o111) !== 0;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
      throw error;
    }
  });
}

/** Requirements that are not there. */
export function missingRequirements(): Requirement[] {
  return Object.values(REQUIREMENTS).filter((requirement) => !isOnPath(requirement.command));
}

/** Registers tests that need more than Deno. */
export interface RequiringTests {
  /** Registers `run` under `name`; where something is missing, as ignored, with the reason behind the name. */
  test(name: string, run: (t: Deno.TestContext) => void | Promise<void>): void;
}

/**
 * Tests that need `names`, programs or traits: `requires("wrk").test("Gateway takes load", async () => …)`.
 */
export function requires(...names: (RequirementName | TraitName)[]): RequiringTests {
  const missing = names.filter((name) => !isMet(name)).map((name) =>
    isTrait(name) ? TRAITS[name].what : `${name} on the PATH`
  );
  return {
    test(name, run) {
      const reason = ` (not run: needs ${missing.join(", ")})`;
      Deno.test({ name: missing.length === 0 ? name : name + reason, ignore: missing.length > 0, fn: run });
    },
  };
}

function isTrait(name: RequirementName | TraitName): name is TraitName {
  return Object.hasOwn(TRAITS, name);
}

function isMet(name: RequirementName | TraitName): boolean {
  return isTrait(name) ? TRAITS[name].isThere() : isOnPath(REQUIREMENTS[name].command);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Asked of the program: the flag that 20.10 needs is an error before it, and is taken by those after it. */
function nodeKnows(name: string): boolean {
  const args = ["--experimental-websocket", "-e", `process.exit(typeof ${name} === "function" ? 0 : 1)`];
  return new Deno.Command("node", { args, stderr: "null" }).outputSync().success;
}

/** A container's root often lacks the right: only trying tells. */
function mayMountTmpfs(): boolean {
  if (Deno.build.os !== "linux" || !isOnPath("mount") || !isOnPath("umount")) return false;
  const folder = Deno.makeTempDirSync({ prefix: "weir_mount_" });
  try {
    const mounted =
      new Deno.Command("mount", { args: ["-t", "tmpfs", "-o", "size=64k", "weir", folder] }).outputSync()
        .success;
    if (mounted) new Deno.Command("umount", { args: [folder] }).outputSync();
    return mounted;
  } finally {
    Deno.removeSync(folder);
  }
}

/** With `ip` to bring its loopback up, and the setting that tests are about. */
function mayMakeNetworkNamespace(): boolean {
  if (Deno.build.os !== "linux" || !["unshare", "ip", "sysctl"].every((command) => isOnPath(command))) {
    return false;
  }
  const script = "ip link set lo up && sysctl -n net.ipv4.tcp_migrate_req";
  return new Deno.Command("unshare", { args: ["--net", "sh", "-c", script], stdout: "null", stderr: "null" })
    .outputSync().success;
}

/** How an attempt to install ended. */
export type Installation =
  | { readonly kind: "nothingToDo" }
  | { readonly kind: "installed"; readonly packages: readonly string[] }
  | { readonly kind: "notPossible"; readonly packages: readonly string[]; readonly reason: string };

/**
 * Installs the Debian packages of what is missing, where apt-get and pip may do so (root on a Debian machine); `say` gets a
 * line before each step. Elsewhere the tests concerned are not run.
 */
export async function installMissing(say: (line: string) => void): Promise<Installation> {
  const missing = missingRequirements();
  const packages = missing.map((requirement) => requirement.debianPackage);
  const python = missing.flatMap(({ pythonPackage }) => pythonPackage ?? []);
  if (packages.length === 0) return { kind: "nothingToDo" };
  if (!isOnPath("apt-get") || Deno.uid() !== 0) {
    return { kind: "notPossible", packages, reason: "apt-get as root is needed to install them" };
  }
  for (
    const [command, ...args] of [
      ["apt-get", "update", "-qq"],
      ["apt-get", "install", "-y", "-qq", "--no-install-recommends", ...packages],
      // Debian keeps its Python to itself; the machine of a test run has no other use for it.
      ...python.length > 0
        ? [["python3", "-m", "pip", "install", "-q", "--break-system-packages", ...python]]
        : [],
    ]
  ) {
    say(`${command} ${args.join(" ")}`);
    const { success, code } = await new Deno.Command(command, {
      args,
      env: { DEBIAN_FRONTEND: "noninteractive" },
      stdin: "null",
    }).output();
    if (!success) {
      return { kind: "notPossible", packages, reason: `${command} ${args[0]} ended with code ${code}` };
    }
  }
  return { kind: "installed", packages };
}
