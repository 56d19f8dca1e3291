# Needs python3.11 (or newer) and make. Everything else comes into .venv at the first use.
.PHONY: help demo dev down clean test slow soak defences fuzz check coverage bench simulate capacity alerts contained chromium sbom audit secrets

# Programs start often here: what Python compiled is kept, also where the environment says otherwise.
unexport PYTHONDONTWRITEBYTECODE

VIDEO ?= samples/big-buck-bunny.mp4
PORTS ?= fixed
NAME ?=
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
# A variable's value as one word of the shell, whatever signs it has.
quoted = '$(subst ','\'',$(value $(1)))'
READY := .venv/.ready
RUN := .venv/bin/python -m

# What stands behind `##` of a target; `make` alone shows it too.
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(READY) ## real servers start; messages become a playable lecture and 1,003 texts (VIDEO=path)
	@$(RUN) devstack demo -- $(call quoted,VIDEO)

dev: $(READY) ## everything until Ctrl-C, with a link that signs in to the console (PORTS=auto, EMPTY=1)
	@$(RUN) devstack dev --ports $(call quoted,PORTS) $(if $(EMPTY),--empty)

down: $(READY) ## stop what `make dev` started
	@$(RUN) devstack down

clean: $(READY) ## stop, and delete all data
	@$(RUN) devstack clean

check: $(READY) ## ruff, mypy, import rules, the workflow file
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/jactionlint --no-online --shellcheck=

test: $(READY) chromium ## all tests but the longest, on real servers
	@$(RUN) pytest -n 4 --dist worksteal -m "not slow"

# What takes longer than `make test` may; no part of CI.
slow: $(READY) ## the longest tests
	@$(RUN) pytest -n 2 -m slow

# Everything at work and everything breaking, then a count.
soak: $(READY) ## everything breaks, then a count (SEED=7 MINUTES=5)
	@$(RUN) tests.soak $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

# Is each test of the table red without its defence? In copies, one after the other; `NAME='bridge-*'` for some.
defences: $(READY) ## is each test red without its defence? (NAME='disk-*')
	@$(RUN) tests.defences $(if $(value NAME),$(call quoted,NAME))

# The drawn tests, with other examples each time.
fuzz: $(READY) ## the drawn tests, with other examples each time
	@HYPOTHESIS_PROFILE=fuzz $(RUN) pytest -n 2 tests/unit tests/api/test_schema.py

# What tests reach in their own process; programs they start are not counted (see pyproject.toml). Quick tests only,
# unless told otherwise: `make coverage TESTS=tests`.
TESTS ?= tests/unit tests/workflows
coverage: $(READY) ## what the quick tests reach (TESTS=tests)
	@mkdir -p .data/coverage
	@$(RUN) pytest -n 4 --dist worksteal --cov --cov-report=html:.data/coverage/html --cov-report=term $(TESTS)

# Only tests of the console's pages need it, and they say so where it is missing.
chromium: ## the browser that the tests of the console need
	@for p in chromium chromium-browser google-chrome; do command -v $$p > /dev/null && exit; done; \
	{ test "$$(id -u)" = 0 && command -v apt-get > /dev/null && echo "installing chromium for the browser tests" \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium > /dev/null; } \
	|| echo "there is no Chromium: the browser tests are skipped (Debian: apt-get install chromium)"

# What others wrote: a bill of materials of the image's packages and of all, and whether holes are known of them. The tools
# come beside .venv. Not in `check`: they ask the network. OSV=all.zip: a stored file, where no service is reached.
UVX := .venv/uv/bin/uvx --quiet
sbom: $(READY) ## bills of materials (CycloneDX)
	@mkdir -p .data/supply
	@for of in requirements requirements-dev; do \
		$(UVX) --from cyclonedx-bom==7.5.0 cyclonedx-py requirements $$of.lock --pyproject pyproject.toml --of JSON \
			--output-reproducible -o .data/supply/$$of.cdx.json && echo .data/supply/$$of.cdx.json || exit 1; done

audit: $(READY) ## known holes of what others wrote (OSV=all.zip)
	@mkdir -p .data/supply
	@for of in requirements requirements-dev; do rm -f .data/supply/$$of.audit.json; \
		$(UVX) --from pip-audit==2.10.1 pip-audit --disable-pip --require-hashes -r $$of.lock -f json \
			-o .data/supply/$$of.audit.json > /dev/null 2>&1; \
		.venv/bin/python .ci/audit.py $$of.lock .data/supply/$$of.audit.json $(OSV) || exit 1; done

# What looks like a secret and is none stands in .secrets.baseline; docs/security.md says why.
secrets: $(READY) ## what looks like a secret
	@git ls-files -z | xargs -0 $(UVX) --from detect-secrets==1.5.0 detect-secrets-hook --baseline .secrets.baseline

# Needs Prometheus (Debian: apt-get install prometheus). About ten minutes.
alerts: $(READY) ## each alert fires once, for what it is about
	@$(RUN) tests.fire

# Needs docker or podman; the base image is pulled. Some minutes. `BUILT=1` takes an image that is there.
contained: $(READY) ## the image in containers as compose has it, with work (BUILT=1)
	@BUILT=$(BUILT) $(RUN) tests.contained

# Four rules for the number of workers, in a model; seconds of work as measured (docs/benchmarks.md). Some minutes.
simulate: $(READY) ## rules for the number of workers, compared
	@$(RUN) bench.scaling

# Costs of each kind of work, what 5 to 5,000 academies need, and a load that grows. About ten minutes.
capacity: $(READY) ## what so many academies need, and what this machine bears
	@PATIENCE=1800 $(RUN) bench capacity

bench: $(READY) ## one thing against a peer (NAME=encode)
	@$(RUN) bench $(if $(value NAME),$(call quoted,NAME))

# uv stands beside the environment's packages, because `sync` removes what the lock does not name.
UV := .venv/uv/bin/uv
$(UV): requirements-bootstrap.lock
	@"$(PYTHON)" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2> /dev/null || \
		{ echo "python 3.11, 3.12 or 3.13 with venv is needed; name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "making .venv with $(PYTHON)"
	@rm -rf .venv
	@"$(PYTHON)" -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--target .venv/uv -r requirements-bootstrap.lock
	@touch $(UV)

$(READY): $(UV) requirements-dev.lock
	@echo "installing what requirements-dev.lock names into .venv"
	@$(UV) pip sync --quiet --compile-bytecode --require-hashes --python .venv/bin/python requirements-dev.lock
	@printf '#!/bin/sh\nroot="$$(dirname -- "$$0")/../.."\nPYTHONPATH="$$root" exec "$$root/.venv/bin/python" -m academy "$$@"\n' \
		> .venv/bin/academy && chmod 755 .venv/bin/academy
	@touch $(READY)
