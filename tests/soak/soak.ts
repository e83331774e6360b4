/**
 * Many damaged inputs through one gateway, some at a time, and what must hold behind every thousand and at the end. A
 * failure names its seed and input; the same seed and number of inputs make the same inputs.
 *
 * @module
 */
import { Mutator } from "./mutator.ts";
import { soakRequest } from "./request_inputs.ts";
import { soakSocket } from "./socket_inputs.ts";
import { SoakedGateway } from "./soaked_gateway.ts";
import { soakWire } from "./wire_inputs.ts";

/** What came of a soak. */
export interface SoakResult {
  readonly requests: number;
  readonly sockets: number;
  readonly connections: number;
  /** Records that were still acceptable. */
  readonly accepted: number;
}

/** Inputs under way at a time. */
const WORKERS = 16;
const CHECK_EVERY = 1_000;

/** Of a hundred inputs, those through each door. */
const SOCKETS = 20;
const CONNECTIONS = 4;

/** Sends `inputs` damaged inputs. Rejects with the first that had no clear answer, or when the books do not agree. */
export async function soak(
  options: { readonly inputs: number; readonly seed: number; readonly progress?: (done: number) => void },
): Promise<SoakResult> {
  const { inputs, seed, progress } = options;
  await using soaked = await SoakedGateway.start();
  const counts = { requests: 0, sockets: 0, connections: 0 };
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < inputs) {
      const input = next++;
      const mutator = new Mutator(seed * 1_000_003 + input);
      const door = mutator.below(100);
      try {
        if (door < CONNECTIONS) {
          counts.connections++;
          await soakWire(soaked, mutator);
        } else if (door < CONNECTIONS + SOCKETS) {
          counts.sockets++;
          await soakSocket(soaked, mutator);
        } else {
          counts.requests++;
          await soakRequest(soaked, mutator);
        }
        if (input % CHECK_EVERY === 0) {
          soaked.check();
          progress?.(input);
          // A turn of the event loop: what waits for one is lanes, timers and sockets.
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
      } catch (error) {
        next = inputs;
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`--seed ${seed}, input ${input}: ${reason}`, { cause: error });
      }
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  return { ...counts, accepted: await soaked.settle() };
}
