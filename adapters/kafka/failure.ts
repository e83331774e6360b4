/**
 * Why a broker gave no answer. The library wraps errors in errors, and calls most of them a failed connection; what a
 * person can act on (the password, the certificate, the address) stands innermost.
 *
 * @module
 */

/** The innermost messages of `error`, each once: what went wrong, not who noticed. */
export function causeOf(error: unknown): string {
  const reasons = new Set<string>();
  collect(error, reasons);
  return [...reasons].join("; ");
}

function collect(error: unknown, reasons: Set<string>): void {
  if (error instanceof AggregateError && error.errors.length > 0) {
    for (const each of error.errors) collect(each, reasons);
    return;
  }
  if (!(error instanceof Error)) {
    reasons.add(String(error));
    return;
  }
  if (error.cause instanceof Error && !isAuthentication(error)) {
    collect(error.cause, reasons);
    return;
  }
  const said = "serverErrorMessage" in error && typeof error.serverErrorMessage === "string"
    ? error.serverErrorMessage
    : error.message;
  reasons.add(said === "" ? error.name : said);
}

/** Its own message says more than the protocol's code below it. */
function isAuthentication(error: Error): boolean {
  return "code" in error && error.code === "PLT_KFK_AUTHENTICATION";
}
