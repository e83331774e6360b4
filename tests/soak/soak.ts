/**
 * Many damaged inputs through a gateway, some at a time, and what must hold behind every thousand and at the end. Most go
 * through one that has room; some through one that has little, whose sink takes its time, so that damage meets bodies
 * that wait and sockets that are paused. A failure names its seed and input.
 *
 * @module
 */
import { Mutator } from "./mutator.ts";
import { soakRequest } from "./request_inputs.ts";
import { soakSocket } from "./socket_inputs.ts";
import { SoakedGateway } from "./soaked_gateway.ts";
import { soakWire } from "./wire_inputs.ts";

/** How much is sent. */
export interface SoakOptions {
  /** Inputs in all. */
  readonly inputs: number;
  /** The same seed, the same inputs; when they meet is the machine's. */
  readonly seed: number;
  /** Told every thousand inputs. */
  readonly progress?: (done: number) => void;
}

/** What came of it. */
export interface SoakResult {
  readonly requests: number;
  readonly sockets: number;
  readonly connections: number;
  /** Records that were still acceptable. */
  readonly accepted: number;
  /** Requests that were refused with 429 for want of room. */
  readonly refusedForRoom: number;
}

/** How the inputs of one gateway are sent. */
interface Part {
  readonly isPressed: boolean;
  /** First input, and the one behind the last. */
  readonly from: number;
  readonly to: number;
  /** Inputs under way at a time. */
  readonly workers: number;
}

/** The part of the inputs that meets pressure. */
const PRESSED = 0.05;
const CHECK_EVERY = 1_000;
/** Of a hundred inputs, those through each door; the others are requests. */
const SOCKETS = 20;
const CONNECTIONS = 4;

/** Sends damaged inputs. Rejects with the first that had no clear answer, or when the books do not agree. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { inputs } = options;
  const pressedFrom = Math.floor(inputs * (1 - PRESSED));
  const calm = await soakPart({ isPressed: false, from: 0, to: pressedFrom, workers: 16 }, options);
  const pressed = await soakPart({ isPressed: true, from: pressedFrom, to: inputs, workers: 100 }, options);
  return {
    requests: calm.requests + pressed.requests,
    sockets: calm.sockets + pressed.sockets,
    connections: calm.connections + pressed.connections,
    accepted: calm.accepted + pressed.accepted,
    refusedForRoom: calm.refusedForRoom + pressed.refusedForRoom,
  };
}

async function soakPart(part: Part, { seed, progress }: SoakOptions): Promise<SoakResult> {
  await using soaked = await SoakedGateway.start(part.isPressed);
  const counts = { requests: 0, sockets: 0, connections: 0 };
  let next = part.from;
  const send = async (mutator: Mutator): Promise<void> => {
    const door = mutator.below(100);
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
  };
  const work = async (): Promise<void> => {
    while (next < part.to) {
      const input = next++;
      try {
        await send(new Mutator(seed * 1_000_003 + input));
        if (input % CHECK_EVERY !== 0) continue;
        soaked.check();
        progress?.(input);
        // What waits for a turn of the event loop is lanes, timers and sockets.
        await new Promise((resolve) => setTimeout(resolve, 0));
      } catch (error) {
        next = part.to;
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`--seed ${seed}, input ${input}: ${reason}`, { cause: error });
      }
    }
  };
  await Promise.all(Array.from({ length: part.workers }, work));
  const accepted = await soaked.settle();
  return { ...counts, accepted, refusedForRoom: soaked.answers.get(429) ?? 0 };
}
