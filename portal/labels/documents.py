"""Port: what is printed for a parcel, and the codes on it.

In: plain text, dates and two addresses, already chosen and translated where they are data. Out: PDF and PNG bytes.
Invariants: a page shows what it was given as text, whatever the text looks like; a code reads back to what went in.
Never: a price, a look-up, a fetch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

from portal.labels.addresses import Address

Paper = Literal["A4", "Letter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDoc:
    """A carrier's return label, 102 x 152 mm: from the customer to the warehouse of the return (case 78).

    ``tracking`` goes into the Code 128 (printable ASCII; 17 signs fit, 34 if they are digits),
    ``tracking_text`` is the same in groups for the eye and is derived when empty. ``rma`` goes into the QR
    code. ``parcel`` is a phrase such as ``1 parcel, 0.9 kg``, ``locale`` a CLDR name such as ``en_GB``.
    """

    carrier: str
    service: str
    sort_code: str
    sender: Address
    recipient: Address
    send_by: date | None
    parcel: str
    tracking: str
    rma: str
    order_number: str
    items: int
    tracking_text: str = ""
    locale: str = "en_GB"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlipItem:
    """One line to pack.

    ``reason`` and ``resolution`` are the words that the customer saw; there is no room for a price.
    """

    name: str
    sku: str
    quantity: int
    variant: str = ""
    reason: str = ""
    resolution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlipDoc:
    """The packing slip that goes into the parcel, A4 (or US Letter).

    ``send_with`` says how to send it ("Northway Post, any counter or locker"), ``contact`` whom to ask.
    ``steps`` are shown in place of the three shipped ones when given.
    """

    shop_name: str
    rma: str
    order_number: str
    booked_on: date
    sender: Address
    recipient: Address
    items: tuple[SlipItem, ...]
    send_by: date | None = None
    send_with: str = ""
    contact: str = ""
    steps: tuple[str, ...] = ()
    locale: str = "en_GB"
    paper: Paper = "A4"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A drawn document.

    ``missing`` are the characters that no shipped font has: an ellipsis stands in for them on paper, and
    staff must be told. ``shortened`` are the lines that were cut because even the smallest type could not
    hold them.
    """

    pdf: bytes
    missing: frozenset[str] = frozenset()
    shortened: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """True when the paper shows every character it was asked to."""
        return not self.missing and not self.shortened


class Documents(Protocol):
    """Draws the papers of a parcel. Slow (tens of ms): never inside a transaction.

    Raises `portal.errors.Invalid` for a code that cannot be printed and `portal.errors.UpstreamError` when
    drawing fails.
    """

    def label_pdf(self, doc: LabelDoc) -> Rendered:
        """The label, one page of exactly 102 x 152 mm."""
        ...

    def slip_pdf(self, doc: SlipDoc) -> Rendered:
        """The packing slip; as many pages as the items need."""
        ...

    def missing_glyphs(self, text: str) -> frozenset[str]:
        """The characters of ``text`` that the shipped fonts cannot print, so that a form can warn early."""
        ...

    def check(self) -> list[str]:
        """What is wrong with this installation's printing, one sentence each; empty when all is well."""
        ...


class Codes(Protocol):
    """Draws codes as 1-bit PNG, black on white, quiet zones included.

    Raises `portal.errors.Invalid` for unprintable text.
    """

    def qr_png(self, text: str, module_px: int = 6) -> bytes:
        """A QR code, level M, with 4 clear modules around.

        On screen a module is at least 6 CSS px (`DESIGN.md` 10).
        """
        ...

    def qr_svg(self, text: str, module_px: int = 6) -> str:
        """The same as a self-contained SVG file without style or script, to be served from our own origin."""
        ...

    def code128_png(self, text: str, module_px: int = 3, height_px: int = 200) -> bytes:
        """A Code 128 with 10 clear modules on both sides; at 203 dpi the defaults are 0.375 mm and 25 mm."""
        ...
