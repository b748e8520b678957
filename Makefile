# Everything on a fresh machine: Python 3.11 or newer is all that it needs.
#   make demo      locvlm tune on photos that come along, in about ten minutes
#   make test      the tests; on a slow machine those marked slow are skipped after six minutes
#   make test-all  all tests, however long they take, with all examples that hypothesis tries
#   make test-torchvision  what loads models, once more beside torchvision, which changes what
#                  transformers loads; it is installed apart, where other tests do not see it
#   make lint      ruff and mypy
#   make docs      docs/api.md, from docstrings
# Another interpreter: make test PYTHON=python3.12.  Another build of torch, with flags of pip:
#   make demo TORCH="torch==2.13.0 --index-url URL"

PYTHON ?= python3
VENV ?= .venv
TORCH ?= $(shell grep '^torch==' constraints.txt)
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Beside torchvision: everything that loads a model's processor
BESIDE := tests/compat tests/families tests/processors tests/models tests/inference/test_families.py \
	tests/training/test_families.py tests/publishing
TORCHVISION := $(VENV)/torchvision

# Compiled files are kept: else every process that a test starts compiles LocVLM again
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-all test-torchvision lint format docs clean

demo: $(INSTALLED)
	$(BIN)/locvlm demo --out demo

test: $(INSTALLED)
	$(BIN)/pytest -n auto --slow-until 6

test-all: $(INSTALLED)
	$(BIN)/pytest -n auto

# Where it cannot be had, that is said, and is no failure
test-torchvision: $(INSTALLED)
	@if $(BIN)/pip install --quiet --no-deps --upgrade --target $(TORCHVISION) -c constraints.txt \
	torchvision; then PYTHONPATH=$(abspath $(TORCHVISION)) $(BIN)/pytest -n auto --slow-until 2 \
	-p tests.beside_torchvision $(BESIDE); \
	else echo "NOT TESTED: no torchvision to be had here, so not what loads models beside it"; fi

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED)
	$(BIN)/python docs/api.py

clean:
	rm -rf $(VENV) demo runs build dist

# torch comes first and alone, so that a build chosen by TORCH is not resolved away by the rest.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(TORCH)
	$(BIN)/pip install -c constraints.txt -e '.[all,dev]'
	touch $@
