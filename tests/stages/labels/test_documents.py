"""The papers of a parcel: read back by scanner and by text, exact in size, deaf to whatever a customer typed."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from gettext import NullTranslations
from pathlib import Path

import pytest
from PIL import Image

from portal.adapters.weasyprint_documents import WeasyprintDocuments, tracking_groups
from portal.errors import Invalid
from portal.labels.addresses import Address
from portal.labels.documents import LabelDoc, SlipDoc, SlipItem

Picture = Callable[..., Image.Image]
Scan = Callable[[Image.Image], dict[str, str]]
Words = Callable[[bytes], str]


@pytest.mark.parametrize("dpi", [150, 203, 203.2, 300])
def test_the_labels_codes_read_back_at_every_printers_resolution(
    documents: WeasyprintDocuments, label: LabelDoc, picture: Picture, scan: Scan, dpi: float
) -> None:
    read = scan(picture(documents.label_pdf(label).pdf, dpi))
    assert read == {"Code 128": "NW7K4Q92MBGB", "QR Code": "R-7K4Q92M"}


@pytest.mark.parametrize("tracking", ["1", "RR123456785GB", "9400111899223817576194" + "0" * 12, "ABCDEFGHIJKLMNOPQ"])
def test_tracking_codes_of_any_printable_length_read_back(
    documents: WeasyprintDocuments, label: LabelDoc, picture: Picture, scan: Scan, tracking: str
) -> None:
    pdf = documents.label_pdf(replace(label, tracking=tracking, rma="R-ABCDEFGHJKMNPQRST")).pdf
    assert scan(picture(pdf, 203)) == {"Code 128": tracking, "QR Code": "R-ABCDEFGHJKMNPQRST"}


@pytest.mark.parametrize("dpi", [150, 203, 300])
def test_the_slips_codes_read_back(
    documents: WeasyprintDocuments, slip: SlipDoc, picture: Picture, scan: Scan, dpi: int
) -> None:
    read = scan(picture(documents.slip_pdf(slip).pdf, dpi))
    assert read == {"Code 128": "R-7K4Q92M", "QR Code": "R-7K4Q92M"}


def test_bars_and_modules_are_whole_dots_with_their_quiet_zones(
    documents: WeasyprintDocuments, label: LabelDoc, picture: Picture
) -> None:
    page = picture(documents.label_pdf(label).pdf)
    row = page.crop((31, 750, 785, 751)).point(lambda level: 255 if level > 127 else 0).tobytes()
    runs = [len(run[0]) for run in re.finditer(rb"(\x00+|\xff+)", row)]
    assert min(runs[0], runs[-1]) >= 30
    assert all(run % 3 == 0 for run in runs[1:-1]), runs
    column = page.crop((158, 613, 159, 960)).point(lambda level: 255 if level > 127 else 0).tobytes()
    assert column.count(0) >= 200
    qr = page.crop((36, 970, 244, 1180)).point(lambda level: 255 if level < 128 else 0).getbbox()
    assert qr is not None
    assert (qr[2] - qr[0], qr[3] - qr[1]) == (pytest.approx(21 * 7, abs=1), pytest.approx(21 * 7, abs=1))
    assert min(qr[0] + 5, qr[1] + 7, 213 - qr[2], 217 - qr[3]) >= 28


def test_the_label_is_exactly_102_by_152_mm_and_one_page(documents: WeasyprintDocuments, label: LabelDoc) -> None:
    pages = _sizes(documents.label_pdf(label).pdf)
    assert pages == [(pytest.approx(102, abs=0.01), pytest.approx(152, abs=0.01))]


@pytest.mark.parametrize(("paper", "width", "height"), [("A4", 210, 297), ("Letter", 215.9, 279.4)])
def test_the_slip_is_exactly_its_paper(
    documents: WeasyprintDocuments, slip: SlipDoc, paper: str, width: float, height: float
) -> None:
    pages = _sizes(documents.slip_pdf(replace(slip, paper=paper)).pdf)  # type: ignore[arg-type]
    assert pages == [(pytest.approx(width, abs=0.01), pytest.approx(height, abs=0.01))]


def test_case_78_the_sender_is_the_customer_and_the_recipient_the_warehouse(
    documents: WeasyprintDocuments, label: LabelDoc, words: Words
) -> None:
    text = words(documents.label_pdf(label).pdf)
    sender = text[text.index("From") : text.index("Send by")]
    recipient = text[text.index("To ") : text.index("NW 7K4Q")]
    assert "Priya Nair 14 Aldermoor Road Bristol BS6 5QA" in sender
    assert "Wren & Harbour Returns Unit 7, Kestrel Way Avonmouth, Bristol BS11 8AZ" in recipient
    for part in ("NORTHWAY POST", "Returns 48, prepaid", "R2", "1 Dec 2026", "1 parcel, 0.9 kg", "NW 7K4Q 92MB GB"):
        assert part in text
    assert _bare(text).endswith(_bare("For the warehouse R-7K4Q92M Order WH-20418, 2 items"))


def test_a_very_long_slip_lists_its_first_items_and_counts_the_rest(
    documents: WeasyprintDocuments, slip: SlipDoc, words: Words
) -> None:
    items = tuple(replace(slip.items[0], name=f"Item no. {number};", quantity=2) for number in range(1, 801))
    text = words(documents.slip_pdf(replace(slip, items=items)).pdf)
    assert "1,600 items to pack" in text or "1600 items to pack" in text
    assert ("Item no. 60;" in text, "Item no. 61;" in text) == (True, False)
    assert "and 1480 more items" in text


def test_the_slip_lists_what_to_pack_and_no_amount(documents: WeasyprintDocuments, slip: SlipDoc, words: Words) -> None:
    text = words(documents.slip_pdf(slip).pdf)
    for part in ("Put this in the parcel", "3 items to pack", "Brushed flannel shirt Moss check, size L WH-FS-L-MOS 2"):
        assert part in text
    for part in ("Tuesday 1 December 2026", "booked 17 November 2026", "Store credit", "Scan this code", "Page 1 of 1"):
        assert part in text
    assert not re.search(r"[£$€]|\d[.,]\d\d\b", text)


def test_many_items_run_over_pages_that_all_carry_the_code(
    documents: WeasyprintDocuments, slip: SlipDoc, picture: Picture, scan: Scan, words: Words
) -> None:
    items = tuple(SlipItem(name=f"Thing {at}", sku=f"SKU-{at}", quantity=1) for at in range(60))
    pdf = documents.slip_pdf(replace(slip, items=items)).pdf
    pages = len(_sizes(pdf))
    assert pages > 1
    assert all(scan(picture(pdf, 150, page)).get("Code 128") == slip.rma for page in range(pages))
    text = words(pdf)
    assert all(f"Thing {at} " in text for at in range(60))
    assert f"Page {pages} of {pages}" in text


def test_five_scripts_print_and_extract(
    documents: WeasyprintDocuments,
    label: LabelDoc,
    slip: SlipDoc,
    words: Words,
    native_addresses: list[dict[str, object]],
) -> None:
    for row in native_addresses:
        address = _address(row)
        drawn = documents.label_pdf(replace(label, sender=address, locale=str(row["locale"])))
        assert drawn.complete, row
        assert _extracts(
            words(drawn.pdf), (address.name, *address.lines, address.city, str(row["country_name"]).upper())
        )
    drawn = documents.slip_pdf(replace(slip, sender=_address(native_addresses[0]), locale="te"))
    assert drawn.complete
    assert _extracts(words(drawn.pdf), (str(native_addresses[0]["name"]),))


def test_no_address_leaves_its_cell(
    documents: WeasyprintDocuments, label: LabelDoc, picture: Picture, native_addresses: list[dict[str, object]]
) -> None:
    long = "Flat 1234, The Extraordinarily Long Building Name House, Third Staircase on the Left Behind the Garden "
    three = Address(
        "Maximiliana Konstantinopolitanska-Hohenzollern " * 2, (long, "W" * 150, long * 2), "L" * 60, "R" * 40
    )
    several = Address("Name", tuple(f"Line {at}" for at in range(40)), "Town", "Region", "Z1 1ZZ", "GB")
    tall = [_address(row) for row in native_addresses]
    tall += [replace(address, lines=(*address.lines * 2, address.name)) for address in tall[::3]]
    for sender, recipient in [(three, three), (three, label.recipient), (several, several)] + [(a, a) for a in tall]:
        drawn = documents.label_pdf(replace(label, sender=sender, recipient=replace(recipient, country="US")))
        page = picture(drawn.pdf).point(lambda level: 255 if level < 160 else 0)
        rules = [y for y in range(100, 1100) if page.crop((31, y, 46, y + 1)).histogram()[255] == 15]
        tops = [y for y in rules if y - 1 not in rules]
        assert len(tops) == 4
        assert page.crop((502, tops[0] + 5, 510, tops[1] - 1)).getbbox() is None, "ink beside the sender"
        assert page.crop((776, tops[1] + 5, 784, tops[2] - 1)).getbbox() is None, "ink beside the recipient"
        for top in tops[1:3]:
            assert page.crop((40, top - 3, 500, top)).getbbox() is None, "ink on the rule below an address"
        assert drawn.shortened or sender not in (three, several)


def test_a_shortened_address_keeps_name_place_and_postcode(
    documents: WeasyprintDocuments, label: LabelDoc, words: Words
) -> None:
    crowd = Address("Priya Nair", tuple(f"Line {at} " + "x" * 90 for at in range(12)), "Bristol", "", "BS6 5QA", "GB")
    drawn = documents.label_pdf(replace(label, sender=crowd, recipient=crowd))
    text = words(drawn.pdf)
    assert text.count("Priya Nair") == 2
    assert text.count("BS6 5QA") == 2
    assert crowd.lines[11] in drawn.shortened


def test_abroad_both_addresses_name_their_country_in_the_papers_language(
    documents: WeasyprintDocuments, label: LabelDoc, words: Words
) -> None:
    berlin = Address("Jana Muster", ("Allee 1",), "Berlin", "", "10115", "DE")
    text = words(documents.label_pdf(replace(label, sender=berlin, locale="de")).pdf)
    assert "10115 Berlin DEUTSCHLAND" in text
    assert "BS11 8AZ VEREINIGTES KÖNIGREICH" in text
    assert "1. Dez. 2026" in text


def test_words_come_from_the_catalogue_of_the_papers_locale(label: LabelDoc, slip: SlipDoc, words: Words) -> None:
    class Shouting(NullTranslations):
        def gettext(self, message: str) -> str:
            return f"[{message}]"

        def ngettext(self, one: str, many: str, num: int) -> str:
            return f"[{one if num == 1 else many}]"

    asked: list[str] = []

    def catalogue(locale: str) -> NullTranslations:
        asked.append(locale)
        return Shouting()

    papers = WeasyprintDocuments(catalogue)
    text = words(papers.label_pdf(replace(label, locale="uk")).pdf)
    assert "[From]" in text
    assert "[Order WH-20418, [2 items]]" in text
    assert "[Page 1 of 1]" in words(papers.slip_pdf(slip).pdf)
    assert asked == ["uk", "en_GB"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tracking": ""}, "tracking"),
        ({"tracking": "é"}, "tracking"),
        ({"tracking": "ABCDEFGHIJKLMNOPQR"}, "tracking"),
        ({"rma": ""}, "rma"),
        ({"rma": "R" * 40}, "rma"),
        ({"locale": "klingon"}, "locale"),
        ({"locale": ""}, "locale"),
    ],
)
def test_what_cannot_be_printed_is_refused_by_its_field(
    documents: WeasyprintDocuments, label: LabelDoc, change: dict[str, str], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        documents.label_pdf(replace(label, **change))  # type: ignore[arg-type]
    assert refused.value.fields.keys() == {field}


def test_a_slip_on_unknown_paper_is_refused(documents: WeasyprintDocuments, slip: SlipDoc) -> None:
    with pytest.raises(Invalid):
        documents.slip_pdf(replace(slip, paper="A0; size: 1px"))  # type: ignore[arg-type]


def test_papers_without_the_optional_parts_are_whole(
    documents: WeasyprintDocuments, label: LabelDoc, slip: SlipDoc, words: Words
) -> None:
    bare = replace(label, send_by=None, sort_code="", parcel="", service="")
    assert "Send by" not in words(documents.label_pdf(bare).pdf)
    text = words(documents.slip_pdf(replace(slip, send_by=None, send_with="", contact="")).pdf)
    assert "Send by" not in text


def test_steps_of_the_shop_take_the_place_of_ours(documents: WeasyprintDocuments, slip: SlipDoc, words: Words) -> None:
    text = words(documents.slip_pdf(replace(slip, steps=("Fold", "Close"))).pdf)
    assert "1 Fold 2 Close" in text
    assert "Keep the tags" not in text


def test_english_deadlines_name_the_weekday_as_the_shop_writes_it(
    documents: WeasyprintDocuments, slip: SlipDoc, words: Words
) -> None:
    text = words(documents.slip_pdf(replace(slip, locale="en_US", send_by=date(2026, 7, 4))).pdf)
    assert "Saturday, July 4, 2026" in text


def test_the_same_paper_twice_is_the_same_bytes(documents: WeasyprintDocuments, label: LabelDoc, slip: SlipDoc) -> None:
    assert documents.label_pdf(label).pdf == documents.label_pdf(label).pdf
    assert documents.slip_pdf(slip).pdf == documents.slip_pdf(slip).pdf


def test_memory_stays_flat_over_sixty_labels(documents: WeasyprintDocuments, label: LabelDoc) -> None:
    # A font configuration per label would leak 0.2 MB each: 12 MB here.
    for _ in range(15):
        documents.label_pdf(label)
    before = _resident_mb()
    for at in range(60):
        documents.label_pdf(replace(label, tracking=f"NW{at:08d}GB", order_number=f"WH-{at}"))
    assert _resident_mb() - before < 6


def test_threads_share_one_font_configuration(documents: WeasyprintDocuments, label: LabelDoc) -> None:
    expected = documents.label_pdf(label).pdf
    drawn: list[bytes] = []
    threads = [threading.Thread(target=lambda: drawn.append(documents.label_pdf(label).pdf)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert drawn == [expected] * 4


def test_only_the_shipped_fonts_are_used_and_the_environment_is_left_alone(
    documents: WeasyprintDocuments, label: LabelDoc
) -> None:
    pdf = documents.label_pdf(label).pdf
    assert "FONTCONFIG_FILE" not in os.environ
    from io import BytesIO

    import pypdf

    fonts = pypdf.PdfReader(BytesIO(pdf)).pages[0]["/Resources"]["/Font"]
    names = {str(fonts[name]["/BaseFont"]) for name in fonts}
    assert names
    assert all("Noto" in name for name in names), names


def test_the_check_is_silent_when_printing_works_and_names_what_is_missing(
    documents: WeasyprintDocuments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert documents.check() == []
    [complaint] = WeasyprintDocuments(fonts=tmp_path).check()
    assert "NotoSansTelugu-Bold.ttf" in complaint
    import weasyprint.text.ffi

    monkeypatch.setattr(weasyprint.text.ffi, "harfbuzz_subset", None)
    [complaint] = documents.check()
    assert "libharfbuzz-subset0" in complaint


@pytest.mark.parametrize(
    ("code", "groups"),
    [
        ("NW7K4Q92MBGB", "NW 7K4Q 92MB GB"),
        ("RR123456785GB", "RR 123 456 785 GB"),
        ("1Z999AA10123456784", "1Z99 9AA1 0123 4567 84"),
        ("AB", "AB"),
    ],
)
def test_tracking_codes_are_grouped_for_the_eye(code: str, groups: str) -> None:
    assert tracking_groups(code) == groups


def _sizes(pdf: bytes) -> list[tuple[float, float]]:
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    return [tuple(side / 72 * 25.4 for side in document[at].get_size()) for at in range(len(document))]  # type: ignore[misc]


def _address(row: dict[str, object]) -> Address:
    lines = row["lines"]
    assert isinstance(lines, list)
    return Address(
        str(row["name"]), tuple(lines), *(str(row[part]) for part in ("city", "region", "postcode", "country"))
    )


def _extracts(text: str, parts: tuple[str, ...]) -> bool:
    # A PDF keeps glyphs in the order of their ink and names each glyph once: inside an Indic syllable letters may come back
    # in another order. Half of the words must be as written, and nine in ten of all the different letters be there.
    written = [_bare(word) for part in parts for word in part.split()]
    found = [word for word in written if word in _bare(text)]
    letters = set("".join(written))
    return len(found) * 2 >= len(written) and len(letters & set(text)) * 10 >= len(letters) * 9


def _bare(text: str) -> str:
    # Extraction may part a word at a line's end and drops joiners, which have no ink.
    return re.sub(r"[\s\u200c\u200d]", "", text)


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
