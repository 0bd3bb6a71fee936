#!/usr/bin/env bash
# Runs Ethereum's own clients against this node: tests/clients, whose versions package-lock.json and requirements.txt pin.
# What is fetched stays in a cache outside the checkout: CAIRN_CLIENTS, else ~/.cache/cairn/clients. Arguments go to
# tests/clients/run.js; with --exec COMMAND that command runs instead, with CAIRN_ANVIL and CAIRN_CONTRACTS set. Without npm, PyPI
# or the vectors this says what is left out; with CAIRN_REQUIRE=clients it fails. Hardhat 3 (tests/clients/hardhat3, with a
# package-lock.json of its own) runs with Node.js 22.13 or later; with an earlier one it is left out and counts as a limit.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
sources=$root/tests/clients
cache=${CAIRN_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/cairn/clients}
node=${CAIRN_NODE:-$root/bin/cairn-node}

say() { printf 'clients: %s\n' "$*" >&2; }

# Ends without a run, which is a failure where clients are required.
unavailable() {
  say "$*, so the client tests are skipped"
  case ",${CAIRN_REQUIRE:-}," in *,clients,*) exit 1 ;; *) exit 0 ;; esac
}

mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
[ -x "$node" ] || { say "there is no $node: run make build"; exit 2; }
command -v node >/dev/null && command -v npm >/dev/null || unavailable "Node.js with npm is not installed"
node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || unavailable "Node.js 20 or later is needed, and this is $(node --version)"

# Installs what a package-lock.json pins, unless that is there.
packages() { # folder of the sources, folder of the cache, a package
  if ! cmp -s "$1/package-lock.json" "$2/package-lock.json" || [ ! -d "$2/node_modules/$3" ]; then
    mkdir -p "$2"
    cp "$1/package.json" "$1/package-lock.json" "$2"
    if ! (cd "$2" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries 2 --fetch-timeout 60000) >"$2/npm.log" 2>&1; then
      rm -f "$2/package-lock.json"
      unavailable "npm cannot fetch the clients (see $2/npm.log)"
    fi
  fi
}
packages "$sources" "$cache" ethers

# Hardhat 3 has a folder of its own, for its plugins want its version under the name that Hardhat 2 has too.
unset CLIENT_HARDHAT3
needed=$(node -p 'require(process.argv[1]).engines.node.slice(2)' "$sources/hardhat3/package.json")
if [ "$(printf '%s\n' "$needed" "$(node -p process.versions.node)" | sort -V | head -n 1)" = "$needed" ]; then
  packages "$sources/hardhat3" "$cache/hardhat3" hardhat
  export CLIENT_HARDHAT3=$cache/hardhat3
else
  say "Hardhat 3 is left out: it needs Node.js $needed or later, and this is $(node --version)"
fi

if ! cmp -s "$sources/requirements.txt" "$cache/requirements.txt"; then
  rm -rf "$cache/python"
  if ! { python3 -m venv "$cache/python" && "$cache/python/bin/pip" install --quiet --no-deps --disable-pip-version-check -r "$sources/requirements.txt"; } >"$cache/pip.log" 2>&1; then
    unavailable "web3.py cannot be installed with python3 and pip (see $cache/pip.log)"
  fi
  cp "$sources/requirements.txt" "$cache"
fi

export CAIRN_CONTRACTS="${CAIRN_CONTRACTS:-$cache/contracts}"
contracts=0
"$root/scripts/contracts.sh" || contracts=$?
case "$contracts" in
  0) ;;
  3) unavailable "there is no Solidity compiler" ;;
  *) exit "$contracts" ;;
esac

archive=${CAIRN_VECTORS:-$root/../shared/vectors}/execution-apis.tar.zst
if [ -f "$archive" ] && tar --zstd -xOf "$archive" execution-apis/openrpc.json >"$cache/openrpc.json.new" 2>/dev/null; then
  mv "$cache/openrpc.json.new" "$cache/openrpc.json"
  export CLIENT_OPENRPC=$cache/openrpc.json
else
  say "no $archive: results are not validated against Ethereum's description of the methods"
  case ",${CAIRN_REQUIRE:-}," in *,vectors,*) exit 1 ;; esac
fi

export CAIRN_NODE=$node CLIENT_CACHE=$cache CLIENT_PYTHON=$cache/python/bin/python NODE_PATH=$cache/node_modules
export CLIENT_CONTRACTS=$CAIRN_CONTRACTS/contracts.json CLIENT_SOLC=$CAIRN_CONTRACTS/node_modules/solc
if [ "${1:-}" = --exec ]; then
  shift
  # npm's own command is a script that leaves the program running when it is killed.
  CAIRN_ANVIL=$(find "$cache/node_modules/@foundry-rs" -path '*/bin/anvil' -type f | head -n 1)
  export CAIRN_ANVIL
  exec "$@"
fi
exec node "$sources/run.js" "$@"
