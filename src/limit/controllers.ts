/** The controllers of writes in flight, by the names that the config has for them. @module */
import { AimdController } from "./aimd_controller.ts";
import { ArcController } from "./arc_controller.ts";
import { GradientController } from "./gradient_controller.ts";
import { StaticController } from "./static_controller.ts";
import type { ControlBounds, WriteController } from "./write_controller.ts";

/** Names of the controllers that bound writes in flight. */
export const WRITE_CONTROL_KINDS = ["static", "aimd", "arc", "gradient"] as const;

/** Name of a controller that bounds writes in flight. */
export type WriteControlKind = typeof WRITE_CONTROL_KINDS[number];

/** A controller by name, with its bounds. */
export interface WriteControl extends ControlBounds {
  /** Its name. */
  readonly kind: WriteControlKind;
}

/**
 * A new controller.
 *
 * @example
 * ```ts
 * const controller = createWriteController({ kind: "arc", initial: 1, min: 1, max: 32 });
 * let inFlight = 0;
 * async function write(send: () => Promise<Response>): Promise<void> {
 *   if (inFlight >= controller.limit) throw new Error("too many writes in flight");
 *   const startMs = performance.now();
 *   inFlight++;
 *   const refused = (await send()).status === 429;
 *   const endMs = performance.now();
 *   controller.update({ endMs, latencyMs: endMs - startMs, inFlight, refused });
 *   inFlight--;
 * }
 * ```
 *
 * @throws {RangeError} its bounds are not in order.
 */
export function createWriteController(control: WriteControl): WriteController {
  switch (control.kind) {
    case "static":
      return new StaticController(control);
    case "aimd":
      return new AimdController(control);
    case "arc":
      return new ArcController(control);
    case "gradient":
      return new GradientController(control);
  }
}
