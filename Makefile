# Two commands matter: `make demo` and `make test`. Everything else serves them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo up test check lint types imports format docs test-slow faults fuzz bench lock browser clean

help:            ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 12

setup: $(READY)  ## build .venv from the pinned lock file
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements.lock)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: $(READY)   ## a synthetic bank, the whole loop, the story in numbers, then the console
	$(BIN)/huanying demo

up: $(READY)     ## start the whole stack on port 8000; Ctrl-C stops it
	$(BIN)/huanying up

test: $(READY) browser ## everything: lint, types, imports, documents, and all tests on real servers
	$(MAKE) --no-print-directory --jobs 2 --output-sync check
	$(BIN)/pytest -n 2 --dist loadgroup

check: types lint imports docs ## what needs no server: format, lint, types, imports, documents

lint: $(READY)   ## format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

imports: $(READY) ## who may import whom
	$(BIN)/lint-imports --no-logo

docs: $(READY)   ## the committed API documents match the code
	$(BIN)/huanying openapi --check

format: $(READY) ## rewrite sources and API documents
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/huanying openapi

browser:         ## Chromium for the browser tests, where we may install it
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -y -qq chromium fonts-noto-cjk >/dev/null; } \
	  || echo "no chromium: browser tests will say so and skip"

test-slow: $(READY) ## the long forms of property tests (minutes)
	$(BIN)/pytest -m slow
	HUANYING_MERGE_EXAMPLES=100 $(BIN)/pytest tests/customer/test_merge_identity.py

faults: $(READY) ## kill everything, many times (long)
	$(BIN)/pytest tests/faults -m faults --faults-rounds 20

fuzz: $(READY)   ## the customer API under many more generated requests (long)
	HUANYING_FUZZ_EXAMPLES=200 $(BIN)/pytest tests/customer/test_schema.py

bench: $(READY)  ## ratios against references in the same run
	$(BIN)/python -m benchmarks.run

lock: $(READY)   ## renew the pinned versions
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock

clean:           ## remove what was built; your data in .huanying stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
