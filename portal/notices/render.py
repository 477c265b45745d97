"""Turning frozen facts into subject, plain text and HTML, outside of any request.

In: the context of a notice, the shop, a locale. Out: `Text`. Invariants: what people typed is escaped in HTML; a subject is one
line; the text part says what the HTML part says. Never: a query, a fetch, a picture that has to be loaded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined, select_autoescape
from markupsafe import Markup, escape

from portal import clock, i18n, ids, wording
from portal.config import ROOT
from portal.labels.addresses import Address, postal_lines
from portal.notices import breakdown
from portal.notices.colour import on_accent
from portal.notices.mime import one_line
from portal.notices.speech import Speech
from portal.policy.decision import Cause
from portal.policy.explain import cause_message
from portal.policy.quote import REFUND, STORE_CREDIT, Quote
from portal.shop import Shop

TEMPLATES = ROOT / "templates"
LONGEST_NAME = 30
_STRONG = Markup('<strong style="font-weight:650">{}</strong>')


@dataclass(frozen=True, slots=True)
class Text:
    """A notice in words. ``language`` is a tag such as ``en-GB``."""

    subject: str
    text: str
    html: str
    language: str


def render(
    kind: str,
    context: Mapping[str, Any],
    *,
    shop: Shop,
    wanted_locale: str,
    base_url: str,
    link: str,
    label_attached: bool,
    now: datetime,
) -> Text:
    """The notice ``kind`` in the reader's language, as of its event; ``now`` only decides whether that was today."""
    speech = Speech.of(i18n.reader(wanted_locale, shop.locale), shop.timezone)
    templates = _environment(speech.locale)
    values = _values(kind, context, shop, speech, base_url, now) | {"link": link, "label_attached": label_attached}
    subject = one_line(templates.get_template(f"email/{kind}/subject.txt").render(values))
    values["subject"] = subject
    text = templates.get_template(f"email/{kind}/body.txt").render(values)
    html = templates.get_template(f"email/{kind}/body.html").render(values)
    return Text(subject, _tidy(text), html, values["lang"])


class _Missing(StrictUndefined):
    """A misspelled name breaks the mail instead of leaving a hole in it; asking whether something is there is fine."""

    __bool__ = Undefined.__bool__  # type: ignore[assignment]


@lru_cache(maxsize=32)
def _environment(locale: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        extensions=["jinja2.ext.i18n"],
        undefined=_Missing,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.install_gettext_translations(i18n.catalogue(locale), newstyle=True)  # type: ignore[attr-defined]
    environment.filters["strong"] = _STRONG.format
    environment.filters["rows"] = _rows
    return environment


def _rows(text: str) -> Markup:
    """Several lines that a person typed, as HTML."""
    return Markup("<br>").join(escape(line) for line in text.splitlines())


def _tidy(text: str) -> str:
    """No blanks at the ends of lines (but for the signature's ``-- ``), and one empty line at a time."""
    lines = [line if line == "-- " else line.rstrip() for line in text.strip().splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def _values(
    kind: str, context: Mapping[str, Any], shop: Shop, speech: Speech, base_url: str, now: datetime
) -> dict[str, Any]:
    _ = speech.gettext
    at = datetime.fromisoformat(context["at"])
    today = speech.local_day(at)
    found = _money(context, shop.country, speech)
    lines = [dict(line) | {"full_name": _full_name(line, speech)} for line in context["lines"]]
    words = speech.wording()
    for line in lines:
        causes = [Cause(each["code"], each["rule"], each["params"]) for each in line.get("causes", ())]
        line["asked"] = str(line.get("asked") or "").strip()
        line["why"] = " ".join(dict.fromkeys(cause_message(cause, words) for cause in causes))
    accepted = [line for line in lines if line["status"] in ("accepted", "review")]
    # Money may have left days before the event that is told, and its bank counts from then, as the page says.
    paid = found["refund"] or {}
    sent_on = speech.local_day(datetime.fromisoformat(paid["sent_at"])) if paid.get("sent_at") else today
    counted_on = date.fromisoformat(paid["counted_on"]) if paid.get("counted_on") else today
    return {
        "shop": _shop(shop, base_url) | {"answer_within": speech.answer_within(shop.decide_within_hours)},
        "carrier": shop.carrier,
        "lang": speech.locale.replace("_", "-"),
        "hello": _hello(str(context["name"]), speech),
        "because": _because(kind, context["rma"], context["order"], speech),
        "rma": context["rma"],
        "order": context["order"],
        "ship_with": context["ship_with"],
        "refund_when": context["refund_when"],
        "arrived": context["arrived"],
        "message": str(context.get("message") or "").strip(),
        "by_staff": bool(context.get("by_staff")),
        "told_besides": context.get("told_besides", ""),
        "taken_back": context.get("taken_back", ""),
        "unpaid": speech.money(context["unpaid"], context["currency"]) if context.get("unpaid") else "",
        "paid": speech.money(context["paid"], context["currency"]) if context.get("paid") else "",
        "disputed": bool(context.get("disputed")),
        "rest": speech.money(context["rest"], context["currency"]) if context.get("rest") else "",
        "label": context.get("label"),
        "lines": lines,
        "declared": [_declared(line, speech) for line in lines],
        "accepted": accepted,
        "refused": [line for line in lines if line["status"] == "refused"],
        "travelling": [line for line in accepted if not line["keeps_item"]],
        "items": [breakdown.Row(line["full_name"], _resolution(line["resolution"], speech)) for line in accepted],
        "rest_by": _weekday(context["ship_by_on"], speech)
        if str(context["ship_by_on"] or "") >= today.isoformat()
        else "",
        "parts": _parts(accepted, speech),
        "all_well": bool(context["arrived"])
        and all(_as_described(line) for line in accepted if not line["keeps_item"]),
        "ship_by": _weekday(context["ship_by_on"], speech),
        "answer_by": _weekday_of(context.get("answer_by"), speech),
        "check_by": wording.weekday(clock.add_working_days(today, shop.check_within_days), speech.locale),
        "when_sent": speech.when_sent(
            _moment_of_money(context), shop.check_within_days, by_hand=context["ship_with"] == "shop"
        ),
        "shops": [(store.name, [store.address, *([store.hours] if store.hours else [])]) for store in shop.shops],
        "bank_by": wording.weekday(clock.add_working_days(counted_on, shop.bank_days.most), speech.locale),
        "bank_days": speech.working_days(shop.bank_days.least, shop.bank_days.most),
        "on_day": wording.day(today, speech.locale),
        "sent_on": wording.day(sent_on, speech.locale),
        "moment": wording.moment(at, speech.zone, speech.locale),
        "authorized": context["status"] == "authorized",
        "sent_today": sent_on == speech.local_day(now),
        "warehouse": ", ".join(_warehouse(shop, str(context.get("place") or ""))),
        "money": speech.money,
        **found,
    }


def _moment_of_money(context: Mapping[str, Any]) -> str:
    """The policy's moment; what nobody has to send back is paid at once."""
    travels = context["ship_with"] and any(
        line["status"] in ("accepted", "review") and not line["keeps_item"] for line in context["lines"]
    )
    return str(context["refund_when"]) if travels else "authorized"


def _money(context: Mapping[str, Any], country: str, speech: Speech) -> dict[str, Any]:
    """The groups of the breakdown with their totals in words, and this event's refund, credit and replacements."""
    empty: dict[str, Any] = {"tables": [], "total": "", "refund": None, "other_refunds": [], "credit": None}
    empty |= {"replacements": [], "refund_to_come": "", "money_next": False, "why_less": []}
    if "quote" not in context:
        return empty
    quote = Quote.from_json(context["quote"])
    names = {line["line"]: breakdown.item_name(line["name"], line["variant"], 1, speech) for line in context["lines"]}
    groups = breakdown.groups(quote, names, speech)
    pieces = [_piece(piece, speech) for piece in context["pieces"]]
    refunds = [piece for piece in pieces if piece["kind"] == "refund"]
    credit = next((piece for piece in pieces if piece["kind"] == "store_credit"), None)
    this = next((piece for piece in reversed(refunds) if piece["refund"] == context.get("refund")), None)
    if this is not None:
        this["at_bank"] = not context.get("another_way") or this["provider"] == "bank"
        this["told"], this["disputed"] = context.get("told", ""), bool(context.get("disputed"))
    owed = breakdown.sum_of(groups, REFUND)
    to_come = (
        owed is not None and owed.minor > 0 and not (refunds and all(each["state"] == "arrived" for each in refunds))
    )
    return {
        "why_less": breakdown.why_less(context.get("less", {}), names, speech),
        "tables": [_table(group, refunds, credit, country, speech) for group in groups],
        "total": speech.money(quote.total.minor, quote.currency) if quote.total.minor > 0 else "",
        "refund_to_come": speech.money(owed.minor, quote.currency) if owed is not None and to_come else "",
        "money_next": quote.total.minor > 0 and not refunds and credit is None,
        "refund": this,
        "other_refunds": [piece for piece in refunds if piece is not this],
        "credit": credit,
        "replacements": [piece for piece in pieces if piece["kind"] == "exchange"],
    }


def _piece(frozen: Mapping[str, Any], speech: Speech) -> dict[str, Any]:
    piece = dict(frozen)
    if "amount" in frozen:
        piece["sum"] = speech.money(frozen["amount"], frozen["currency"])
    if frozen["kind"] == "refund":
        piece["to"] = speech.goes_to(str(frozen["to"]), str(frozen["provider"]))
        piece["reference_status"] = frozen.get("reference_status", "")
        piece["bank_reference"] = ids.group(frozen["bank_reference"])
        piece["charged"] = speech.money(frozen["charged"], frozen["currency"]) if "charged" in frozen else ""
    return piece


def _table(
    group: breakdown.Group, refunds: list[dict[str, Any]], credit: dict[str, Any] | None, country: str, speech: Speech
) -> dict[str, Any]:
    _ = speech.gettext
    note = ""
    if group.pot == STORE_CREDIT:
        code = credit["label"] if credit is not None else ""
        term = _("Store credit, code %(code)s") % {"code": code} if code else _("Store credit")
    else:
        # With several payments each has its own row in the mail's second table.
        whole = refunds[0] if len(refunds) == 1 and refunds[0]["amount"] == group.total.minor else None
        term = _("Refund to %(card)s") % {"card": whole["to"]} if whole is not None else _("Refund")
        if group.tax_minor > 0:
            price = speech.ngettext(
                "The price includes %(amount)s %(tax)s.", "The prices include %(amount)s %(tax)s.", group.items
            )
            note = (_("Price and delivery include %(amount)s %(tax)s.") if group.with_delivery else price) % {
                "amount": speech.money(group.tax_minor, group.total.currency),
                "tax": breakdown.tax_name(country, speech),
            }
    total = breakdown.Row(term, speech.money(group.total.minor, group.total.currency), "total")
    caption = _("How your refund adds up") if group.pot == REFUND else _("How your store credit adds up")
    return {"pot": group.pot, "rows": (*group.rows, total), "caption": caption, "note": note}


def _parts(lines: list[dict[str, Any]], speech: Speech) -> list[tuple[str, list[str]]]:
    """Which goods have come, which were not in their parcel, and which are awaited; each heading with its items."""
    _ = speech.gettext

    def named(line: Mapping[str, Any], count: int) -> str:
        return breakdown.item_name(line["name"], line["variant"], count, speech)

    def came(line: Mapping[str, Any]) -> str:
        if line["quantity"] == 1:
            return named(line, 1)
        parts = {"name": named(line, 1), "got": line["received"], "all": line["quantity"]}
        return _("%(name)s: %(got)s of %(all)s") % parts

    coming = [line for line in lines if not line["keeps_item"]]
    return [
        (_("Arrived"), [came(line) for line in coming if line["received"]]),
        (
            _("Not in the parcel"),
            [named(line, line["counted"] - line["received"]) for line in coming if line["counted"] > line["received"]],
        ),
        (
            _("Still awaited"),
            [named(line, line["quantity"] - line["counted"]) for line in coming if line["counted"] < line["quantity"]],
        ),
    ]


def _as_described(line: Mapping[str, Any]) -> bool:
    return bool(line["received"] == line["quantity"] and line["condition"] in ("as_new", "opened"))


def _hello(name: str, speech: Speech) -> str:
    """The first word of the name, where it can be nothing but a name: mail programs make links of anything like an address."""
    first = name.split()[0] if name.split() else ""
    if not 2 <= len(first) <= LONGEST_NAME or not all(_is_of_a_name(sign) for sign in first):
        return speech.gettext("Hello,")
    return speech.gettext("Hi %(name)s,") % {"name": first}


def _is_of_a_name(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LM" or sign in "’'-"


def _because(kind: str, rma: str, order: str, speech: Speech) -> str:
    if kind == "withdrawn":
        text = speech.gettext("You’re getting this because you withdrew from the purchase of order %(order)s.")
    elif kind in ("under_review", "asked", "refused"):
        text = speech.gettext("You’re getting this because you asked to return something from order %(order)s.")
    elif not rma:
        text = speech.gettext("You’re getting this because of your order %(order)s.")
    else:
        text = speech.gettext("You’re getting this because you returned order %(order)s.")
    return text % {"order": order}


def _declared(line: Mapping[str, Any], speech: Speech) -> str:
    count = line["quantity"]
    return breakdown.units_of(line["name"], count, line.get("of", count), speech, line["variant"])


def _full_name(line: Mapping[str, Any], speech: Speech) -> str:
    return breakdown.item_name(line["name"], line["variant"], line["quantity"], speech)


def _resolution(resolution: str, speech: Speech) -> str:
    _ = speech.gettext
    words = {"refund": _("Refund"), "store_credit": _("Store credit"), "exchange": _("Exchange")}
    return words.get(resolution, resolution)


def _weekday(day: str | None, speech: Speech) -> str:
    return wording.weekday(date.fromisoformat(day), speech.locale) if day else ""


def _weekday_of(moment: str | None, speech: Speech) -> str:
    return wording.weekday(speech.local_day(datetime.fromisoformat(moment)), speech.locale) if moment else ""


def _warehouse(shop: Shop, place: str = "") -> list[str]:
    to = shop.warehouse
    address = Address(to.name, (place, *to.lines) if place else to.lines, to.city, to.region, to.postcode, to.country)
    return [line.text for line in postal_lines(address, joined=True)]


def _shop(shop: Shop, base_url: str) -> dict[str, Any]:
    accent, ink = on_accent(shop.accent)
    return {
        "name": shop.name,
        "address": ", ".join(_warehouse(shop)),
        "policy_url": f"{base_url}/policy",
        "accent": accent,
        "on_accent": ink,
        "logo_email_url": "",
    }
