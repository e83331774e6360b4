/** Certificates by openssl in a temporary folder: authorities, and what they sign for 127.0.0.1 and localhost. @module */

/** A folder of certificates. */
export class Certificates implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** An empty folder. */
  static async create(): Promise<Certificates> {
    return new Certificates(await Deno.makeTempDir({ prefix: "weir_tls_" }));
  }

  /** Path of `name` in the folder, as `server.pem`. */
  path(name: string): string {
    return `${this.folder}/${name}`;
  }

  /** Makes `NAME.pem` and `NAME.key` of an authority. */
  async authority(name: string): Promise<void> {
    await this.#openssl(
      ...[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
      ],
      ...["-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.pem`],
    );
  }

  /** Makes `NAME.pem` and `NAME.key`, signed by the authority `by`. */
  async signed(name: string, by: string): Promise<void> {
    await Deno.writeTextFile(this.path("names.ext"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
    await this.#openssl(
      ...[
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        `/CN=${name}`,
      ],
      ...["-keyout", `${name}.key`, "-out", `${name}.csr`],
    );
    await this.#openssl(
      ...["x509", "-req", "-days", "2", "-in", `${name}.csr`, "-CA", `${by}.pem`, "-CAkey", `${by}.key`],
      ...["-CAcreateserial", "-extfile", "names.ext", "-out", `${name}.pem`],
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }

  async #openssl(...args: string[]): Promise<void> {
    const { success, stderr } = await new Deno.Command("openssl", { args, cwd: this.folder }).output();
    if (!success) throw new Error(`openssl ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}
