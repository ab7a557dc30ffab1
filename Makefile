# Every target is described in docs/guides/develop.md.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PAIRED := $(BIN)/linnet bench load --seconds 10
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup run test quick check cover bench golden chaos crashes fuzz soak referee tools

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

tools:
	@.ci/tools

setup: $(READY) ## the Python environment in .venv; quick when it is up to date

$(READY): pyproject.toml constraints.txt
	@.ci/tools --python-only
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: tools setup ## the demo: a server, two people, an encrypted message
	@$(BIN)/linnet demo

test: ## everything under tests/, with what it needs installed first
	@.ci/test

quick: setup ## the tests that take under a minute together
	@$(BIN)/pytest -q -n logical --dist loadfile --hypothesis-profile quick \
	  -m "not slow and not referee"

check: setup ## format, lint, types, import rules, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

cover: setup ## 100 % branch coverage of the packages that promise it
	$(BIN)/pytest -q -p no:cacheprovider --cov=linnet.wire --cov-branch \
	  --cov-report=term-missing:skip-covered --cov-fail-under=100 tests/wire

bench: setup ## what docs/guides/develop.md lists, each beside something to compare with
	$(PAIRED) --pairs 200 --in-flight 4
	$(PAIRED) --pairs 2000 --in-flight 1
	$(PAIRED) --pairs 20 --rate 100
	$(BIN)/linnet bench idle --connections 10000
	$(BIN)/linnet bench fanout --members 1024
	$(BIN)/python -m benchmarks.micro.sessions
	$(BIN)/python -m benchmarks.micro.groups

golden: setup ## the generated parts of docs and tests/vectors/wire, from the code
	@$(BIN)/python -m tests.wire.golden
	@$(BIN)/python -m tests.hostile.page

crashes: setup ## a process dies at every step of every story; in `make test` at every 29th
	@LINNET_CRASH_EVERY=1 $(BIN)/pytest -q -n logical tests/crashes

chaos: setup ## the nightly loss test: 20 kills
	@LINNET_CHAOS_KILLS=20 $(BIN)/pytest -q tests/chaos

soak: setup ## the nightly soak: ten minutes of everything at once
	@LINNET_SOAK_SECONDS=$${LINNET_SOAK_SECONDS:-600} $(BIN)/pytest -q tests/soak

fuzz: setup ## an hour of fuzzing all decoders; LINNET_FUZZ_SECONDS says how long
	@$(BIN)/python -m tests.fuzz.run

referee: setup ## the nightly conversations with libsignal: 10,000 messages each
	@LINNET_REFEREE_MESSAGES=10000 $(BIN)/pytest -q tests/referee
