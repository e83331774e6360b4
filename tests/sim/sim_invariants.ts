/** What holds in a gateway at every moment between two turns of its event loop. @module */
import { assert, assertEquals } from "@std/assert";
import type { Gateway } from "../../src/gateway.ts";
import { ledgerRows } from "../../src/stream_snapshot.ts";

/** Segments: free + lent = total, sizes within their bounds and together no more than there are. */
export function checkMemory(gateway: Gateway): void {
  const { network } = gateway;
  let held = 0;
  let sizes = 0;
  let overdraft = 0;
  for (const pool of network.pools()) {
    held += pool.requestedSegments;
    sizes += pool.size;
    overdraft += pool.overdraftSegments;
    assert(
      pool.size >= pool.minSegments && pool.size <= pool.maxSegments,
      `${pool.name}: size ${pool.size} is not within ${pool.minSegments} and ${pool.maxSegments}`,
    );
    assert(pool.idleSegments >= 0 && pool.lentSegments >= 0, `${pool.name}: a count below 0`);
  }
  assert(sizes <= network.totalSegments, `sizes sum to ${sizes} of ${network.totalSegments}`);
  assert(held + network.freeSegments <= network.totalSegments, "free + lent is no more than there is");
  assert(held <= sizes + overdraft, `pools hold ${held}, with sizes ${sizes} and overdraft ${overdraft}`);
}

/** The ledger adds up, per stream and sink; lanes stay within their credits. */
export function checkLedger(gateway: Gateway): void {
  for (const stream of gateway.streams.values()) {
    for (const row of ledgerRows({ units: [stream], account: undefined })) {
      assertEquals(
        row.delivered + row.deadLettered + row.shed + row.lost + row.spooled + row.inFlight,
        row.accepted,
        `ledger of ${row.stream} and ${row.sink}`,
      );
    }
    for (const unit of stream.lanes) {
      const { lane, plan } = unit;
      const credits = unit.credits();
      const at = lane.input.held - lane.input.queue.backlog;
      assert(at >= 0 && credits >= 0, `lane to ${plan.sink}: ${at} buffers, ${credits} credits`);
      assert(
        at + credits <= plan.credits,
        `lane to ${plan.sink}: ${at} buffers and ${credits} credits of ${plan.credits}`,
      );
    }
  }
}
