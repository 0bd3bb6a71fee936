#!/usr/bin/env bash
# Prints the benchmark table; each line has a ratio measured in the same run. With arguments, only those benchmarks:
# hash execute vm trie engine chain soak. `soak` takes up to an hour and runs only when named.
set -eu
[ "$#" -gt 0 ] || set -- hash execute vm trie engine chain
for bench in "$@"; do
  printf '\n== %s\n' "$bench"
  case "$bench" in
    hash) cargo bench --quiet -p cairn-miner ;;
    execute) cargo bench --quiet -p chain-core --features testing --bench execute ;;
    vm) cargo bench --quiet -p cairn-vm-tests --bench vm ;;
    *) cargo bench --quiet -p cairn-tests --bench "$bench" ;;
  esac
done
