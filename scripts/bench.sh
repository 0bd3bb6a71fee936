#!/usr/bin/env bash
# Prints the benchmark table; each line has a ratio measured in the same run. With arguments, only those benchmarks:
# hash execute vm trie engine finality chain network sim reads stratum subscribers rpc soak. `soak` takes up to an hour, and
# `rpc` fetches anvil from npm: they run only when named, as `reads`, `stratum` and `subscribers` do. The network's lines, which
# take ten minutes, are smaller unless it is named.
set -eu
network=
[ "$#" -gt 0 ] || { set -- hash execute vm trie engine finality chain network sim; network="spread=10 sync=4000 load=20"; }
for bench in "$@"; do
  printf '\n== %s\n' "$bench"
  case "$bench" in
    hash) cargo run --locked --release --quiet -p cairn-miner -- bench ;;
    execute) cargo bench --locked --quiet -p chain-core --features testing --bench execute ;;
    vm) cargo bench --locked --quiet -p cairn-vm-tests --bench vm ;;
    # shellcheck disable=SC2086
    network) cargo bench --locked --quiet -p cairn-tests --bench network -- $network ;;
    sim) cargo run --locked --release --quiet -p cairn-sim -- --seeds 0..100 --nodes 10 --blocks 200 --aim 1000 ;;
    rpc) ./scripts/clients.sh --exec cargo bench --locked --quiet -p cairn-tests --bench rpc ;;
    *) cargo bench --locked --quiet -p cairn-tests --bench "$bench" ;;
  esac
done
