"""Templates: each compiles, none has inline code or style (the Content-Security-Policy forbids both), none fetches from afar."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, TemplateSyntaxError

ROOT = Path(__file__).resolve().parent.parent / "templates"
RULES = {
    # A data block (JSON-LD) is no script: browsers neither run it nor let the Content-Security-Policy judge it.
    "an inline script": re.compile(r"""<script(?![^>]*\bsrc=)(?! type="application/ld\+json">)""", re.I),
    "an event handler": re.compile(r"<[a-z][^>]*\son[a-z]+\s*=", re.I),
    "a style attribute": re.compile(r"<[a-z][^>]*\sstyle\s*=", re.I),
    "a style element": re.compile(r"<style\b", re.I),
    "a javascript: address": re.compile(r"javascript:", re.I),
    "something from another host": re.compile(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", re.I),
}
# Mails and papers are no pages: mail programs need styles inside, and WeasyPrint reads its own.
EXEMPT = ("email/", "_macros/email.", "pdf/")


def problems() -> list[str]:
    """Every breach, with file and line."""
    found = []
    environment = Environment(
        loader=FileSystemLoader(ROOT), extensions=["jinja2.ext.i18n", "jinja2.ext.do"], autoescape=True
    )
    for path in sorted(ROOT.rglob("*.*")):
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        try:
            environment.parse(text, name)
        except TemplateSyntaxError as error:
            found.append(f"templates/{name}:{error.lineno}: {error.message}")
        if name.startswith(EXEMPT):
            continue
        for what, pattern in RULES.items():
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"templates/{name}:{line}: {what}: {match.group()[:60]}")
    return found


if __name__ == "__main__":
    breaches = problems()
    print("\n".join(breaches) or "templates ok")
    sys.exit(bool(breaches))
