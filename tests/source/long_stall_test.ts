/** One minute; `deno task soak` has ten. @module */
import { requires } from "../support/requirements.ts";
import { stallForLong } from "./long_stall.ts";

requires("kafka").test(
  "KafkaSource pauses partitions for a minute, six session timeouts, and is still a member, while another source reads on",
  () => stallForLong(60_000),
);
