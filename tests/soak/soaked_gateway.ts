/**
 * The gateway that is soaked, in this process: a stream for each way in, and a sink that counts. What clients were told,
 * what the ledger says and what the sink got must be one number in the end.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { z } from "zod";
import {
  allAcked,
  allRetryable,
  type Batch,
  createGateway,
  defineSink,
  NO_PRESSURE,
  type WriteResult,
} from "../../mod.ts";
import type { Gateway } from "../../src/gateway.ts";
import { until } from "../ingress/open_door.ts";
import { checkLedger, checkMemory } from "../sim/sim_invariants.ts";

/** Streams, by what their inputs come through and what may be expected of their numbers. */
export const STREAMS = ["memory", "delivered", "trusted", "vanishing", "wire", "plain", "session"] as const;

/** Name of a stream. */
export type StreamName = typeof STREAMS[number];

/** Of these every record that was accepted was told. */
const ALL_TOLD: readonly StreamName[] = ["memory", "delivered", "trusted"];
const SETTLED_MS = 30_000;
/** What the streams are guaranteed, and little more. */
const PRESSED_SEGMENTS = 128;
/** The inputs come so fast that the usual budget would refuse most of the compressed ones before a byte is decoded. */
const DECODER_BYTES = 268_435_456;

/** The gateway, and its book. */
export class SoakedGateway implements AsyncDisposable {
  readonly gateway: Gateway;
  /** Requests by the status of their answer. */
  readonly answers: Map<number, number> = new Map();
  readonly #folder: string;
  readonly #told: Map<StreamName, number> = new Map();
  readonly #got: { records: number };

  private constructor(gateway: Gateway, folder: string, got: { records: number }) {
    this.gateway = gateway;
    this.#folder = folder;
    this.#got = got;
  }

  /** Opens it, with a data port. Under pressure there is little memory, and the sink takes its time and asks to try again. */
  static async start(isPressed: boolean): Promise<SoakedGateway> {
    const got = { records: 0 };
    const take = (batch: Batch): WriteResult => {
      got.records += batch.count;
      return allAcked(batch);
    };
    let writes = 0;
    const takeWithPressure = async (batch: Batch): Promise<WriteResult> => {
      writes++;
      if (writes % 3 === 0) await delay(2);
      return writes % 7 === 0 ? allRetryable(batch, "on purpose", NO_PRESSURE) : take(batch);
    };
    const counting = defineSink({
      type: "counting",
      config: z.strictObject({}),
      hints: () => ({
        maxRecords: 1_000,
        maxBytes: 262_144,
        lingerMs: 0,
        framingBytes: 0,
        writesInFlight: 1,
      }),
      open: () => ({
        write: isPressed ? takeWithPressure : take,
        check() {},
        close() {},
      }),
    });
    const folder = await Deno.makeTempDir({ prefix: "weir_soak_" });
    const stream = (name: StreamName) => ({
      sinks: ["out"],
      ack: name === "delivered" || name === "session" ? "delivered" : "memory",
      validate: name === "trusted" ? "none" : "json",
      key: "/key",
      headers: ["x-kept"],
      maxRecordBytes: isPressed ? 8_192 : 65_536,
      maxBodyBytes: 131_072,
      maxWaitMs: 50,
    });
    const gateway = await createGateway({
      gateway: { dataDir: folder },
      listen: { port: 0 },
      admin: { port: 0 },
      buffers: {
        segmentBytes: 4_096,
        segments: isPressed ? PRESSED_SEGMENTS : 2_048,
        decoderBytes: DECODER_BYTES,
      },
      streams: Object.fromEntries(STREAMS.map((name) => [name, stream(name)])),
      sinks: { out: { type: "counting", retry: { initialMs: 1, maxMs: 5 } } },
    }, { sinks: [counting] }) as Gateway;
    await gateway.start();
    return new SoakedGateway(gateway, folder, got);
  }

  /** A client of `stream` was answered `status`, and told that `records` more were accepted. */
  answered(stream: StreamName, status: number, records: number): void {
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
    this.told(stream, records);
  }

  /** A client of `stream` was told that `records` more were accepted. */
  told(stream: StreamName, records: number): void {
    this.#told.set(stream, (this.#told.get(stream) ?? 0) + records);
  }

  /** Throws unless what holds at every moment holds. */
  check(): void {
    checkMemory(this.gateway);
    checkLedger(this.gateway);
  }

  /** Waits until all is settled and throws unless all numbers agree and every segment is home; stops the gateway. Returns the records accepted. */
  async settle(): Promise<number> {
    const { gateway } = this;
    const ledger = () => gateway.view.snapshot().ledger;
    await until(() => ledger().every(({ inFlight }) => inFlight === 0), "all is delivered", SETTLED_MS);
    this.check();
    let accepted = 0;
    for (const row of ledger()) {
      const name = row.stream as StreamName;
      const told = this.#told.get(name) ?? 0;
      accepted += row.accepted;
      assertEquals(row.delivered, row.accepted, `all that ${name} accepted is delivered`);
      if (ALL_TOLD.includes(name)) assertEquals(told, row.accepted, `records of ${name}: told and accepted`);
      else assert(told <= row.accepted, `of ${name} ${told} records were told, and ${row.accepted} accepted`);
    }
    assertEquals(this.#got.records, accepted, "the sink got what was accepted");
    await until(() => gateway.sockets.connections === 0, "every socket is gone", SETTLED_MS);
    const { lostRecords } = await gateway.stop();
    assertEquals(lostRecords, 0, "records lost by the stop");
    assertEquals(gateway.network.freeSegments, gateway.network.totalSegments, "every segment is home");
    return accepted;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway.stop(AbortSignal.abort(new Error("the soak is over")));
    await Deno.remove(this.#folder, { recursive: true });
  }
}
