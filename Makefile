# What a person does with this checkout. `make help` lists the targets; STACK=NAME and ARGS="..." reach the command.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

# Our own build of Pulumi and our own Python environment come before what the host has.
export PATH := $(CURDIR)/.tools/bin:$(CURDIR)/.venv/bin:$(PATH)

STACK ?=
ARGS ?=
KILLS ?= 60
stack_option := $(if $(STACK),--stack $(STACK))
securepacs = .venv/bin/securepacs $@ $(stack_option) $(ARGS)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: bootstrap
bootstrap: ## prepare this host: Python environment, Docker engine, Pulumi CLI, base image
	@bootstrap/bootstrap

.PHONY: up preview down status
up: bootstrap ## bring up the archive that Pulumi.dev.yaml declares
	@$(securepacs)
preview: bootstrap ## show what `make up` would change
	@$(securepacs)
down: bootstrap ## take the archive down; its studies stay
	@$(securepacs)
status: bootstrap ## show what runs, when certificates expire, how full the storage is
	@$(securepacs)

.PHONY: upgrade
upgrade: ## make the base image anew with today's packages, then bring the archive to it
	@bootstrap/bootstrap --renew-image
	@.venv/bin/securepacs up $(stack_option) $(ARGS)

.PHONY: test lint types test-unit test-provider test-deployed test-kill
test: bootstrap ## run every check, a line and its seconds for each stage
	@tests/run $(ARGS)
lint: bootstrap ## style, and the shell scripts where shellcheck is installed
	@tests/run lint
types: bootstrap ## mypy --strict
	@tests/run types
test-unit: bootstrap ## tests that need neither engine nor Pulumi
	@tests/run unit
test-provider: bootstrap ## the provider over gRPC, against the engine
	@tests/run provider
test-deployed: bootstrap ## a whole archive, attacked
	@tests/run deployed

test-kill: bootstrap ## runs killed at random moments, KILLS=60 of them, and run again
	@SECUREPACS_KILLS=$(KILLS) .venv/bin/python -m pytest -q -s tests/lifecycle/failure/test_kill_runs.py

.PHONY: lock
lock: bootstrap ## write requirements.lock anew from pyproject.toml
	@.venv/bin/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header \
	    --extra harness --extra dev --python-version 3.11 --output-file requirements.lock pyproject.toml

.PHONY: wheel
wheel: bootstrap ## build the distribution into dist/
	@.venv/bin/python -m hatchling build --target wheel --directory dist

.PHONY: clean
clean: ## remove caches and build results; never the environment, the state, or anything of the engine's
	@rm -rf -- dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -not -path './.tools/*' -prune -exec rm -rf -- {} +
