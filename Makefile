# featureviz, in the words of `make help`. Targets marked ## are listed there.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
CHECKED := featureviz tasks tests bench docs manage.py gunicorn.conf.py

# The processes of one run share the cores; each alone would take all of them and wait for the rest.
test test-sqlite test-postgres: export OMP_NUM_THREADS = 1

.PHONY: help demo test test-sqlite test-postgres lint format bench bench-peers screenshots \
  constraints clean system-packages

help: ## List these targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: .venv/installed ## Install what is missing, then open the shipped demo (PORT=8000)
	@exec $(BIN)/python manage.py demo

test: system-packages lint test-postgres test-sqlite ## Install what is missing, then run every check and every test

test-sqlite: .venv/installed-for-tests system-packages ## The whole suite, its database on SQLite
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-postgres: .venv/installed-for-tests system-packages ## What reaches the database, on a real PostgreSQL
	$(BIN)/python -m tests.servers postgres -- $(BIN)/python -m pytest -n 2 --dist loadfile -m database

lint: .venv/installed-for-tests ## Style, types, import rules and templates
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/djlint --quiet --check --lint templates

format: .venv/installed-for-tests ## Put code and templates in the shape `make lint` asks for
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)
	-$(BIN)/djlint --quiet --reformat templates

bench: .venv/installed ## Measure what should be fast
	$(BIN)/python -m bench

bench-peers: .venv/installed ## Measure other tools beside ours (bench/peers/README.md)
	$(BIN)/python -m bench.peers

screenshots: .venv/installed-for-tests system-packages ## Take the pictures of the documentation anew
	$(BIN)/python docs/screenshots.py

constraints: .venv/installed-for-tests ## Pin anew everything that is installed
	{ sed -n '/^#/p' constraints.txt; $(BIN)/pip freeze | sed 's/+cpu$$//'; } > .venv/pins
	mv .venv/pins constraints.txt

clean: ## Remove what the tools left; .venv/ and var/ stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find $(CHECKED) -name __pycache__ -type d -prune -exec rm -rf {} +

system-packages:
	@tools/system-packages

# These files are empty; their dates say when the requirements were last met.
.venv/installed: requirements.txt constraints.txt | .venv/bin/pip
	@echo "Installing what featureviz needs into .venv/ (the first time, a minute or more)."
	$(BIN)/pip install --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-for-tests: requirements-test.txt .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-test.txt
	@touch $@

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "featureviz needs Python 3.11 or newer; name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "Python's venv is missing; on Debian: sudo apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear .venv
