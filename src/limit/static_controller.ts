/** The controller for a sink whose best number of writes in flight is known: it learns nothing. @module */
import { checkBounds, type ControlBounds, type WriteController } from "./write_controller.ts";

/** Always `initial`. */
export class StaticController implements WriteController {
  readonly limit: number;

  /**
   * Starts at `initial`.
   * @throws {RangeError} the bounds are not in order.
   */
  constructor(bounds: ControlBounds) {
    checkBounds(bounds);
    this.limit = bounds.initial;
  }

  update(): number {
    return this.limit;
  }
}
