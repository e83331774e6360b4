/** Each stream has its own marks. @module */
import { assertEquals } from "@std/assert";
import type { Feed } from "../../src/admission/source_control.ts";
import { WatermarkAdmission } from "../../src/admission/watermark_admission.ts";

function feed(queueLevel: number): Feed {
  return { weight: 1, enteredRecords: 0, unsettledRecords: 0, queueLevel };
}

Deno.test("WatermarkAdmission.join() gives each stream marks of its own, and tells when to look again", () => {
  const sink = new WatermarkAdmission({ high: 0.8, low: 0.2 });
  const [full, other] = [sink.join(), sink.join()];
  assertEquals(full.waitMs(feed(0.81), 0), 1000);
  assertEquals(other.waitMs(feed(0.8), 0), 0);
  assertEquals(full.waitMs(feed(0.21), 500), 1000);
  assertEquals(full.waitMs(feed(0.2), 600), 0);
  assertEquals(sink.recordsPerSecond, null);
});
