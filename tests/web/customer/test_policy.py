"""The policy's page and its structured data over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from portal.config import ROOT
from portal.policy.laws import shipped
from portal.policybook.service import publish
from tests.pure.policy.google import validate
from tests.stages.returns.trade import counting
from tests.web.customer.desk import STAFF, Customer, Desk, text_of

Make = Callable[[], Customer]
BLOCK = re.compile(r'<script type="application/ld\+json">(.*?)</script>', re.S)


def embedded(html: str) -> dict[str, object]:
    (text,) = BLOCK.findall(html)
    return json.loads(text)  # type: ignore[no-any-return]


def test_the_page_tells_markets_faults_kinds_and_what_can_change_it(desk: Desk, customer: Make) -> None:
    html = customer().get("/policy").text
    for said in (
        "30 days to decide",
        "United Kingdom",
        "Orders in British pounds",
        "£3.50, taken off what you get back. Free with an exchange or store credit",
        "When your parcel has reached us",
        "Paid back when the whole order comes back",
        "If something is wrong with it",
        "365 days from delivery",
        "Sealed hygiene goods once they are open</h4>",
        "Socks and underwear can’t be returned, for hygiene reasons.",
        "14 days from delivery",
        # Where the law of the country gives more, the page says so for that country.
        "Ireland, Germany and France",
        "14 days from delivery of the last parcel",
        "2 years from delivery",
        "The same as for orders in British pounds to your country, except for this:",
        "Orders in euros",
        "Orders in US dollars",
        "If it cost more than £75.00",
        "We need a photo of the tags. We need one for items over £75.</dd>",
        "If your return is worth more than US$400.00",
    ):
        assert said in html, said
    # What the first part says already is not said again, and there is no second sort of socks that could come back.
    assert html.count("Sealed hygiene goods once they are open</h4>") == 1
    assert html.count("Socks and underwear") == 1
    # Where no law does, the days of a final sale do not wait for the last parcel of the order.
    assert html.count('class="h3">Final sale') == 2
    # What holds for all countries of a currency is said once, and what another part says already is not said again.
    assert html.count("Everywhere we deliver") == 4
    assert html.count("365 days from delivery") == 1
    # Nothing of the language itself: no tags, no codes of currencies or countries beside conditions.
    assert not re.search(r">(EUR|USD|GB|IE)<|final-sale|full_return", html)
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
    # What the page says and the vocabulary has no property for: the days for faults, the fee in other currencies.
    assert {each["name"]: each["value"] for each in policy["additionalProperty"]} == {
        "itemDefectMerchantReturnDays": 365,
        "returnFees of orders in EUR": "https://schema.org/FreeReturn",
        "returnFees of orders in USD": "https://schema.org/FreeReturn",
    }
    assert union["additionalProperty"][0]["value"] == 731
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


def test_the_page_says_which_of_two_amounts_counts_where_both_are_passed(desk: Desk, customer: Make) -> None:
    said = "Where two of these differ, the first one holds."
    assert said not in customer().get("/policy").text
    dear = "  - {rule: Dear, when: {order.currency: GBP, item.price: {over: 150 GBP}}, set: {evidence: {photos: 2}}}\n"
    text = (ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
    desk.publish(text.replace("  - rule: Photo over", f"{dear}  - rule: Photo over"))
    html = customer().get("/policy").text
    assert html.count(said) == 1
    assert html.index(said) < html.index("If it cost more than £150.00") < html.index("If it cost more than £75.00")


def test_the_page_asks_the_database_once(desk: Desk, customer: Make) -> None:
    one = customer()
    one.get("/policy")
    with counting(desk.ports.database) as seen:
        one.get("/policy")
    assert len([statement for statement in seen if statement.startswith("SELECT")]) <= 2


def test_every_law_is_named_with_its_articles_the_day_it_was_checked_and_that_this_is_no_advice(
    desk: Desk, customer: Make
) -> None:
    html = customer().get("/policy").text
    text = text_of(customer().get("/policy"))
    for law in shipped().values():
        assert f'id="law-{law.name}"' in html
        assert law.title in html
        assert f"Compared with the text of the law on {law.checked.day} {law.checked:%B %Y}." in text
        for floor in law.floors:
            assert floor.cite in text
    assert "For people who buy for themselves, delivered to: Ireland, Germany and France." in text
    assert "For any reason: 14 days from delivery of the last parcel, with a refund, no restocking fee and" in text
    assert "sealed hygiene goods once they are open" in text
    assert "no legal advice" in text


def test_every_part_of_the_page_has_a_place_that_its_contents_lead_to(desk: Desk, customer: Make) -> None:
    html = customer().get("/policy").text
    contents = re.findall(r'href="#([^"]+)"', html[html.index('id="contents"') :])
    assert len(contents) == len(set(contents)) >= 5
    for anchor in contents:
        assert html.count(f'id="{anchor}"') == 1, anchor


def test_where_a_version_is_offered_to_older_orders_the_page_says_that_they_get_what_is_kinder(
    desk: Desk, customer: Make
) -> None:
    kept = "An order keeps the terms it was placed under"
    assert f"{kept}." in customer().get("/policy").text
    default = (ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
    with desk.ports.database.transaction(STAFF) as tx:
        publish(tx, f"apply_to_open_orders: true\n{default}", filename="test.yaml", author="Maya Okafor")
    assert f"{kept}, unless later ones are kinder to it." in customer().get("/policy").text
