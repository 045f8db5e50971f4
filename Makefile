# make demo   a finished backtest of real prices, from nothing
# make test   the whole test suite
# make serve  the service on this machine
# Every target first makes .venv from the hash-pinned requirements; a second call finds it made.
# PYTHON=/path/to/python chooses the interpreter, DATA_DIR=/path the data directory.

.DEFAULT_GOAL := help
.PHONY: help demo serve test lint format bench bench-engine web lock clean

BIN := .venv/bin
RUNTIME := .venv/.runtime
DEV := .venv/.dev
export PYTHON

help:
	@sed -n 's/^# \(make [a-z]*  *.*\)/\1/p' Makefile
	@echo "make lint   ruff, mypy, import rules"
	@echo "make bench  speed, measured on this machine (bench-engine: the engine alone, also against others)"
	@echo "make lock   remake requirements/ from pyproject.toml (needs uv)"

$(RUNTIME): requirements/runtime.txt scripts/setup.sh
	@MAKE_TARGET=$(or $(firstword $(MAKECMDGOALS)),demo) sh scripts/setup.sh runtime
	@touch $@

$(DEV): requirements/dev.txt scripts/setup.sh
	@MAKE_TARGET=$(or $(firstword $(MAKECMDGOALS)),test) sh scripts/setup.sh dev
	@touch $(RUNTIME) $@

demo: $(RUNTIME)
	@echo "backproof run examples/sma_crossover.yaml"
	@$(BIN)/backproof run examples/sma_crossover.yaml
	@echo
	@echo "Next: make serve     the service with its API at http://127.0.0.1:8000/docs"
	@echo "      make test      the test suite"
	@echo "      $(BIN)/backproof strategies, and your own copy of examples/sma_crossover.yaml"

serve: $(RUNTIME)
	@exec $(BIN)/backproof serve

test: $(DEV)
	@$(BIN)/python -m pytest

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV)
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

# PEERS=/path holds environments of other engines (bench/peers/README.md): their figures from the same run, and the ratios
bench-engine: $(DEV)
	@$(BIN)/python bench/bench_engine.py $(if $(PEERS),--peers "$(PEERS)")

web:
	@echo "There is nothing to build: this version has the API, the command line and the library, and no web application."

lock:
	@uv --version >/dev/null 2>&1 || { echo "error: make lock needs uv (pip install uv)" >&2; exit 1; }
	uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file requirements/runtime.txt
	uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group dev --output-file requirements/dev.txt

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
