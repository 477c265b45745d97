"""The document against the running portal: real processes, real HTTP, every operation.

schemathesis makes requests that fit the document and requests that do not. No answer is a 5xx, has a status or a content type
that is not documented, or a body that does not fit its schema; and what does not fit the document is refused.
"""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from portal import clock
from tests.api.client import order, wish
from tests.api.test_tokens import ROUTES
from tests.live import LivePortal

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
NAMES = {
    "/orders/X": "/orders/{number}",
    "/variants/X": "/variants/{sku}",
    "/returns/X/credit-note-correction-1.pdf": "/returns/{rma}/credit-note-correction-{place}.pdf",
}
OPERATIONS = [(method, NAMES.get(path, path.replace("/X", "/{rma}"))) for method, path, _ in ROUTES]
OPERATIONS.append(("GET", "/returnable"))
EACH = settings(
    max_examples=16,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def session(live: LivePortal) -> requests.Session:
    """A program with a token that may do everything, and one pool of connections."""
    made = requests.Session()
    made.headers["Authorization"] = f"Bearer {live.token()}"
    return made


@pytest.fixture(scope="module")
def document(live: LivePortal) -> BaseSchema:
    """The document as the running portal serves it."""
    return schemathesis.openapi.from_url(f"{live.url}/api/v1/openapi.json")


@pytest.fixture(scope="module")
def known(live: LivePortal, session: requests.Session) -> dict[str, str]:
    """Names of things that are there, so that not every answer is a 404."""
    sent = order(number=f"LIVE-{clock.now().timestamp()}")
    there = f"{live.url}/api/v1"
    assert session.post(f"{there}/orders", json=sent, timeout=30).status_code == 201
    body = {"order": sent["number"], "lines": [wish()]}
    rma = session.post(f"{there}/returns", json=body, timeout=30).json()["rma"]
    variant = {"product": "p", "price": 2000, "currency": "GBP", "stock": 3}
    assert session.put(f"{there}/variants/LIVE-1", json=variant, timeout=30).status_code == 200
    return {"number": sent["number"], "rma": rma, "sku": "LIVE-1"}


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_running_portal_does_what_its_document_says(
    document: BaseSchema, session: requests.Session, known: dict[str, str], method: str, path: str
) -> None:
    operation = document[f"/api/v1{path}"][method]
    there = {name: value for name, value in known.items() if f"{{{name}}}" in path} or None
    fitting = operation.as_strategy(generation_mode=GenerationMode.POSITIVE, path_parameters=there)
    other = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @EACH
    @given(case=st.one_of(fitting, other))
    def run(case: Case) -> None:
        # A longer address is a 414 of the server in front, whatever is in it.
        assume(len(urlencode(case.query or {}, doseq=True)) < 4000)
        if case.meta.generation.mode.is_positive and isinstance(case.body, dict) and "order" in case.body:
            case.body["order"] = known["number"]
        case.call_and_validate(session=session, checks=CHECKS)

    run()


def test_no_operation_of_the_document_is_left_out(document: BaseSchema) -> None:
    described = {(each.ok().method.upper(), each.ok().path) for each in document.get_all_operations()}
    assert described == {(method, f"/api/v1{path}") for method, path in OPERATIONS}
