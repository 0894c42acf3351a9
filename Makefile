# Every target does its own set-up: Python 3.11+ and make are all that is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# A dot every three seconds while the shell of a line lives: pip is silent for minutes.
DOTS = ( while sleep 3 && kill -0 $$$$ 2>/dev/null; do printf .; done ) &
PREPARE_VENV := .venv-prepare
PREPARE_READY := $(PREPARE_VENV)/.ready
CONFIG ?= configs/digits/lenet5.py
WORKERS ?= 2

.PHONY: train test slow sweep prepared lint types clean

train: $(READY)  ## LeNet-5 on real handwritten digits
	$(BIN)/python -m experiments.train --config=$(CONFIG)

test: $(READY)  ## all tests but the slow ones, some eight minutes on two cores
	$(BIN)/python -m pytest -n $(WORKERS) --dist=loadgroup -m 'not slow and not sweep and not prepare'

slow: $(READY)  ## the rest: runs of several processes, kills at random moments, all combinations
	$(BIN)/python -m pytest -n $(WORKERS) --dist=loadgroup --no-loadscope-reorder -m slow

sweep: $(READY)  ## every config through every check of preflight; an hour or two
	$(BIN)/python -m pytest -n $(WORKERS) --no-loadscope-reorder -m sweep

prepared: $(PREPARE_READY)  ## preparing data by TensorFlow Datasets, in an environment of its own
	$(PREPARE_VENV)/bin/python -m pytest -m prepare

parity: $(READY)  ## the same numbers as PyTorch, which it installs; some three minutes
	@echo "installing PyTorch into $(VENV)"
	@$(DOTS) $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[parity]' && echo
	$(BIN)/python -m pytest tests/parity

lint: $(READY)  ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## static types
	$(BIN)/mypy

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: cnn_jax needs Python 3.11 or newer; choose one by: make PYTHON=python3.12 ..."; exit 2; }
	@echo "installing into $(VENV), once; some minutes"
	$(PYTHON) -m venv $(VENV)
	@$(DOTS) $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[test]' && echo
	@touch $(READY)

$(PREPARE_READY): pyproject.toml constraints.txt
	@echo "installing into $(PREPARE_VENV), once; some minutes"
	$(PYTHON) -m venv $(PREPARE_VENV)
	@$(DOTS) $(PREPARE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[test,prepare]' && echo
	@touch $(PREPARE_READY)

clean:  ## removes the environments, never a run
	rm -rf $(VENV) $(PREPARE_VENV)
