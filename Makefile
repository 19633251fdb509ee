PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test lowest conformance browser lint bench docs written examples size clean

demo: $(VENV)/demo
	$(BIN)/tinygrad-lite demo

# as many workers as cores, and each with one thread
test conformance browser: export OMP_NUM_THREADS = 1
test: $(VENV)/test
	$(BIN)/python -m pytest

# the same with the lowest version of everything that setup.cfg declares
lowest: .lowest.txt
	PIP_CONSTRAINT=$(CURDIR)/.lowest.txt $(MAKE) test VENV=.venv-lowest

.lowest.txt: setup.cfg
	sed -n 's/^ *\([a-z0-9-]*\)>=\([0-9.]*\)\(;.*\)*$$/\1==\2\3/p' setup.cfg | sort -u >$@

# PyTorch is an oracle here only: no user's install needs it
conformance: $(VENV)/conformance
	$(BIN)/python -m pytest tests/conformance

# the explorer in Debian's chromium: apt install chromium
browser: $(VENV)/browser
	BROWSER_REQUIRED=1 $(BIN)/python -m pytest tests/browser

bench: $(VENV)/bench
	$(BIN)/python benchmarks/compiled.py
	$(BIN)/python benchmarks/steps.py
	$(BIN)/python benchmarks/operations.py
	$(BIN)/python benchmarks/layers.py
	$(BIN)/python benchmarks/func.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/models.py
	$(BIN)/python benchmarks/kmeans.py
	$(BIN)/python benchmarks/parallel.py

lint: $(VENV)/dev .wheel
	$(BIN)/ruff check .
	cd .wheel && bin/mypy --config-file ../pyproject.toml -p tinygrad_lite
	cd .wheel && bin/mypy --strict ../tests/typed_program.py
	cd .wheel && bin/lint-imports ../pyproject.toml

# the site, into build/site; every page runs, and a link that leads nowhere is an error
docs: export NO_MKDOCS_2_WARNING = 1
docs: $(VENV)/docs
	$(BIN)/python docs/pages.py
	$(BIN)/mkdocs build

# what is kept and made by code: pictures, what the drills' page shows, what editors see of the operations
written: $(VENV)/test
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/drills.py
	$(BIN)/python docs/stubs.py

# trains every model: a quarter of an hour
examples: $(VENV)/demo
	$(BIN)/python docs/examples.py

size:
	@$(PYTHON) benchmarks/size.py

$(VENV)/%: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e '.[$*]'
	touch $@

# types and imports are checked where a user has the files: in an installed wheel
.wheel: $(shell git ls-files tinygrad_lite nn optim) setup.cfg
	test -x .wheel/bin/python || $(PYTHON) -m venv .wheel
	.wheel/bin/python -m pip install --quiet --force-reinstall --no-deps .
	.wheel/bin/python -m pip install --quiet '.[dev,demo]'
	touch $@

clean:
	rm -rf .venv* .lowest.txt .wheel build *.egg-info
