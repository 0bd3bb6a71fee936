# Cairn: `make run` starts a node that mines a local chain, `make test` runs every test. `make help` lists the rest.

# Test vectors: public data that is not part of the repository (see tests/README.md). Tests that need them skip without.
VECTORS ?= $(if $(CAIRN_VECTORS),$(CAIRN_VECTORS),../shared/vectors)
ARGS ?=
SEEDS ?= 0..100
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
BINARIES := --release -p cairn-node -p cairn-miner -p cairn-wallet

.PHONY: help setup build run test sim conformance check bench clean

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Installs or names what a build needs
	@./scripts/setup.sh

build: setup ## Builds cairn-node, cairn-miner and cairn-wallet
	@cargo build $(BINARIES)
	@mkdir -p bin && for b in cairn-node cairn-miner cairn-wallet; do ln -sf "$(abspath $(TARGET))/release/$$b" bin/$$b; done

run: build ## Starts a node that mines the local chain (ARGS="..." adds flags)
	@exec bin/cairn-node --chain local --mine $(ARGS)

test: setup ## Runs every test
	@CAIRN_VECTORS="$(abspath $(VECTORS))" ./scripts/test.sh

sim: setup ## Runs histories of a simulated network: SEEDS=0..1000, or one with its log: SEED=17 (ARGS="--attack eclipse")
	@cargo run --release --quiet -p cairn-sim -- $(if $(SEED),--seed $(SEED) --log,--seeds $(SEEDS)) $(ARGS)

conformance: setup ## Runs Ethereum's official tests in VECTORS=FOLDER (ARGS="--filter TEXT" and others)
	@cargo run --release --quiet -p cairn-vm-tests --bin conformance -- "$(abspath $(VECTORS))" $(ARGS)

check: setup ## Format, lints, docs, licences and advisories
	@./scripts/check.sh

bench: build ## Prints the benchmark table
	@CAIRN_VECTORS="$(abspath $(VECTORS))" ./scripts/bench.sh $(ARGS)

clean: ## Removes what was built, not the chain's data
	@cargo clean && rm -rf bin
