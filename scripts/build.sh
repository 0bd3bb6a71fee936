#!/usr/bin/env bash
# Builds the three programs and links them in bin. cairn-features has no code, its manifest says what it is for.
set -euo pipefail
mkdir -p bin
# Cargo says where each program is: environment and configuration may move the target folder.
cargo build --locked --release -p cairn-node -p cairn-miner -p cairn-wallet -p cairn-features \
  --message-format json-render-diagnostics |
  sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' |
  while read -r program; do ln -sfn "$program" "bin/${program##*/}"; done
