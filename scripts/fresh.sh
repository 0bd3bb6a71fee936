#!/usr/bin/env bash
# fresh.sh SYSTEM...: the README's two commands on a machine that has never seen the project. For each SYSTEM (bookworm,
# trixie, ...) it builds a minimal Debian in a folder, puts a clone of this commit and the Rust toolchain in, and runs
# `make run` there until the node has mined a block, then `make test`. What is not in such a Debian, the commands install.
#
# Needs root, debootstrap and a network. CAIRN_FRESH names the folder (/var/tmp/cairn-fresh), CAIRN_VECTORS the test vectors,
# which the system may read, CAIRN_MIRROR the Debian mirror (the machine's own).
set -Eeuo pipefail
exec 4>&2

say() { printf 'fresh: %s\n' "$*"; }
fail() { say "$*" >&2; exit 1; }
trap 'say "line $LINENO failed: $BASH_COMMAND" >&4' ERR

[ "$(id -u)" = 0 ] || fail "it needs root, to make a system in a folder: sudo make fresh"
command -v debootstrap >/dev/null || fail "debootstrap is not installed: apt-get install debootstrap"
# In namespaces of their own, mounts and processes are gone when this ends, however it ends.
[ "${1:-}" = --inside ] || exec unshare --mount --pid --fork --kill-child --propagation private "$0" --inside "$@"
shift
# The first process of a namespace ignores signals that it does not handle. With it, all others end.
trap 'exit 130' INT TERM

repository=$(cd "$(dirname "$0")/.." && pwd)
place=${CAIRN_FRESH:-/var/tmp/cairn-fresh}
vectors=${CAIRN_VECTORS:-$repository/../shared/vectors}
# A path with a blank, as many have.
clone="/root/my clone"

# The mirror that this machine uses, or the one of the project.
mirror() {
  local own
  own=$(sed -nE 's/^(URIs:|deb)[[:space:]]+(\[[^]]*\] )?(https?:[^ ]*\/debian\/?)([[:space:]].*)?$/\3/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1) || true
  printf '%s' "${CAIRN_MIRROR:-${own:-http://deb.debian.org/debian}}"
}

# Runs a command in the system, in the clone, with an environment as of a login.
inside() {
  local name environment=(HOME=/root TERM=dumb LANG=C.UTF-8 PATH=/opt/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin)
  for name in http_proxy https_proxy no_proxy CARGO_BUILD_JOBS; do
    [ -z "${!name:-}" ] || environment+=("$name=${!name}")
  done
  chroot "$root" env -i "${environment[@]}" bash -c 'cd "$1" && shift && exec "$@"' - "$clone" "$@"
}

prepare() {
  local file
  # What a user needs before the README begins: make, and the certificates with which Rust was fetched.
  debootstrap --variant=minbase --include=make,ca-certificates "$system" "$root" "$(mirror)" >"$log.debootstrap" 2>&1 ||
    fail "debootstrap failed: $(tail -n 3 "$log.debootstrap")"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  # As every installed system has it.
  printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"
  # The machine's way to its mirror: proxies and such.
  if [ -d /etc/apt/apt.conf.d ]; then
    for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
      if grep -qsi 'proxy\|Check-Valid-Until' "$file"; then cp "$file" "$root/etc/apt/apt.conf.d/"; fi
    done
  fi
  # And whom it trusts: a network may have an authority of its own.
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  mkdir -p "$root/opt/rust" "$root/vectors"
  (cd "$repository" && cd "$(rustc --print sysroot)" && cp -a bin lib "$root/opt/rust/")
  git clone --quiet --no-hardlinks "$repository" "$root$clone"
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  if [ -d "$vectors" ]; then
    mount --bind -o ro "$vectors" "$root/vectors"
  fi
}

# `make run` until the RPC tells of a mined block. Any free port: this machine may run nodes of its own.
first_run() {
  inside make run ARGS="--http.port 0 --port 0" >"$log.run" 2>&1 &
  local process=$! url='' height=0
  while [ "$height" -lt 1 ]; do
    kill -0 "$process" 2>/dev/null || fail "make run ended: $(tail -n 20 "$log.run")"
    sleep 1
    url=$(sed -n 's/^  RPC *\(http[^ ]*\).*/\1/p' "$log.run")
    [ -n "$url" ] || continue
    height=$(curl -sf -H 'content-type: application/json' -d '{"jsonrpc":"2.0","id":1,"method":"chain_getInfo"}' "$url" |
      sed -n 's/.*"height":\([0-9]*\).*/\1/p') || true
    height=${height:-0}
  done
  sed -n '/^  Cairn/,/^ *$/p' "$log.run" | head -n 8
  inside bin/cairn-node stop --rpc "$url" || fail "cairn-node stop failed"
  wait "$process" || fail "make run failed: $(tail -n 20 "$log.run")"
}

every_test() {
  local lacks=
  [ -d "$vectors" ] || lacks=/nonexistent
  inside make test VECTORS="${lacks:-/vectors}" >"$log.test" 2>&1 || fail "make test failed: $(tail -n 60 "$log.test")"
  grep '^test: skipped\|^contracts: ' "$log.test" || true
}

# Runs a command and prints the time that it took, if it was successful: an empty format prints nothing.
timed() {
  local what=$1
  shift
  TIMEFORMAT=
  time {
    "$@"
    TIMEFORMAT="fresh: $system: $what: %R s, %U s + %S s of CPU"
  }
}

for system in "${@:-bookworm}"; do
  root=$place/$system log=$place/$system.log
  rm -rf --one-file-system "$root"
  mkdir -p "$root"
  say "$system: a minimal system in $root ..."
  prepare
  timed "make run, until a block is mined" first_run
  timed "make test" every_test
  say "$system: passed; $(du -sm "$root$clone/target" | cut -f1) MB in target"
done
