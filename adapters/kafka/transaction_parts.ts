/** What the transactions of one writer work with. @module */
import type { DeliveryContext } from "./delivery_context.ts";
import type { FenceWatch } from "./fence_watch.ts";
import type { PositionTopic } from "./position_topic.ts";
import type { TransactionCoordinator } from "./transaction_coordinator.ts";

/** The parts. */
export interface TransactionParts {
  /** What all writes share. */
  readonly context: DeliveryContext;
  /** Who begins and ends transactions. */
  readonly coordinator: TransactionCoordinator;
  /** How far they have come. */
  readonly positions: PositionTopic;
  /** Whether the id is still this gateway's. */
  readonly fences: FenceWatch;
}
