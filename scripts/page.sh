#!/usr/bin/env bash
# Drives the node's page with Chromium: tests/page, whose versions package-lock.json pins. What is fetched stays in a cache
# outside the checkout: CAIRN_PAGE, else ~/.cache/cairn/page. Arguments are the sections to run: chain, devnet, network, hostile, less,
# wallet, views, load.
# CAIRN_FOREIGN_PEER names the peer of `network` (tests/examples/foreign_peer.rs), which is built otherwise. PAGE_SHOTS=FOLDER leaves pictures of the views there. Without Chromium or npm this says so; with CAIRN_REQUIRE=page it fails.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
sources=$root/tests/page
cache=${CAIRN_PAGE:-${XDG_CACHE_HOME:-$HOME/.cache}/cairn/page}
node=${CAIRN_NODE:-$root/bin/cairn-node}

say() { printf 'page: %s\n' "$*" >&2; }

# Ends without a run, which is a failure where the page is required.
unavailable() {
  say "$*, so the tests of the page are skipped"
  case ",${CAIRN_REQUIRE:-}," in *,page,*) exit 1 ;; *) exit 0 ;; esac
}

mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
[ -x "$node" ] || { say "there is no $node: run make build"; exit 2; }
[ -n "${CAIRN_CHROMIUM:-}" ] || command -v chromium >/dev/null || command -v chromium-browser >/dev/null ||
  command -v google-chrome >/dev/null || unavailable "Chromium is not installed (apt install chromium)"
command -v node >/dev/null && command -v npm >/dev/null || unavailable "Node.js with npm is not installed"
node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || unavailable "Node.js 20 or later is needed, and this is $(node --version)"

if ! cmp -s "$sources/package-lock.json" "$cache/package-lock.json" || [ ! -d "$cache/node_modules/playwright-core" ]; then
  cp "$sources/package.json" "$sources/package-lock.json" "$cache"
  if ! (cd "$cache" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries 2 --fetch-timeout 60000) >"$cache/npm.log" 2>&1; then
    rm -f "$cache/package-lock.json"
    unavailable "npm cannot fetch Playwright (see $cache/npm.log)"
  fi
fi

export CAIRN_CONTRACTS="${CAIRN_CONTRACTS:-$cache/contracts}"
contracts=0
"$root/scripts/contracts.sh" || contracts=$?
case "$contracts" in
  0) ;;
  3) unavailable "there is no Solidity compiler" ;;
  *) exit "$contracts" ;;
esac

# The section `network` has a peer of its own.
if [ -z "${CAIRN_FOREIGN_PEER:-}" ] && [ "${PAGE_SCRIPT:-run.js}" = run.js ]; then
  case " ${*:-network} " in *" network "*)
    command -v cargo >/dev/null || unavailable "cargo, which builds the peer of the section network, is not installed"
    CAIRN_FOREIGN_PEER=$(cd "$root" && cargo build --locked --release --workspace --example foreign_peer \
      --message-format json-render-diagnostics |
      node -e 'for (const line of require("fs").readFileSync(0, "utf8").split("\n")) {
        const { executable } = line ? JSON.parse(line) : {};
        if (executable) console.log(executable);
      }')
    [ -n "$CAIRN_FOREIGN_PEER" ] || { say "cargo did not build tests/examples/foreign_peer.rs"; exit 1; }
    export CAIRN_FOREIGN_PEER ;;
  esac
fi

export CAIRN_NODE=$node NODE_PATH=$cache/node_modules CLIENT_CONTRACTS=$CAIRN_CONTRACTS/contracts.json
exec node "$sources/${PAGE_SCRIPT:-run.js}" "$@"
