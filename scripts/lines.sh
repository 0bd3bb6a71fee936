#!/usr/bin/env bash
# Counts the lines of the product's code by crate: without comments, blank lines and tests.
set -euo pipefail
cd "$(dirname "$0")/.."

count() {
  find "$1/src" -name '*.rs' ! -path '*/tests/*' ! -name 'tests.rs' ! -path '*/testing/*' ! -name 'testing.rs' -print0 |
    sort -z | xargs -0 awk '
      FNR == 1 { test = 0 }
      # A module of tests is the last of its file.
      /^#\[cfg\(test\)\]$/ { pending = 1; next }
      pending { pending = 0; if (/^(pub )?mod [a-z_]+ \{$/) test = 1; else if (/^(pub )?mod [a-z_]+;$/) next }
      test || /^[[:space:]]*$/ || /^[[:space:]]*\/\// { next }
      { lines++ }
      END { print lines + 0 }'
}

all=0
for crate in "${@:-chain-core node wallet miner}"; do
  for name in $crate; do
    lines=$(count "$name")
    all=$((all + lines))
    printf '%-12s %7d\n' "$name" "$lines"
  done
done
printf '%-12s %7d\n' all "$all"
