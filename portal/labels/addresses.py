"""A postal address and the order of its lines in each country.

In: the parts of an address as the shop or the customer gave them. Out: printable lines, the postcode's line marked.
Invariants: every part that is not empty is printed exactly once; the name comes first.
Never: a check whether an address exists, nor a part made up.

The order of the parts follows Google's libaddressinput (data CC BY 4.0), with two changes: the name always
stands on top, as the Universal Postal Union asks on mail between countries, and where a country also writes
its addresses from the large to the small, the order used with Latin letters is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from babel import Locale, UnknownLocaleError


@dataclass(frozen=True, slots=True)
class Address:
    """Who and where.

    ``country`` is an ISO 3166-1 code of two letters (or empty); every other part may be empty too.
    """

    name: str
    lines: tuple[str, ...] = ()
    city: str = ""
    region: str = ""
    postcode: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class PostalLine:
    """One line as printed. ``has_postcode`` marks the line that a sorting machine looks for."""

    text: str
    has_postcode: bool = False


# A street lines, C city, S region, Z postcode, / a new line. A stands first where it is not named.
_ORDERS = {
    "Z C/S": (
        "AD AM AR AT AX AZ BA BE BG BL BY CG CH CL CR CV CY CZ DE DK DO DZ EC EE EH ET FI FO FR GE GF GL "
        "GN GP GR GT GW HR HT IS KW LA LI LR LT LU MA MC MD ME MG MK MQ MU MY NC NE NI NL NO OM PH PL PM "
        "PT PY RE RO RS SE SI SJ SK SM SN SV TJ TM TN TR UZ VA WF XK YT ZM"
    ),
    "C Z/S": "BH BM BN CK IL IN JO KH LB LS MM MT MV NG NP NZ SA SG",
    "C S Z": "AS AU CA CC CX FM GU HM MH MP NF PG PR PW SO TW UM US VE VI",
    "C/S/Z": "CN EG FK GB GG GS HK IE IM IO JE JM KE KG KR KZ LK MN MO PA PN RU SC SH SZ TC TV UA VN ZA",
    "Z C S": "ES IT PF UY",
    "Z C, S": "MX",
    "C, S/Z": "BS CO HN IQ IR JP KN LV",
    "C-S/Z": "BR",
    "C - Z/S": "BD",
    "C-Z/S": "PK",
    "C/S Z": "ID TH",
    "C/A/S/Z": "HU",
}
_ORDER_OF = {country: order for order, countries in _ORDERS.items() for country in countries.split()}
_ORDER_ELSEWHERE = "C Z/S"
_BLANKS = re.compile(r"\s+")


def postal_lines(address: Address, *, country: str = "", joined: bool = False) -> tuple[PostalLine, ...]:
    """``address`` as its country writes it, empty parts left out.

    ``country`` is the country's name, for mail that crosses a border; it is put last in capitals. ``joined``
    sets a postcode that would stand alone behind the town, for small type.
    """
    code = address.country.strip().upper()
    order = _ORDER_OF.get(code, _ORDER_ELSEWHERE)
    if "A" not in order:
        order = "A/" + order
    street = [text for text in map(_tidy, address.lines) if text]
    parts = {"C": _tidy(address.city), "S": _tidy(address.region), "Z": _tidy(address.postcode).upper()}
    lines = [PostalLine(_tidy(address.name))]
    place = False
    for row in order.split("/"):
        if row == "A":
            lines += [PostalLine(text) for text in street]
            continue
        text = _fill(row, parts)
        if row == "Z" and text and joined and place:
            lines[-1] = PostalLine(f"{lines[-1].text} {text}", has_postcode=True)
        elif text:
            lines.append(PostalLine(text, has_postcode="Z" in row and bool(parts["Z"])))
            place = True
    lines.append(PostalLine(_tidy(country).upper()))
    return tuple(line for line in lines if line.text)


def country_name(code: str, locale: str) -> str:
    """The country's name in ``locale`` (CLDR).

    The code itself where CLDR has no such country, empty for an empty code.
    """
    code = code.strip().upper()
    try:
        names = Locale.parse(locale.replace("-", "_")).territories
    except (UnknownLocaleError, ValueError):
        names = Locale("en").territories
    return str(names.get(code, code))


def _tidy(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()


def _fill(row: str, parts: dict[str, str]) -> str:
    # A separator is printed only between two parts that are there.
    text = separator = ""
    for piece in re.split("([CSZ])", row):
        if piece not in parts:
            separator = piece or separator
        elif parts[piece]:
            text += (separator if text else "") + parts[piece]
            separator = ""
    return text
