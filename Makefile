# make up     everything on this machine, with a demo site live
# make test   the one gate: formats, lint, types, contracts, migrations, tests
# make coverage  the tests once more, every line traced: at least 90 %
# make bench  the performance table; ARGS="--all" all of it, ARGS=--help for parts
# make sweep  provisioning, killed and refused at every call
# make fuzz   the API, called at random by each role for minutes
# make deploys  fifty deployments, twenty killed, under a crawler; 20,000 and 100,000 files
# make counter  16 clients, the counter's database crashed ten times; what a dump of it holds
# make chaos  workers, Redis and PostgreSQL killed under work; twenty sites at once under throttling
# make axe    axe-core over every page, light and dark, at two widths
# make screenshots  every page at three widths into docs/screenshots
# make lighthouse   accessibility and best practices of five pages; needs npx
.PHONY: axe screenshots lighthouse up setup test tests coverage lint format bench sweep chaos counter deploys fuzz clean

UV := $(shell command -v uv || echo .uv/bin/uv)
PYTHON := .venv/bin/python
READY := .venv/.ready
TESTS := $(PYTHON) -m pytest -n 3 --dist loadfile --no-loadscope-reorder
# Dozens of processes start, and none should compile our code anew.
unexport PYTHONDONTWRITEBYTECODE

up: setup
	@$(PYTHON) manage.py up $(ARGS)

setup: $(READY)

$(READY): pyproject.toml uv.lock
	@command -v uv >/dev/null || test -x .uv/bin/uv || \
		(python3 -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check uv)
	$(UV) sync --quiet --frozen --compile-bytecode
	@touch $@

lint: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy .
	.venv/bin/lint-imports --no-logo
	$(PYTHON) manage.py makemigrations --check --dry-run

# Side by side, for each alone leaves a processor idle.
test: setup
	@$(MAKE) --jobs --no-print-directory lint tests

tests: setup
	$(TESTS)

coverage: setup
	$(TESTS) --cov --cov-report=term:skip-covered --cov-fail-under=90

format: setup
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

bench: setup
	@$(UV) sync --quiet --frozen --compile-bytecode --group bench
	$(PYTHON) -m tests.bench $(ARGS)

sweep: setup
	@$(PYTHON) -m tests.sweep $(ARGS)

fuzz: setup
	FUZZ_EXAMPLES=200 $(PYTHON) -m pytest --timeout=0 tests/deployments/api/test_fuzz.py

chaos: setup
	SWEEP=whole $(PYTHON) -m pytest -p no:randomly --capture=no --timeout=900 tests/e2e/test_chaos.py

counter: setup
	COUNTER=whole $(PYTHON) -m pytest -p no:randomly --timeout=900 tests/lambda_src/counter/test_crashes.py tests/lambda_src/counter/test_privacy.py

deploys: setup
	DEPLOYS=whole $(PYTHON) -m pytest -p no:randomly --capture=no --timeout=1800 tests/e2e/test_deploys_killed.py tests/e2e/test_deploys_pace.py

axe screenshots lighthouse: setup
	$(PYTHON) -m pytest -p no:randomly --capture=no --timeout=0 tests/looks/$@.py

clean:
	rm -rf .venv .uv .local .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage staticfiles
