/** Files that options name: what is told of those that cannot be read. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { readOptionFile } from "../../src/sink/option_file.ts";

Deno.test("readOptionFile() gives the text, or says which key names a file that cannot be read", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/ca.pem`, "pem");
    assertEquals(await readOptionFile("tls.ca", `${folder}/ca.pem`), "pem");
    await assertRejects(
      () => readOptionFile("tls.ca", `${folder}/cb.pem`),
      Error,
      `cannot read tls.ca, "${folder}/cb.pem": there is no such file`,
    );
    await assertRejects(() => readOptionFile("ca", folder), Error, `cannot read ca, "${folder}": `);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
