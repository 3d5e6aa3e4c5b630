# `make demo` and `make test` do all the set-up themselves; a second call costs seconds.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
STAMP := $(VENV)/.complete
PRESET ?= demo
PORT ?= 5000
PAIR ?= auto
# A test process takes 2 GB, and the jobs that it starts as much again.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n < 6 ? n : 6)))

SYSTEM_PATH := $(PATH)
ifndef UV
UV := $(shell command -v uv 2>/dev/null)
endif
# MLflow starts `python` by name, so the environment goes to the front.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
unexport PYTHONPATH VIRTUAL_ENV

# An environment does not survive a move: its scripts name the folder that it was made in.
PLACE := $(shell cat $(VENV)/.place 2>/dev/null)
ifneq ($(PLACE),$(CURDIR))
.PHONY: $(STAMP)
endif

.PHONY: help env demo test test-oldest test-newest lock golden simulate lint pytest audit bench bench-quick gpu-check ui app docs clean

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile | awk -F': ' '{printf "  make %-11s %s\n", $$1, $$2}'
	@echo "  PYTHON=/path/to/python chooses the interpreter (3.11 to 3.13), PRESET=smoke a quicker demo"

env: $(STAMP) ## make the environment in .venv, from requirements.lock

demo: $(STAMP) ## run the whole cycle on drawn faces
	mlflow run . --env-manager local -P preset=$(PRESET)
	@echo "make ui shows what was made"

test: lint docs pytest ## check style, types, layers and run the tests

test-oldest: ## run the tests on the lowest versions that pyproject.toml admits (TESTS="tests/models" chooses)
	$(call test_on,oldest,3.11,lowest-direct)

test-newest: ## the same on the newest
	$(call test_on,newest,3.13,highest)

lock: ## make the locks and the pins of conda.yaml anew after a change of pyproject.toml (UPGRADE="torch timm" moves pins)
	$(find_uv); \
	moved="$(UPGRADE:%=--upgrade-package %)"; \
	for lock in requirements.lock docker/server.lock docker/job.lock; do \
		words=$$(grep -m 1 -o 'pip compile.*' $$lock); \
		"$$uv" $$words --quiet $$moved; \
	done; \
	sed -i.partial -E "$$(sed -nE 's/^([a-z0-9-]+)==([^ ]+).*/s|(- \1==).*|\\1\2|/p' requirements.lock)" conda.yaml; \
	rm conda.yaml.partial

simulate: $(STAMP) ## check the statistics by simulation, five minutes (SIMULATE="--runs 100" is quicker)
	OMP_NUM_THREADS=1 python -m lrface.evaluation.verdict.simulations $(SIMULATE)

lint: $(STAMP) ## check style, types and layers
	ruff check .
	ruff format --check .
	mypy
	lint-imports

pytest: $(STAMP)
	OMP_NUM_THREADS=1 pytest -n $(WORKERS) --dist loadfile

# Without --strict a package that the service does not know passes for one without a known vulnerability.
audit: $(STAMP) ## look the locked packages up in a list of known vulnerabilities; needs a network (AUDIT="-s osv")
	uvx pip-audit@2.10.1 --strict --disable-pip --require-hashes --requirement requirements.lock $(AUDIT)

docs: $(STAMP) ## build the documentation in build/site
	NO_MKDOCS_2_WARNING=1 mkdocs build --quiet --strict

bench: $(STAMP) ## measure every loop against its limit; benchmarks/results
	python benchmarks/bench.py

bench-quick: $(STAMP) ## the same in under five minutes
	python benchmarks/bench.py --quick

golden: $(STAMP) ## renew the kept outputs of tests/golden and show what changed (GOLDEN=--check only shows)
	OMP_NUM_THREADS=1 python -m tests.golden.renew $(GOLDEN)

gpu-check: $(STAMP) ## run every entry point on the GPU and hold its figures against the CPU's
	python benchmarks/gpu_check.py

ui: $(STAMP) ## open the MLflow UI on http://127.0.0.1:5000 (PORT=...)
	mlflow ui --backend-store-uri "sqlite:///$(CURDIR)/mlruns/mlflow.db" --port $(PORT)

app: $(STAMP) ## open a page to try the champion on http://127.0.0.1:7860 (PAIR=... for another pair)
	python -m lrface app --pair "$(PAIR)"

clean: ## remove the environment and the caches, keep mlruns/
	rm -rf $(VENV) dist build outputs lightning_logs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Tries PYTHON, or else the usual names, and leaves the first that is neither too old nor too new in $$python.
define find_python
	python=; seen=; \
	for name in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python); do \
		found=$$(PATH="$(SYSTEM_PATH)" "$$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
		seen="$$seen $$name is $$found;"; \
		case "$$found" in 3.11|3.12|3.13) python=$$(PATH="$(SYSTEM_PATH)" "$$name" -c 'import sys; print(sys.executable)'); break;; esac; \
	done
endef

# make env brings an uv of its own.
define find_uv
	@uv=$(if $(UV),"$(UV)",$$(PATH="$(VENV)/bin" command -v uv || true)); \
	if [ -z "$$uv" ]; then echo "error: uv: got none; expected the program on the PATH, or in $(VENV) after make env" >&2; exit 1; fi
endef

# An environment of its own, so that neither .venv nor a lock is touched: $(1) its name, $(2) its Python, $(3) which versions.
define test_on
	$(find_uv); \
	place="$(CURDIR)/build/$(1)"; mkdir -p "$$place"; \
	[ -x "$$place/.venv/bin/python" ] || "$$uv" venv --quiet --python "$(or $(PYTHON),$(2))" "$$place/.venv"; \
	python="$$place/.venv/bin/python"; \
	"$$uv" pip compile --quiet --python "$$python" --upgrade --resolution $(3) \
		--all-extras pyproject.toml --output-file "$$place/requirements.txt" >/dev/null; \
	"$$uv" pip sync --quiet --python "$$python" "$$place/requirements.txt"; \
	"$$uv" pip install --quiet --python "$$python" --no-deps --no-build-isolation --editable .; \
	echo "$(1) versions: build/$(1)/requirements.txt"; \
	PATH="$$place/.venv/bin:$(SYSTEM_PATH)" OMP_NUM_THREADS=1 pytest -n $(WORKERS) --dist loadfile $(TESTS)
endef

$(STAMP): requirements.lock pyproject.toml
	@if [ -n "$(PLACE)" ] && [ "$(PLACE)" != "$(CURDIR)" ]; then rm -rf $(VENV); fi
	@$(find_python); \
	if [ -n "$(UV)" ] && [ -z "$$python" ] && [ -z "$(PYTHON)" ]; then python='>=3.11,<3.14'; fi; \
	if [ -z "$$python" ]; then \
		echo "error: Python: got$${seen:- none;} expected 3.11, 3.12 or 3.13; install one, or say make PYTHON=/path/to/python" >&2; \
		exit 1; \
	fi; \
	if [ -n "$(UV)" ]; then \
		echo "environment: $$python, with uv"; \
		[ -x $(VENV)/bin/python ] || "$(UV)" venv --quiet --python "$$python" $(VENV); \
		"$(UV)" pip sync --quiet --compile-bytecode --python $(VENV)/bin/python --require-hashes requirements.lock; \
		"$(UV)" pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation --editable .; \
	else \
		echo "environment: $$python, with venv and pip (several minutes: about 3 GB come from the registry)"; \
		[ -x $(VENV)/bin/python ] || "$$python" -m venv $(VENV); \
		$(VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(VENV)/bin/python -m ensurepip --upgrade >/dev/null; \
		$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock; \
		$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	fi
	@echo "$(CURDIR)" > $(VENV)/.place
	@touch $@
