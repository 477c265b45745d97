"""How long one label takes."""

from __future__ import annotations

import time
from datetime import date


def _label() -> object:
    from portal.labels.addresses import Address
    from portal.labels.documents import LabelDoc

    return LabelDoc(
        carrier="Northway Post",
        service="Returns 48, prepaid",
        sort_code="R2",
        sender=Address("Priya Nair", ("14 Aldermoor Road",), "Bristol", "", "BS6 5QA", "GB"),
        recipient=Address(
            "Wren & Harbour Returns", ("Unit 7, Kestrel Way",), "Avonmouth, Bristol", "", "BS11 8AZ", "GB"
        ),
        send_by=date(2026, 12, 1),
        parcel="1 parcel",
        tracking="NW7K4Q92MBGB",
        rma="R-7K4Q92M",
        order_number="WH-20418",
        items=2,
        locale="en_GB",
    )


def first_label() -> None:
    """Print the milliseconds from nothing imported to the first label."""
    started = time.perf_counter()
    from portal.adapters.weasyprint_documents import WeasyprintDocuments

    WeasyprintDocuments().label_pdf(_label())  # type: ignore[arg-type]
    print((time.perf_counter() - started) * 1000)


def warm_labels(count: int) -> list[float]:
    """Milliseconds of each of ``count`` labels in a warm process."""
    from portal.adapters.weasyprint_documents import WeasyprintDocuments

    documents = WeasyprintDocuments()
    documents.label_pdf(_label())  # type: ignore[arg-type]
    times = []
    for _ in range(count):
        started = time.perf_counter()
        documents.label_pdf(_label())  # type: ignore[arg-type]
        times.append((time.perf_counter() - started) * 1000)
    return times
