#!/usr/bin/env bash
# Makes the README's pictures from a real devnet, each in a minute or two: docs/pictures/top.svg of `cairn-node top`
# (tests/page/top.js, which needs Node.js, and `script` of util-linux), and docs/pictures/*.png of the page
# (tests/page/pictures.js, which needs what scripts/page.sh needs). `scripts/pictures.sh top` makes the first alone.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$root/docs/pictures"
CAIRN_NODE=${CAIRN_NODE:-$root/bin/cairn-node} node "$root/tests/page/top.js" "$root/docs/pictures/top.svg"
[ "${1:-}" != top ] || exit 0
PAGE_SCRIPT=pictures.js CAIRN_REQUIRE=page exec "$root/scripts/page.sh" "$root/docs/pictures"
