#!/usr/bin/env bash
# Format, lints, documentation, the fuzz targets, licences and advisories.
set -eu
cargo fmt --all --check
cargo clippy --locked --release --workspace --all-targets --quiet -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --locked --release --workspace --no-deps --quiet
# A workspace of its own, with a lock of its own. Unoptimised, since it is not run here.
cargo check --locked --manifest-path fuzz/Cargo.toml --quiet
if command -v cargo-deny >/dev/null; then
  cargo deny --log-level error check licenses bans sources
  # The advisory database is fetched from the network; without one the rest still holds.
  cargo deny --log-level error check advisories || echo "check: advisories were not checked or have findings, see above" >&2
else
  echo "check: cargo-deny is not installed, so licences and advisories were not checked (cargo install cargo-deny)" >&2
fi
echo "check: all clean"
