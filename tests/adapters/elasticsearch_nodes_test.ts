/** The `elasticsearch` sink and the nodes of a cluster of which one dies: how often that is asked, and what is lost. @module */
import { assert, assertEquals } from "@std/assert";
import { Outcome } from "../../src/sink/adapter.ts";
import { sharedOpenSearch } from "../services/opensearch.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { requires } from "../support/requirements.ts";
import { TcpDoor } from "../support/tcp_door.ts";
import { outcomesOf, written } from "../support/written.ts";
import { assertNumbers, NUMBERED, postNumbers, startGateway } from "./elasticsearch_gateway.ts";
import { openElasticsearch } from "./elasticsearch_sink.ts";
import { answer, startHttpTarget } from "./http_target.ts";
import { SearchIndex } from "./search_index.ts";

const DOCUMENTS = 20_000;
/** So many are stored before the node dies. */
const STORED_BEFORE = 2_000;

// Fakes, as they count what each node is asked, and share no index that would hide which of them was.
Deno.test("elasticsearch sink leaves a dead node alone, asks it with one write a pause, and uses it again when it is back", async () => {
  const clock = new ManualClock();
  const [first, other] = await Promise.all([startHttpTarget(), startHttpTarget()]);
  for (const target of [first, other]) target.respond = answer(200, `{"errors":false,"items":[]}`);
  try {
    await using door = await TcpDoor.start(first.url);
    const nodes = [door.url, new URL(other.url).origin];
    await using sink = await openElasticsearch({ nodes, index: "docs" }, { clock });
    /** Writes `count` times; returns what the two nodes were asked and how often the shut door was knocked at. */
    const write = async (count: number): Promise<number[]> => {
      const told = () => [first.seen.length, other.seen.length, door.knocks];
      const before = told();
      for (let n = 0; n < count; n++) {
        const result = written(await sink.write(["{}"]));
        assertEquals([outcomesOf(result), result.pressure.kind], [[Outcome.ACKED], "none"]);
      }
      return told().map((value, at) => value - before[at]);
    };
    assertEquals(await write(4), [2, 2, 0]);
    door.shut();
    assertEquals(await write(6), [0, 6, 1], "it is set aside at the first write");
    clock.advance(999);
    assertEquals(await write(3), [0, 3, 0]);
    clock.advance(1);
    assertEquals(await write(6), [0, 6, 1], "after a second one write tries it");
    clock.advance(1999);
    assertEquals(await write(3), [0, 3, 0]);
    door.open();
    assertEquals(await write(3), [0, 3, 0], "nobody knows yet that it is back");
    clock.advance(1);
    assertEquals(await write(8), [4, 4, 0], "after two more one write tries it, and it has its turn again");
  } finally {
    await Promise.all([first.close(), other.close()]);
  }
});

// Two doors of one real node: a second node of a cluster would have the same documents, but no way to die in an answer.
requires("searchCluster").test(
  "Gateway before two nodes of which one dies in the middle of an answer under load stores each document once",
  async () => {
    await using index = await SearchIndex.create(await sharedOpenSearch(), NUMBERED);
    await using dying = await TcpDoor.start(index.url);
    await using other = await TcpDoor.start(index.url);
    await using gateway = await startGateway(index, {
      nodes: [dying.url, other.url],
      control: { kind: "static", initial: 4 },
    });
    await postNumbers(gateway, 0, STORED_BEFORE);
    const dead = dying.shutInAnswer();
    await postNumbers(gateway, STORED_BEFORE, DOCUMENTS);
    await dead;
    await assertNumbers(index, DOCUMENTS);
    const answered = (status: string) => gateway.metric("weir_sink_answered_records_total", { status });
    assert(await answered("409") > 0, "what the dead node had stored was sent to the other");
    assertEquals(await answered("201") + await answered("409"), DOCUMENTS);
    assertEquals(await gateway.metric("weir_sink_rejected_records_total"), 0);
  },
);
