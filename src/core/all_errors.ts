/** Every error that users may catch. @module */
export { ClosedError, ConfigError, InsufficientSegmentsError } from "./errors.ts";
export { InvariantError } from "./assert.ts";
