"""A retailer's invoice rows as a source of orders: the columns of the UCI "Online Retail" book.

In: CSV, one row per invoice line. Out: one order for each purchase invoice.
Invariants: an invoice with a bad row is no order; what is no goods or no purchase is counted by kind; the rows of an invoice may
lie apart, and only those that do are held in memory.
Never: a guess. A credit (C) or bad debt (A) changes no order, a postage row is no shipping, a place without a code has none.
Source of the columns: D. Chen, "Online Retail", doi 10.1057/dbm.2012.17.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

from babel import Locale

from portal.adapters.order_amounts import half_up
from portal.money import exponent
from portal.orders.incoming import IncomingLine, IncomingOrder, IncomingPayment
from portal.orders.source import BadRow, FoundOrder, Reading, UnreadableFile, open_text
from portal.orders.texts import clean

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
CURRENCY = "GBP"
ZONE = "Europe/London"
MAX_CUSTOMER = 40
MAIL_DOMAIN = "example.com"
"""Customers of the book are numbers; their mail goes nowhere."""

NOT_GOODS = {
    "POST": "postage",
    "DOT": "postage",
    "C2": "carriage",
    "M": "manual entry",
    "m": "manual entry",
    "D": "discount",
    "S": "samples",
    "BANK CHARGES": "bank charges",
    "AMAZONFEE": "marketplace fee",
    "CRUK": "charity commission",
    "B": "bad debt",
}
_GOODS = re.compile(r"\d{5}[A-Za-z]{0,3}|DCGS\w{1,10}|gift_0001_\d{1,4}|PADS")
_NAMES = {
    "EIRE": "IE",
    "RSA": "ZA",
    "USA": "US",
    "UK": "GB",
    "Hong Kong": "HK",
    "Czech Republic": "CZ",
    # Jersey or Guernsey, any member state, anything: no ISO code says it, so the country is unknown.
    "Channel Islands": "",
    "European Community": "",
    "Unspecified": "",
}
ROUNDED = "rows whose price has fractions of a penny; price x quantity was rounded half up"

NO_GOODS_AT_ALL = "invoices without any goods, which are no orders"

Row = tuple[int, list[str]]
"""A row's line in the file, and its fields in the order of `COLUMNS`."""


@lru_cache
def _countries() -> dict[str, str]:
    english = Locale("en").territories.items()
    return {name: code for code, name in english if len(code) == 2 and code.isalpha()} | _NAMES


@lru_cache(maxsize=4096)
def _price(text: str) -> Decimal:
    """The price in minor units, exact."""
    try:
        price = Decimal(text).scaleb(exponent(CURRENCY))
    except InvalidOperation:
        raise ValueError(f"UnitPrice `{text[:40]}` is no amount") from None
    if not price.is_finite() or abs(price) > 10**12:
        raise ValueError(f"UnitPrice `{text[:40]}` is no amount")
    return price


@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZoneInfo(ZONE))
    except ValueError:
        raise ValueError(f"InvoiceDate `{text[:40]}` is not like 2010-12-01 08:26:00") from None


class RetailCsvOrders:
    """Invoice rows of the retail book, plain or gzip."""

    name = "retail-csv"

    def sniff(self, head: str) -> bool:
        """See `OrderSource`: the header names the book's columns."""
        fields = next(csv.reader([head.splitlines()[0]]), [])
        return {"InvoiceNo", "StockCode"} <= {field.strip() for field in fields}

    def open(self, path: Path, zone: str) -> Reading:
        """See `OrderSource`. The times of the book are London's, whatever the shop's ``zone``.

        The file is run through once before: to refuse it whole, to know how long it is, and to learn which invoices lie apart.
        """
        rows, last_of_split = _survey(path)
        reading = Reading(rows=rows, items=iter(()))
        reading.items = _Reader(path, reading, last_of_split).items()
        return reading


def _columns(path: Path, rows: Iterator[list[str]]) -> list[int]:
    header = [name.strip() for name in next(rows, [])]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise UnreadableFile(
            f"{path} has no column {', '.join(missing)}; the retail-csv format has {','.join(COLUMNS)}"
        )
    return [header.index(name) for name in COLUMNS]


def _survey(path: Path) -> tuple[int, dict[str, int]]:
    """How many rows there are, and the last row of each invoice whose rows do not lie together."""
    finished: set[str] = set()
    last_of_split: dict[str, int] = {}
    current = ""
    count = 0
    with open_text(path) as file:
        rows = csv.reader(file)
        invoice_at = _columns(path, rows)[0]
        for fields in _forgiving(rows):
            count += 1
            invoice = fields[invoice_at] if isinstance(fields, list) and len(fields) > invoice_at else current
            if invoice != current:
                finished.add(current)
                current = invoice
            if invoice in finished:
                last_of_split[invoice] = count
    return count, last_of_split


def _forgiving(rows: Iterator[list[str]]) -> Iterator[list[str] | csv.Error]:
    """The rows, with an error in the place of one that is no CSV. Empty lines are no rows."""
    while True:
        try:
            fields = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield error
            continue
        if fields:
            yield fields


class _Reader:
    """One run through the file."""

    def __init__(self, path: Path, reading: Reading, last_of_split: dict[str, int]) -> None:
        self._path, self._reading, self._last_of_split = path, reading, last_of_split
        self._split: dict[str, list[Row]] = {}

    def items(self) -> Iterator[FoundOrder | BadRow]:
        """Orders and bad rows, in the order in which their invoices end."""
        current: list[Row] = []
        with open_text(self._path) as file:
            for line, fields in self._rows(file):
                if isinstance(fields, str):
                    yield self._bad(line, fields)
                    continue
                invoice = fields[0]
                if current and invoice != current[0][1][0]:
                    yield from self._invoice(current)
                    current = []
                if invoice in self._last_of_split:
                    held = self._split.setdefault(invoice, [])
                    held.append((line, fields))
                    if self._reading.done == self._last_of_split[invoice]:
                        yield from self._invoice(self._split.pop(invoice))
                else:
                    current.append((line, fields))
        if current:
            yield from self._invoice(current)

    def _bad(self, line: int, message: str) -> BadRow:
        return BadRow(self._path.name, line, message)

    def _rows(self, file: IO[str]) -> Iterator[tuple[int, list[str] | str]]:
        rows = csv.reader(file)
        at = _columns(self._path, rows)
        width, in_order = max(at) + 1, at == list(range(len(at)))
        for fields in _forgiving(rows):
            self._reading.done += 1
            if isinstance(fields, csv.Error):
                yield rows.line_num, f"is no CSV: {fields}"
            elif len(fields) < width:
                yield rows.line_num, f"has {len(fields)} fields; the header has {width}"
            else:
                yield rows.line_num, fields if in_order else [fields[index] for index in at]

    def _invoice(self, rows: Sequence[Row]) -> Iterator[FoundOrder | BadRow]:
        number = rows[0][1][0].strip()
        skipped = self._reading.skipped
        if number[:1] in ("C", "A") and number[1:].isdigit():
            skipped["credit or return (C)" if number[0] == "C" else "bad-debt adjustment (A)"] += len(rows)
            return
        lines: list[IncomingLine] = []
        bad: list[BadRow] = []
        first = rows[0][1]
        begun: datetime | None = None
        for position, (line, fields) in enumerate(rows, start=1):
            try:
                if fields[6] != first[6] or fields[7] != first[7]:
                    raise ValueError(f"invoice {number[:40]} names another customer or country in its first row")
                if len(fields[6]) > MAX_CUSTOMER:
                    raise ValueError(f"CustomerID has {len(fields[6])} signs, more than {MAX_CUSTOMER}")
                found = self._goods(fields, position)
                placed = _moment(fields[4])
            except (ValueError, ArithmeticError) as error:
                bad.append(self._bad(line, str(error)))
                continue
            if isinstance(found, str):
                skipped[found] += 1
            else:
                lines.append(found)
            # A till writes one invoice over some minutes; it was placed when it was begun.
            begun = placed if begun is None else min(begun, placed)
        if not number.isdigit():
            bad = [self._bad(rows[0][0], f"InvoiceNo `{number[:40]}` is neither a purchase (digits) nor C nor A")]
        if bad:
            yield from bad
            skipped["other rows of invoices with a bad row"] += len(rows) - len(bad)
        elif lines and begun is not None:
            yield FoundOrder(_order(number, begun, first, lines), rows[0][0])
        else:
            self._reading.notes[NO_GOODS_AT_ALL] += 1

    def _goods(self, fields: list[str], position: int) -> IncomingLine | str:
        """The row as an order line, or the kind of row it is instead."""
        code = fields[1].strip()
        try:
            quantity = int(fields[3])
        except ValueError:
            raise ValueError(f"Quantity `{fields[3][:40]}` is no whole number") from None
        price = _price(fields[5])
        if code in NOT_GOODS:
            return f"no goods: {NOT_GOODS[code]} ({code})"
        if not code:
            return "no stock code"
        if not _GOODS.fullmatch(code):
            return f"unknown stock code ({clean(code, 20)})"
        if quantity <= 0:
            return "stock adjustment (quantity zero or less)"
        if price <= 0:
            return "price zero or less"
        amount = price * quantity
        charged = int(amount)
        if charged != amount or price % 1:
            self._reading.notes[ROUNDED] += 1
            charged = half_up(amount)
        return IncomingLine(
            ref=str(position),
            sku=code,
            name=clean(fields[2], 300) or code,
            quantity=quantity,
            unit_price_minor=half_up(price) if price % 1 else int(price),
            list_minor=charged,
        )


def _order(number: str, placed: datetime, first: list[str], lines: list[IncomingLine]) -> IncomingOrder:
    customer = clean(first[6], MAX_CUSTOMER)
    place = clean(first[7], 100)
    code = _countries().get(place, "")
    # Without a customer there is still somebody who may bring the goods back: the invoice itself is the address.
    email = f"customer-{customer}@{MAIL_DOMAIN}" if customer.isalnum() else f"invoice-{number}@{MAIL_DOMAIN}"
    name = f"Customer {customer}" if customer else ""
    address = {"name": name, "lines": [], "city": "", "region": "" if code else place, "postcode": "", "country": code}
    return IncomingOrder(
        number=number,
        placed_at=placed,
        currency=CURRENCY,
        lines=tuple(lines),
        payments=(IncomingPayment("external", sum(line.list_minor for line in lines)),),
        email=email,
        source="retail-csv",
        customer_ref=customer,
        customer_name=name,
        ship_to=address,
    )
