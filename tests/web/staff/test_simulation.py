"""The card of the simulation: asked for by a form, done by a job, shown with its sample, counts, money and returns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from portal.db import Database
from portal.policy.loader import load_policy
from portal.policybook import drafts, service, simulation
from portal.returns.simulation import run
from tests.stages.returns.trade import MAYA, POLICY, Item
from tests.web.staff.browser import Browser, cost, links, words
from tests.web.staff.shop import NOW, Shop

STRICT = POLICY.replace("window: {days: 30, from: delivered", "window: {days: 10, from: delivered")


def drafted(database: Database, text: str = STRICT) -> None:
    with database.transaction(MAYA) as tx:
        drafts.save(tx, drafts.find_draft(tx.session, tx.at).seen, lambda _: text)


def asked(browser: Browser, **fields: str) -> str:
    """Send the form of the card; where it leads."""
    form = browser.form("/staff/policy/simulations", "simulations")
    answer = browser.submit(form, {"since": "2026-10-01", **fields})
    assert answer.status_code == 303
    return str(answer.location)


def test_a_draft_is_tried_by_a_job_and_shown_with_its_sample(shop: Shop, lead: Browser) -> None:
    rmas = [shop.booked(hours_ago=hours) for hours in (2, 3)]
    kept = shop.booked(items=(Item(gross=55_00, delivered_at=NOW - timedelta(days=2)),), hours_ago=1)
    drafted(shop.database)
    address = asked(lead)
    assert "It is being tried now." in lead.words(address)
    run(shop.database, int(address.rpartition("/")[2]))
    html = lead.page(address)
    said = words(html)
    assert "Tried on 3 orders placed since 1 October 2026." in said
    assert "£144 less given back" in said
    assert "Past returns: 2 items that version 1 accepted would be denied." in said
    assert "For a change of mind: 3 items that version 1 accepted would be denied." in said
    assert (
        "No order of these could have met “Final sale”, “Keep it”, “Paid at once”, “Looked at first” or “Posted at own "
        "cost”. Check their words against those of your goods." in said
    )
    assert (
        "Every item sold was asked about 30 days after it was delivered, for a change of mind and as faulty. "
        "The 3 returns of these were asked about as they were booked." in said
    )
    assert "Accepted 3 1 −2" in said
    assert "Denied 0 2 +2" in said
    assert "Given back £199 £55 −£144" in said
    for rma in rmas:
        assert f"/staff/returns/{rma}" in links(html)
    assert f"/staff/returns/{kept}" not in links(html)
    assert "See the 2 returns that change" in lead.words("/staff/policy")
    queries = cost(shop.database, lead, address)
    assert len(queries) <= 8, queries


def test_a_draft_that_only_moves_the_last_day_says_so_on_the_page_that_publishes_it(shop: Shop, lead: Browser) -> None:
    shop.order()
    drafted(shop.database, POLICY.replace("window: {days: 30, from: delivered", "window: {days: 45, from: delivered"))
    address = asked(lead, asked_after="14")
    run(shop.database, int(address.rpartition("/")[2]))
    whole = lead.words(address)
    assert "Policy Simulation Simulation of the policy" in whole
    assert "Tried on 1 order placed since 1 October 2026." in whole
    assert "No return changes There was no return in this time." in whole
    assert "See the whole result" not in whole, "this is it"
    said = lead.words("/staff/policy/publish")
    assert "The same amount given back. For a change of mind: the last day is later for 1 item." in said
    assert "There was no return in this time, so only what was sold is asked about." in said


def test_the_headline_is_the_gravest_change_and_not_the_money_beside_it(shop: Shop, lead: Browser) -> None:
    shop.booked(items=(Item(gross=55_00, delivered_at=NOW - timedelta(days=2)),))
    shop.order()
    gifts = "- rule: Gift cards\n    when: {item.type: gift-card}\n    set: {review: always}"
    for text, headline, sub in (
        (
            POLICY.replace("rules:", f"rules:\n  {gifts}", 1),
            "2 of 2 items would be sent to a person",
            "£55 less given back.",
        ),
        (STRICT, "2 of 2 items would be denied", "The same amount given back."),
    ):
        drafted(shop.database, text)
        address = asked(lead)
        run(shop.database, int(address.rpartition("/")[2]))
        assert f"For a change of mind: {headline} {sub}" in lead.words(address)
        assert f"For a change of mind: {headline}. {sub}" in lead.words("/staff/policy/publish")


def test_a_time_without_orders_is_no_proof_that_nothing_changes(shop: Shop, lead: Browser) -> None:
    shop.order()
    drafted(shop.database)
    address = asked(lead, since="2029-01-01")
    run(shop.database, int(address.rpartition("/")[2]))
    assert "Nothing to try it on No order was placed since then. Choose an earlier day." in lead.words(address)


def test_the_card_is_found_by_the_meaning_of_the_draft(shop: Shop, lead: Browser) -> None:
    shop.booked()
    drafted(shop.database)
    run(shop.database, int(asked(lead).rpartition("/")[2]))
    with shop.database.read() as session:
        found = simulation.find_latest(session, load_policy(STRICT + "# another comment\n").content_hash, 1)
        assert found is not None
        assert found.asked_by == "Maya Okafor"


def days(browser: Browser, address: str) -> str:
    """What the form offers as the day on which sold lines are asked about."""
    return str(browser.form(address, "simulations").get("asked_after"))


def test_sold_lines_are_asked_about_on_the_day_that_tells_most_or_on_the_one_that_is_asked_for(
    shop: Shop, lead: Browser
) -> None:
    shop.order()
    longer = POLICY.replace("window: {days: 30, from: delivered", "window: {days: 45, from: delivered")
    drafted(shop.database, longer)
    assert days(lead, "/staff/policy") == days(lead, "/staff/policy/simulations") == "45"
    told = {}
    for day in ("", "14", "45", "46"):
        address = asked(lead, asked_after=day)
        run(shop.database, int(address.rpartition("/")[2]))
        told[day] = lead.words(address)
    assert "1 item that version 1 denied would be accepted." in told["45"]
    assert "asked about 45 days after" in told[""]
    assert all("denied would be" not in told[day] for day in ("14", "46"))
    assert days(lead, "/staff/policy") == "46", "as it was asked last"


def test_a_result_says_when_the_draft_or_the_live_version_is_another_by_now_and_is_never_given_again(
    shop: Shop, lead: Browser
) -> None:
    shop.order()
    drafted(shop.database)
    first = asked(lead)
    assert asked(lead) == first, "it is being tried"
    run(shop.database, int(first.rpartition("/")[2]))
    assert "What this draft would have changed" in lead.words(first)
    second = asked(lead)
    assert second != first, "what was sold and sent back may have changed"
    run(shop.database, int(second.rpartition("/")[2]))
    drafted(shop.database, STRICT.replace("days: 10", "days: 12"))
    said = lead.words(second)
    assert "The draft was changed after this was tried." in said
    assert "What this draft would have changed" not in said
    assert "Try it on the past" in lead.words("/staff/policy")
    third = asked(lead)
    run(shop.database, int(third.rpartition("/")[2]))
    assert "The draft was changed" not in lead.words(third)
    with shop.database.transaction(MAYA) as tx:
        service.publish(tx, POLICY.replace("over: 300", "over: 200"), filename="x", author="Maya")
    assert "compared with version 1, which isn’t live any more" in lead.words(third)
    assert "being tried" not in lead.words("/staff/policy")


def test_the_page_names_the_rules_that_no_order_could_have_met(shop: Shop, lead: Browser) -> None:
    shop.order(Item(tags=("final-sale", "keep", "trusted", "delicate", "own")))
    rule = "rules:\n  - {rule: Furniture, when: {item.tags: {has: furniture}}, set: {ship_with: [own]}}"
    drafted(shop.database, POLICY.replace("rules:", rule, 1))
    address = asked(lead)
    run(shop.database, int(address.rpartition("/")[2]))
    for page in (address, "/staff/policy", "/staff/policy/publish"):
        said = lead.words(page)
        assert "No order of these could have met “Furniture”. Check its words against those of your goods." in said


def test_nonsense_is_explained_and_nothing_is_asked(shop: Shop, lead: Browser) -> None:
    drafted(shop.database)
    for fields, said in (
        ({"since": "yesterday"}, "Enter the day from which orders are tried"),
        ({"sample": "many"}, "Write a whole number"),
        ({"sample": "0"}, "choose at least 1 order"),
        ({"years": "99"}, "choose from 0 to 20 years"),
        ({"asked_after": "-3"}, "Write a whole number"),
        ({"asked_after": "9999"}, "choose from 0 to 3650 days"),
    ):
        assert said in lead.words(asked(lead, **fields))
    form = lead.form("/staff/policy/simulations", "simulations")
    drafted(shop.database, "rules: [broken")
    assert lead.submit(form, {"since": "2026-10-01"}).status_code == 303
    said = lead.words("/staff/policy/simulations")
    assert said.count("The draft has errors") == 2, "once for the form that was sent, once where the form was"
    assert "Try this draft" not in said
    assert shop.count(simulation.PolicySimulation) == 0


def test_who_may_only_look_is_offered_no_form(shop: Shop, sign_in: Callable[[str], Browser], lead: Browser) -> None:
    drafted(shop.database)
    address = asked(lead)
    run(shop.database, int(address.rpartition("/")[2]))
    agent, bench = sign_in("agent"), sign_in("warehouse")
    seen = agent.get(address)
    assert seen.status_code in (200, 403)
    assert 'action="/staff/policy/simulations"' not in seen.text
    assert agent.post("/staff/policy/simulations", {"since": "2026-01-01"}).status_code == 403
    assert bench.get(address).status_code == 403
    assert lead.get("/staff/policy/simulations/999").status_code == 404
