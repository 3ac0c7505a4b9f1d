# Everything works from a fresh clone: each target sets up .venv by itself. Needed: python3 (3.11+) with venv, make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
STUBS := build/stubs/.ready
PROTOS := $(shell find proto -name '*.proto')
SOURCES := reference_server reference_client conformance tests benchmarks examples tools
JOBS ?= 2

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

.PHONY: certify
certify: $(STUBS) ## Start the reference server and certify it; ARGS="--seed 7" and the like are passed on
	$(BIN)/cartsync-conformance run --launch "$(BIN)/cartsync-server serve" $(ARGS)

.PHONY: adapters
adapters: $(STUBS) ## Install two real shops, start them behind thin adapters and judge them; ARGS="vendure" for one (minutes)
	$(BIN)/python examples/adapters/judge.py $(ARGS)

.PHONY: test
test: lint docs-check ## Lint, type-check, look for stale files, run every test
	$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder  # the long files are not the last

.PHONY: test-deep
test-deep: $(STUBS) ## The invariants of money and order on 10,000 examples each (hours)
	$(BIN)/pytest -n $(JOBS) --dist loadfile --hypothesis-profile=deep --timeout=0 $(ARGS) \
	    tests/conformance/oracle/test_money.py tests/conformance/oracle/test_order_of_arrival.py \
	    tests/reference_server/engine tests/reference_server/test_settlement_every_profile.py

.PHONY: selftest
selftest: $(STUBS) ## Prove the suite: every mutant caught, the reference never blamed (an hour)
	$(BIN)/cartsync-conformance selftest $(ARGS)

.PHONY: lint
lint: $(STUBS) compat-check ## Check format, lint and types of Python, format and lint of the protocol
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf lint
	$(BIN)/mypy

.PHONY: compat-check
compat-check: $(STUBS) ## Fail when the protocol or the spec takes back what a released edition promised
	$(BIN)/python -m tools.release check

.PHONY: release-edition
release-edition: test ## Freeze the working copy of protocol and spec as a released edition in compat/
	$(BIN)/python -m tools.release freeze

.PHONY: format
format: $(STUBS) ## Format Python and the protocol in place
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/buf format --write

.PHONY: stubs
stubs: $(READY) ## Generate the package cartsync into build/stubs
	$(BIN)/python tools/build_stubs.py
	@touch $(STUBS)

.PHONY: stubs-check
stubs-check: $(STUBS) ## Generate, compile and run stubs in seven languages; ARGS="--require go,java" and the like are passed on
	$(BIN)/python -m tools.stubs_check $(ARGS)

.PHONY: docs
docs: $(STUBS) ## Write the generated pages and pictures of docs
	$(BIN)/python -m tools.vectors
	$(BIN)/python -m tools.reference

.PHONY: docs-check
docs-check: $(STUBS) ## Fail when a generated page is stale
	$(BIN)/python -m tools.reference --check
	$(BIN)/python -m tools.vectors --check

.PHONY: model
model: $(READY) ## Explore the formal model with Spin, and again without each rule; ARGS="--write", "--deep", "--only discard"
	$(BIN)/python -m tools.model $(ARGS)

.PHONY: site
site: $(STUBS) ## Build the documentation site into build/site; every link is followed
	$(BIN)/python -m tools.site build

.PHONY: site-check
site-check: site ## Open every page of the site in a headless Chromium
	$(BIN)/python -m tools.site check $(ARGS)

.PHONY: report-check
report-check: $(STUBS) ## Open sample reports in a headless Chromium: nothing broken, foreign, cut or inaccessible
	$(BIN)/python -m tools.report_check $(ARGS)

.PHONY: action-check
action-check: $(STUBS) ## Run the steps of action.yml as a runner does, against a right and a wrong server; ARGS="--quick"
	$(BIN)/python -m tools.action_check $(ARGS)

.PHONY: lock
lock: $(READY) ## Resolve the newest versions that pyproject.toml allows into requirements.lock
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --python-version 3.11 \
	    --no-emit-index-url --no-header --quiet --upgrade --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml ci/requirements.in --constraint requirements.lock --universal --generate-hashes \
	    --python-version 3.11 --no-emit-index-url --no-header --quiet --output-file ci/requirements.lock

.PHONY: clean
clean: ## Remove everything that was generated, the virtual environment too
	rm -rf build dist $(VENV) conformance-report cartsync-data .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml tools/build_stubs.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Cartsync needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try make PYTHON=python3.12" >&2; exit 2; }
	@# A virtual environment without pip is what a failed attempt leaves behind.
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

$(STUBS): $(READY) $(PROTOS)
	$(BIN)/python tools/build_stubs.py
	@touch $(STUBS)
