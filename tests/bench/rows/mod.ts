/** All benchmarks, in the order of the table. @module */
import type { Row } from "../row.ts";
import { cpuEvenness } from "./cpu_evenness.ts";
import { fileFsync } from "./file_fsync.ts";
import { kafkaFile } from "./kafka_file.ts";
import { kafkaRows } from "./kafka_http.ts";
import { linesJson } from "./lines_json.ts";
import { linesUnvalidated } from "./lines_unvalidated.ts";
import { overload } from "./overload.ts";
import { postJson } from "./post_json.ts";
import { postKeyed } from "./post_keyed.ts";
import { postUnvalidated } from "./post_unvalidated.ts";
import { pausedSockets } from "./paused_sockets.ts";
import { reload } from "./reload.ts";
import { searchRows } from "./search.ts";
import { searchOverload } from "./search_overload.ts";
import { socketPool } from "./socket_pool.ts";
import { socketStall } from "./socket_stall.ts";
import { socketRows } from "./sockets.ts";
import { stall } from "./stall.ts";

/** Every row. */
export const rows: readonly Row[] = [
  postUnvalidated,
  postJson,
  postKeyed,
  linesUnvalidated,
  linesJson,
  fileFsync,
  cpuEvenness,
  overload,
  stall,
  ...socketRows,
  socketPool,
  pausedSockets,
  socketStall,
  reload,
  ...searchRows,
  searchOverload,
  ...kafkaRows,
  kafkaFile,
];
