#!/usr/bin/env bash
# Compiles tests/contracts with the Solidity compiler and OpenZeppelin's contracts from npm, whose versions and hashes
# tests/contracts/package-lock.json pins. All that is fetched and made stays in a cache: CAIRN_CONTRACTS, else contracts in
# cargo's target folder. Exit code 3: there is no compiler here, so the tests skip; 2: a contract does not compile.
set -eu

sources=$(cd "$(dirname "$0")/../tests/contracts" && pwd)
target() { cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'; }
cache=${CAIRN_CONTRACTS:-$(target)/contracts}

say() { printf 'contracts: %s\n' "$*" >&2; }

# Ends without contracts. Those of an earlier run go, or the tests would run on them.
unavailable() {
  rm -f "$cache/stamp" "$cache/contracts.json"
  say "$*, so the tests of compiled contracts are skipped"
  exit 3
}

mkdir -p "$cache"
cd "$cache"
cache=$PWD
command -v node >/dev/null && command -v npm >/dev/null || unavailable "Node.js with npm is not installed"
node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' ||
  unavailable "Node.js 18 or later is needed, and this is $(node --version)"

if ! cmp -s "$sources/package-lock.json" package-lock.json || [ ! -d node_modules/solc ]; then
  cp "$sources/package.json" "$sources/package-lock.json" .
  if ! npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries 1 --fetch-timeout 30000 >npm.log 2>&1; then
    # Without its lock the folder counts as empty.
    rm -f package-lock.json
    unavailable "npm cannot fetch the compiler (see $cache/npm.log)"
  fi
fi
if ! node "$sources/compile.js" "$sources" "$cache"; then
  rm -f stamp contracts.json
  say "the contracts in $sources do not compile"
  exit 2
fi
