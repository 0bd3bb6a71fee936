#!/usr/bin/env bash
# Makes sure that what a cold build needs is there: a Rust toolchain, a C++ compiler, and libclang (RocksDB's bindings
# are generated with it). Installs the system packages by apt where it may, else names them.
set -eu

# The oldest toolchain that builds the workspace, as in Cargo.toml.
rust=1.95

say() { printf 'setup: %s\n' "$*" >&2; }

have_libclang() {
  [ -n "${LIBCLANG_PATH:-}" ] && return 0
  ldconfig -p 2>/dev/null | grep -q 'libclang[-.]' && return 0
  compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null && return 0
  compgen -G '/usr/lib*/libclang.so*' >/dev/null && return 0
  [ -e /Library/Developer/CommandLineTools/usr/lib/libclang.dylib ]
}

missing=()
command -v c++ >/dev/null || missing+=(g++)
command -v make >/dev/null || missing+=(make)
have_libclang || missing+=(libclang-dev)

if [ "${#missing[@]}" -gt 0 ]; then
  sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo -n)
  if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
    say "installing ${missing[*]} (needed to build RocksDB) ..."
    log=$(mktemp)
    if ! { "${sudo[@]}" apt-get update -qq && DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq "${missing[@]}"; } \
      >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      say "could not install them; install by hand: ${missing[*]}"
      exit 1
    fi
    rm -f "$log"
  else
    say "missing: ${missing[*]}. Install them and try again:"
    say "  Debian, Ubuntu:  sudo apt-get install ${missing[*]}"
    say "  Fedora:          sudo dnf install gcc-c++ make clang-devel"
    say "  Arch:            sudo pacman -S base-devel clang"
    say "  macOS:           xcode-select --install"
    exit 1
  fi
fi

if ! command -v cargo >/dev/null; then
  say "cargo is missing: install Rust $rust or later from https://rustup.rs and try again"
  exit 1
fi
have=$(rustc --version | cut -d' ' -f2)
if [ "$(printf '%s\n%s\n' "$rust" "$have" | sort -V | head -n 1)" != "$rust" ]; then
  say "Rust $rust or later is needed, this is $have: run 'rustup update'"
  exit 1
fi
