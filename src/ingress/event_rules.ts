/**
 * What every CloudEvent must have (CloudEvents 1.0, "REQUIRED Attributes"): four attributes, each a string that is not
 * empty, the first of them the version that this gateway knows. An event without an id, or of another version, would be
 * stored under an id that is not its own.
 *
 * @module
 */
import { type PointerScanner, ScanStatus } from "../core/json_pointer.ts";
import { MAX_KEY_BYTES } from "../core/record.ts";

/** The required attributes, in the order of `FramerOptions.required`. */
export const REQUIRED_NAMES = ["specversion", "id", "source", "type"] as const;

/** The version of the specification. */
const VERSION = "1.0";

/** What is wrong with an event in structured mode whose attributes `required` has looked for; null for nothing. */
export function memberFault(required: readonly PointerScanner[]): string | null {
  for (let k = 0; k < required.length; k++) {
    const { status, isText, tooLong, keyLength } = required[k];
    const name = REQUIRED_NAMES[k];
    if (status !== ScanStatus.FOUND) return `a CloudEvent needs "${name}"`;
    if (tooLong) return `the "${name}" of a CloudEvent is longer than ${MAX_KEY_BYTES} bytes`;
    if (!isText || keyLength === 0) return `the "${name}" of a CloudEvent must be a string that is not empty`;
  }
  if (required.length === 0 || isVersion(required[0])) return null;
  return `the "specversion" of a CloudEvent must be "${VERSION}"`;
}

/** What is wrong with an event in binary mode with the headers `attributes`; null for nothing. */
export function headerFault(attributes: readonly (readonly [string, string])[]): string | null {
  for (const name of REQUIRED_NAMES) {
    const header = `ce-${name}`;
    const values = attributes.filter(([other]) => other === header);
    if (values.length === 0) return `a CloudEvent in binary mode needs the header ${header}`;
    if (values.length > 1) return `the header ${header} must stand once`;
    const [[, value]] = values;
    if (value === "") return `the header ${header} must not be empty`;
    if (name === "specversion" && value !== VERSION) return `the header ${header} must be ${VERSION}`;
  }
  return null;
}

function isVersion({ key, keyLength }: PointerScanner): boolean {
  if (keyLength !== VERSION.length) return false;
  for (let k = 0; k < keyLength; k++) if (key[k] !== VERSION.charCodeAt(k)) return false;
  return true;
}
