#!/bin/sh
# Starts Weir with the rights that its config needs and no others; the arguments are those of `weir run`.
# `exec`, so that SIGTERM and SIGHUP reach the gateway itself and its exit code is the service's.
set -eu
home=${WEIR_HOME:-/opt/weir}

rights=$(deno run --cached-only --no-prompt --allow-read --allow-env --allow-sys=hostname \
  "$home/mod.ts" run --print-permissions "$@")

# Short full collections: see src/v8_flags.ts.
# shellcheck disable=SC2086 # one word for each flag
exec deno run --cached-only --no-prompt --v8-flags=--max-semi-space-size=8 $rights "$home/mod.ts" run "$@"
