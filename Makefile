.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PYTHON ?= python3
PYTEST ?= -n 2
KILLS ?= 200

.PHONY: contact-sheet looks lighthouse manifest-screens help run test check bench chaos conformance lock browser sandbox servers

help: ## say what there is
	@echo 'make run     the whole company on this machine: database, API, worker and sealer'
	@echo 'make test    everything the tests need, then all tests'
	@echo 'make check   format, lint, types and import contracts'
	@echo 'make bench   the measured figures beside their bars'
	@echo 'make chaos   200 random kill -9 of every process, then what became of the work (KILLS=n)'
	@echo 'make chaos OUTAGE=3   the same with the evidence store alone killed, for so many minutes'
	@echo 'make conformance  which promise each engine and store keeps: the contract suites as docs/conformance.md'
	@echo 'make contact-sheet   every screen and state of the console in one image, build/contact-sheet.png'
	@echo 'make looks   axe over every screen and state in all sixteen pairings of width, theme and language'
	@echo 'make manifest-screens   the pictures that the manifest shows before the console is installed'
	@echo 'make lighthouse   Lighthouse over the console, a reported figure (Node 22.19; an older Lighthouse on 18.20)'
	@echo 'make lock    lock the dependencies anew from requirements/in'

run: .venv/.ready
	@exec $(BIN)/flr serve

test: .venv/.ready-test browser sandbox servers
	@$(BIN)/python -m pytest $(PYTEST)

check: .venv/.ready-test
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .venv/.ready-test
	@$(BIN)/python -m bench

conformance: .venv/.ready-test
	@$(BIN)/python -m tests.adapters.certificate

chaos: .venv/.ready-test
	@$(BIN)/python -m tests.chaos $(if $(OUTAGE),--outage $(OUTAGE),--kills $(KILLS))

contact-sheet: .venv/.ready-test browser
	@$(BIN)/python -m pytest -q -n 0 e2e/contact_sheet.py

looks: .venv/.ready-test browser
	@FLR_LOOKS=all $(BIN)/python -m pytest -q -n 0 e2e/test_gates.py e2e/test_states.py

manifest-screens: .venv/.ready-test browser
	@$(BIN)/python -m pytest -q -n 0 e2e/manifest_screens.py

lighthouse: .venv/.ready-test browser
	@$(BIN)/python -m e2e.lighthouse

browser: .venv/.ready-test
	@sh requirements/browser.sh

sandbox:
	@sh requirements/sandbox.sh

servers: .venv/.ready-test
	@sh requirements/servers.sh

# The environment. `make run` adds what is missing; `make test` makes it exactly the test lock, which holds the same
# versions and more. pip stands in where uv cannot run.
.venv/bin/python:
	@sh requirements/environment.sh "$(PYTHON)"

.venv/.ready: requirements/uv.txt requirements/app.txt pyproject.toml | .venv/bin/python
	@echo 'Installing the locked dependencies (about a minute the first time) ...'
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/app.txt || \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/app.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q app
	@touch $@

.venv/.ready-test: requirements/uv.txt requirements/test.txt pyproject.toml | .venv/bin/python
	@echo 'Installing the locked dependencies of the tests (about a minute the first time) ...'
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/test.txt || \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/test.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q app
	@touch .venv/.ready $@

COMPILE = $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
  --no-annotate --python-version 3.11

lock: | .venv/bin/python
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(COMPILE) requirements/in/uv.in -o requirements/uv.txt
	@$(COMPILE) requirements/in/app.in -o requirements/app.txt
	@$(COMPILE) -c requirements/app.txt requirements/in/test.in -o requirements/test.txt
	@cd requirements/npm && npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund
	@$(BIN)/python -c 'import json; at = "requirements/npm/package-lock.json"; lock = json.load(open(at)); \
	  [package.pop("funding", None) for package in lock["packages"].values()]; \
	  open(at, "w").write(json.dumps(lock, indent=2) + "\n")'
	@! grep -nE '://|--index|--find-links' requirements/*.txt requirements/npm/package-lock.json
