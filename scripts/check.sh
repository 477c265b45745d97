#!/bin/sh
# Format, lint, types, import rules, templates, translations. Each says what is wrong and where.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/ruff format --check -q . || { echo "Run make format." >&2; exit 1; }
.venv/bin/ruff check -q .
.venv/bin/lint-imports
.venv/bin/mypy
.venv/bin/python scripts/check_templates.py
