#!/usr/bin/env bash
# Compiles RocksDB in a fraction of the time that the crate librocksdb-sys takes, and tells cargo where it is. The crate
# compiles some 340 files one by one, and the compiler works for seconds on the headers of each; here one run of the
# compiler includes a few dozen files.
#
# The library lies in the user's cache, for all checkouts, and survives `cargo clean`. .cargo/config.toml names it, so plain
# cargo and editors link it, too. Where this does not work (another system, flags for one processor, a compiler that
# refuses), cargo compiles RocksDB as ever: nothing else depends on this script.
set -euo pipefail
cd "$(dirname "$0")/.."

# Compiler runs. More of them read the headers more often, fewer of them take more memory and keep less cores busy.
runs=12
# The most memory that one of them took, in megabytes.
run_memory=1300

say() { printf 'rocksdb: %s\n' "$*" >&2; }

# Compiles one unit; a part of an object is never taken for all of it.
compile() {
  local count=$1 unit=$2 level=${2%.cc}
  shift 2
  say "RocksDB, $((10#$(basename "$unit" | cut -c 1-2))) of $count ..."
  if ! "$@" "-${level##*-}" -c "$unit" -o "$unit.part" 2>"$unit.log"; then
    say "$* failed: $(head -n 3 "$unit.log")"
    exit 1
  fi
  mv "$unit.part" "${unit%.cc}.o"
}

if [ "${1:-}" = --unit ]; then
  shift
  compile "$@"
  exit
fi

config=.cargo/config.toml
mark='# Written by scripts/rocksdb.sh'
trap 'exit 130' INT TERM

# Cargo compiles RocksDB by itself.
leave_to_cargo() {
  [ -z "$*" ] || say "$*: cargo compiles RocksDB file by file, which takes about 20 minutes of CPU more"
  if grep -qs "^$mark" "$config"; then rm "$config"; fi
  exit 0
}

# --- whether, and where ---------------------------------------------------------------------------------------------------

# Who sets these has a RocksDB.
[ -z "${ROCKSDB_LIB_DIR:-}${ROCKSDB_COMPILE:-}" ] || exit 0
host=$(rustc -vV | sed -n 's/^host: //p')
# The flags below are those of this target.
[ "${CARGO_BUILD_TARGET:-$host}" = x86_64-unknown-linux-gnu ] && [ "$host" = x86_64-unknown-linux-gnu ] || leave_to_cargo
# The crate hands these on to the compiler.
case "${RUSTFLAGS:-}${CARGO_ENCODED_RUSTFLAGS:-}" in *target-*) leave_to_cargo "RUSTFLAGS name a processor" ;; esac
if [ -e "$config" ] && ! grep -q "^$mark" "$config"; then leave_to_cargo "$config is not of this script"; fi

# As this version of the crate has them in its build script, for Linux; its optimisation is -O3.
crate_version=0.19.0+11.8.1
grep -A 1 '^name = "librocksdb-sys"' Cargo.lock | grep -q "\"$crate_version\"" || leave_to_cargo "librocksdb-sys is not $crate_version"
flags=(-g0 -w -fPIC -ffunction-sections -fdata-sections -m64 -std=c++20 -include cstdint -DLZ4=1 -DNDEBUG=1
  -DHAVE_ALIGNED_NEW -DHAVE_UINT128_EXTENSION -DOS_LINUX -DROCKSDB_PLATFORM_POSIX -DROCKSDB_LIB_IO_POSIX
  -DROCKSDB_SCHED_GETCPU_PRESENT -DROCKSDB_AUXV_GETAUXVAL_PRESENT -DROCKSDB_FALLOCATE_PRESENT -DROCKSDB_RANGESYNC_PRESENT)
# With words, such as `ccache g++`.
read -r -a compiler <<<"${CXX:-c++}"
read -r -a own_flags <<<"${CXXFLAGS:-}"
flags+=(${own_flags[@]+"${own_flags[@]}"})

# All that the library depends on names its folder.
key=$({
  grep -A 3 '^name = "\(librocksdb\|lz4\)-sys"' Cargo.lock
  "${compiler[@]}" --version
  printf '%s\n' "${flags[@]}"
  cat scripts/rocksdb.sh
} | sha256sum | cut -c 1-16)
folder=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/cairn/rocksdb/$key

# --- compiling ------------------------------------------------------------------------------------------------------------

# The folder of a crate's sources. Cargo fetches them, and says so.
sources() {
  cargo metadata --locked --format-version 1 --filter-platform "$host" |
    grep -o "\"manifest_path\":\"[^\"]*/$1-[0-9][^\"]*/Cargo.toml\"" | head -n 1 | sed 's/^"manifest_path":"//; s|/Cargo.toml"$||'
}

# How a source is optimised. What runs for every key, block or write gets -O2, and the C interface with it, since the linker
# keeps the first copy of an inline function that it meets. What starts, plans or repairs, and what the node does not call,
# gets -O1, which compiles in little more than half the time.
optimisation() {
  case "$1" in
    db/c.cc | db/version_set.cc | db/db_impl/db_impl.cc | db/db_impl/db_impl_write.cc | db/write_*.cc | db/memtable*.cc) echo 2 ;;
    db/*iter*.cc | db/range_*.cc | db/table_cache.cc | db/dbformat.cc | db/log_writer.cc | db/merge_*.cc) echo 2 ;;
    db/compaction/compaction_iterator.cc | db/compaction/compaction_outputs.cc | db/builder.cc | db/file_indexer.cc) echo 2 ;;
    table/plain/* | table/cuckoo/* | table/adaptive/*) echo 1 ;;
    cache/* | file/* | memory/* | memtable/* | monitoring/* | port/* | table/* | util/*) echo 2 ;;
    *) echo 1 ;;
  esac
}

# Writes the units: lists of files of about the same size.
split() {
  local crate=$1 file
  { grep -v '^util/build_version.cc' "$crate/rocksdb_lib_sources.txt"; echo ../build_version.cc; } |
    sed '/^[[:space:]]*$/d' | while read -r file; do
    echo "O$(optimisation "$file") $file $(wc -c <"$crate/rocksdb/$file")"
  done | sort -s -r -k 1,1 | awk -v runs="$runs" -v units="$units" '
    { kind[NR] = $1; file[NR] = $2; size[NR] = $3; total += $3 }
    END {
      for (i = 1; i <= NR; i++) {
        if (i > 1 && (kind[i] != kind[i - 1] || filled >= total / runs)) { unit++; filled = 0 }
        filled += size[i]
        printf "#include \"%s\"\n", file[i] > (units "/" sprintf("%02d", unit + 1) "-" kind[i] ".cc")
      }
    }'
}

# As many at a time as there are cores, and memory.
jobs() {
  local jobs=${CARGO_BUILD_JOBS:-$(nproc)} memory
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo 2>/dev/null) || true
  [ "$((jobs * run_memory))" -le "${memory:-1000000}" ] || jobs=$((memory / run_memory))
  printf '%s' "$((jobs < 1 ? 1 : jobs))"
}

build() {
  local crate lz4 unit count
  crate=$(sources librocksdb-sys) lz4=$(sources lz4-sys)
  flags+=("-I$crate/rocksdb/include" "-I$crate/rocksdb" "-I$crate" "-I$lz4/liblz4/lib")
  say "compiling RocksDB, once, into $folder ..."
  units=$folder/units
  mkdir -p "$units"
  split "$crate"
  count=$(find "$units" -name '*.cc' | wc -l)
  # Those that an interrupted run finished are kept.
  for unit in "$units"/*.cc; do
    [ -e "${unit%.cc}.o" ] || printf '%s\0' "$unit"
  done | xargs -0 -r -P "$(jobs)" -I '{unit}' "$0" --unit "$count" '{unit}' "${compiler[@]}" "${flags[@]}"
  rm -f "$folder/librocksdb.part"
  ar crs "$folder/librocksdb.part" "$units"/*.o
  mv "$folder/librocksdb.part" "$folder/librocksdb.a"
  rm -rf "$units"
}

# One at a time, where the system has flock: a second checkout waits for the first and finds the library.
build_alone() {
  exec 9>"$folder/lock"
  if command -v flock >/dev/null; then flock 9; fi
  [ -e "$folder/librocksdb.a" ] || build
}

if [ ! -e "$folder/librocksdb.a" ]; then
  mkdir -p "$folder" 2>/dev/null || leave_to_cargo "$folder cannot be made"
  # Not in a condition, where bash would ignore what fails inside.
  set +e
  (set -e; build_alone)
  failed=$?
  set -e
  [ "$failed" = 0 ] || leave_to_cargo "RocksDB was not compiled"
fi
mkdir -p .cargo
{
  echo "$mark, and no part of the repository: RocksDB as it compiled it. If the folder is gone, \`make setup\`."
  echo '[env]'
  printf 'ROCKSDB_LIB_DIR = "%s"\n' "$(printf '%s' "$folder" | sed 's/[\\"]/\\&/g')"
  echo 'ROCKSDB_STATIC = "1"'
} >"$config.part"
mv "$config.part" "$config"
