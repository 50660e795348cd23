# make demo               try the whole path on a simulated scan (SCAN=folder: on your own series, SERIES=UID, THRESHOLD=HU)
#                         into OUT=folder; SCAN, SERIES and THRESHOLD are those of the commands
# make test               the whole gate: lint, types, import layers, tests
# make quick              for the inner loop: lint, types, import layers, the tests that take under a second
# make docs               the documentation's site, strict and offline, into site/
# WORKERS="-n 4"          how many tests run at a time (WORKERS= for one, in this process)
# PYTHON=python3.12       another interpreter for .venv
# PIP_FLAGS="..."         more options for pip, such as an index with another torch

PYTHON ?= python3
PIP_FLAGS ?=
WORKERS ?= -n auto --dist worksteal
OUT ?= $(if $(SCAN),demo_scan,demo)
BIN := .venv/bin
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(WORKERS)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet $(PIP_FLAGS) --constraint constraints.txt

.PHONY: demo test quick check docs clean

demo: .venv/installed
	$(BIN)/monai-ctseg demo --output "$(OUT)" --overwrite $(if $(SERIES),--series $(SERIES)) $(if $(THRESHOLD),--threshold $(THRESHOLD)) $(if $(SCAN),"$(SCAN)")

test: check
	$(PYTEST) --durations 10

quick: check
	$(PYTEST) --quiet -m "not slow and not realdata"

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: .venv/installed-dev
	$(BIN)/python docs/generate_commands.py
	$(BIN)/mkdocs build --strict --quiet

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("monai_ctseg needs Python 3.11 or newer: make PYTHON=...") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "installing into .venv (torch among it: some minutes the first time)"
	$(PIP) --editable ".[all]"
	@touch $@

.venv/installed-dev: .venv/installed
	$(PIP) --editable ".[dev]"
	@touch $@

clean:
	rm -rf .venv demo demo_scan dist site .mypy_cache .ruff_cache .pytest_cache
