"""Papers to draw and ways to read them back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pypdf
import pypdfium2
import pytest
import zxingcpp
from PIL import Image

from portal.adapters.weasyprint_documents import WeasyprintDocuments
from portal.labels.addresses import Address
from portal.labels.documents import LabelDoc, SlipDoc, SlipItem

PRINT_DATA = Path(__file__).parents[2] / "data" / "print"
CUSTOMER = Address("Priya Nair", ("14 Aldermoor Road",), "Bristol", "", "BS6 5QA", "GB")
WAREHOUSE = Address("Wren & Harbour Returns", ("Unit 7, Kestrel Way",), "Avonmouth, Bristol", "", "BS11 8AZ", "GB")


@pytest.fixture(scope="session")
def documents() -> WeasyprintDocuments:
    return WeasyprintDocuments()


@pytest.fixture
def label() -> LabelDoc:
    return LabelDoc(
        carrier="Northway Post",
        service="Returns 48, prepaid",
        sort_code="R2",
        sender=CUSTOMER,
        recipient=WAREHOUSE,
        send_by=date(2026, 12, 1),
        parcel="1 parcel, 0.9 kg",
        tracking="NW7K4Q92MBGB",
        rma="R-7K4Q92M",
        order_number="WH-20418",
        items=2,
    )


@pytest.fixture
def slip() -> SlipDoc:
    return SlipDoc(
        shop_name="Wren & Harbour",
        rma="R-7K4Q92M",
        order_number="WH-20418",
        booked_on=date(2026, 11, 17),
        sender=CUSTOMER,
        recipient=WAREHOUSE,
        send_by=date(2026, 12, 1),
        send_with="Northway Post, any counter or locker",
        contact="Questions? Reply to your confirmation e-mail.",
        items=(
            SlipItem(
                name="Merino crew jumper",
                variant="Navy, size M",
                sku="WH-MJ-M-NAV",
                quantity=1,
                reason="Too small",
                resolution="Store credit",
            ),
            SlipItem(
                name="Brushed flannel shirt",
                variant="Moss check, size L",
                sku="WH-FS-L-MOS",
                quantity=2,
                reason="Changed my mind",
                resolution="Refund",
            ),
        ),
    )


@pytest.fixture(scope="session")
def native_addresses() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads((PRINT_DATA / "native-addresses.json").read_text("utf-8"))
    return rows


@pytest.fixture(scope="session")
def naughty_strings() -> list[str]:
    strings: list[str] = json.loads((PRINT_DATA / "naughty-strings.json").read_text("utf-8"))
    return strings


@pytest.fixture(scope="session")
def picture() -> Callable[..., Image.Image]:
    def draw(pdf: bytes, dpi: float = 203.2, page: int = 0) -> Image.Image:
        return pypdfium2.PdfDocument(pdf)[page].render(scale=dpi / 72).to_pil().convert("L")

    return draw


@pytest.fixture(scope="session")
def scan() -> Callable[[Image.Image], dict[str, str]]:
    def read(image: Image.Image) -> dict[str, str]:
        return {str(code.format): code.text for code in zxingcpp.read_barcodes(image)}

    return read


@pytest.fixture(scope="session")
def words() -> Callable[[bytes], str]:
    def read(pdf: bytes) -> str:
        pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
        return " ".join(" ".join(page.extract_text() for page in pages).split())

    return read
