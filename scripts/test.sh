#!/usr/bin/env bash
# Runs every test of the workspace, in the one profile that the binaries are built with, and says at the end which tests
# were skipped and why. CAIRN_REQUIRE=vectors,contracts makes each skip a failure.
set -eu
[ "$(uname -s)" = Linux ] || echo "test: the end-to-end tests need Linux (/proc, all of 127.0.0.0/8 on loopback)" >&2
CAIRN_SKIPS=$(mktemp)
export CAIRN_SKIPS
trap 'rm -f "$CAIRN_SKIPS"' EXIT

cargo build --locked --release --workspace --bins --quiet
# The end-to-end tests deploy what this compiles. Where there is no compiler (3) they skip; contracts that do not compile
# are a failure.
contracts=0
./scripts/contracts.sh || contracts=$?
case "$contracts" in 0 | 3) ;; *) exit "$contracts" ;; esac

failed=0
if command -v cargo-nextest >/dev/null; then
  cargo nextest run --locked --release --workspace --no-fail-fast --status-level fail --final-status-level slow "$@" ||
    failed=$?
else
  cargo test --locked --release --workspace --no-fail-fast --quiet --lib --bins "$@" || failed=$?
  # Tests that start processes would measure each other side by side: nextest's groups, by hand.
  RUST_TEST_THREADS=1 cargo test --locked --release --workspace --no-fail-fast --quiet --test '*' "$@" || failed=$?
fi
sort "$CAIRN_SKIPS" | uniq -c | while read -r count reason; do
  echo "test: skipped $count: $reason"
done
exit "$failed"
