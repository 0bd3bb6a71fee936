#!/usr/bin/env bash
# Builds the node and the runner of Ethereum's RPC cases, and runs it: rpc_compat.sh FOLDER [TEXT].
set -euo pipefail
runner=$(cargo build --locked --release -p cairn-features -p cairn-node -p cairn-tests --bins \
  --message-format json-render-diagnostics | sed -n 's/.*"executable":"\([^"]*rpc-compat\)".*/\1/p')
exec "$runner" "$@"
