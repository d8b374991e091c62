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

.PHONY: verify
verify: bootstrap ## prove of the running archive what it refuses; ARGS="--tier write --out evidence"
	@$(securepacs)

.PHONY: upgrade
upgrade: ## make the base image anew with today's packages, then bring the archive to it
	@bootstrap/bootstrap --renew-image
	@.venv/bin/securepacs up $(stack_option) $(ARGS)

.PHONY: test lint types test-unit test-provider test-policies test-deployed test-mutants test-lifecycle test-bench
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
test-policies: bootstrap ## each rule, and the pack with the real engine: nothing is made of what breaks one
	@tests/run policies
test-deployed: bootstrap ## a whole archive, attacked
	@tests/run deployed
test-mutants: bootstrap ## archives with one defect each, of which the harness must tell; today's part of them
	@tests/run mutants
test-lifecycle: bootstrap ## what is changed, killed, upgraded and recovered, on clinics of its own
	@tests/run lifecycle

test-bench: bootstrap ## a short measurement beside an open Orthanc: what makes the clinic fast is there
	@tests/run bench

# The same tests in their long form.
.PHONY: test-kill test-durability test-database
test-kill: bootstrap ## runs of the command line killed at random points; KILLS=60
	@SECUREPACS_KILLS=$(KILLS) .venv/bin/python -m pytest -q -s tests/lifecycle/failure/test_kill_runs.py
test-durability: bootstrap ## archive and gateway killed under load; KILLS=60
	@SECUREPACS_DURABILITY_KILLS=$(KILLS) .venv/bin/python -m pytest -q -s tests/lifecycle/change/test_durability.py
test-database: bootstrap ## database killed under load, moves of the index killed on both ways; KILLS=60
	@SECUREPACS_DATABASE_KILLS=$(KILLS) .venv/bin/python -m pytest -q -s tests/lifecycle/database --timeout=0

.PHONY: bench bench-policies
bench: bootstrap ## every figure of docs/performance.md, in about seventy minutes; ARGS="--groups ingest" for some
	@PYTHONPATH=tests .venv/bin/python -m bench $(ARGS)
	@PYTHONPATH=tests .venv/bin/python docs/performance.py
bench-policies: bootstrap ## what the policies cost: previews with and without them, and their time as a program grows
	@PYTHONPATH=tests .venv/bin/python -m bench.policies $(ARGS)

# Every mutant, and the page that tells what became of each.
.PHONY: mutants
mutants: bootstrap ## all mutants: writes docs/mutants.md; ARGS="tls-1.0 root" for some
	@PYTHONPATH=tests .venv/bin/python -m mutants.matrix $(if $(ARGS),$(ARGS),--page docs/mutants.md)

.PHONY: test-yaml
test-yaml: bootstrap ## a clinic in Pulumi YAML; builds Pulumi's YAML language host where there is none
	@command -v pulumi-language-yaml >/dev/null || test -x .tools/yaml/pulumi-language-yaml \
	    || go build -C tests/lifecycle/reuse/yaml_host -o "$(CURDIR)/.tools/yaml/" github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml
	@.venv/bin/python -m pytest -q tests/lifecycle/reuse/yaml_clinic.py

.PHONY: docs
docs: bootstrap ## write what is generated: API, checks, rules, controls and the schemas
	@.venv/bin/securepacs schema > docs/clinic.schema.json
	@.venv/bin/securepacs schema --package > docs/package.schema.json
	@.venv/bin/python docs/reference.py > docs/api.md
	@.venv/bin/pacs-verify --schema > docs/target.schema.json
	@.venv/bin/pacs-verify --results-schema > docs/results.schema.json
	@.venv/bin/python docs/checks.py > docs/checks.md
	@.venv/bin/python docs/rules.py
	@.venv/bin/python docs/controls.py

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
