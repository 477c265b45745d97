"""Whatever a customer types is text on paper: nothing is fetched, nothing falls over, no letter turns into a silent box."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from portal.adapters.weasyprint_documents import WeasyprintDocuments
from portal.adapters.weasyprint_drawing import draw
from portal.errors import UpstreamError
from portal.labels.addresses import Address
from portal.labels.documents import LabelDoc, SlipDoc, SlipItem

Picture = Callable[..., Image.Image]
Scan = Callable[[Image.Image], dict[str, str]]
Words = Callable[[bytes], str]


@pytest.fixture
def listener() -> Iterator[tuple[str, list[object]]]:
    hits: list[object] = []
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, peer = server.accept()
            except OSError:
                return
            hits.append(peer)
            connection.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/x.png", hits
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)


def test_nothing_a_customer_types_is_fetched_and_all_of_it_is_printed(
    documents: WeasyprintDocuments,
    label: LabelDoc,
    slip: SlipDoc,
    listener: tuple[str, list[object]],
    tmp_path: Path,
    words: Words,
) -> None:
    url, hits = listener
    secret = tmp_path / "secret"
    secret.write_text("do-not-print-me")
    attacks = (
        f'<img src="{url}">',
        f"<style>@import url({url});</style>",
        f'</p><link rel=attachment href="{secret.as_uri()}">',
        f'"><iframe src={secret.as_uri()}>',
        f"x; background: url({url})",
        f"{{{{ include('{secret}') }}}}%(rma)s",
    )
    for attack in attacks:
        place = Address(attack, (attack,), attack, attack, attack, "GB")
        item = SlipItem(name=attack, variant=attack, sku=attack, quantity=1, reason=attack, resolution=attack)
        hostile_label = replace(
            label, sender=place, recipient=place, carrier=attack, service=attack, parcel=attack, sort_code=attack,
            order_number=attack, tracking_text=attack,
        )  # fmt: skip
        hostile_slip = replace(
            slip, sender=place, recipient=place, items=(item,), shop_name=attack, contact=attack, steps=(attack,)
        )
        papers = (documents.label_pdf(hostile_label), documents.slip_pdf(hostile_slip))
        for paper in papers:
            assert b"/EmbeddedFile" not in paper.pdf
            assert "do-not-print-me" not in words(paper.pdf)
        assert _bare(attack) in _bare(words(papers[1].pdf))
    assert hits == []


def test_even_a_template_cannot_fetch_and_the_refusal_is_an_error_of_ours_not_the_end_of_the_worker(
    listener: tuple[str, list[object]], tmp_path: Path
) -> None:
    # WeasyPrint's own error is a BaseException, which no worker catches.
    url, hits = listener
    (tmp_path / "secret.png").write_bytes(b"x")
    for source in (url, (tmp_path / "secret.png").as_uri(), "ftp://127.0.0.1/x"):
        with pytest.raises(UpstreamError) as failed:
            draw(f'<img src="{source}">')
        assert failed.value.code == "document_failed"
        assert not failed.value.retryable
    assert hits == []


def test_naughty_strings_print_without_a_fall_and_codes_still_read(
    documents: WeasyprintDocuments, label: LabelDoc, naughty_strings: list[str], picture: Picture, scan: Scan
) -> None:
    for text in naughty_strings[::2]:
        place = Address(text, (text, text), text, text, text, "GB")
        drawn = documents.label_pdf(replace(label, sender=place, order_number=text, parcel=text))
        assert drawn.missing == documents.missing_glyphs(text)
        assert scan(picture(drawn.pdf, 203)) == {"Code 128": label.tracking, "QR Code": label.rma}, text


def test_a_name_without_glyphs_is_told_and_marked_never_boxed(
    documents: WeasyprintDocuments, label: LabelDoc, words: Words
) -> None:
    drawn = documents.label_pdf(replace(label, sender=replace(label.sender, name="王小明 Wang")))
    assert drawn.missing == frozenset("王小明")
    assert not drawn.complete
    assert "… Wang" in words(drawn.pdf)


def _bare(text: str) -> str:
    # Extraction may part a word at a line's end and drops joiners, which have no ink.
    return re.sub(r"[\s\u200c\u200d]", "", text)
