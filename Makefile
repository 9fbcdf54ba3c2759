# The two commands of the README are `make demo` and `make test`. Both install what is missing, say so, and can be run again.
.DEFAULT_GOAL := help
.PHONY: help demo test check fuzz bench python node static fmt clean

help: ## Show this
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## Back up, verify and restore a real PostgreSQL database, on a throw-away cluster
	@examples/demo/run

test: ## Run all tests
	@scripts/install test
	@scripts/test

check: ## Form, lints, docs, licences and the arrows between the crates
	@scripts/install test
	@scripts/check

fuzz: ## Feed the parsers with random input, a minute each (needs Rust nightly and cargo-fuzz)
	@scripts/fuzz

bench: ## Measure the program beside other tools (docs/benchmarks.md)
	@scripts/install bench
	@scripts/bench

python: ## Build the Python package's wheel, and try it in an empty environment
	@scripts/install test
	@scripts/python wheel

static: ## Build a program that needs nothing beside it, and print where it is
	@scripts/static

node: ## Build the npm package for this machine, install it into an empty folder, and try it
	@scripts/install node
	@scripts/node-pack

fmt: ## Format the Rust code
	@cargo fmt --all

clean: ## Remove everything built
	@cargo clean
