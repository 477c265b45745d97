"""Every currency that Stripe has: import, quote, page, mail, paper and Stripe show and move the same amount.

What a currency's amounts look like is written down here once more by hand (docs.stripe.com/currencies, ISO 4217), so that a wrong
table in the portal and a wrong table at the stand-in cannot agree with each other.
"""

from __future__ import annotations

import io
import re
from decimal import Decimal
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from portal import i18n, wording
from portal.adapters.stripe_money import from_stripe, to_stripe
from portal.adapters.weasyprint_credit_notes import WeasyprintCreditNotes
from portal.money import Money
from portal.notices.models import Notice
from portal.notices.render import render
from portal.notices.speech import Speech
from portal.refunds import credit_notes
from portal.refunds.credit_notes import CreditNoteDoc
from portal.refunds.models import Refund
from portal.returns.models import Return
from stripe_stand_in.currencies import SUPPORTED
from tests.api.client import Api, order, wish

# Digits in life where they are not two, and digits in Stripe's API where they are other than that.
LIFE = dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF".split(), 0) | dict.fromkeys(
    "BHD JOD KWD OMR TND".split(), 3
)
STRIPE = {"ISK": 2, "UGX": 2}
CURRENCIES = sorted(code.upper() for code in SUPPORTED)
KINDS = ("GBP", "JPY", "KWD", "ISK", "UGX", "HUF", "TWD", "INR", "XPF")
"""One of each kind goes through everything that is drawn."""


def price(currency: str) -> Decimal:
    """An amount with every digit that Stripe moves: 1234.56, 1234 or 1234.560."""
    return {0: Decimal("1234"), 2: Decimal("1234.56"), 3: Decimal("1234.560")}[LIFE.get(currency, 2)]


def digits(text: str) -> str:
    """The figures of an amount as a person reads them in English, without sign, symbol and grouping."""
    found = re.search(r"\d[\d,]*(?:\.\d+)?", text)
    assert found, text
    return found[0].replace(",", "")


def bought(currency: str) -> dict[str, Any]:
    minor = int(price(currency).scaleb(LIFE.get(currency, 2)))
    made = order(currency=currency)
    line = made["lines"][0] | {"quantity": 1, "unit_price": minor}
    payment = made["payments"][0] | {"captured": minor}
    return made | {"lines": [line], "shipping": {"amount": 0, "tax": 0}, "payments": [payment]}


@pytest.mark.parametrize("currency", CURRENCIES)
def test_what_is_imported_is_quoted_shown_and_sent(api: Api, currency: str) -> None:
    wanted, minor = price(currency), int(price(currency).scaleb(LIFE.get(currency, 2)))
    made = bought(currency)
    assert api.post("/orders", made).status_code == 201
    assert api.get(f"/orders/{made['number']}").json["lines"][0]["unit_price"] == minor
    answer = api.post("/decisions", {"order": made["number"], "lines": [wish(resolution="store_credit")]}).json
    item = next(part for part in answer["quote"]["parts"] if part["kind"] == "item")
    assert (item["amount"], item["currency"]) == (minor, currency)
    assert Money(minor, currency).decimal == wanted
    for shown in (wording.money(minor, currency), Speech.of("en_GB", "Europe/London").money(minor, currency)):
        assert digits(shown) == str(wanted)
    sent = to_stripe(minor, currency)
    assert sent == int(wanted.scaleb(STRIPE.get(currency, LIFE.get(currency, 2))))
    assert from_stripe(sent, currency) == minor
    if currency in STRIPE:
        assert sent % 100 == 0
    if LIFE.get(currency) == 3:
        assert sent % 10 == 0


@pytest.mark.parametrize("currency", KINDS)
def test_mail_and_paper_show_the_amount_that_stripe_is_asked_for(api: Api, currency: str) -> None:
    made = bought(currency)
    assert api.post("/orders", made).status_code == 201
    booked = api.book(made["number"], wish())
    if booked["status"] != "authorized":
        # The shipped policy has a person look at big returns in some currencies.
        assert api.post(f"/returns/{booked['rma']}/authorize", {"note": "As asked."}).status_code == 200
    assert api.post(f"/returns/{booked['rma']}/receive", {}).status_code == 200
    owed = booked["quote"]["refund_total"]["amount"]
    with api.ports.database.transaction() as tx:
        return_ = tx.session.scalars(select(Return).where(Return.rma == booked["rma"])).one()
        refund = tx.session.scalars(select(Refund).where(Refund.return_id == return_.id)).one()
        assert (refund.amount_minor, refund.currency) == (owed, currency)
        note = credit_notes.issue(tx, return_.id, api.ports.shop)
        assert note is not None
        assert note.gross_minor == owed
        doc = CreditNoteDoc.from_json(note.document)
        mail = tx.session.scalars(select(Notice).where(Notice.return_id == return_.id, Notice.kind == "received")).one()
        told = render(
            mail.kind, mail.context, shop=api.ports.shop, wanted_locale="en_GB", base_url="https://returns.example",
            link="https://returns.example/r", label_attached=False, now=tx.at,
        )  # fmt: skip
    figures = digits(wording.money(owed, currency))
    assert Decimal(figures).scaleb(STRIPE.get(currency, LIFE.get(currency, 2))) == to_stripe(owed, currency)
    assert figures in told.text.replace(",", "")
    pdf = WeasyprintCreditNotes(i18n.catalogue).credit_note_pdf(doc).pdf
    paper = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    assert figures in paper.replace(",", "")


def test_a_currency_without_a_sign_of_its_own_stands_apart_from_the_figures() -> None:
    apart = [wording.money(12345, code) for code in ("KWD", "CHF", "GBP", "JPY", "USD")]
    assert apart == ["KWD\N{NO-BREAK SPACE}12.345", "CHF\N{NO-BREAK SPACE}123.45", "£123.45", "JP¥12,345", "US$123.45"]
    assert wording.money(-12345, "KWD") == "−KWD\N{NO-BREAK SPACE}12.345"
    assert wording.whole_money(12345, "CHF") == "CHF\N{NO-BREAK SPACE}123"
