"""How each scalar of the language is read: the one place that says what a number, a date, an amount or a pattern looks like.

In: nodes of a document. Out: typed values; what is wrong goes to `Findings` and None comes back.
Invariants: nothing is coerced: ``yes`` is no ``true``, ``75`` is no amount, ``30.0`` is no number of days.
Never: a float.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from zoneinfo import ZoneInfo

from babel import Locale

from portal.money import Money
from portal.policy.document import Findings, Listing, Mapping_, Node, Scalar, shown
from portal.policy.terms import basis_points

MAX_COUNT = 100_000_000
MAX_DAYS = 36_500
MAX_TEXT = 500
EARLIEST, LATEST = 1970, 2200
ZONE = r"[A-Za-z0-9_+\-]+(?:/[A-Za-z0-9_+\-]+)*"
"""How the name of a timezone is spelled; whether there is one of that name, the calendar of the machine says."""
COUNTRIES = frozenset(filter(str.isalpha, map(str, Locale("en").territories))) - {*"EU EZ QO UN XA XB ZZ".split()}
"""Every country by its two letters; a union, a region and the codes for tests are none."""

_repeats: tuple[str, ...] = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


def read_scalar(node: Node, findings: Findings, wanted: str) -> Scalar | None:
    """The node if it is a scalar that is not empty."""
    if not isinstance(node, Scalar):
        findings.error(node, f"expected {wanted}, not {shown(node)}", "give one value")
        return None
    if not node.text and not node.quoted:
        findings.error(node, f"expected {wanted}, but nothing is given", "write it after the colon, or delete the key")
        return None
    return node


def read_text(node: Node, findings: Findings, wanted: str = "a text") -> str | None:
    scalar = read_scalar(node, findings, wanted)
    if scalar is None:
        return None
    text = scalar.text.strip()
    if not text:
        findings.error(node, f"expected {wanted}, but it is empty", "write it between the quotes, or delete the key")
        return None
    if len(text) > MAX_TEXT:
        findings.error(node, f"{wanted} of {len(text)} characters", f"at most {MAX_TEXT} are allowed")
        return None
    # A quoted scalar can spell hidden characters as escapes, which the check of the raw text cannot see.
    hidden = next((char for char in text if unicodedata.category(char) in ("Cf", "Cc", "Cs")), None)
    if hidden is not None and hidden not in "\n\t\u200c\u200d":
        findings.error(node, f"hidden character U+{ord(hidden):04X}", "delete it")
        return None
    return text


def read_word(node: Node, findings: Findings, words: tuple[str, ...], wanted: str) -> str | None:
    """One of ``words``, as it is written."""
    scalar = read_scalar(node, findings, wanted)
    if scalar is None:
        return None
    if scalar.text not in words:
        findings.error(node, f"{shown(node)} is no {wanted}", known=words)
        return None
    return scalar.text


def read_yes_no(node: Node, findings: Findings) -> bool | None:
    scalar = read_scalar(node, findings, "`true` or `false`")
    if scalar is None:
        return None
    if scalar.quoted or scalar.text not in ("true", "false"):
        findings.error(node, f"expected `true` or `false`, not {shown(node)}", "write `true` or `false` without quotes")
        return None
    return scalar.text == "true"


def read_number(node: Node, findings: Findings, wanted: str = "a whole number", highest: int = MAX_COUNT) -> int | None:
    scalar = read_scalar(node, findings, wanted)
    if scalar is None:
        return None
    if not re.fullmatch(r"\d{1,18}", scalar.text, re.ASCII):
        findings.error(node, f"expected {wanted}, not {shown(node)}", "write it in digits, like `30`")
        return None
    number = int(scalar.text)
    if number > highest:
        findings.error(node, f"{shown(node)} is too large", f"at most {highest}")
        return None
    return number


def read_days(node: Node, findings: Findings) -> int | None:
    """``30`` or ``30 days``."""
    if isinstance(node, Scalar) and (match := re.fullmatch(r"(\d+)\s+days?", node.text, re.ASCII)):
        node = Scalar(match[1], False, node.line, node.column, node.span)
    return read_number(node, findings, "a number of days", MAX_DAYS)


def read_date(node: Node, findings: Findings) -> date | None:
    scalar = read_scalar(node, findings, "a date")
    if scalar is None:
        return None
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", scalar.text, re.ASCII):
        findings.error(node, f"expected a date, not {shown(node)}", "write it like `2026-11-30`")
        return None
    try:
        day = date.fromisoformat(scalar.text)
    except ValueError:
        findings.error(node, f"{shown(node)} is no day of the calendar", "write year, month and day like `2026-11-30`")
        return None
    return day if is_understood(day, node, findings) else None


def is_understood(day: date, node: Node, findings: Findings) -> bool:
    """False, with an error, for a year in which no shop sold anything, and of which calendars can no longer count on."""
    if EARLIEST <= day.year < LATEST:
        return True
    findings.error(node, f"{shown(node)} is out of reach", f"years from {EARLIEST} to {LATEST - 1} are understood")
    return False


def read_money(node: Node, findings: Findings) -> Money | None:
    scalar = read_scalar(node, findings, "an amount")
    if scalar is None:
        return None
    text = scalar.text.strip()
    if re.fullmatch(r"-?[\d.,]+", text):
        findings.error(node, f"{shown(node)} has no currency", f"write it like `{text.lstrip('-')} GBP`")
        return None
    if len(text) > 24 or not text.isascii() or "-" in text:
        findings.error(node, f"{shown(node)} is no amount a policy can use", "write it like `300 GBP`")
        return None
    try:
        return Money.parse(text)
    except ValueError as error:
        message, _, hint = str(error).partition("; ")
        findings.error(node, message, hint or "write it like `300 GBP`")
        return None


def read_share(node: Node, findings: Findings, highest: int = 10_000) -> int | None:
    """``12.5%`` in basis points."""
    scalar = read_scalar(node, findings, "a percentage")
    if scalar is None:
        return None
    try:
        share = basis_points(scalar.text)
    except ValueError:
        findings.error(node, f"expected a percentage, not {shown(node)}", "write it like `10%` or `12.5%`")
        return None
    if share > highest:
        findings.error(
            node, f"{shown(node)} is more than {highest // 100}%", f"at most {highest // 100}% are understood"
        )
        return None
    return share


def read_weight(node: Node, findings: Findings) -> int | None:
    """``500 g`` or ``2.5 kg`` in grams."""
    scalar = read_scalar(node, findings, "a weight")
    if scalar is None:
        return None
    match = re.fullmatch(r"(\d{1,7})(?:\.(\d{1,3}))?\s*(g|kg)", scalar.text, re.ASCII)
    if not match or (match[2] and match[3] == "g"):
        findings.error(node, f"expected a weight, not {shown(node)}", "write it like `500 g` or `2.5 kg`")
        return None
    return int(match[1]) if match[3] == "g" else int(match[1]) * 1000 + int((match[2] or "0").ljust(3, "0"))


def read_country(node: Node, findings: Findings) -> str | None:
    scalar = read_scalar(node, findings, "a country")
    if scalar is None:
        return None
    if not re.fullmatch(r"[A-Z]{2}", scalar.text):
        findings.error(node, f"{shown(node)} is no country code", "write two capital letters, like `GB` or `DE`")
        return None
    if scalar.text == "UK":
        findings.error(node, "`UK` is no country code", "the United Kingdom is `GB`")
        return None
    return scalar.text


def read_zone(node: Node, findings: Findings) -> str | None:
    name = read_text(node, findings, "a timezone")
    if name is None:
        return None
    try:
        if not re.fullmatch(ZONE, name):
            raise ValueError
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        findings.error(
            node, f"{shown(node)} is no timezone", "write it like `Europe/London`", known=("Europe/London", "UTC")
        )
        return None
    return name


def read_pattern(node: Node, findings: Findings) -> str | None:
    """A regular expression that a match of bounded length can run in bounded time."""
    text = read_text(node, findings, "a pattern")
    if text is None:
        return None
    if len(text) > 200:
        findings.error(node, "the pattern is longer than 200 characters", "use `in` with a list of words")
        return None
    try:
        re.compile(text, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        findings.error(node, f"{shown(node)} is no pattern: {str(error).lower()}", "write it like `SWIM-.*`")
        return None
    if reason := _slow(text):
        findings.error(node, f"{shown(node)} could take very long to match: {reason}", "use simpler patterns")
        return None
    return text


# How many ways a pattern may try to match. Three open repeats on 200 characters are about a million steps, some milliseconds.
_OPEN_REPEAT = 100
_MAX_WAYS = _OPEN_REPEAT**3


def _slow(pattern: str) -> str:
    """Why a pattern is not allowed: backtracking multiplies with every choice, and explodes where choices are repeated."""
    from re import _parser  # type: ignore[attr-defined]

    ways = 1

    def walk(parsed: object, inside: bool) -> str:
        nonlocal ways
        if isinstance(parsed, _parser.SubPattern):
            for op, args in parsed:
                name = str(op)
                if name in ("GROUPREF", "GROUPREF_EXISTS"):
                    return "it refers back to a group"
                repeated = name in _repeats
                if repeated and inside:
                    return "a repeat inside a repeat"
                if name == "BRANCH":
                    if inside:
                        return "alternatives inside a repeat"
                    ways *= len(args[1])
                if repeated:
                    ways *= min(args[1] - args[0] + 1, _OPEN_REPEAT)
                if found := walk(args, inside or (repeated and args[1] > 1)):
                    return found
        elif isinstance(parsed, tuple | list):
            for each in parsed:
                if found := walk(each, inside):
                    return found
        return ""

    return walk(_parser.parse(pattern), False) or ("too many repeats" if ways > _MAX_WAYS else "")


def read_list(node: Node, findings: Findings, wanted: str) -> list[Node] | None:
    """The items of a list that is not empty. A single scalar counts as a list of one."""
    if isinstance(node, Mapping_):
        findings.error(node, f"expected {wanted}, not a mapping", "write it like `[a, b]`")
        return None
    if isinstance(node, Scalar):
        return None if read_scalar(node, findings, wanted) is None else [node]
    if isinstance(node, Listing) and not node.items:
        findings.error(node, f"expected {wanted}, but the list is empty", "name at least one, or delete the key")
        return None
    return list(node.items)
