# Everything on a fresh machine: Python 3.11 or newer is all that it needs.
#   make demo      from real photos to a report, in about ten minutes
#   make test      the tests; on a slow machine those marked slow are skipped after six minutes
#   make test-all  all tests, however long they take
#   make lint      ruff and mypy
#   make docs      docs/api.md, from docstrings
# Another interpreter: make test PYTHON=python3.12.  Another build of torch, with flags of pip:
#   make demo TORCH="torch==2.13.0 --index-url URL"

PYTHON ?= python3
VENV ?= .venv
TORCH ?= $(shell grep '^torch==' constraints.txt)
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-all lint format docs clean

demo: $(INSTALLED)
	$(BIN)/locvlm demo --out demo

test: $(INSTALLED)
	$(BIN)/pytest -n auto --slow-until 6

test-all: $(INSTALLED)
	$(BIN)/pytest -n auto

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
