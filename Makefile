# make demo   a finished backtest of real prices, from nothing
# make test   the whole test suite
# make serve  the service on this machine
# Every target first makes .venv from the hash-pinned requirements; a second call finds it made.
# PYTHON=/path/to/python chooses the interpreter, DATA_DIR=/path the data directory.

.DEFAULT_GOAL := help
.PHONY: help demo serve test test-web test-servers lint format bench bench-engine chaos web check-web lock clean

BIN := .venv/bin
RUNTIME := .venv/.runtime
DEV := .venv/.dev
export PYTHON

help:
	@sed -n 's/^# \(make [a-z]*  *.*\)/\1/p' Makefile
	@echo "make lint   ruff, mypy, import rules"
	@echo "make bench  speed, measured on this machine (bench-engine: the engine alone, also against others)"
	@echo "make chaos  processes killed, stopped and starved, and a check of what was promised (45 min)"
	@echo "make test-web  the web application in a browser (check-web: its own checks, needs Node)"
	@echo "make web    build the web application from frontend/ (needs Node)"
	@echo "make test-servers  the tests of the service on several servers (needs Java 17, Maven, redis-server)"
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
	@echo "Next: make serve     the service with its web application at http://127.0.0.1:8000"
	@echo "      make test      the test suite"
	@echo "      $(BIN)/backproof strategies, and your own copy of examples/sma_crossover.yaml"

serve: $(RUNTIME)
	@exec $(BIN)/backproof serve

# the kernels are compiled first, so that the two processes of the suite find them made
test: $(DEV)
	@$(BIN)/python -c "from backproof.engine.warm import warm; warm()"
	@$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/e2e
	@$(MAKE) --no-print-directory test-web

# the web application in a browser; skipped, with the reason, where there is no Chromium
test-web: $(DEV)
	@$(BIN)/python -m pytest tests/e2e -rs

# the same service on several servers: a MongoDB-wire server, an S3 store and Redis, two hosts of workers, two web
# processes (tests/servers); SERVER_TESTS="tests/chaos" for a part
SERVER_TESTS := tests/contract tests/integration tests/chaos/test_chaos_stack.py
test-servers: $(DEV)
	@$(BIN)/python -c "from backproof.engine.warm import warm; warm()"
	@BACKPROOF_TEST_SERVERS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -rs $(SERVER_TESTS)

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

# CHAOS="--only valkeys --seconds 60" for one scenario; the figures go to chaos.json
chaos: $(DEV)
	@$(BIN)/python tests/chaos/run.py $(or $(CHAOS),--long --minutes 45) --json chaos.json

# the web application, from frontend/ into the package; what it makes is committed, so that running needs no Node
web: $(DEV)
	@npm --version >/dev/null 2>&1 || { echo "error: make web needs Node 20.19 or newer with npm" >&2; exit 1; }
	$(BIN)/python scripts/openapi.py frontend/openapi.json
	cd frontend && npm ci && npm run api && npm run build

# its own checks, and whether what is committed is what the sources give
check-web: $(DEV)
	$(BIN)/python scripts/openapi.py frontend/openapi.json
	cd frontend && npm ci && npm run check && npm run build
	@changed=$$(git status --porcelain -- frontend/openapi.json src/backproof/web/static/app); \
	  test -z "$$changed" || { echo "$$changed"; echo "error: make web makes something else of the sources than what is committed" >&2; exit 1; }

# the versions that are tested are those that run
lock: LOCKED := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock:
	@uv --version >/dev/null 2>&1 || { echo "error: make lock needs uv (pip install uv)" >&2; exit 1; }
	uv pip compile pyproject.toml $(LOCKED) --group dev --output-file requirements/dev.txt
	uv pip compile pyproject.toml $(LOCKED) --constraints requirements/dev.txt --output-file requirements/runtime.txt

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
