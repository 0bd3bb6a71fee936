#!/usr/bin/env bash
# Makes sure that what a cold build needs is there: Rust, a C++ compiler, and libclang with clang's own headers, with which
# RocksDB's bindings are generated. Installs the system packages by apt where it may, else says what to type.
#
# tests/tests/setup.rs runs this against folders of fake libraries, below CAIRN_SETUP_ROOT.
set -eu

# The oldest toolchain that builds the workspace, as in Cargo.toml and rust-toolchain.toml.
rust=1.95
# What a first build takes, in megabytes: memory with two compilers at work, and disk for all of `make test`.
memory_needed=4000
disk_needed=4000

root=${CAIRN_SETUP_ROOT:-}
system=${CAIRN_SETUP_SYSTEM:-$(uname -s)}

say() { printf 'setup: %s\n' "$*" >&2; }

# --- Rust ---------------------------------------------------------------------------------------------------------------

# Before anything is installed: without it the rest is of no use.
check_rust() {
  if ! command -v cargo >/dev/null; then
    say "cargo is not installed: install Rust $rust or later from https://rustup.rs and try again"
    exit 1
  fi
  local answer have
  if ! answer=$(rustc --version 2>&1); then
    say "'rustc --version' fails: $answer"
    say "with rustup, 'rustup toolchain install $rust' installs the one that is needed"
    exit 1
  fi
  have=$(printf '%s' "$answer" | cut -d' ' -f2)
  if [ "$(printf '%s\n%s\n' "$rust" "$have" | sort -V | head -n 1)" != "$rust" ]; then
    say "Rust $rust or later is needed, and this is $have: run 'rustup update', or install from https://rustup.rs if"
    say "  $(command -v rustc) belongs to your system's packages"
    exit 1
  fi
}

# --- libclang: found as clang-sys finds it -------------------------------------------------------------------------------

# Those libraries in a folder that clang-sys takes. libclang-cpp is another library, without the C interface.
libraries_in() {
  local file
  for file in "$1"/libclang.so "$1"/libclang-*.so "$1"/libclang.so.* "$1"/libclang-*.so.* "$1"/libclang.dylib; do
    case "${file##*/}" in *-cpp.*) continue ;; esac
    # A dangling link is skipped as well.
    [ ! -e "$file" ] || printf '%s\n' "$file"
  done
}

# The folders that clang-sys searches where LIBCLANG_PATH is not set.
clang_folders() {
  local prefix config=${LLVM_CONFIG_PATH:-llvm-config} folder paths
  if prefix=$("$config" --prefix 2>/dev/null); then printf '%s\n' "$prefix/bin" "$prefix/lib" "$prefix/lib64"; fi
  IFS=: read -r -a paths <<<"${LD_LIBRARY_PATH:-}:${LIBRARY_PATH:-}"
  for folder in ${paths[@]+"${paths[@]}"}; do [ -z "$folder" ] || printf '%s\n' "$folder"; done
  if [ "$system" = Darwin ]; then
    if prefix=$(xcode-select --print-path 2>/dev/null); then
      printf '%s\n' "$prefix/Toolchains/XcodeDefault.xctoolchain/usr/lib"
    fi
    printf '%s\n' "$root"/usr/local/opt/llvm*/lib/llvm*/lib "$root/Library/Developer/CommandLineTools/usr/lib" \
      "$root/Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib" \
      "$root"/usr/local/opt/llvm*/lib
  else
    printf '%s\n' "$root"/usr/local/llvm*/lib* "$root"/usr/local/lib*/*/* "$root"/usr/local/lib*/* "$root"/usr/local/lib* \
      "$root"/usr/lib*/*/* "$root"/usr/lib*/* "$root"/usr/lib*
  fi
}

# The version in a library's name, which may be a link: libclang.so.1 -> libclang-14.so.14.0.6. Empty if it has none.
version_of() {
  local file
  file=$(readlink -f "$1" 2>/dev/null || printf '%s' "$1")
  case "$file" in
    */libclang-[0-9]*) file=${file##*/libclang-} ;;
    */llvm-[0-9]*/*) file=${file##*/llvm-} ;;
    */llvm[0-9]*/*) file=${file##*/llvm} ;;
    */libclang.so.[0-9]*) file=${file##*/libclang.so.} ;;
    *) file= ;;
  esac
  printf '%s' "${file%%[!0-9]*}"
}

# The library that the build will load, the newest one; nothing if there is none.
find_libclang() {
  local folder file
  if [ -n "${LIBCLANG_PATH:-}" ]; then
    # clang-sys then looks nowhere else. It may name the file itself.
    if [ -f "$LIBCLANG_PATH" ]; then
      libraries_in "$(dirname "$LIBCLANG_PATH")" | grep -Fx -- "$LIBCLANG_PATH" || true
    else
      libraries_in "$LIBCLANG_PATH" | head -n 1
    fi
    return
  fi
  clang_folders | while read -r folder; do
    [ ! -d "$folder" ] || libraries_in "$folder"
  done | while read -r file; do
    printf '%s %s\n' "$(version_of "$file")" "$file"
  done | sort -s -n -k 1,1 | tail -n 1 | cut -d' ' -f2-
}

# Whether clang's own headers, such as stddef.h, are there for a library. A library that other programs pulled in comes
# without them, and bindgen then fails with "'stddef.h' file not found".
have_headers() {
  # Who sets these, or builds on macOS, says where headers are.
  [ -z "${BINDGEN_EXTRA_CLANG_ARGS:-}" ] && [ "$system" != Darwin ] || return 0
  local library=$1 version folder header
  version=$(version_of "$library")
  folder=$(dirname "$library")
  for header in "$folder"/clang/*/include/stddef.h "$folder"/../lib*/clang/*/include/stddef.h \
    "$root"/usr/lib*/llvm*/lib*/clang/*/include/stddef.h "$root"/usr/lib*/clang/*/include/stddef.h; do
    [ -e "$header" ] || continue
    # A library reads the headers of its own version only.
    case "$header" in */clang/"$version"/* | */clang/"$version".*) return 0 ;; esac
    [ -n "$version" ] || return 0
  done
  return 1
}

# --- what is missing -------------------------------------------------------------------------------------------------------

# Sets `missing` to the packages of Debian that are not there.
look() {
  missing=()
  command -v c++ >/dev/null || missing+=(g++)
  command -v make >/dev/null || missing+=(make)
  local library version
  library=$(find_libclang)
  if [ -z "$library" ]; then
    missing+=(libclang-dev)
  elif ! have_headers "$library"; then
    version=$(version_of "$library")
    if [ -n "$version" ]; then missing+=("libclang-common-$version-dev"); else missing+=(libclang-dev); fi
  fi
}

advise() {
  say "missing: ${missing[*]}. Install what the build needs and try again:"
  say "  Debian, Ubuntu:  sudo apt-get install ${missing[*]}"
  say "  Fedora, RHEL:    sudo dnf install gcc-c++ make clang-devel"
  say "  Arch:            sudo pacman -S base-devel clang"
  say "  Alpine:          apk add bash build-base clang-dev linux-headers, and Rust from apk: one that links musl"
  say "                   statically cannot load libclang"
  say "  NixOS:           nix-shell -p rustup gcc gnumake rustPlatform.bindgenHook"
  say "  macOS:           xcode-select --install (Homebrew's: LIBCLANG_PATH=\$(brew --prefix llvm)/lib)"
  say "  no root:         conda install -c conda-forge gxx make libclang clang, then LIBCLANG_PATH=\$CONDA_PREFIX/lib"
  say "                   LIBCLANG_PATH names the folder of any other libclang.so; clang's headers lie beside it"
}

# apt, not interactive, also through sudo, which forgets the environment: a proxy, and that nobody is there to answer.
apt() {
  local name environment=(DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a)
  for name in http_proxy https_proxy ftp_proxy no_proxy HTTP_PROXY HTTPS_PROXY FTP_PROXY NO_PROXY; do
    [ -z "${!name:-}" ] || environment+=("$name=${!name}")
  done
  # A new cloud machine updates itself first and holds the lock meanwhile.
  ${sudo[@]+"${sudo[@]}"} env "${environment[@]}" apt-get -o DPkg::Lock::Timeout=300 "$@" </dev/null >>"$log" 2>&1
}

install() {
  say "installing ${missing[*]} (needed to build RocksDB) ..."
  log=$(mktemp)
  # One source that does not answer leaves the others usable.
  apt update -qq || say "'apt-get update' had errors; installing all the same"
  if ! apt install -y -qq --no-install-recommends "${missing[@]}"; then
    tail -n 20 "$log" >&2
    say "apt-get failed, its output is in $log. By hand: sudo apt-get install ${missing[*]}"
    exit 1
  fi
  rm -f "$log"
}

check_libraries() {
  local missing sudo=() log
  look
  [ "${#missing[@]}" -gt 0 ] || return 0
  if [ -n "${LIBCLANG_PATH:-}" ] && [ -z "$(find_libclang)" ]; then
    say "LIBCLANG_PATH=$LIBCLANG_PATH has no libclang.so, and the build looks nowhere else: correct it, or 'unset LIBCLANG_PATH'"
    exit 1
  fi
  [ "$(id -u)" = 0 ] || sudo=(sudo -n)
  if ! command -v apt-get >/dev/null || ! ${sudo[@]+"${sudo[@]}"} true 2>/dev/null; then
    advise
    exit 1
  fi
  install
  look
  [ "${#missing[@]}" -eq 0 ] || { say "installed, and yet not found:"; advise; exit 1; }
}

# --- room ----------------------------------------------------------------------------------------------------------------

# A build that is killed for lack of memory, or fills the disk, names neither. Only a warning: a later build needs less.
check_room() {
  local memory disk
  memory=$(awk '/^MemAvailable:|^SwapFree:/ { sum += $2 } END { print int(sum / 1024) }' "$root/proc/meminfo" 2>/dev/null || true)
  if [ "${memory:-0}" -gt 0 ] && [ "$memory" -lt "$memory_needed" ]; then
    say "only $memory MB of memory are free, a first build may take $memory_needed: if it is killed, set CARGO_BUILD_JOBS=1"
  fi
  disk=$(df -Pm . 2>/dev/null | awk 'NR == 2 { print $4 }')
  if [ "${disk:-$disk_needed}" -lt "$disk_needed" ] && [ ! -d target ]; then
    say "only $disk MB of disk are free here, the first build with all tests takes $disk_needed"
  fi
}

check_rust
check_libraries
check_room
