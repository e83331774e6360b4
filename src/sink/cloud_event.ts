/**
 * A CloudEvent in binary mode carries its attributes in headers; a sink without headers of its own would lose them, so
 * it gets the event in structured mode (CloudEvents 1.0, JSON event format).
 *
 * @module
 */
import { isJsonText } from "../core/json_scanner.ts";
import { withoutNewlines } from "./without_newlines.ts";

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Members of an event that are no attributes (JSON event format, 3.1): a header of that name would stand beside the body. */
const BODY_MEMBERS: readonly string[] = ["data", "data_base64"];

/**
 * The event of `headers` (`ce-*` and `content-type`, in lower case) and body `value` as one JSON text on one line. A body that is
 * JSON by its type becomes `data` as it is, a text becomes a string, all else `data_base64`; an empty body no member.
 */
export function structuredEvent(
  headers: readonly (readonly [string, string])[],
  value: Uint8Array,
): Uint8Array {
  // Without a prototype: an attribute named __proto__ is one like the others.
  const attributes: Record<string, string> = Object.create(null);
  let contentType: string | null = null;
  for (const [name, text] of headers) {
    if (name === "content-type") contentType = text;
    else if (name.startsWith("ce-") && !BODY_MEMBERS.includes(name.slice(3))) {
      attributes[name.slice(3)] = percentDecoded(text);
    }
  }
  if (contentType !== null) attributes.datacontenttype = contentType;
  const head = JSON.stringify(attributes).slice(0, -1);
  if (value.length === 0) return encoder.encode(`${head}}`);
  const comma = head === "{" ? "" : ",";
  if (isJsonType(contentType) && isJsonText(value, 0, value.length)) {
    return joined(encoder.encode(`${head}${comma}"data":`), withoutNewlines(value));
  }
  const text = isTextType(contentType) ? strictText(value) : null;
  const member = text === null ? `"data_base64":"${value.toBase64()}"` : `"data":${JSON.stringify(text)}`;
  return encoder.encode(`${head}${comma}${member}}`);
}

/** The value of an attribute from its header: the HTTP binding percent-encodes what a header cannot hold (3.1.3.2); what is no such encoding stays as it is. */
export function percentDecoded(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

/** Media type in lower case, without parameters. */
function mediaType(contentType: string): string {
  return contentType.split(";", 1)[0].trim().toLowerCase();
}

/** Without a type the data is JSON by definition (CloudEvents 1.0, "datacontenttype"). */
function isJsonType(contentType: string | null): boolean {
  if (contentType === null) return true;
  const type = mediaType(contentType);
  return type.endsWith("/json") || type.endsWith("+json");
}

function isTextType(contentType: string | null): boolean {
  if (contentType === null) return false;
  const type = mediaType(contentType);
  return type.startsWith("text/") || type.endsWith("/xml") || type.endsWith("+xml");
}

/** `bytes` as text, or null where they are not UTF-8. */
function strictText(bytes: Uint8Array): string | null {
  try {
    return strictDecoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

function joined(head: Uint8Array, data: Uint8Array): Uint8Array {
  const event = new Uint8Array(head.length + data.length + 1);
  event.set(head);
  event.set(data, head.length);
  event[event.length - 1] = 0x7d; // }
  return event;
}
