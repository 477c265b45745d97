"""A scanner reads back exactly what a code was made from."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from portal.adapters.zxing_codes import ZxingCodes
from portal.errors import Invalid

CODES = ZxingCodes()
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


@settings(max_examples=60, deadline=None)
@given(PRINTABLE)
def test_any_printable_ascii_is_read_back_from_a_code_128(text: str) -> None:
    [read] = zxingcpp.read_barcodes(opened(CODES.code128_png(text)))
    assert (read.text, read.format) == (text, zxingcpp.BarcodeFormat.Code128)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"]), min_size=1, max_size=120))
def test_any_text_is_read_back_from_a_qr_code(text: str) -> None:
    read = zxingcpp.read_barcode(opened(CODES.qr_png(text)))
    assert read is not None
    assert read.text == text


def test_a_qr_code_is_full_size_at_level_m_in_whole_modules_with_four_clear_around() -> None:
    image = opened(CODES.qr_png("R-7K4Q92M", module_px=6))
    assert (image.mode, image.size) == ("1", ((21 + 8) * 6,) * 2)
    ink = image.convert("L").point(lambda level: 255 - level).getbbox()
    assert ink == (24, 24, 150, 150)
    assert zxingcpp.read_barcode(image).ec_level == "M"  # type: ignore[union-attr]


def test_a_code_128_is_25_mm_high_at_203_dpi_with_ten_clear_modules() -> None:
    image = opened(CODES.code128_png("NW7K4Q92MBGB"))
    assert image.height == 200
    ink = image.convert("L").point(lambda level: 255 - level).getbbox()
    assert ink == (30, 0, image.width - 30, 200)
    row = image.convert("L").crop((0, 0, image.width, 1)).tobytes()
    assert all(len(set(row[at : at + 3])) == 1 for at in range(0, len(row), 3)), "a bar ends between two modules"


def test_the_svg_draws_the_same_modules_and_needs_neither_style_nor_script() -> None:
    text = "https://returns.example/r/7K4Q92M"
    svg = CODES.qr_svg(text, module_px=7)
    tree = ET.fromstring(svg)
    side = int(tree.attrib["viewBox"].split()[-1])
    assert tree.attrib["width"] == str(side * 7)
    assert {element.tag.split("}")[1] for element in tree.iter()} == {"svg", "path"}
    assert "style" not in svg
    drawn = Image.new("L", (side, side), 255)
    for run in tree[1].attrib["d"].split("z")[:-1]:
        start, width = run[1:].split("v")[0].split("h")
        x, y = map(int, start.split())
        drawn.paste(0, (x, y, x + int(width), y + 1))
    assert drawn.tobytes() == opened(CODES.qr_png(text, module_px=1)).convert("L").tobytes()


@pytest.mark.parametrize("text", ["", "é", "R\n", "\x00", "x" * 300, "\ud800"])
def test_what_a_code_128_cannot_hold_is_refused_with_the_fix(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        CODES.code128_png(text)
    assert refused.value.fields["text"]


@pytest.mark.parametrize("text", ["", "x" * 5000, "\ud800"])
def test_what_a_qr_code_cannot_hold_is_refused_with_the_fix(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        CODES.qr_png(text)
    assert refused.value.fields["text"]


def test_a_module_is_at_least_a_pixel() -> None:
    with pytest.raises(Invalid):
        CODES.qr_png("R-1", module_px=0)
