"""A translator gets every text: the command of docs/architecture.md finds what pages, mails and papers say."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment
from jinja2.ext import InternationalizationExtension, do

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CALLED = ("_", "gettext", "ngettext", "_l", "lazy_gettext", "translate")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every text that the documented command finds, and every plural."""
    command = re.search(r"`pybabel (extract [^`]+)\s-o messages\.pot \.`", PAGE)
    assert command
    out = tmp_path_factory.mktemp("catalogue") / "messages.pot"
    babel = [sys.executable, "-m", "babel.messages.frontend", *shlex.split(command[1]), "-o", str(out), "."]
    subprocess.run(babel, cwd=ROOT, check=True, capture_output=True)
    with out.open("rb") as file:
        said = [message.id for message in read_po(file) if message.id]
    return {text for each in said for text in ([each] if isinstance(each, str) else each)}


def test_every_text_of_a_template_reaches_the_translator(found: set[str]) -> None:
    environment = Environment(extensions=[InternationalizationExtension, do], autoescape=True)
    missing = []
    for path in sorted((ROOT / "templates").rglob("*.*")):
        for _line, _function, said in environment.extract_translations(path.read_text("utf-8"), CALLED):
            texts = said if isinstance(said, tuple) else (said,)
            missing += [f"{path.relative_to(ROOT)}: {text}" for text in texts if text and text not in found]
    assert missing == []


ERRORS = ("NotFound", "Conflict", "Invalid", "TooManyTries", "Forbidden")
"""The errors whose sentence the pages translate."""


def test_every_constant_sentence_of_an_error_reaches_the_translator(found: set[str]) -> None:
    missing = []
    for path in sorted((ROOT / "portal").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ERRORS:
                missing += [
                    f"{path.relative_to(ROOT)}:{call.lineno}: {text.value}"
                    for text in call.args[:1]
                    if isinstance(text, ast.Constant) and text.value and text.value not in found
                ]
    assert missing == []


def test_every_text_of_the_code_reaches_the_translator(found: set[str]) -> None:
    missing = []
    for path in sorted((ROOT / "portal").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(call, ast.Call) or not call.args:
                continue
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            text = call.args[0]
            if (
                name in CALLED
                and isinstance(text, ast.Constant)
                and isinstance(text.value, str)
                and text.value not in found
            ):
                missing.append(f"{path.relative_to(ROOT)}:{call.lineno}: {text.value}")
    assert missing == []
