/** A broker that dies in the middle of writes, and one that stands still for longer than a request may take. @module */
import { requires } from "../support/requirements.ts";
import { killBroker, stallBroker } from "./kafka_outage.ts";

requires("kafka", "kcat", "mvn").test(
  "kafka sink loses nothing and stores nothing twice when the broker is killed, and is back after 2 s",
  () => killBroker(1, 2000),
);

requires("kafka", "kcat", "mvn").test(
  "kafka sink stores nothing twice when the broker stands still for longer than a request may take",
  () => stallBroker(3),
);
