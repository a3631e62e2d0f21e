# Everything that CI and a newcomer run. `make quickstart` first; CONTRIBUTING.md says what to do when one of these is red.
PYTHON ?= python3
BIN := .venv/bin
RUN := runs/quickstart

.PHONY: quickstart install check test test-slow bench docs wheels clean

quickstart: install  ## train, evaluate and report on real photographs; the last line is the path of the report
	rm -rf $(RUN)
	$(BIN)/jepakit train image-quick --data bundled:photos --out $(RUN)
	$(BIN)/jepakit eval $(RUN) --data bundled:photos
	$(BIN)/jepakit report $(RUN)

install: .venv/installed
.venv/installed: pyproject.toml constraints.txt hatch_build.py
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv || { echo "python3 has no venv module: install python3-venv, then again"; exit 1; }
	$(BIN)/pip install -q -c constraints.txt -e ".[all,dev]" $(addprefix -e ,$(wildcard plugins/*/))
	touch $@

check: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
test: install  # tests on real data run where JEPAKIT_DATA names a folder with it, and are skipped elsewhere
	$(BIN)/pytest
test-slow: install
	$(BIN)/pytest -m slow
bench: install
	$(BIN)/jepakit bench step
docs: install  # links, file names and the tree in README, CONTRIBUTING and docs/
	$(BIN)/pytest tests/house/test_documents.py
wheels: install
	$(BIN)/python -m build --outdir dist
clean:  # keeps .venv and runs/
	rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path "./.venv/*" -prune -exec rm -rf {} +
