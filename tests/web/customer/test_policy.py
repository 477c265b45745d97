"""The policy's page and its structured data over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from portal.config import ROOT
from tests.pure.policy.test_promise import validate
from tests.stages.returns.trade import counting
from tests.web.customer.desk import Customer, Desk

Make = Callable[[], Customer]
BLOCK = re.compile(r'<script type="application/ld\+json">(.*?)</script>', re.S)


def embedded(html: str) -> dict[str, object]:
    (text,) = BLOCK.findall(html)
    return json.loads(text)  # type: ignore[no-any-return]


def test_the_page_tells_markets_faults_kinds_and_what_can_change_it(desk: Desk, customer: Make) -> None:
    html = customer().get("/policy").text
    for said in (
        "30 days to decide",
        "GBP",
        "£3.50, free for an exchange or store credit",
        "If something is wrong with it",
        "365 days from delivery",
        "Hygiene, socks, underwear",
        "Socks and underwear can’t be returned, for hygiene reasons.",
        "14 days from delivery",
        # Where the law of the country gives more, the page says so for that country.
        "14 days from delivery of the last parcel",
        "731 days from delivery",
        "EUR, USD",
        "This holds when the currency is GBP and the item cost more than £75.00.",
        "Your rights by law" if "laws: [" in (ROOT / "policies" / "default.yaml").read_text() else "Start a return",
    ):
        assert said in html, said
    # What the first market says already is not said again; in the United States no law lets socks come back.
    assert html.count("Hygiene, socks, underwear") == 2
    assert html.count("Final sale") == 1
    assert 'content="noindex"' not in html


def test_structured_data_are_valid_in_the_page_and_at_their_own_address(desk: Desk, customer: Make) -> None:
    one = customer()
    answer = one.get("/policy.jsonld")
    assert answer.content_type == "application/ld+json"
    found = json.loads(answer.text)
    assert found == embedded(one.get("/policy").text)
    found["url"] = found["url"].replace("http://", "https://")
    for policy in found["hasMerchantReturnPolicy"]:
        policy["merchantReturnLink"] = policy["merchantReturnLink"].replace("http://", "https://")
    validate(found)
    policy, union = found["hasMerchantReturnPolicy"]
    assert (policy["applicableCountry"], union["applicableCountry"]) == (["GB", "US"], ["IE", "DE", "FR"])
    assert (policy["merchantReturnDays"], policy["returnPolicyCountry"]) == (30, "GB")
    assert policy["returnShippingFeesAmount"] == {"@type": "MonetaryAmount", "value": "3.50", "currency": "GBP"}
    assert policy["itemDefectReturnFees"] == "https://schema.org/FreeReturn"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "max-age=300" in answer.headers["Cache-Control"]
    again = desk.app.test_client().get("/policy.jsonld", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_a_name_with_markup_stays_inside_the_data_block(desk: Desk, customer: Make) -> None:
    text = (ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
    desk.publish(
        text.replace("say: Final sale.", "say: </script><b>Final sale.").replace("name: Wren", "name: </script>Wren")
    )
    html = customer().get("/policy").text
    assert "<b>Final" not in html
    assert embedded(html)["@type"] == "OnlineStore"


def test_the_page_asks_the_database_once(desk: Desk, customer: Make) -> None:
    one = customer()
    one.get("/policy")
    with counting(desk.ports.database) as seen:
        one.get("/policy")
    assert len([statement for statement in seen if statement.startswith("SELECT")]) <= 2
