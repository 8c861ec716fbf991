# The commands of this repository. `make help` lists them.
#
# Everything but the benchmarks uses one profile and one set of features (`cargo … --workspace`), so
# that demo, tests and lint share what is compiled.

SHELL := /bin/sh
.DEFAULT_GOAL := help

TOOLS := .offset-zero/tools
# What the benchmark compares us with: a workspace of its own, see there.
CQRS_ES := cli/cqrs-es/Cargo.toml

.PHONY: help setup build demo up test lint bench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing (as root on Debian), else say what to type
	@sh dev/prerequisites.sh

build: setup ## compile the binaries
	cargo build --locked --workspace --bins

demo: build ## boot the whole stack, follow orders through it, rebuild a read model, leave nothing running
	target/debug/offset-zero demo

# `exec`, so that a signal to make's child reaches the program and not a shell around it.
up: build ## run the stack in the foreground until Ctrl-C
	@exec target/debug/offset-zero dev

test: setup ## every test, against a real Kafka and a real Postgres
	cargo build --locked --workspace --all-targets
	@sh dev/test.sh

lint: setup ## formatting, clippy, dependencies, spelling
	@sh dev/lint-tools.sh
	cargo fmt --all --check
	cargo fmt --manifest-path $(CQRS_ES) --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --manifest-path $(CQRS_ES) --target-dir target -- -D warnings
	$(TOOLS)/bin/cargo-deny --workspace check bans licenses sources
	$(TOOLS)/bin/cargo-deny --manifest-path $(CQRS_ES) --config deny.toml check bans licenses sources
	$(TOOLS)/bin/typos

bench: setup ## the benchmarks, in release mode; a table with ratios at the end
	cargo build --release --locked --workspace --bins
	cargo build --release --locked --manifest-path $(CQRS_ES) --target-dir target
	target/release/offset-zero bench
