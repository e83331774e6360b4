/** Damaged bodies end their own decoder and nothing else. @module */
import { assert, assertEquals } from "@std/assert";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { BodyDecoder, DecoderBudget } from "../../src/ingress/decoder.ts";
import { seededRandom } from "../support/seeded_random.ts";

const PACKERS = { zstd: zstdCompressSync, gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync };
/** Of a hundred damaged zstd bodies one is thrown out of its decoder, so that many show it surely. */
const ROUNDS = 1_000;
/** Several blocks of every encoding, so that damage is met behind what was given already. */
const BODY_BYTES = 300_000;

for (const [encoding, pack] of Object.entries(PACKERS)) {
  Deno.test(`BodyDecoder reports damage of ${encoding} once, and never throws it at the process`, async () => {
    const random = seededRandom(7);
    const below = (limit: number) => Math.floor(random() * limit);
    // Letters in no order: their blocks are of codes and not of copies.
    const body = Uint8Array.from({ length: BODY_BYTES }, (_, i) => 97 + below(4) + (i >> 12) % 7);
    const packed = new Uint8Array(pack(body));
    const budget = new DecoderBudget(64 * 1024 * 1024);
    let faults = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const damaged = packed.slice();
      const at = below(damaged.length);
      for (let k = 0; k < 4; k++) damaged[(at + k) % damaged.length] ^= 1 + below(255);
      const told: string[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      const end = (what: string) => {
        told.push(what);
        resolve();
      };
      const decoder = new BodyDecoder(encoding, budget, budget.take(encoding), {
        chunk: () => {},
        drain: () => {},
        end: () => end("end"),
        error: (reason) => end(`error ${reason}`),
      });
      decoder.write(damaged);
      decoder.end();
      await promise;
      decoder.close();
      assertEquals(told.length, 1, told.join());
      if (told[0] !== "end") faults++;
    }
    // Brotli has no checksum: most of its damage is other letters.
    assert(faults > ROUNDS / 10, `only ${faults} faults in ${ROUNDS} damaged bodies`);
    assertEquals(budget.usedBytes, 0);
  });
}
