#!/usr/bin/env bash
# Compiles tests/contracts with the Solidity compiler and OpenZeppelin's contracts from npm, whose versions and hashes
# tests/contracts/package-lock.json pins. All that is fetched and made stays in a cache: CAIRN_CONTRACTS, else contracts
# beside what cargo builds. Without npm or a network it says so and fails; the tests then skip.
set -eu

sources=$(cd "$(dirname "$0")/../tests/contracts" && pwd)
cache=${CAIRN_CONTRACTS:-${CARGO_TARGET_DIR:-$sources/../../target}/contracts}

say() { printf 'contracts: %s\n' "$*" >&2; }

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  say "npm is not installed, so the tests of compiled contracts are skipped"
  exit 1
fi
mkdir -p "$cache"
cd "$cache"

if ! cmp -s "$sources/package-lock.json" package-lock.json || [ ! -d node_modules/solc ]; then
  cp "$sources/package.json" "$sources/package-lock.json" .
  if ! npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries 1 --fetch-timeout 30000 >npm.log 2>&1; then
    # Without its lock the folder counts as empty.
    rm -f package-lock.json
    say "npm cannot fetch the compiler, so the tests of compiled contracts are skipped (see $cache/npm.log)"
    exit 1
  fi
fi
exec node "$sources/compile.js" "$sources" "$cache"
