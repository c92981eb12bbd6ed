# Shortcuts; the checks themselves are in .ci/run. The default is the gate without its set-up.
.DEFAULT_GOAL := check
.PHONY: check setup fix lint types imports examples test slow ui docs bench

BIN := .venv/bin

check:      ## everything that must hold before a change lands
	.ci/run readme lint types imports examples tests

setup:      ## make .venv and install what contributing needs
	.ci/run setup

fix:        ## mend what can be mended by machine
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint types imports examples:
	.ci/run $@

test:       ## the default suite
	$(BIN)/python -m pytest -n 2

slow:       ## soak and scale tests
	$(BIN)/python -m pytest -m slow

ui:         ## the pages, built into the package
	WEFT_UI=require $(BIN)/python -m pip install -q -e . --no-deps

docs:       ## pages that are generated from the code
	$(BIN)/python scripts/errors_reference.py
	$(BIN)/python scripts/cli_reference.py
	$(BIN)/python scripts/settings_reference.py
	$(BIN)/python scripts/metrics_reference.py
	$(BIN)/python scripts/api_reference.py
	$(BIN)/python scripts/openapi_reference.py
	$(BIN)/python scripts/client_from_openapi.py

bench:      ## one JSON line a figure, rivals included where their environments exist
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/rivals.py
