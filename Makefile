# Cairn: `make run` starts a node that mines a local chain, `make test` runs every test. `make help` lists the rest.

# Test vectors: public data that is not part of the repository (see tests/README.md). Tests that need them skip without.
VECTORS ?= $(if $(CAIRN_VECTORS),$(CAIRN_VECTORS),../shared/vectors)
ARGS ?=
SEEDS ?= 0..100
PREFIX ?= $(HOME)/.local
SYSTEM ?= bookworm trixie
# By the shell, since make tears a path with blanks apart.
VECTORS_PATH = "$$(cd "$(VECTORS)" 2>/dev/null && pwd || printf %s "$(VECTORS)")"

# Where rustup puts cargo: a shell that was open before has not heard of it.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help setup build run test clients page sim lab report conformance rpc-compat check bench install uninstall fresh clean

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## Installs or names what a build needs
	@command -v bash >/dev/null || { echo "setup: bash is not installed" >&2; exit 1; }
	@./scripts/setup.sh
	@./scripts/rocksdb.sh

build: setup ## Builds cairn-node, cairn-miner and cairn-wallet
	@./scripts/build.sh

run: build ## Starts a node that mines the local chain (ARGS="..." adds flags)
	@exec bin/cairn-node --chain local --mine $(ARGS)

test: setup ## Runs every test
	@CAIRN_VECTORS=$(VECTORS_PATH) ./scripts/test.sh

clients: build ## Runs Ethereum's clients against the node (ARGS="ethers cast", ARGS="--on anvil")
	@CAIRN_VECTORS=$(VECTORS_PATH) ./scripts/clients.sh $(ARGS)

page: build ## Drives the node's page with Chromium (ARGS="chain devnet network hostile less wallet views load")
	@CAIRN_VECTORS=$(VECTORS_PATH) ./scripts/page.sh $(ARGS)

sim: setup ## Runs histories of a simulated network: SEEDS=0..1000, or one with its log: SEED=17 (ARGS="--attack eclipse")
	@cargo run --locked --release --quiet -p cairn-sim -- $(if $(SEED),--seed $(SEED) --log,--seeds $(SEEDS)) $(ARGS)

lab: setup ## Checks the consensus protocols of tests/lab and prints the table (ARGS="paxos --crash 1 --seed 7" shows one run)
	@cargo run --locked --release --quiet -p cairn-lab -- $(ARGS)

report: setup ## Measures published results with the engine under attack and writes docs/report (ARGS=--quick)
	@cargo run --locked --release --quiet -p cairn-report -- $(ARGS)

conformance: setup ## Runs Ethereum's official tests in VECTORS=FOLDER (ARGS="--filter TEXT" and others)
	@cargo run --locked --release --quiet -p cairn-vm-tests --bin conformance -- $(VECTORS_PATH) $(ARGS)

rpc-compat: setup ## Runs Ethereum's test cases of the JSON-RPC in VECTORS=FOLDER (ARGS=TEXT: those whose names hold it)
	@./scripts/rpc_compat.sh $(VECTORS_PATH) $(ARGS)

check: setup ## Format, lints, docs, fuzz targets, licences and advisories
	@./scripts/check.sh

bench: build ## Prints the benchmark table
	@CAIRN_VECTORS=$(VECTORS_PATH) ./scripts/bench.sh $(ARGS)

install: build ## Installs programs, man pages and completions below PREFIX (~/.local)
	@rm -rf bin/manual && cargo run --locked --release --quiet -p cairn-manual -- bin/manual
	@./scripts/install.sh "$(PREFIX)" bin bin/manual

uninstall: ## Removes what install put below PREFIX
	@./scripts/install.sh --uninstall "$(PREFIX)"

fresh: ## Runs the README's two commands on a minimal SYSTEM (bookworm, trixie) in a folder; needs root
	@./scripts/fresh.sh $(SYSTEM)

clean: ## Removes what was built, not the chain's data
	@cargo clean && rm -rf bin
