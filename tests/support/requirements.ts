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
  /** Debian package that brings it. */
  readonly debianPackage: string;
  /** What tests do with it. */
  readonly use: string;
}

/** All that tests may ask for, by name. */
export const REQUIREMENTS = {
  curl: { command: "curl", debianPackage: "curl", use: "requests as users send them" },
  python3: { command: "python3", debianPackage: "python3", use: "clients that are none of ours" },
  wrk: { command: "wrk", debianPackage: "wrk", use: "load" },
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

/** Registers tests that need programs beside Deno. */
export interface RequiringTests {
  /** Registers `run` under `name`; where a program is missing, as ignored, with the reason behind the name. */
  test(name: string, run: (t: Deno.TestContext) => void | Promise<void>): void;
}

/**
 * Tests that need `names`: `requires("wrk").test("Gateway takes load", async () => …)`.
 */
export function requires(...names: RequirementName[]): RequiringTests {
  const missing = names.filter((name) => !isOnPath(REQUIREMENTS[name].command));
  return {
    test(name, run) {
      const reason = ` (not run: needs ${missing.join(", ")} on the PATH)`;
      Deno.test({ name: missing.length === 0 ? name : name + reason, ignore: missing.length > 0, fn: run });
    },
  };
}

/** How an attempt to install ended. */
export type Installation =
  | { readonly kind: "nothingToDo" }
  | { readonly kind: "installed"; readonly packages: readonly string[] }
  | { readonly kind: "notPossible"; readonly packages: readonly string[]; readonly reason: string };

/**
 * Installs the Debian packages of what is missing, where apt-get may do so (root on a Debian machine); `say` gets a
 * line before each step. Elsewhere the tests concerned are not run.
 */
export async function installMissing(say: (line: string) => void): Promise<Installation> {
  const packages = missingRequirements().map((requirement) => requirement.debianPackage);
  if (packages.length === 0) return { kind: "nothingToDo" };
  if (!isOnPath("apt-get") || Deno.uid() !== 0) {
    return { kind: "notPossible", packages, reason: "apt-get as root is needed to install them" };
  }
  for (
    const args of [["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", ...packages]]
  ) {
    say(`apt-get ${args.join(" ")}`);
    const { success, code } = await new Deno.Command("apt-get", {
      args,
      env: { DEBIAN_FRONTEND: "noninteractive" },
      stdin: "null",
    }).output();
    if (!success) {
      return { kind: "notPossible", packages, reason: `apt-get ${args[0]} ended with code ${code}` };
    }
  }
  return { kind: "installed", packages };
}
