/**
 * The control `watermark`: a stream brings nothing more while its lane's queue is above the high mark, until it is below
 * the low one.
 *
 * Each stream is held by its own lanes alone. Storm stops every spout of a topology for one full queue; here the queues
 * are the streams' own, and a stream that is not behind has no part in another's trouble.
 *
 * @module
 */
import { WatermarkController, type WatermarkOptions } from "../limit/watermark_controller.ts";
import type { Feed, FeedControl, SourceControl } from "./source_control.ts";

/** The controller of one sink. */
export class WatermarkAdmission implements SourceControl {
  readonly recordsPerSecond: number | null = null;
  readonly #options: WatermarkOptions;

  /** With these marks for each stream. Throws as {@linkcode WatermarkController} does. */
  constructor(options: WatermarkOptions) {
    this.#options = options;
  }

  join(): FeedControl {
    return new FeedMarks(new WatermarkController(this.#options));
  }
}

class FeedMarks implements FeedControl {
  readonly recordsPerSecond: number | null = null;
  readonly #marks: WatermarkController;

  constructor(marks: WatermarkController) {
    this.#marks = marks;
  }

  waitMs({ queueLevel }: Feed, nowMs: number): number {
    this.#marks.observe(queueLevel, nowMs);
    return this.#marks.waitMs(nowMs);
  }
}
