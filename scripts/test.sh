#!/usr/bin/env bash
# Runs every test of the workspace, in the one profile that the binaries are built with.
set -eu
cargo build --release --workspace --bins --quiet
# The end-to-end tests deploy what this compiles; without npm they skip.
./scripts/contracts.sh || true
if command -v cargo-nextest >/dev/null; then
  exec cargo nextest run --release --workspace --no-fail-fast --status-level fail --final-status-level slow "$@"
fi
exec cargo test --release --workspace --no-fail-fast --quiet "$@"
