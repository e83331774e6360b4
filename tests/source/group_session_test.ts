/** What a membership does when the group gives it up. @module */
import * as library from "@platformatic/kafka";
import { silentLogger } from "../../src/core/log.ts";
import { systemClock } from "../../src/core/clock.ts";
import { GroupSession } from "../../src/source/group_session.ts";
import { requires } from "../support/requirements.ts";
import { SourceStage } from "./source_stage.ts";

const kafka = requires("kafka");
const never = () => {
  throw new Error("a session that is over reads nothing");
};

kafka.test("GroupSession.open() leaves the group that gave the member up while it joined", async () => {
  await using stage = await SourceStage.open(1);
  const join = async (): Promise<unknown> => {
    const session = new GroupSession({
      member: {
        connection: { library, clientId: "weir-tests", bootstrapBrokers: [stage.address], timeout: 10_000 },
        groupId: stage.topic,
        readsUncommitted: false,
        maxWaitMs: 100,
      },
      topics: [stage.topic],
      startAt: "earliest",
      fetchBytes: 1_048_576,
      commitMs: 100,
      door: never,
      refuse: never,
      clock: systemClock,
      log: silentLogger,
      onAnswer: () => {},
    });
    const opened = session.open();
    session.lost(new Error("fenced"));
    return await opened.catch((error) => error);
  };
  // A fresh broker has no coordinator for the first that ask.
  await stage.until(
    async () => String(await join()).includes("gave this gateway up while it joined"),
    "joined",
  );
  await stage.until(async () => await stage.groupState() === "EMPTY", "the group is empty");
});
