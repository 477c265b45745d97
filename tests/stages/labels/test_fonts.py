"""Nothing reaches the paper that the shipped fonts cannot draw, and nobody is left untold."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.adapters.noto_fonts import shipped_fonts
from portal.adapters.weasyprint_documents import FONTS

NOTO = shipped_fonts(FONTS)
_ANY = st.text(max_size=60)


@pytest.mark.parametrize(
    ("text", "printed", "missing"),
    [
        ("Zoë Łukasz Ångström", "Zoë Łukasz Ångström", ""),
        ("Київ, вул. Хрещатик", "Київ, вул. Хрещатик", ""),
        ("Αθήνα", "Αθήνα", ""),
        ("శ్రీ రాజశేఖర్", "శ్రీ రాజశేఖర్", ""),
        ("ශ්\u200dරී ලංකා", "ශ්\u200dරී ලංකා", ""),
        ("王小明 Wang", "… Wang", "王小明"),
        ("Flat 2 😀😀 x", "Flat 2 … x", "😀"),
        ("Ａｂｃ １２３", "Abc 123", ""),
        ("𝐓𝐡𝐞", "The", ""),
        ("a\u202eb\u2066c\u200fd", "abcd", ""),
        ("tab\tline\nnul\x00end", "tab line nul end", ""),
        ("❤\ufe0f", "…", "❤"),
        ("e\u0301" + "\u0300" * 40, "é\u0300\u0300", ""),
        ("\ud800", "…", "\ud800"),
    ],
)
def test_text_becomes_printable(text: str, printed: str, missing: str) -> None:
    assert NOTO.printable(text) == (printed, frozenset(missing))


@settings(max_examples=200)
@given(_ANY)
def test_what_is_printable_stays_as_it_is_and_misses_nothing(text: str) -> None:
    printed, _ = NOTO.printable(text)
    assert NOTO.printable(printed) == (printed, frozenset())
    assert not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in printed)


@settings(max_examples=100)
@given(st.text(st.sampled_from("aW é శ్රී-,1"), max_size=80), st.integers(20, 60), st.integers(1, 4))
def test_a_cut_text_needs_no_more_rows_than_it_was_given(text: str, size: int, rows: int) -> None:
    cut = NOTO.cut(text, size, 446, rows, bold=True)
    assert NOTO.rows(cut, size, 446, bold=True) <= rows
    assert cut == text or cut.endswith("…")


def test_one_row_takes_the_largest_type_that_fits() -> None:
    assert NOTO.one_row("R2", (92, 48, 20), 164, bold=True) == (92, "R2")
    assert NOTO.one_row("BRS-04-X", (92, 48, 20), 164, bold=True) == (20, "BRS-04-X")
    size, text = NOTO.one_row("B" * 60, (92, 48, 20), 164, bold=True)
    assert size == 20
    assert text.endswith("…")
