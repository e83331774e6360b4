/** Two sources that feed one stream, each with a group of its own. @module */
import { AclOperations, AclPermissionTypes, ResourcePatternTypes, ResourceTypes } from "@platformatic/kafka";
import { assertEquals } from "@std/assert";
import type { WeirGateway } from "../../mod.ts";
import type { KafkaSourceSnapshot } from "../../src/monitor/view.ts";
import { KafkaBroker } from "../services/kafka.ts";
import { requires } from "../support/requirements.ts";
import { SourceStage } from "./source_stage.ts";

const AUTHORIZING = {
  "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  "allow.everyone.if.no.acl.found": "true",
};
const values = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => JSON.stringify({ n: from + i }));

async function sourcesOf(gateway: WeirGateway): Promise<readonly KafkaSourceSnapshot[]> {
  const answer = await fetch(`http://127.0.0.1:${gateway.adminPort}/api/v1/topology`);
  return (await answer.json()).sources;
}

/** A stage whose gateway reads its topic by source `kafka`, and another by source `other` with a group of that name. */
class TwoSources {
  readonly stage: SourceStage;
  readonly other: string;

  constructor(stage: SourceStage) {
    this.stage = stage;
    this.other = `${stage.topic}-other`;
  }

  start(): Promise<WeirGateway> {
    const { other } = this;
    return this.stage.gateway({ sources: { other: { topics: [other], groupId: other, stream: "events" } } });
  }

  async send(from: number, to: number, topic: string = this.stage.topic): Promise<void> {
    await this.stage.send(values(from, to).map((value) => ({ topic, value })));
  }

  async stored(count: number): Promise<void> {
    await this.stage.until(() => this.stage.values().length >= count, `${count} are stored`);
    assertEquals(this.stage.values().toSorted(byNumber), values(0, count));
  }

  /** Resolves when source `kafka` is up and `other` tells of its topic. */
  async told(gateway: WeirGateway): Promise<void> {
    await this.stage.until(async () => {
      const [own, other] = await sourcesOf(gateway);
      return own.state === "up" && other.state !== "up" && (other.reason ?? "").includes(this.other);
    }, "only the other one tells that it cannot read");
  }

  /** Resolves when both are up. */
  async recovered(gateway: WeirGateway): Promise<void> {
    await this.stage.until(
      async () => (await sourcesOf(gateway)).every(({ state }) => state === "up"),
      "both are up",
    );
  }

  async committed(own: number, other: number): Promise<void> {
    const { stage } = this;
    const offsets = async () => [
      (await stage.committed([0]))[0],
      (await stage.committed([0], this.other))[0],
    ];
    await stage.until(async () => {
      const [a, b] = await offsets();
      return a === own && b === other;
    }, `the groups have ${own} and ${other}`);
  }
}

function byNumber(a: string, b: string): number {
  return JSON.parse(a).n - JSON.parse(b).n;
}

requires("kafka").test(
  "two KafkaSources feed one stream, and each commits in its own group, also while the topic of one is missing",
  async () => {
    await using stage = await SourceStage.open(1);
    const two = new TwoSources(stage);
    await two.send(0, 200);
    const gateway = await two.start();
    await two.stored(200);
    await two.committed(200, -1);
    await two.told(gateway);
    await stage.createTopic(two.other, 1);
    await two.send(200, 500, two.other);
    await two.stored(500);
    await two.committed(200, 300);
    await two.recovered(gateway);
    assertEquals(await stage.committed([0], two.other, stage.topic), [-1], "no group has the other's topic");
  },
);

requires("kafka", "mvn").test(
  "two KafkaSources feed one stream though one of them may not read its topic, until it may",
  async () => {
    await using broker = await KafkaBroker.start({ settings: AUTHORIZING });
    await using stage = await SourceStage.open(1, broker.address);
    const two = new TwoSources(stage);
    await stage.createTopic(two.other, 1);
    const denied = {
      resourceType: ResourceTypes.TOPIC,
      resourceName: two.other,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: "User:ANONYMOUS",
      host: "*",
      operation: AclOperations.READ,
      permissionType: AclPermissionTypes.DENY,
    };
    await two.send(100, 150, two.other);
    await stage.createAcl(denied);
    const gateway = await two.start();
    await two.send(0, 100);
    await two.stored(100);
    // The broker also denies the test the other group's offsets.
    await stage.until(async () => (await stage.committed([0]))[0] === 100, "the first group has its offset");
    await two.told(gateway);
    await stage.admin.deleteAcls({ filters: [denied] });
    await two.stored(150);
    await two.committed(100, 50);
    await two.recovered(gateway);
  },
);
