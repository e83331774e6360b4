/**
 * The demo page: makes records at the rate that is chosen and sends them as the client is ready for them. What is due
 * and not sent yet is a number here, no list: the page makes a record when there is room for it.
 *
 * @module
 */
import { RateChart } from "./rate_chart.js";
import { WeirClient } from "./weir_client.js";

/** How often due records are sent, and how often the page is drawn, ms. */
const TICK_MS = 20;
const DRAW_MS = 250;
/** Small, so that the page slows soon after the sink has stalled. */
const MAX_UNACKED_BYTES = 262_144;
/** Sampled rates are the mean of so many drawings. */
const RATE_DRAWINGS = 4;
const PAD = "x".repeat(200);

const element = (id) => document.getElementById(id);
const rates = new RateChart(element("rates"), ["--sent", "--acked"]);
const waiting = new RateChart(element("waiting"), ["--behind", "--sent"]);

let client = null;
let isSending = false;
/** Tells the records of this page from those of others. */
const page = crypto.randomUUID().slice(0, 8);
const count = { due: 0, sent: 0, acked: 0, rejected: 0 };
/** `sent` and `acked` of the last drawings. */
const history = [{ sent: 0, acked: 0 }];

function start() {
  isSending = true;
  client ??= new WeirClient(element("url").value, {
    maxUnackedBytes: MAX_UNACKED_BYTES,
    onAck: (number) => count.acked = number - count.rejected,
    onReject: (_number, reason) => {
      count.rejected++;
      element("reject-reason").textContent = reason;
    },
    onState: (state, reason) => {
      element("state").textContent = element("state").dataset.state = state;
      element("why").textContent = state === "waiting" ? reason : "";
    },
  });
  element("url").disabled = true;
  send();
}

/** Sends what is due, and waits for the client whenever it is not ready. */
async function send() {
  let lastMs = performance.now();
  while (true) {
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    if (!isSending) return;
    const nowMs = performance.now();
    count.due += Number(element("rate").value) * (nowMs - lastMs) / 1000;
    lastMs = nowMs;
    while (client.isReady && count.sent + 1 <= count.due) {
      client.send(JSON.stringify({ page, n: count.sent++, at: new Date().toISOString(), pad: PAD }));
    }
  }
}

/** Stops making records: what is behind was never made. */
function stop() {
  isSending = false;
  count.due = count.sent;
}

function draw() {
  history.push({ sent: count.sent, acked: count.acked });
  if (history.length > RATE_DRAWINGS + 1) history.shift();
  const seconds = (history.length - 1) * DRAW_MS / 1000;
  const sentRate = (count.sent - history[0].sent) / seconds;
  const ackedRate = (count.acked - history[0].acked) / seconds;
  const behind = Math.floor(count.due - count.sent);
  const unacked = client?.unackedRecords ?? 0;
  const credit = client?.credit ?? { records: 0, bytes: 0 };
  show("sent", count.sent);
  show("acked", count.acked);
  show("rejected", count.rejected);
  show("behind", behind);
  show("unacked", unacked);
  show("credit", credit.records);
  element("sent-rate").textContent = `${Math.round(sentRate).toLocaleString("en")} a second`;
  element("acked-rate").textContent = `${Math.round(ackedRate).toLocaleString("en")} a second`;
  element("unacked-bytes").textContent = `${kibibytes(client?.unackedBytes ?? 0)} of ${
    kibibytes(MAX_UNACKED_BYTES)
  }`;
  element("credit-bytes").textContent = kibibytes(credit.bytes);
  rates.add([sentRate, ackedRate]);
  waiting.add([behind, unacked]);
  if (client !== null) judge(unacked);
}

/** Shows what became of the records, where that is another thing than before: what has `role="status"` is read aloud. */
function judge(unacked) {
  const [kind, text] = verdictOn(unacked);
  const verdict = element("verdict");
  verdict.dataset.kind = kind;
  if (verdict.textContent !== text) verdict.textContent = text;
}

/** Every record that was sent is acked, rejected or kept: anything else is lost. */
function verdictOn(unacked) {
  const { sent, acked, rejected } = count;
  const lost = sent - acked - rejected - unacked;
  if (lost !== 0) return ["bad", `${lost.toLocaleString("en")} records are lost`];
  if (client.state !== "open") {
    return [
      "waits",
      "No connection: is the gateway up, and the address right? Nothing is lost; the page tries again.",
    ];
  }
  if (!client.isReady) {
    return [
      "waits",
      `The page waits: ${
        kibibytes(MAX_UNACKED_BYTES)
      } are sent and not acked. Nothing is lost, and it goes on by ` +
      "itself.",
    ];
  }
  if (unacked > 0 || isSending) return ["good", "Nothing is lost."];
  const all = rejected === 0 ? "stored" : "stored or rejected";
  return ["good", `Nothing is lost: of ${sent.toLocaleString("en")} records sent, all are ${all}.`];
}

function show(id, value) {
  element(id).textContent = value.toLocaleString("en");
}

function kibibytes(bytes) {
  return `${Math.round(bytes / 1024).toLocaleString("en")} KiB`;
}

function showRate() {
  element("rate-text").textContent = Number(element("rate").value).toLocaleString("en");
}

element("url").value = new URLSearchParams(location.search).get("stream") ??
  `ws://${location.hostname}:8080/v1/streams/demo`;
element("count").textContent = `grep ${page} data/demo.ndjson | sort -u | wc -l`;
element("rate").addEventListener("input", showRate);
element("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  if (isSending) stop();
  else start();
  element("toggle").textContent = isSending ? "Stop" : "Start";
});
showRate();
draw();
setInterval(draw, DRAW_MS);
