# `make` or `make help` lists what there is. Only make, a POSIX shell, Python >= 3.11 and npm are
# needed; everything else is installed here, below this folder.

PYTHON ?= python3
PORT ?= 8000
# Not from the environment: some shells export HOST as the machine's own name.
HOST = 127.0.0.1
CHROMIUM ?= /usr/bin/chromium
FIREFOX ?= /usr/bin/firefox-esr
FUZZ_SECONDS ?= 600
SAMPLE ?= 40
SEED ?= 0

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input --require-hashes
PYTEST := $(BIN)/python -m pytest
VENDOR := static/vendor
CLIENT := static/client
# What static/vendor is built from.
VENDOR_OF = $(shell cksum < package-lock.json)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
# Byte code is kept: without it every process of a run compiles every test anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Settings: make run PORT=8765 HOST=0.0.0.0, make ... PYTHON=python3.12"

.PHONY: run
run: $(VENV)/runtime.stamp $(VENDOR)/stamp lanes $(CLIENT)/about.json ## Set everything up and serve on http://127.0.0.1:8000/
	@exec $(BIN)/python -m launcher --host "$(HOST)" --port "$(PORT)"

# For a deployment. Only what requirements.txt pins: neither what tests need nor the embedded store.
# Readable for the service's account whatever root's umask is; its byte code too, for it writes none.
.PHONY: install
install: ## Install what a deployment needs: sudo make install PYTHON=/usr/bin/python3
	@umask 022 && $(MAKE) --no-print-directory $(VENV)/site.stamp lanes pages client
	@umask 022 && $(BIN)/python -m compileall -q accounts audit files notices runtime securestore

# Node.js only builds what browsers get: on any machine, and static/vendor can be copied from there.
.PHONY: pages
pages:
	@test "$$(cat $(VENDOR)/stamp 2> /dev/null)" = "$(VENDOR_OF)" || $(MAKE) --no-print-directory static

.PHONY: static
static: $(VENDOR)/stamp ## Build what browsers get (static/vendor, from npm), here or to be copied

# Frames side by side, faster. Where it cannot be built, Python does the same, and nothing stops.
.PHONY: lanes
lanes: $(VENV)/created.stamp ## Build what seals and opens frames faster (others do it by themselves)
	@$(BIN)/python -m files.crypto.lanes.build || :

.PHONY: client
client: $(CLIENT)/about.json ## Build the command securestore, which the site offers (static/client)

.PHONY: test
test: packages lint types contracts migrations unit functional integration browser ## Everything that a change must pass

.PHONY: lint
lint: $(VENV)/dev.stamp ## Style: ruff check and ruff format --check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: $(VENV)/dev.stamp ## Types: mypy --strict
	$(BIN)/mypy --strict

.PHONY: contracts
contracts: $(VENV)/dev.stamp ## Layers: who may import whom
	$(BIN)/lint-imports

.PHONY: migrations
migrations: $(VENV)/dev.stamp ## Models: no migration is missing
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run

# Each starts sites and stores of its own; the tests of one file share theirs. Files that take long come
# first (tests/conftest.py). These tests mostly wait, for servers and browsers: more at once than there
# are cores keep two of them busy.
BY_FILE := --dist loadfile --no-loadscope-reorder
SITES_AT_ONCE ?= 4
BROWSERS_AT_ONCE ?= 3
# Tests that start real servers may be late where several run at once: what failed is tried once more, alone.
ALONE := --last-failed --last-failed-no-failures all -p no:xdist

# Each process of a run reads all tests that it is given, also those that it then leaves out.
IN_PROCESS := --ignore=tests/browser --ignore=tests/integration --ignore=tests/soak
UNIT := $(IN_PROCESS) --ignore=tests/files/web -m "not functional and not integration and not browser and not soak"
FUNCTIONAL := $(IN_PROCESS) -m "functional and not integration and not browser and not soak"

.PHONY: unit
unit: $(VENV)/dev.stamp lanes ## Unit tests, on every core
	$(PYTEST) -n auto $(UNIT) || $(PYTEST) $(UNIT) $(ALONE)

.PHONY: functional
functional: $(VENV)/dev.stamp lanes ## Whole requests, and files into a store in memory, without a server
	$(PYTEST) -n auto $(FUNCTIONAL) || $(PYTEST) $(FUNCTIONAL) $(ALONE)

TOGETHER := --ignore=tests/browser --ignore=tests/soak -m "integration and not alone and not soak"
BY_THE_CLOCK := --ignore=tests/browser --ignore=tests/soak -m "integration and alone and not soak"

.PHONY: integration
integration: packages $(VENV)/dev.stamp $(VENDOR)/stamp lanes client ## Tests against the real object store
	$(PYTEST) $(TOGETHER) -n $(SITES_AT_ONCE) $(BY_FILE) || $(PYTEST) $(TOGETHER) $(ALONE)
	$(PYTEST) $(BY_THE_CLOCK) || $(PYTEST) $(BY_THE_CLOCK) $(ALONE)

BROWSERS := CHROMIUM="$(CHROMIUM)" FIREFOX="$(FIREFOX)"

.PHONY: browser
browser: packages $(VENV)/dev.stamp $(VENDOR)/stamp lanes client ## Tests in Chromium and Firefox against the running site
	$(BROWSERS) $(PYTEST) -m "browser and not soak" -n $(BROWSERS_AT_ONCE) $(BY_FILE) tests/browser || \
	    $(BROWSERS) $(PYTEST) -m "browser and not soak" $(ALONE) tests/browser

NO_LIMIT := -o timeout=0 -o faulthandler_timeout=0

.PHONY: soak
soak: packages $(VENV)/dev.stamp $(VENDOR)/stamp lanes client ## Long and memory-hungry tests
	$(BROWSERS) $(PYTEST) $(NO_LIMIT) -m "soak"
	$(PYTEST) $(NO_LIMIT) -n auto -m "hypothesis and not integration and not browser and not soak" \
	    --hypothesis-profile=soak
	@$(MAKE) --no-print-directory fuzz

.PHONY: fuzz
fuzz: $(VENV)/dev.stamp lanes ## Fuzz each parser for ten minutes (FUZZ_SECONDS=60: for one)
	FUZZ_SECONDS="$(FUZZ_SECONDS)" $(PYTEST) $(NO_LIMIT) -n auto tests/files/fuzz

.PHONY: mutants
mutants: $(VENV)/dev.stamp ## Is a wrong module noticed? MODULE=files.access.rule (SAMPLE=40 SEED=0)
	$(BIN)/python -m tests.mutation --sample "$(SAMPLE)" --seed "$(SEED)" -- "$(MODULE)"

.PHONY: bench
bench: peers $(VENV)/bench.stamp $(VENDOR)/stamp lanes ## Measure throughput and memory
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.plots

.PHONY: screenshots
screenshots: packages $(VENV)/dev.stamp $(VENDOR)/stamp ## Take the pictures of all pages, into docs/images/pages
	SCREENSHOTS=docs/images/pages $(BROWSERS) $(PYTEST) -m "browser and not soak" \
	    -k "every_page_is or every_page_fits or a_mail_fits" tests/browser/test_every_page.py \
	    tests/browser/test_every_page_of_others.py tests/browser/test_administration.py tests/browser/test_letters.py
	$(BIN)/python -m tests.browser.gallery

.PHONY: messages
messages: $(VENV)/dev.stamp ## Bring the German and French catalogues up to the source
	$(BIN)/python -m tests.languages

.PHONY: format
format: $(VENV)/dev.stamp ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: api
api: $(VENV)/dev.stamp ## Make docs/openapi.json and docs/api.md anew, of the code
	$(BIN)/python -m tests.api_document

.PHONY: lock
lock: $(VENV)/dev.stamp ## Renew requirements*.txt and package-lock.json (UPGRADE=1: newest versions)
	for set in requirements requirements-store requirements-dev requirements-bench; do \
	    UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal \
	        --python-version 3.11 --generate-hashes --no-emit-index-url \
	        $(if $(UPGRADE),--upgrade) $$set.in --output-file $$set.txt || exit; \
	done
	npm $(if $(UPGRADE),update,install) --package-lock-only

.PHONY: clean
clean: ## Remove what make installed; data (var/) and secrets (.env) stay
	rm -rf $(VENV) node_modules $(VENDOR) $(CLIENT) .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	    .import_linter_cache files/crypto/lanes/_lanes.abi3.so files/crypto/lanes/built.txt
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- What the targets above stand on; a stamp is as old as what it was made from ----------------

# Made again when its Python is gone, as after an upgrade of the system's, and when another is named.
WHICH := -c 'import sys; print(sys.base_prefix, sys.version)'
FITS := $(shell test -x $(BIN)/python && { test "$(origin PYTHON)" = file || \
    test "$$($(BIN)/python $(WHICH))" = "$$("$(PYTHON)" $(WHICH) 2> /dev/null)"; } && echo yes)
$(VENV)/created.stamp: $(if $(FITS),,FORCE)
	@command -v "$(PYTHON)" > /dev/null || { \
	    echo "$(PYTHON) is missing: install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "$$("$(PYTHON)" --version) is too old: Securestore needs Python 3.11 or newer; name one: make run PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2> /dev/null || { \
	    echo "$(PYTHON) has no venv module: install it (Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Making the virtual environment $(VENV) of $$("$(PYTHON)" -c 'import sys; print(sys.executable, sys.version.split()[0])')"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@touch $@

$(VENV)/site.stamp: $(VENV)/created.stamp requirements.txt
	@echo "Installing requirements"
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/runtime.stamp: $(VENV)/site.stamp requirements-store.txt
	@echo "Installing the embedded store"
	@$(PIP) -r requirements-store.txt
	@touch $@

$(VENV)/dev.stamp: $(VENV)/runtime.stamp requirements-dev.txt
	@echo "Installing development requirements"
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV)/bench.stamp: $(VENV)/dev.stamp requirements-bench.txt
	@echo "Installing what benchmarks compare with"
	@$(PIP) -r requirements-bench.txt
	@touch $@

node_modules/stamp: package.json package-lock.json .npmrc
	@command -v npm > /dev/null || { \
	    echo "npm is missing: install Node.js 18 or newer with npm (Debian and Ubuntu: apt-get install npm)," \
	        "or run make static of this version elsewhere and copy static/vendor from there" >&2; exit 1; }
	@echo "Installing browser packages"
	@npm ci --ignore-scripts --silent
	@touch $@

# Only what the pages use, with its licence; the source map because tus.min.js names it. Of pdf.js no
# WebAssembly, which the viewer's policy does not let run, nor what runs a document's scripts.
$(VENDOR)/stamp: node_modules/stamp
	@mkdir -p $(VENDOR)
	@cp node_modules/@picocss/pico/css/pico.min.css $(VENDOR)/
	@cp node_modules/@picocss/pico/LICENSE.md $(VENDOR)/pico.LICENSE.txt
	@cp node_modules/tus-js-client/dist/tus.min.js node_modules/tus-js-client/dist/tus.min.js.map $(VENDOR)/
	@cp node_modules/tus-js-client/LICENSE $(VENDOR)/tus.LICENSE.txt
	@rm -rf $(VENDOR)/pdfjs && mkdir -p $(VENDOR)/pdfjs/wasm
	@cp node_modules/pdfjs-dist/legacy/build/pdf.min.mjs node_modules/pdfjs-dist/legacy/build/pdf.worker.min.mjs \
	    node_modules/pdfjs-dist/LICENSE $(VENDOR)/pdfjs/
	@cp -R node_modules/pdfjs-dist/cmaps node_modules/pdfjs-dist/standard_fonts $(VENDOR)/pdfjs/
	@cp node_modules/pdfjs-dist/wasm/*_nowasm_fallback.js node_modules/pdfjs-dist/wasm/LICENSE_* $(VENDOR)/pdfjs/wasm/
	@echo "$(VENDOR_OF)" > $@

# A wheel and one file, of the standard library alone: the same bytes wherever they are made.
CLIENT_OF := $(shell find client -name '*.py' -o -name pyproject.toml -o -name README.md)
$(CLIENT)/about.json: $(CLIENT_OF) | $(VENV)/created.stamp
	@$(BIN)/python -m client.build $(CLIENT)

.PHONY: FORCE
FORCE:

# What `make bench` compares with and pip cannot give. Without it, its rows are left out.
.PHONY: peers
peers:
	@if command -v age > /dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	    echo "Installing age" && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends age < /dev/null > /dev/null; \
	else \
	    echo "There will be no comparison with age. For that, run: sudo apt-get install age" >&2; \
	fi

# What tests need and pip and npm cannot give: two browsers, what a deployment stands on (PostgreSQL,
# PgBouncer, Redis, nginx, systemd's checker of units), clients that others wrote, strace to watch the
# disk, npm itself.
.PHONY: packages
packages:
	@missing=""; \
	command -v npm > /dev/null || missing="$$missing npm"; \
	command -v "$(CHROMIUM)" > /dev/null || missing="$$missing chromium"; \
	command -v "$(FIREFOX)" > /dev/null || missing="$$missing firefox-esr"; \
	command -v initdb > /dev/null || ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 \
	    || missing="$$missing postgresql"; \
	for program in curl wget strace pgbouncer redis-server; do \
	    command -v $$program > /dev/null || ls /usr/sbin/$$program > /dev/null 2>&1 \
	        || missing="$$missing $$program"; \
	done; \
	command -v aria2c > /dev/null || missing="$$missing aria2"; \
	command -v nginx > /dev/null || ls /usr/sbin/nginx > /dev/null 2>&1 || missing="$$missing nginx-light"; \
	command -v systemd-analyze > /dev/null || missing="$$missing systemd"; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	    echo "Installing$$missing" && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing < /dev/null > /dev/null; \
	else \
	    echo "The tests need these packages:$$missing. Run: sudo apt-get install$$missing" >&2; exit 1; \
	fi
