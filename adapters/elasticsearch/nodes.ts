/**
 * The nodes of a cluster take turns. One that gives no answer is set aside, for longer each time; when its time is over,
 * one write tries it while the others stay away, so that a dead node costs one write a pause and not every n-th.
 *
 * @module
 */
import { assert } from "../../src/core/assert.ts";

/** First pause of a node that failed; a node that restarts is back in about this. */
const FIRST_PAUSE_MS = 1_000;
/** Longest pause: how long a node that is back waits for work at most. */
const MAX_PAUSE_MS = 30_000;

interface NodeState {
  /** Its last pause; 0 for a node that answers. */
  pauseMs: number;
  asideUntilMs: number;
  /** Whether a write tries it since its pause began. */
  isTried: boolean;
}

/** Whose turn it is. */
export class NodeTurns {
  readonly #nodes: readonly NodeState[];
  #next = 0;

  /** @param count of nodes, at least 1 */
  constructor(count: number) {
    assert(count >= 1, "a cluster has a node");
    this.#nodes = Array.from({ length: count }, () => ({
      pauseMs: 0,
      asideUntilMs: -Infinity,
      isTried: false,
    }));
  }

  /**
   * Index of the node that is to be asked now, of those that are not in `tried`: the next that is not set aside, else
   * the one that comes back first; -1 when all were tried.
   */
  take(nowMs: number, tried: ReadonlySet<number>): number {
    let best = -1;
    for (let i = 0; i < this.#nodes.length; i++) {
      const at = (this.#next + i) % this.#nodes.length;
      if (tried.has(at)) continue;
      if (this.#nodes[at].asideUntilMs <= nowMs) {
        best = at;
        break;
      }
      if (best < 0 || this.#nodes[at].asideUntilMs < this.#nodes[best].asideUntilMs) best = at;
    }
    if (best < 0) return -1;
    this.#next = (best + 1) % this.#nodes.length;
    const node = this.#nodes[best];
    if (node.pauseMs > 0) {
      node.isTried = true;
      node.asideUntilMs = nowMs + node.pauseMs;
    }
    return best;
  }

  /** Node `i` answered. */
  answered(i: number): void {
    this.#nodes[i].pauseMs = 0;
    this.#nodes[i].asideUntilMs = -Infinity;
    this.#nodes[i].isTried = false;
  }

  /** Node `i` gave no answer. */
  failed(i: number, nowMs: number): void {
    const node = this.#nodes[i];
    // Writes that were under way when it died are all one failure.
    if (node.pauseMs > 0 && !node.isTried) return;
    node.isTried = false;
    node.pauseMs = Math.min(Math.max(node.pauseMs * 2, FIRST_PAUSE_MS), MAX_PAUSE_MS);
    node.asideUntilMs = nowMs + node.pauseMs;
  }
}
