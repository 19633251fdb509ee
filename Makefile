PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test lint bench clean

demo: .venv/demo
	$(BIN)/tinygrad-lite demo

test: .venv/test
	$(BIN)/python -m pytest

bench: .venv/test
	$(BIN)/python benchmarks/steps.py

lint: .venv/dev
	$(BIN)/ruff check .

.venv/%: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -e '.[$*]'
	touch $@

clean:
	rm -rf .venv build *.egg-info
