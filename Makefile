# Every target does its own set-up: Python 3.11+ and make are all that is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CONFIG ?= configs/digits/lenet5.py
WORKERS ?= 2

.PHONY: train test slow lint types clean

train: $(READY)  ## LeNet-5 on real handwritten digits
	$(BIN)/python -m experiments.train --config=$(CONFIG)

test: $(READY)  ## all tests but the slow ones, some four minutes
	$(BIN)/python -m pytest -n $(WORKERS) --dist=loadgroup -m 'not slow'

slow: $(READY)  ## the rest: runs of several processes, kills at random moments
	$(BIN)/python -m pytest -m slow

lint: $(READY)  ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## static types
	$(BIN)/mypy

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: cnn_jax needs Python 3.11 or newer; choose one by: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[test]'
	@touch $(READY)

clean:  ## removes the environment, never a run
	rm -rf $(VENV)
