"""What a text that is no YAML has wrong, in the words of who wrote it and not of the parser.

In: the error of the YAML parser. Out: the place to look at, what is wrong there, and what to do.
Invariant: a bracket or a quote that is never closed is shown where it opens, not where the text ends.
Never: the parser's own words.
"""

from __future__ import annotations

import re

from ruamel.yaml.error import MarkedYAMLError

_ELSE = ("", False, "something is not in its place", "check quotes, colons and indentation near here")
# How the parser's sentence begins, whether the fault lies where the broken part began, what it means, what to do.
_MEANINGS = (
    (
        "mapping values are not allowed",
        False,
        "a colon stands where none can",
        "put a text with a colon in quotes; a line above that has none runs on into this one",
    ),
    ("could not find expected ':'", True, "this line has no colon", "write it like `key: value`"),
    ("expected ',' or ']'", True, "the `[` is not closed", "end the list with `]`, with a comma between two values"),
    ("expected ',' or '}'", True, "the `{` is not closed", "end it with `}`, with a comma between two entries"),
    ("found unexpected", True, "the quote is not closed", "end the text with the quote that it begins with"),
    ("found character '\\t'", False, "a tab stands where blanks belong", "indent with blanks"),
    ("found character", False, "a value cannot begin with `%s`", "put the value in quotes"),
    ("found unknown escape", False, "`\\%s` means nothing between double quotes", "use single quotes"),
    (
        "expected <block end>",
        False,
        "this line does not stand under the lines it belongs with",
        "give it as many blanks as they have",
    ),
    ("expected the node content", False, "a value is missing", "write the value, or close the bracket before it"),
)


def explained(error: MarkedYAMLError) -> tuple[int, int, str, str]:
    """Line and column (from 1), the message and the help line."""
    problem = " ".join((error.problem or "").split())
    _, opens, message, help_ = next((each for each in _MEANINGS if problem.startswith(each[0])), _ELSE)
    mark = (error.context_mark if opens else None) or error.problem_mark or error.context_mark
    named = re.search(r"character '(.)'", problem)
    if "%s" in message:
        message = message % (named[1] if named else "this")
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return line, column, f"this can’t be read: {message}", help_
