# Everything runs in .venv, made from the exact versions of requirements.txt.

PYTHON ?= python3
BIN := .venv/bin

# Outside data for the tests marked `shared`; they are skipped where it is unset.
ifneq ($(wildcard ../shared),)
export GLIDN_SHARED ?= $(abspath ../shared)
endif

.PHONY: demo test lint format types unit bench lock setup clean

demo: .venv/ready
	$(BIN)/glidn demo --out demo

test: lint types unit

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/ready
	$(BIN)/mypy

# One torch thread per worker: two workers with two threads each would fight for two cores.
unit: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The page of benchmarks; about half an hour, with nothing else running. `make bench ONLY=hour`.
bench: demo/report.html
	$(BIN)/python benchmarks/page.py $(ONLY) $(if $(GLIDN_SHARED),\
		--video $(GLIDN_SHARED)/videos/bottles.mp4 --detector $(GLIDN_SHARED)/weights/yolox_nano.onnx)

demo/report.html: .venv/ready
	$(BIN)/glidn demo --out demo

setup: .venv/ready

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "glidn needs Python 3.11 or later; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

# Write requirements.txt anew from pyproject.toml: exact, hashed, and naming no host.
lock: .venv/ready
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes \
		--no-emit-index-url --no-header --quiet --output-file requirements.txt

clean:
	rm -rf .venv demo runs
