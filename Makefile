# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# What this machine can use: an NVIDIA driver means the gpu extra.
ENGINE := $(shell command -v nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)

.PHONY: help demo demo-real dev test test-long bench producer docs check format clean

help: ## say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q --progress-bar on -c constraints.txt -e '.[$(ENGINE)]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q --progress-bar on -c constraints.txt -e '.[dev,$(ENGINE)]'
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo ## a recorded scan becomes depth, masks and objects; pictures in demo_output/
	$(BIN)/python scripts/demo.py

demo-real: $(VENV)/.demo ## the same with the real images that LINESCAN_REAL_DATA points to
	$(BIN)/python scripts/demo.py --real

dev: $(VENV)/.dev ## the full environment in .venv

test: $(VENV)/.dev ## install and run the tests
	$(BIN)/python -m pytest -n auto --dist loadfile --max-worker-restart 0

test-long: $(VENV)/.dev ## soaks; LINESCAN_LONG=minutes says how long
	$(BIN)/python -m pytest -m long

bench: $(VENV)/.dev ## latency of engines, baselines and the whole pipeline on this machine
	$(BIN)/python scripts/bench_latency.py

PRODUCER := linescan/simulation/virtual_camera/producer

producer: build/linescan-virtual.cti ## build the virtual line-scan camera with the system's compiler

build/linescan-virtual.cti: $(wildcard $(PRODUCER)/*)
	@mkdir -p build
	$(CC) -std=c11 -O2 -g -fPIC -shared -fvisibility=hidden -Wall -Wextra \
	  -DFEATURES='"$(CURDIR)/$(PRODUCER)"' $(PRODUCER)/*.c -o $@ -lm -lpthread

docs: $(VENV)/.dev ## make the generated reference pages anew
	$(BIN)/python scripts/make_reference.py

check: $(VENV)/.dev ## lint, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove what was installed and made here
	rm -rf $(VENV) build demo_output .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
