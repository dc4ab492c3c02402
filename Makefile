# Souffleur: `make` prints what it can do. Needs Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
BIN = $(VENV)/bin
# Constraints: everybody tests, and runs, the same versions.
PIP_INSTALL = $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo install install-quick install-test quick test lint fix answers docs services services-stop \
  clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1: \2/p' Makefile

demo: install ## install, index corpus/, answer a question
	$(BIN)/python cli.py index corpus/
	$(BIN)/python cli.py ask "Comment créer un client ?"

install: $(VENV)/.installed ## make the virtual environment

install-quick: $(VENV)/.installed-quick ## add what the quick tests need

install-test: $(VENV)/.installed-test ## add what all tests need

quick: install-quick ## check style, types, and all that needs no server, browser or torch
	$(BIN)/ruff check -q .
	$(BIN)/ruff format -q --check .
	@# The types are checked beside the tests.
	@$(BIN)/mypy & types=$$!; $(BIN)/python -m pytest --quick -q -n 2 $(PYTEST_ARGS); tests=$$?; \
	  wait $$types && exit $$tests

test: install-test lint ## run every test, on real services (CI=1 refuses skips)
	@# Here, and not inside a test, so that the minutes of the first build are seen to pass.
	-@$(BIN)/python -m tests.services prepare
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: install-test ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: install-test ## repair what a machine can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

answers: install-test ## ask end users' questions of manuals that Debian packages, print how many are answered
	$(BIN)/python -m tests.quality.answers

docs: install-test ## write what the code says into the documentation
	$(BIN)/python docs/generate.py

services: ## start Elasticsearch and Ollama, print how to use them
	@$(PYTHON) -m tests.services start

services-stop: ## end them
	@$(PYTHON) -m tests.services stop

clean: ## remove everything that was made here, the demo's index too
	rm -rf $(VENV) .souffleur build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11+ is needed")'
	$(PYTHON) -m venv $(VENV)

# The stamps are as old as what was installed; an installation that failed leaves none.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.installed-quick: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e '.[quick]'
	@touch $(VENV)/.installed $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e '.[test]'
	@touch $(VENV)/.installed $(VENV)/.installed-quick $@
