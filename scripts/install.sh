#!/usr/bin/env bash
# install.sh PREFIX BIN MANUAL: copies the programs of the folder BIN, and the man pages and completions of MANUAL, below
# PREFIX (below DESTDIR, for packages). install.sh --uninstall PREFIX removes them again.
set -eu

programs=(cairn-node cairn-miner cairn-wallet)
say() { printf 'install: %s\n' "$*"; }

# As root where the prefix is not the user's; what is built before stays the user's.
as_owner() {
  local folder=$1
  shift
  while [ ! -e "$folder" ]; do folder=$(dirname "$folder"); done
  if [ -w "$folder" ]; then "$@"; else sudo "$@"; fi
}

uninstall() {
  local prefix=$1 program
  for program in "${programs[@]}"; do
    as_owner "$prefix" rm -f "$prefix/bin/$program" "$prefix/share/man/man1/$program.1" "$prefix/share/man/man1/$program"-*.1 \
      "$prefix/share/bash-completion/completions/$program" "$prefix/share/zsh/site-functions/_$program" \
      "$prefix/share/fish/vendor_completions.d/$program.fish"
  done
  say "removed cairn-node, cairn-miner and cairn-wallet from $prefix; chains and wallets stay in ~/.cairn"
}

if [ "$1" = --uninstall ]; then
  uninstall "${DESTDIR:-}$2"
  exit
fi

prefix=${DESTDIR:-}$1 bin=$2 manual=$3
as_owner "$prefix" mkdir -p "$prefix/bin"
for program in "${programs[@]}"; do
  as_owner "$prefix/bin" install -m 755 "$bin/$program" "$prefix/bin/$program"
done
(cd "$manual" && find share -type f) | while read -r file; do
  as_owner "$prefix" install -D -m 644 "$manual/$file" "$prefix/$file"
done
say "cairn-node, cairn-miner and cairn-wallet are in $prefix/bin, with man pages and completions in $prefix/share"
case ":$PATH:" in
  *":$1/bin:"*) ;;
  *) say "$1/bin is not in PATH: add 'export PATH=\"$1/bin:\$PATH\"' to ~/.profile" ;;
esac
