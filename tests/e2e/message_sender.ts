/** Messages by the WebSocket client that the runtime has, which is none of ours. @module */
import { deadline } from "@std/async/deadline";

const DEADLINE_MS = 60_000;

/** Sends each of `messages` as text and as bytes by turns, and resolves when the connection is closed in order; `protocol` may be `plain`. */
export async function sendMessages(
  url: string,
  protocol: string,
  messages: readonly string[],
): Promise<void> {
  const socket = new WebSocket(url, protocol === "plain" ? [] : [protocol]);
  await deadline(new Promise((resolve) => socket.onopen = resolve), DEADLINE_MS);
  const encoder = new TextEncoder();
  messages.forEach((message, i) => socket.send(i % 2 === 0 ? message : encoder.encode(message)));
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  socket.close(1000);
  const { code } = await deadline(closed, DEADLINE_MS);
  if (code !== 1000) throw new Error(`${url} closed with ${code}`);
}
