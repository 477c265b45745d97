"""The card of the simulation: asked for by a form, done by a job, shown with its sample, counts, money and returns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from portal.db import Database
from portal.policy.loader import load_policy
from portal.policybook import drafts, simulation
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
    assert "Tried on 3 orders placed since 1 October 2026, with 3 returns." in said
    assert "£144 less given back" in said
    assert "Past returns: 2 lines that version 1 accepted would be denied." in said
    assert "For a change of mind: the last day is earlier for 3 lines." in said
    assert "Every line sold is asked about on its own, 14 days after delivery." in said
    assert "Accepted 3 1 −2" in said
    assert "Denied 0 2 +2" in said
    assert "Given back £199 £55 −£144" in said
    for rma in rmas:
        assert f"/staff/returns/{rma}" in links(html)
    assert f"/staff/returns/{kept}" not in links(html)
    assert "See the 2 returns that change" in said
    queries = cost(shop.database, lead, address)
    assert len(queries) <= 8, queries


def test_a_draft_that_only_moves_the_last_day_says_so_on_the_page_that_publishes_it(shop: Shop, lead: Browser) -> None:
    shop.order()
    drafted(shop.database, POLICY.replace("window: {days: 30, from: delivered", "window: {days: 45, from: delivered"))
    run(shop.database, int(asked(lead).rpartition("/")[2]))
    said = lead.words("/staff/policy/publish")
    assert "The same amount given back. For a change of mind: the last day is later for 1 line." in said
    assert "There was no return in this time, so only what was sold is asked about." in said


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
        found = simulation.find_latest(session, load_policy(STRICT + "# another comment\n").content_hash)
        assert found is not None
        assert found.asked_by == "Maya Okafor"


def test_nonsense_is_explained_and_nothing_is_asked(shop: Shop, lead: Browser) -> None:
    drafted(shop.database)
    for fields, said in (
        ({"since": "yesterday"}, "Enter the day from which orders are tried"),
        ({"sample": "many"}, "Write a whole number"),
        ({"sample": "0"}, "choose at least 1 order"),
        ({"years": "99"}, "choose from 0 to 20 years"),
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
