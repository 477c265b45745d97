.DEFAULT_GOAL := help
.PHONY: help setup run test check format bench proof mutate
PORT ?= 8000
# Where Python is told to keep no compiled files, each of the many processes below would compile the portal anew.
export PYTHONDONTWRITEBYTECODE :=

help: ## list these
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: ## .venv with everything in it, system libraries included; nothing to do the second time
	@sh scripts/setup.sh

run: setup ## the whole portal with a sample shop; Ctrl-C stops all of it
	@PORT=$(PORT) .venv/bin/python scripts/run.py

test: setup ## the whole suite: a real PostgreSQL and a real browser included
	@.venv/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup ## format, lint, types, import rules, templates
	@sh scripts/check.sh

format: setup ## put the code into the house's format
	@.venv/bin/ruff check --fix -q . ; .venv/bin/ruff format -q .

bench: setup ## measure now, print the table of docs/benchmarks.md
	@.venv/bin/python -m bench $(ARGS)

proof: setup ## money cannot go wrong: random steps, crashes everywhere, races; ARGS=--seed=N again
	@.venv/bin/python -m tests.proof $(ARGS)

mutate: setup ## small mistakes in the pure rules that no test notices; ARGS="engine quote" some
	@.venv/bin/python -m tests.mutation $(ARGS)
