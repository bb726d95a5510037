# make demo   the whole platform on this machine, one story told with real parts
# make endurance   10,000 signatures through kill -9 of each signer; MINUTES=60 for an hour's memory as well, of bare and of whole signers
# make geth   the chain node for tests on a real network, installed with Go into .tools/bin
# make aws-build   the package of the functions for AWS Lambda;  make aws-check   the templates of deploy/aws before cfn-lint and checkov
# make rie    Amazon's emulator of the Lambda runtime interface for tests of functions, installed with Go into .tools/bin
# make emulators   emulators of Amazon's services for the tests, each in an environment of its own in .tools
# make test   every test;  make check  the fast ones, lint and types;  make bench  the performance table
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: setup setup-dev tools geth rie emulators aws-build aws-check demo test test-postgres drill check fast lint bench endurance lock clean

setup: $(VENV)/.runtime
setup-dev: $(VENV)/.dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.12 setup"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: setup
	@$(BIN)/sdt demo

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fast: setup-dev
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not slow"

check: lint fast

# Two files at a time in the order of the folders: the longest, which wait for chains and clocks, stand first. Then what is held against the clock.
test: setup-dev lint tools
	$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=20 --durations-min=30 -m "not alone"
	$(BIN)/pytest -q --durations=5 --durations-min=30 -m alone

# What tests need beside Python's packages, as far as it goes without root. What fails is named by its tests: by hand they are skipped, with CI=true they fail.
tools:
	-@for each in geth rie emulators; do $(MAKE) --no-print-directory $$each >.tools.log 2>&1 || $(MAKE) --no-print-directory $$each >.tools.log 2>&1 || { cat .tools.log; echo "without $$each some tests are skipped"; }; done; rm -f .tools.log

# What has a SQLite file of its own in `make test` (API, officers, sanctions, identity, random days, whole platforms) on PostgreSQL too.
test-postgres: setup-dev
	CI=true SDT_TEST_DATABASE=postgresql $(BIN)/pytest -q tests/integration tests/property tests/faults

# A platform on PostgreSQL loses its worker and its database and gets them back; prints how long each step took.
drill: setup-dev
	CI=true $(BIN)/pytest -q -s tests/faults/test_database_drill.py | grep -v '"level": "info"'

bench: setup-dev
	$(BIN)/python -m bench

# GoQuorum 24.4.1 is built on this version. Newer Go links it only when told to overlook names that it uses.
GETH_VERSION := v1.10.3
geth: .tools/bin/geth
.tools/bin/geth:
	@command -v go >/dev/null || { echo "Go is needed to install geth. On Debian or Ubuntu: apt-get install golang-go"; exit 1; }
	GOBIN=$(CURDIR)/.tools/bin GOFLAGS=-mod=mod go install $$(go version | grep -Eq 'go1\.(1[0-9]|2[0-2])([. ]|$$)' || echo -ldflags=-checklinkname=0) github.com/ethereum/go-ethereum/cmd/geth@$(GETH_VERSION)

EMULATORS := localstack ministack moto iac
emulators:
	@PYTHON=$(PYTHON) tests/emulators/install $(EMULATORS)

# The package of the functions, in dist/functions; with the functions' own Python it starts faster: make aws-build PYTHON=python3.13
aws-build:
	@$(PYTHON) deploy/aws/build_functions.py

# The templates of a region before cfn-lint and checkov, and our own rules of them.
aws-check: setup-dev
	@PYTHON=$(PYTHON) tests/emulators/install iac
	$(BIN)/pytest -q tests/unit/test_aws_templates.py tests/integration/test_aws_lint.py

# A commit, since its tags are none that Go takes.
RIE_VERSION := v0.0.0-20261030222936-bef5c4ba774d
rie: .tools/bin/aws-lambda-rie
.tools/bin/aws-lambda-rie:
	@command -v go >/dev/null || { echo "Go is needed to install the Runtime Interface Emulator. On Debian or Ubuntu: apt-get install golang-go"; exit 1; }
	GOBIN=$(CURDIR)/.tools/bin GOFLAGS=-mod=mod go install github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@$(RIE_VERSION)

MINUTES ?= 0
endurance: setup-dev
	$(BIN)/python tests/endurance.py --signatures 10000 --minutes $(MINUTES)
	$(BIN)/python tests/endurance.py --validators --minutes $(MINUTES)

# Names, versions and hashes alone: no index address goes into a lock file.
# LocalStack runs with the libraries of its own day only.
NEWEST_localstack := --exclude-newer 2026-02-20
COMPILE := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
ON_LINUX := $(subst --universal,--python-platform x86_64-manylinux_2_28,$(COMPILE))
lock:
	$(COMPILE) --extra build -o requirements.lock pyproject.toml
	$(COMPILE) --extra build --extra aws --extra telemetry --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml
	$(foreach name,$(EMULATORS),$(COMPILE) $(NEWEST_$(name)) -o tests/emulators/$(name).lock tests/emulators/$(name).in &&) true
	$(ON_LINUX) -c requirements-dev.lock -o deploy/aws/functions.lock deploy/aws/functions.in
	$(ON_LINUX) -c requirements-dev.lock --extra build --extra aws --extra telemetry -o deploy/aws/settlement.lock pyproject.toml

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis .import_linter_cache
