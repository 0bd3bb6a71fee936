#!/usr/bin/env bash
# Makes the README's pictures of the page, docs/pictures/*.png, from a real devnet: tests/page/pictures.js, which takes a minute
# or two. It needs what scripts/page.sh needs.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$root/docs/pictures"
PAGE_SCRIPT=pictures.js CAIRN_REQUIRE=page exec "$root/scripts/page.sh" "$root/docs/pictures"
