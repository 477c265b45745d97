"""Every notice says its facts in both parts, escapes what people typed, and keeps its subject on one line."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from portal.config import ROOT
from portal.notices import breakdown
from portal.notices.colour import INK, READABLE, WHITE, contrast, on_accent
from portal.notices.context import ABOUT_GIFTS
from portal.notices.render import Text, render
from portal.notices.service import KINDS
from portal.notices.speech import Speech
from portal.policy.quote import Quote
from portal.shop import BankDays, Shop
from tests.stages.notices.contexts import BASE, CONTEXTS, CREDIT, QUOTE, REFUND, REPLACEMENT, context

LINK = "https://returns.example/returns/R-7K4Q92M?key=signed"
NAUGHTY: list[str] = json.loads((Path(__file__).parents[2] / "data/print/naughty-strings.json").read_text("utf-8"))
EVIL = "<img src=x onerror=alert(1)> \"quoted\" & 'single' {{ 7*7 }} %(x)s\r\nBcc: evil@example.com"
REFUND_ONLY, CREDIT_ONLY = (
    QUOTE
    | {
        "parts": [part for part in QUOTE["parts"] if part["into"] == pot],
        "lines": [line for line in QUOTE["lines"] if line["resolution"] == pot],
    }
    for pot in ("refund", "store_credit")
)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Page(HTMLParser):
    """The text that a reader sees, and the tags around it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["title"]):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def shop(sample_shop: Shop) -> Shop:
    # As the design's sample says it.
    return sample_shop.model_copy(update={"bank_days": BankDays(least=3, most=5)})


def say(kind: str, facts: dict[str, Any], shop: Shop, now: datetime = NOON, **more: Any) -> Text:
    options: dict[str, Any] = {"wanted_locale": "en-GB", "label_attached": True} | more
    return render(kind, facts, shop=shop, base_url="https://returns.example", link=LINK, now=now, **options)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_every_kind_has_its_facts_here() -> None:
    assert set(KINDS) == set(CONTEXTS)


# What each notice must say, in its text and in its HTML.
SAID = {
    "withdrawn": [
        "Withdrawal confirmed", "We received it on Tue 24 Nov 2026, 09:30.", "Merino crew jumper, Navy, M", "order WH-20418",
        "Our next e-mail has what you need to send it back.", "£54.10",
    ],
    "under_review": ["You’ll hear from us by Wednesday 25 November 2026", "Please keep the items", "Merino crew jumper, Navy, M"],
    "asked": ["Is the zip broken?", "Answer the question"],
    "booked": ["Drop it off by Tuesday 1 December 2026", "7K4Q 92MB", "any Northway Post counter or locker", "You get £142.21."],
    "refused": ["The jumper has been worn outdoors.", "Nothing was refunded.", "order WH-20418"],
    "canceled": ["is cancelled, as you wished.", "Nothing is refunded, and its code and label no longer work."],
    "expired": ["by Tuesday 1 December 2026, so we closed it. Nothing was refunded."],
    "part_received": [
        "arrived on 24 November 2026. The rest is still awaited.", "Brushed flannel shirt, Moss check, L: 1 of 3",
        "Not in the parcel Brushed flannel shirt, Moss check, L", "Still awaited Merino crew jumper, Navy, M Brushed flannel",
        "Send the rest by Tuesday 1 December 2026", "once all of it has arrived and we’ve checked it",
    ],
    "received": ["arrived on 24 November 2026", "You’ll hear from us by Thursday 26 November 2026"],
    "refund_sent": [
        "We sent £54.10 to Visa ending 4242 today.", "Expect it by Tuesday 1 December 2026", "Banks take 3 to 5 working days.",
        "give your bank this reference: 7461 2043 8877", "Brushed flannel shirt, Moss check, L", "£64.00", "−£6.40", "−£3.50",
        "Refund to Visa ending 4242", "£54.10", "The price includes £9.60 VAT.", "10% credit bonus", "+£8.01",
        "Store credit, code WHC-4KP2-90XN", "£88.11",
    ],
    "refund_failed": ["we tried to send £54.10 to Visa ending 4242", "We still owe it to you.", "by Wednesday 25 November 2026"],
    "refund_needs_you": ["your refund of £54.10", "Look for an e-mail from our payment provider", "Look in the spam folder too."],
    "refund_late": ["the bank hasn’t finished it yet.", "Expect it by Tuesday 1 December 2026 now"],
    "goodwill_sent": ["we sent £54.10 to Visa ending 4242 for order WH-20418.", "You don’t need to send anything back."],
    "payment_released": ["£54.10 was only reserved on Visa ending 4242 and was never taken.", "there is nothing to send back"],
    "closed_unpaid": [
        "we’ve closed your return of order WH-20418 without paying £54.10",
        "The £88.11 that you have from us already stays yours.", "Reply to this e-mail and say why.",
    ],
    "credit_issued": ["£88.11", "WHC-4KP2-90XN", "Your refund of £54.10 comes separately."],
    "exchange_sent": ["1 × Merino crew jumper Navy, size L", "Order WH-20418-X1"],
}  # fmt: skip
SUBJECTS = {
    "withdrawn": "Your withdrawal is confirmed, order WH-20418",
    "under_review": "We’re checking your return R-7K4Q92M",
    "asked": "A question about your return R-7K4Q92M",
    "booked": "Your return R-7K4Q92M is booked",
    "refused": "We can’t accept your return R-7K4Q92M",
    "canceled": "Your return R-7K4Q92M is cancelled",
    "expired": "Your return R-7K4Q92M has expired",
    "part_received": "A part of your return R-7K4Q92M has arrived",
    "received": "We have your parcel for return R-7K4Q92M",
    "refund_sent": "Your £54.10 refund is on its way",
    "refund_failed": "Your £54.10 refund hasn’t reached you yet",
    "refund_needs_you": "Your £54.10 refund needs your bank details",
    "refund_late": "Your £54.10 refund takes longer",
    "goodwill_sent": "Your £54.10 refund is on its way",
    "payment_released": "You weren’t charged £54.10",
    "closed_unpaid": "Return R-7K4Q92M is closed, £54.10 isn’t paid",
    "credit_issued": "Your £88.11 store credit is ready",
    "exchange_sent": "Your replacement for order WH-20418 is ordered",
}


@pytest.mark.parametrize("kind", KINDS)
def test_both_parts_say_the_facts_and_the_subject_states_one(kind: str, shop: Shop) -> None:
    found = say(kind, context(kind), shop)
    page = Page(found.html)
    assert found.subject == SUBJECTS[kind]
    for fact in [*SAID[kind], "Hi Priya,", "Wren & Harbour"]:
        assert fact in flat(found.text), fact
        assert fact in page.text, fact
    assert found.language == "en-GB"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("reversal", "the purchase itself disappears from your statement. There is no reference number for that."),
        ("pending", "A reference number for your bank comes later; you find it on the page below."),
        ("unavailable", "If you don’t see it by then, reply to this e-mail."),
        (None, "If you don’t see it by then, reply to this e-mail."),
    ],
)
@pytest.mark.parametrize("kind", ["refund_sent", "goodwill_sent"])
def test_a_refund_without_a_bank_reference_says_why_there_is_none_yet(
    kind: str, state: str | None, said: str, shop: Shop
) -> None:
    more = {} if state is None else {"reference_status": state}
    piece = {**REFUND, "bank_reference": "", **more}
    found = say(kind, context(kind, pieces=[piece]), shop)
    for text in (flat(found.text), Page(found.html).text):
        assert f"Banks take 3 to 5 working days. {said}" in text.replace("Your bank may show no payment: ", "")


@pytest.mark.parametrize("kind", sorted(ABOUT_GIFTS))
def test_what_is_told_of_a_gift_names_its_order_and_no_return(kind: str, shop: Shop) -> None:
    facts = context(kind, rma="", gift="gw_1", lines=[], quote=Quote("GBP", ()).to_json())
    facts["pieces"] = facts["pieces"][:1]
    found = say(kind, facts, shop)
    for text in (flat(found.text), Page(found.html).text):
        assert "See your refund" in text
        assert "because of your order WH-20418" in text
        assert "See return" not in text
        assert "you returned" not in text


def test_a_refund_held_by_a_dispute_promises_nothing_and_says_what_it_waits_for(shop: Shop) -> None:
    told = "Your bank is looking into this payment. We wait for its answer before we send anything."
    found = say("refund_failed", context("refund_failed", told=told, disputed=True), shop)
    for text in (flat(found.text), Page(found.html).text):
        assert "we haven’t sent £54.10 to Visa ending 4242 yet." in text
        assert told in text
        assert "We still owe it" not in text


@pytest.mark.parametrize("kind", KINDS)
def test_one_button_leads_to_the_page_that_says_more_and_nothing_is_loaded_from_anywhere(kind: str, shop: Shop) -> None:
    found = say(kind, context(kind), shop)
    page = Page(found.html)
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert links == [LINK, "https://returns.example/policy"]
    assert found.text.count(LINK) == 1
    assert not [tag for tag, attrs in page.tags if tag in ("img", "script", "link", "iframe") or "src" in attrs]
    assert "url(" not in found.html


@pytest.mark.parametrize("kind", KINDS)
def test_layout_tables_are_no_tables_to_those_who_listen_and_data_tables_have_headings(kind: str, shop: Shop) -> None:
    html = say(kind, context(kind), shop).html
    for table in re.findall(r"<table[^>]*>(?:(?!<table).)*", html, re.S):
        assert 'role="presentation"' in table or ("<caption" in table and 'scope="row"' in table), table[:200]
    assert html.count("<h1") == 1
    assert '<html lang="en-GB"' in html


@pytest.mark.parametrize("kind", KINDS)
def test_what_people_typed_is_escaped_everywhere_and_ends_no_line_of_the_subject(kind: str, shop: Shop) -> None:
    facts = context(kind, name=EVIL, order=EVIL, message=EVIL)
    for line in facts["lines"]:
        line |= {"name": EVIL, "variant": EVIL, "say": EVIL, "status": "accepted"}
    lines = facts["lines"] or context("booked")["lines"]
    facts["lines"].append(lines[0] | {"status": "refused", "line": "9"})
    for piece in facts.get("pieces", ()):
        piece |= {key: EVIL for key in ("to", "label", "order", "bank_reference") if key in piece}
    if "label" in facts:
        facts["label"] = dict.fromkeys(facts["label"], EVIL)
    found = say(kind, facts, shop)
    page = Page(found.html)
    assert not [tag for tag, attrs in page.tags if tag == "img" or "onerror" in attrs]
    assert "<img" not in found.html
    assert "49" not in re.sub(r"[\d#]{3,}|£[\d.]+", "", page.text.replace("7*7", ""))
    assert len(found.subject.splitlines()) == 1


@pytest.mark.parametrize("text", NAUGHTY[::11], ids=ascii)
def test_naughty_strings_change_neither_the_shape_of_a_mail_nor_its_links(text: str, shop: Shop) -> None:
    for kind in ("booked", "refused", "refund_sent"):
        facts = context(kind, name=text, order=text, message=text)
        facts["lines"][0] |= {"name": text, "variant": text}
        found = say(kind, facts, shop)
        usual = Page(say(kind, context(kind, message="x"), shop).html)
        page = Page(found.html)
        tags = [tag for tag, _ in page.tags if tag != "br"]
        if text.strip():
            assert tags == [tag for tag, _ in usual.tags if tag != "br"]
        assert [attrs["href"] for tag, attrs in page.tags if tag == "a"] == [LINK, "https://returns.example/policy"]
        assert len(found.subject.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "hello"),
    [
        ("Priya Nair", "Hi Priya,"), ("Jean-Luc", "Hi Jean-Luc,"), ("O’Brien Kate", "Hi O’Brien,"), ("Žofie", "Hi Žofie,"),
        ("", "Hello,"), ("  ", "Hello,"), ("J. Smith", "Hello,"), ("http://evil.example win", "Hello,"),
        ("evil.example", "Hello,"), ("ప్రియ నాయర్", "Hi ప్రియ,"), ("Олена", "Hi Олена,"), ("A", "Hello,"),
        ("@evil", "Hello,"), ("12345", "Hello,"), ("X" * 80, "Hello,"), ("www.evil.example", "Hello,"),
    ],
)  # fmt: skip
def test_a_greeting_uses_only_what_can_be_nothing_but_a_name(name: str, hello: str, shop: Shop) -> None:
    assert f"\n{hello} " in say("expired", context("expired", name=name), shop).text


def test_a_late_mail_names_the_day_of_its_event(shop: Shop) -> None:
    late = say("refund_sent", context("refund_sent"), shop, now=datetime(2026, 11, 26, tzinfo=UTC))
    assert "to Visa ending 4242 on 24 November 2026." in late.text
    assert "Expect it by Tuesday 1 December 2026" in late.text


def test_today_is_the_shop_s_day(shop: Shop) -> None:
    # 23:30 UTC in July is half past midnight in London.
    facts = context("refund_sent", at="2026-07-01T23:30:00+00:00")
    assert "today" in say("refund_sent", facts, shop, now=datetime(2026, 7, 2, 12, tzinfo=UTC)).text
    assert "on 2 July 2026" in say("refund_sent", facts, shop, now=datetime(2026, 7, 3, 12, tzinfo=UTC)).text


def test_a_refund_to_several_payments_names_this_part_and_what_is_still_to_come(shop: Shop) -> None:
    parts = [
        REFUND | {"refund": "RF-1", "amount": 3000},
        REFUND | {"refund": "RF-2", "amount": 1410, "to": "Mastercard ending 4444", "state": "sent"},
        REFUND | {"refund": "RF-3", "amount": 1000, "to": "", "provider": "gift_card", "state": "by_shop"},
    ]
    found = say("refund_sent", context("refund_sent", pieces=parts), shop)
    assert found.subject == "Your £30.00 refund is on its way"
    for part in (found.text, Page(found.html).text):
        assert "Visa ending 4242 (sent now)" in part
        assert "Mastercard ending 4444 (sent, not confirmed yet)" in part
        assert "your gift card (still to come)" in part
        assert "Refund to Visa" not in part
    assert "Mastercard ending 4444 (sent, not confirmed yet): £14.10" in found.text


def test_money_that_staff_sent_by_hand_is_not_said_to_be_on_the_card(shop: Shop) -> None:
    for provider, to, waits in (("bank", "your bank account", True), ("gift_card", "your gift card", False)):
        piece = REFUND | {"to": "", "provider": provider, "bank_reference": ""}
        found = say("refund_sent", context("refund_sent", another_way=True, pieces=[piece]), shop)
        assert f"We sent £54.10 to {to}" in found.text
        assert "reference" not in found.text
        assert "Visa" not in found.html
        assert ("Banks take" in found.text) is waits
        assert (found.subject == "Your £54.10 refund is on its way") is waits


def test_goods_that_were_not_as_described_are_not_praised(shop: Shop) -> None:
    facts = context("refund_sent")
    assert "everything was as you described" in say("refund_sent", facts, shop).text
    facts["lines"][0] |= {"condition": "damaged"}
    assert "as you described" not in say("refund_sent", facts, shop).text


def test_an_unknown_card_is_not_called_by_its_provider(shop: Shop) -> None:
    found = say("refund_sent", context("refund_sent", pieces=[REFUND | {"to": "", "bank_reference": ""}]), shop)
    assert "to the card or account you paid with today." in found.text
    assert "stripe" not in (found.text + found.html).lower()
    assert "If you don’t see it by then, reply to this e-mail." in found.text


@pytest.mark.parametrize(
    ("changes", "attached", "said"),
    [
        ({"ship_with": "label"}, True, "Your label is attached. Print it"),
        ({"ship_with": "label"}, False, "Open your return to print the label."),
        ({"ship_with": "qr"}, True, "read out the code below"),
        ({"ship_with": "shop", "label": None}, False, "Take the items and this e-mail to one of our shops."),
        ({"ship_with": "own", "label": None}, False,
         "Address: Wren & Harbour Returns, Unit 7, Kestrel Way, Avonmouth, Bristol BS11 8AZ"),
        ({"ship_with": "", "label": None}, False, "You don’t need to send anything back."),
        ({"ship_with": "qr", "ship_by_on": None}, True, "Drop it off\n"),
        ({"refund_when": "authorized"}, True, "You get £142.21. We send it at once."),
        ({"refund_when": "in_transit"}, True, "You get £142.21. We send it when you’ve handed the parcel over."),
        ({"refund_when": "received"}, True, "You get £142.21. We send it when your parcel has reached us."),
        ({"pieces": [REPLACEMENT | {"state": "reserved"}]}, True, "In exchange you get: 1 × Merino crew jumper Navy, size L."),
    ],
)  # fmt: skip
def test_a_booked_return_says_how_to_send_it_and_when_the_money_comes(
    changes: dict[str, Any], attached: bool, said: str, shop: Shop
) -> None:
    assert said in say("booked", context("booked", **changes), shop, label_attached=attached).text


def test_an_approval_by_staff_says_so_with_their_words(shop: Shop) -> None:
    found = say("booked", context("booked", by_staff=True, message="We make an exception this time."), shop)
    assert found.subject == "Your return R-7K4Q92M is approved"
    for part in (flat(found.text), Page(found.html).text):
        assert "From our team We make an exception this time." in part


@pytest.mark.parametrize(("units", "kept"), [(1, "Moss check, L. Please keep it."), (2, "Please keep them.")])
def test_what_stays_out_of_an_approval_is_named_with_its_reason(units: int, kept: str, shop: Shop) -> None:
    facts = context("booked", by_staff=True, message="The shirt was washed.")
    facts["lines"][1] |= {"status": "refused", "quantity": units}
    found = say("booked", facts, shop)
    for part in (flat(found.text), Page(found.html).text):
        assert f"{kept} Why The shirt was washed. " in part
        assert "From our team" not in part


def test_what_the_policy_wants_done_before_sending_is_said_at_its_item(shop: Shop) -> None:
    facts = context("booked")
    facts["lines"][0] |= {"say": "Delete your data and sign out of your accounts."}
    found = say("booked", facts, shop)
    assert "Merino crew jumper, Navy, M\nDelete your data and sign out of your accounts." in found.text


def test_a_refusal_by_the_policy_gives_its_reason_and_its_date(shop: Shop) -> None:
    facts = context("refused", message="")
    facts["lines"][0] |= {
        "status": "refused",
        "causes": [
            {
                "code": "window_closed",
                "rule": "otherwise",
                "params": {"from": "delivered", "days": 30, "started_on": "2026-10-13", "ended_on": "2026-11-12"},
            }
        ],
    }
    found = say("refused", facts, shop)
    assert "Merino crew jumper, Navy, M\nThe 30 days ended on 12 November 2026." in found.text
    assert "Why" not in found.text


def test_refused_goods_that_are_here_are_not_asked_to_be_kept(shop: Shop) -> None:
    found = say("refused", context("refused", arrived=True), shop)
    assert "Please keep the items" not in found.text
    assert "We have the items here" in found.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"refund_when": "received"}, "Your money goes out once all of it has arrived. See"),
        ({"refund_when": "authorized", "pieces": [REFUND]}, "reply to this e-mail. See return"),
        ({"ship_by_on": "2026-11-23"}, "Send the rest If it is on its way"),
    ],
)
def test_a_part_that_came_promises_only_money_and_days_that_are_still_to_come(
    changes: dict[str, Any], said: str, shop: Shop
) -> None:
    assert said in flat(say("part_received", context("part_received", **changes), shop).text)


def test_a_parcel_that_lacked_something_says_what(shop: Shop) -> None:
    facts = context("received")
    facts["lines"][0] |= {"quantity": 3, "received": 2}
    found = say("received", facts, shop)
    assert "Merino crew jumper, Navy, M × 3: 2 of 3 arrived" in found.text


@pytest.mark.parametrize(
    ("pieces", "said"),
    [([], "We’ll write again once your refund has gone through"), ([REFUND], "You don’t need to do anything")],
)
def test_money_that_has_gone_already_is_not_promised_again(pieces: list[Any], said: str, shop: Shop) -> None:
    found = say("received", context("received", refund_when="received", pieces=pieces), shop)
    assert said in found.text
    assert ("once your refund has gone through" in found.text) is (not pieces)


def test_a_credit_after_the_refund_does_not_announce_the_refund(shop: Shop) -> None:
    assert "comes separately" not in say("credit_issued", context("credit_issued", pieces=[CREDIT, REFUND]), shop).text


def test_who_is_told_of_the_credit_alone_is_not_promised_the_mail_about_the_refund(shop: Shop) -> None:
    assert "comes separately" in say("credit_issued", context("credit_issued"), shop).text
    found = say("credit_issued", context("credit_issued", told_besides="g•••@example.org"), shop)
    assert "comes separately" not in found.text + found.html


def test_money_of_two_kinds_has_a_heading_above_each_table_that_everybody_sees(shop: Shop) -> None:
    found = say("refund_sent", context("refund_sent"), shop)
    heading = re.compile(r'aria-hidden="true">(How your [^<]+ adds up)<')
    assert heading.findall(found.html) == ["How your refund adds up", "How your store credit adds up"]
    alone = say("withdrawn", context("withdrawn", quote=REFUND_ONLY), shop)
    assert heading.findall(alone.html) == [], "one table needs none"


def test_credit_alone_is_not_announced_as_money(shop: Shop) -> None:
    found = say("received", context("received", quote=CREDIT_ONLY, refund_when="received"), shop)
    assert "We’ll write again with your store credit" in found.text
    assert "money is on its way" not in found.text + found.html


@pytest.mark.parametrize("wanted", ["", "xx-YY", "te-IN", "de_DE", "en", "nonsense!"])
def test_a_language_that_is_not_shipped_gets_the_shop_s_own_whole(wanted: str, shop: Shop) -> None:
    found = say("refund_sent", context("refund_sent"), shop, wanted_locale=wanted)
    assert found.language == "en-GB"
    assert "Tuesday 1 December 2026" in found.text


def test_the_text_part_has_no_ragged_blanks_and_a_signature(shop: Shop) -> None:
    for kind in KINDS:
        text = say(kind, context(kind), shop).text
        assert "\n\n\n" not in text
        assert "\n-- \nWren & Harbour\n" in text
        assert not [line for line in text.splitlines() if line != line.rstrip() and line != "-- "]


def test_the_rows_of_a_pot_sum_to_what_is_said_below_them() -> None:
    quote = Quote.from_json(QUOTE)
    found = breakdown.groups(quote, {"1": "Jumper", "2": "Shirt"}, Speech.of("en_GB", "Europe/London"))
    assert [(group.pot, group.total.minor, group.tax_minor) for group in found] == [
        ("refund", 5410, 960),
        ("store_credit", 8811, 1335),
    ]
    assert sum(group.total.minor for group in found) == quote.total.minor


@pytest.mark.parametrize(
    "accent", ["#0b5a6a", "#ffd23f", "#ffffff", "#000000", "#777777", "#8a8a00", "#e4572e", "#00a0a0"]
)
def test_words_on_the_button_can_be_read_on_any_accent(accent: str) -> None:
    shade, words = on_accent(accent)
    assert contrast(shade, words) >= READABLE
    assert words in (WHITE, INK)


def test_templates_hold_every_notice_and_no_other() -> None:
    folder = ROOT / "templates" / "email"
    assert {path.name for path in folder.iterdir() if path.is_dir()} == set(KINDS)
    for kind in KINDS:
        assert {path.name for path in (folder / kind).iterdir()} == {"subject.txt", "body.txt", "body.html"}


def test_facts_are_plain_json() -> None:
    for kind in KINDS:
        assert json.loads(json.dumps(context(kind))) == context(kind)
    assert BASE["lines"][0]["received"] == 0


def test_the_tax_in_a_price_is_called_as_the_shop_s_country_calls_it(shop: Shop) -> None:
    facts = context("refund_sent")
    assert "The price includes £9.60 VAT." in flat(say("refund_sent", facts, shop).text)
    abroad = shop.model_copy(update={"country": "US"})
    assert "The price includes £9.60 tax." in flat(say("refund_sent", facts, abroad).text)


def test_beside_an_exchange_the_rest_is_called_what_it_is(shop: Shop) -> None:
    for quote, said in (
        (REFUND_ONLY, "Your money for the other items comes separately."),
        (CREDIT_ONLY, "Your store credit for the other items comes separately, by e-mail."),
    ):
        found = say("exchange_sent", context("exchange_sent", quote=quote), shop)
        assert said in flat(found.text)
        assert said in Page(found.html).text


@pytest.mark.parametrize(
    "state", ["planned", "by_shop", "waits", "paused", "sent", "held", "needs_you", "unsure", "released"]
)
def test_the_mail_about_one_refund_names_the_others_whatever_they_are_doing(state: str, shop: Shop) -> None:
    other = REFUND | {"refund": "RF-2", "to": "Gift card", "state": state, "amount": 1000}
    found = say("refund_sent", context("refund_sent", pieces=[REFUND, other]), shop)
    assert "£10.00" in found.text
    assert "£10.00" in Page(found.html).text
