"""The sample shop's orders, as JSON Lines in the portal's own format, with dates that are fresh whenever it runs.

Usage: sample_shop.py FILE. Shop, people and goods are invented; places are real, streets are not.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

NOW = datetime.now(UTC).replace(minute=12, second=0, microsecond=0)


def ago(days: float) -> str:
    """The moment ``days`` ago, in UTC."""
    return (NOW - timedelta(days=days)).isoformat().replace("+00:00", "Z")


def variants(product: str, price: int, *choices: tuple[str, str, int]) -> list[dict[str, Any]]:
    """What can be sent in exchange: (sku, label, stock)."""
    return [{"sku": sku, "label": label, "price": price, "stock": stock} for sku, label, stock in choices]


JUMPER = variants(
    "merino-crew-jumper", 8900,
    ("WH-MJ-S-NAV", "Navy, size S", 4), ("WH-MJ-M-NAV", "Navy, size M", 6), ("WH-MJ-L-NAV", "Navy, size L", 9),
    ("WH-MJ-L-OAT", "Oat, size L", 0),
)  # fmt: skip
SHIRT = variants(
    "brushed-flannel-shirt", 6400,
    ("WH-FS-M-MOS", "Moss check, size M", 3), ("WH-FS-L-MOS", "Moss check, size L", 8),
    ("WH-FS-XL-MOS", "Moss check, size XL", 1),
)  # fmt: skip


def jumper(ref: str, delivered: float | None, discount: int = 0) -> dict[str, Any]:
    """One merino crew jumper."""
    return line(ref, "WH-MJ-M-NAV", "Merino crew jumper", "Navy, size M", 1, 8900, discount, delivered, "merino-crew-jumper",
                "knitwear", variants=JUMPER)  # fmt: skip


def shirt(ref: str, delivered: float | None, quantity: int = 1, discount: int = 0) -> dict[str, Any]:
    """Brushed flannel shirts."""
    return line(ref, "WH-FS-L-MOS", "Brushed flannel shirt", "Moss check, size L", quantity, 6400, discount, delivered,
                "brushed-flannel-shirt", "shirts", variants=SHIRT)  # fmt: skip


def line(
    ref: str, sku: str, name: str, variant: str, quantity: int, price: int, discount: int, delivered: float | None,
    product: str, category: str, *, tags: tuple[str, ...] = (), tax: int | None = None, **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """One order line; prices include 20 % VAT unless ``tax`` says otherwise."""
    gross = price * quantity - discount
    made: dict[str, Any] = {
        "id": ref, "sku": sku, "name": name, "variant": variant, "quantity": quantity, "unit_price": price,
        "discount": discount, "tax": gross - round(gross / 1.2) if tax is None else tax, "tax_included": True,
        "tags": list(tags), "category": category, "product": product, **more,
    }  # fmt: skip
    if delivered is not None:
        made["delivered_at"] = ago(delivered)
    return made


def order(
    number: str, placed: float, email: str, name: str, address: list[str], city: str, postcode: str,
    lines: list[dict[str, Any]], *, country: str = "GB", shipping: int = 395, currency: str = "GBP",
    customer: str = "", locale: str = "en-GB", **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """One order, paid in full by card."""
    total = sum(row["unit_price"] * row["quantity"] - row["discount"] for row in lines) + shipping
    return {
        "number": number, "placed_at": ago(placed), "email": email, "currency": currency,
        "customer": {"id": customer or email.split("@", maxsplit=1)[0], "name": name, "tags": []}, "locale": locale,
        "channel": "web",
        "ship_to": {"name": name, "lines": address, "city": city, "postcode": postcode, "country": country},
        "lines": lines, "discount": 0, "shipping": {"amount": shipping, "tax": round(shipping / 6) if shipping else 0},
        "payments": [{"provider": "stripe", "captured": total}], **more,
    }  # fmt: skip


def orders() -> list[dict[str, Any]]:
    """Every sample order: the ordinary one first, then one for each thing that can be odd."""
    jeans = ("WH-SJ-32-IND", "Selvedge jeans", "Indigo, 32 × 32", 1, 7200, 0)
    jacket = ("WH-FJ-M-OLI", "Waxed field jacket", "Olive, size M", 1, 19500, 0)
    return [
        order("WH-20418", 39, "priya.nair@example.com", "Priya Nair", ["14 Aldermoor Road"], "Bristol", "BS6 5QA", [
            jumper("1", 19, 890),
            shirt("2", 19, 2, 1280),
            line("3", *jacket, 35, "waxed-field-jacket", "jackets"),
            line("4", *jeans, 35, "selvedge-jeans", "trousers", tags=("final-sale",)),
            line("5", "WH-BS-3P", "Merino boot socks, 3 pairs", "Grey, rust, navy", 1, 2400, 0, 19, "boot-socks", "socks",
                 tags=("hygiene",)),
        ], discount_codes=["AUTUMN10"]),
        order("WH-19877", 80, "tom.ashworth@example.com", "Tom Ashworth", ["3 Quarry Lane"], "Sheffield", "S7 1AB", [
            line("1", *jeans, 78, "selvedge-jeans", "trousers", tags=("final-sale",)),
            shirt("2", 20, 1, 640),
        ]),
        order("WH-20502", 12, "leila.haddad@example.com", "Leila Haddad", ["Flat 2", "9 Canal Street"], "Manchester", "M1 3HE", [
            line("1", *jacket, 8, "waxed-field-jacket", "jackets"),
            line("2", "WH-WB-OS", "Weekend bag", "Tan", 1, 21730, 0, 8, "weekend-bag", "bags"),
        ]),
        order("WH-20533", 9, "hannah.cole@example.com", "Hannah Cole", ["27 Elm Grove"], "Brighton", "BN2 3DD", [
            shirt("1", 5), jumper("2", 5),
        ]),
        order("WH-20540", 6, "grace.mensah@example.com", "Grace Mensah", ["81 Station Road"], "Cardiff", "CF10 1EP", [
            jumper("1", None),
        ]),
        order("WH-20547", 5, "o.kovalenko@example.com", "Олена Коваленко", ["вул. Садова, 12"], "Київ", "01001", [
            shirt("1", 2),
        ], country="UA", locale="uk-UA"),
        order("WH-20551", 5, "s.reddy@example.com", "శ్రీనివాస్ రెడ్డి", ["12 గాంధీ రోడ్"], "హైదరాబాద్", "500001", [
            jumper("1", 2),
        ], country="IN", locale="te-IN"),
        order("WH-20556", 5, "h.patel@example.com", "હેતલ પટેલ", ["૪ સરદાર માર્ગ"], "અમદાવાદ", "380001", [
            shirt("1", 2, 3),
        ], country="IN", locale="gu-IN"),
        order("WH-20561", 5, "n.perera@example.com", "නිමල් පෙරේරා", ["7 ගාලු පාර"], "කොළඹ", "00300", [
            shirt("1", 2),
        ], country="LK", locale="si-LK"),
        order("WH-20570", 4, "yuki.mori@example.com", "Yuki Mori", ["1-2-3 Sakura"], "Tokyo", "100-0001", [
            line("1", "WH-BN-OS-RUS", "Fisherman beanie", "Rust", 2, 4980, 61, 1, "fisherman-beanie", "hats", tax=900),
        ], country="JP", currency="JPY", shipping=0, locale="en-JP"),
        order("WH-20574", 3, "sofia.lindqvist@example.com", "Sofia Lindqvist", ["16 Mill Lane"], "Leeds", "LS1 1AA", [
            line("1", "WH-MUG-4", "Stoneware mug", "Set of 4", 3, 10000, 1000, 1, "stoneware-mug", "home"),
        ], shipping=0),
    ]  # fmt: skip


if __name__ == "__main__":
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in orders())
    Path(sys.argv[1]).write_text(text, encoding="utf-8")
