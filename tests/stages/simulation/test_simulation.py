"""A simulation gives exactly what deciding one by one gives, whatever the policies, the book, the batch and the processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from portal import clock, jobs
from portal.cli.policy import policy as policy_command
from portal.db import Actor, Database
from portal.errors import Invalid, NotFound
from portal.flow import JOBS
from portal.money import Money
from portal.orders.models import Order, OrderLine
from portal.policy.facts import Facts
from portal.policy.loader import Policy, load_policy
from portal.policy.quote import QuoteLine, ShippingPaid, quote
from portal.policy.simulate import QUESTIONS, Request, request_sums
from portal.policy.tally import Comparison, sums_of
from portal.policybook import simulation as stored
from portal.policybook.service import asking
from portal.policybook.simulation import Sample, Simulation
from portal.returns import facts as gather
from portal.returns import service
from portal.returns.models import Return
from portal.returns.simulation import run, simulate
from tests.blank import lay_tables
from tests.stages.returns.trade import POLICY, Item, add_order, book_return, open_shop, wish

PROGRAM = Actor("api", "shop")
RULES = """
- {rule: Faults, when: {reason: {in: [faulty, damaged]}}, set: {window: {days: 200, from: placed}, outbound_shipping: always}}
- {rule: Dear, when: {item.price: {over: 20 GBP}}, set: {restocking_fee: 12.5%}}
- {rule: Unit fee, when: {item.tags: {has: unit}}, set: {restocking_fee: 1.35 GBP}}
- {rule: Foreign fee, when: {order.country: {in: [DE, FR]}}, set: {return_shipping: {paid_by: customer, amount: 4.00 EUR}}}
- {rule: Label, when: {order.currency: GBP}, set: {return_shipping: {paid_by: customer, amount: 3.50 GBP}}}
- {rule: Share, when: {order.total: {over: 60 GBP}}, set: {return_shipping: {paid_by: customer, share: 7.5%}}}
- {rule: Season, when: {order.placed: {from: 2026-10-05, to: 2026-10-12}}, set: {window: {until: 2026-11-07}}}
- {rule: Final, when: {item.tags: {has_any: [final-sale, keep]}}, set: {returnable: false}, say: Sold as final sale.}
- {rule: Late, when: {days_since.delivered: {over: 9}}, set: {review: always}}
- {rule: Big, when: {return.value: {over: 50 GBP}}, set: {review: always}}
- {rule: Regular, when: {customer.orders: {at_least: 3}}, set: {window: {days: 60, from: delivered, if_undelivered: refuse}}}
- {rule: Sender, when: {customer.return_rate: {over: 20%}}, set: {restocking_fee: 10%}}
- {rule: Paid much, when: {customer.refunded_90_days: {over: 5 GBP}}, set: {review: always}}
- {rule: Discounted, when: {item.discounted: true}, set: {window: {days: 8, from: shipped, if_undelivered: refuse}}}
- {rule: Whole, when: {return.is_full: true}, set: {outbound_shipping: full_return, return_shipping: {paid_by: merchant}}}
- {rule: Business, when: {order.is_business: true}, set: {returnable: false}, say: Not for businesses.}
- {rule: Percent, when: {order.discount_percent: {over: 5%}}, set: {review: always}}
- {rule: Article, when: {item.sku: {matches: "SKU-[12]"}}, set: {credit_bonus: 5%}}
- {rule: Units, when: {line.quantity: {over: 2}, item.paid: {under: 9 GBP}}, set: {keep_item: true}}
- {rule: No refund, when: {not: {item.tags: {has: unit}}}, set: {resolutions: [exchange, store_credit]}}
- {rule: Codes, when: {order.discount_codes: {has: AUTUMN10}}, set: {window: {days: 3, from: delivered}}}
- {rule: Mail, when: {customer.email: {matches: "c[0-3]@.*"}}, set: {outbound_shipping: never}}
- {rule: Channel, when: {any: [{order.channel: web}, {order.tags: {has: vip}}]}, set: {refund_when: inspected}}
""".strip().splitlines()
OTHERWISE = """
otherwise:
  returnable: true
  window: {days: %d, from: delivered, if_undelivered: review}
  resolutions: [refund, exchange, store_credit]
  review: never
  evidence: none
  ship_with: [label, qr]
  return_shipping: {paid_by: merchant}
  restocking_fee: 0%%
  outbound_shipping: %s
  credit_bonus: 10%%
  keep_item: false
  refund_when: received
  ship_by: 14 days
"""


def text_of(
    rules: list[str], *, days: int = 14, outbound: str = "full_return", zone: str = "Europe/London", laws: bool = False
) -> str:
    """A policy with these rules of the list above."""
    listed = "rules:\n" + "\n".join(f"  {rule}" for rule in rules) if rules else "rules: []"
    floors = "laws: [eu-consumer, uk-consumer]\n" if laws else ""
    return f"schema: 1\nname: Tried\ntimezone: {zone}\n{floors}{listed}\n{OTHERWISE % (days, outbound)}"


policies = st.builds(
    text_of,
    st.lists(st.sampled_from(RULES), unique=True, max_size=7),
    days=st.sampled_from([5, 13, 14, 15, 30]),
    outbound=st.sampled_from(["never", "full_return", "always"]),
    zone=st.sampled_from(["Europe/London", "America/New_York", "Asia/Kathmandu"]),
    laws=st.booleans(),
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A small book in which little is alike, with returns in it."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('book') / 'portal.sqlite3'}")
    lay_tables(database)
    fill(database)
    yield database
    database.dispose()


def fill(database: Database, orders: int = 60) -> None:
    """Orders and returns drawn by rule."""
    drawn = Random(11)
    book = open_shop(database, POLICY)
    for number in range(orders):
        placed = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(minutes=drawn.randrange(30 * 24 * 60))
        items = []
        for _ in range(drawn.choice((1, 1, 2, 3))):
            units, price = drawn.choice((1, 1, 2, 3, 7)), drawn.choice((120, 399, 1000, 2000, 2599, 7350))
            listed = units * price
            gross = listed - drawn.choice((0, 0, listed // 9))
            parcel = placed + timedelta(hours=drawn.randrange(20, 200))
            tags = tuple(tag for tag in ("unit", "final-sale", "keep", "delicate") if drawn.random() < 0.15)
            items.append(
                Item(units, gross, listed=listed, tags=tags, delivered_at=parcel if drawn.random() < 0.9 else None)
            )
        country = drawn.choice(("GB", "GB", "DE", "FR", "US"))
        order = add_order(
            database,
            items,
            shipping=drawn.choice((0, 395, 450)),
            currency="GBP" if country == "GB" else drawn.choice(("GBP", "EUR")),
            placed_at=placed,
            customer_ref=drawn.choice(("", f"r{number % 9}")),
            email=f"c{number % 7}@example.com",
            channel=drawn.choice(("web", "shop")),
            tags=drawn.choice(([], ["vip"])),
            facts=drawn.choice(({}, {"is_business": True}, {"is_business": False, "discount_codes": ["AUTUMN10"]})),
        )
        with database.transaction() as tx:
            row = tx.session.get_one(Order, order)
            row.ship_to = {**row.ship_to, "country": country}
        if drawn.random() < 0.5:
            resolution = drawn.choice(("refund", "refund", "store_credit"))
            reason = drawn.choice(("changed-mind", "faulty", "too-small"))
            wishes = [wish(str(i + 1), 1, reason, resolution) for i in range(min(len(items), drawn.choice((1, 2))))]
            try:
                at = placed + timedelta(days=drawn.randrange(3, 40))
                rma = book_return(database, book, order, *wishes, at=at, actor=PROGRAM)
            except service.Refused:
                continue
            if drawn.random() < 0.4:
                with database.transaction() as tx:
                    made = tx.session.scalars(select(Return).where(Return.rma == rma)).one()
                    made.payout_planned_at = tx.at
    with database.transaction() as tx:
        # Lines that came to their orders later have ids apart from the others; units that went back wait for no parcel.
        for order in tx.session.scalars(select(Order).options(selectinload(Order.lines)).order_by(Order.id)):
            first = order.lines[0]
            if order.id % 5 == 0:
                first.delivered_at, first.units_gone = None, first.quantity - first.units_held
            if order.id % 7 == 0:
                columns = [each.name for each in OrderLine.__table__.columns if each.name not in ("id", "order_id")]
                copied = {name: getattr(first, name) for name in columns} | {"position": 9, "ref": "9", "units_held": 0}
                order.lines.append(OrderLine(**copied | {"units_gone": 0, "delivered_at": order.placed_at}))


def one_by_one(database: Database, before: Policy, after: Policy, sample: Sample) -> dict[str, Comparison]:
    """The same simulation the slow way: an object, its facts, two decisions and two quotes for every line and question."""
    found = {question.name: Comparison() for question in QUESTIONS} | {"requests": Comparison()}
    asked_facts = {test.fact for each in (before, after) for test in each.comparisons()}
    since = datetime.combine(sample.since, time(0), tzinfo=after.zone)
    with database.read() as session:
        query = select(Order).options(selectinload(Order.lines)).where(Order.placed_at >= since.astimezone(UTC))
        for order in session.scalars(query):
            of_order = gather.order_facts(order, gather.Earlier())
            for line in order.lines:
                start = line.delivered_at or line.shipped_at or order.placed_at
                on = start.astimezone(after.zone).date() + timedelta(days=sample.asked_after)
                at = datetime.combine(on, time(12), tzinfo=after.zone).astimezone(UTC)
                value = Money(line.gross_minor, order.currency)
                alone = len(order.lines) == 1
                facts = Facts(
                    order=of_order,
                    customer=gather.customer_facts(session, order, asked_facts, at),
                    item=gather.item_facts(order, line),
                    quantity=line.quantity, line_value=value, return_value=value, return_items=line.quantity,
                    return_is_full=alone, answers={}, evidence=0, at=at, is_consumer=gather.is_consumer(order),
                )  # fmt: skip
                for question in QUESTIONS:
                    here = found[question.name]
                    asked = facts.asking(reason=question.reason, resolution="refund")
                    decisions = asking(before)(asked), asking(after)(asked)
                    here.count(*decisions)
                    for tally, decision in zip((here.before, here.after), decisions, strict=True):
                        if decision.refused:
                            continue
                        priced = QuoteLine(
                            line.ref, line.quantity, line.gross_minor, line.tax_minor, line.list_minor,
                            line.discount_minor, "refund", decision.terms,
                        )  # fmt: skip
                        shipping = ShippingPaid(order.shipping_minor, order.shipping_tax_minor)
                        sums = sums_of(quote([priced], order.currency, shipping=shipping, full_return=alone))
                        tally.add(order.currency, sums if decision.accepted else {"waiting": sums["refund"]})
        returns = (
            select(Return).join(Order, Order.id == Return.order_id).where(Order.placed_at >= since.astimezone(UTC))
        )
        for made in session.scalars(returns.options(selectinload(Return.lines))):
            decided = [[asking(each)(Facts.from_json(line.facts)) for line in made.lines] for each in (before, after)]
            request = Request(
                made.currency,
                tuple(
                    (at.order_line.ref, at.quantity, at.resolution, at.gross_minor, at.tax_minor, Facts())
                    for at in made.lines
                ),
                ShippingPaid(made.basis["shipping"]["amount"], made.basis["shipping"]["tax"]),
                made.basis["full_return"], made.basis["fee_charged"], made.ship_with,
            )  # fmt: skip
            here = found["requests"]
            for pair in zip(*decided, strict=True):
                here.count(*pair)
            for tally, decisions_ in zip((here.before, here.after), decided, strict=True):
                tally.add(made.currency, request_sums(request, decisions_))
    return found


def tried(database: Database, text: str, against: int, sample: Sample, **more: int) -> dict[str, Comparison]:
    made = simulate(database, text, against=against, sample=sample, **more)
    return {"ordinary": made.ordinary, "fault": made.fault, "requests": made.requests}


def published(database: Database, text: str) -> int:
    """The number under which the text is in the book."""
    from portal.policybook.service import publish

    with database.transaction() as tx:
        return publish(tx, text, filename="before", author="test").number


@given(
    before=policies,
    after=policies,
    asked_after=st.sampled_from([0, 8, 14, 40]),
    at_once=st.sampled_from([1, 8, 500]),
    known=st.sampled_from([0, 6, 200_000]),
)
@example(
    before=text_of(RULES), after=text_of(RULES[::-1], outbound="always", zone="Asia/Kathmandu"),
    asked_after=14, at_once=500, known=200_000,
)  # fmt: skip
@example(before=text_of([]), after=text_of([RULES[6]]), asked_after=14, at_once=8, known=6)
@example(before=text_of([RULES[1]]), after=text_of([RULES[4]], outbound="always"), asked_after=8, at_once=500, known=0)
@settings(
    max_examples=int(os.environ.get("SIMULATION_EXAMPLES", "6")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_simulation_is_what_deciding_one_by_one_gives(
    shop: Database, monkeypatch: pytest.MonkeyPatch, before: str, after: str, asked_after: int, at_once: int, known: int
) -> None:
    """Neither the size of what is read at once nor how much is remembered changes anything."""
    monkeypatch.setattr("portal.returns.chunks.ORDERS_AT_ONCE", at_once)
    monkeypatch.setattr("portal.returns.chunks.LINES_AT_ONCE", at_once)
    monkeypatch.setattr("portal.policy.simulate.MAX_KNOWN", known)
    sample = Sample(date(2026, 10, 4), asked_after=asked_after)
    number = published(shop, before)
    slow = one_by_one(shop, load_policy(before), load_policy(after), sample)
    assert tried(shop, after, number, sample, processes=1, batch=37) == slow


def test_batches_and_processes_change_nothing(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.returns.simulation.SMALL", 0)
    sample = Sample(date(2026, 10, 1))
    number = published(shop, text_of(RULES[:6]))
    seen: list[tuple[int, int]] = []
    alone = simulate(shop, text_of(RULES[4:]), against=number, sample=sample, processes=1)
    both = simulate(
        shop, text_of(RULES[4:]), against=number, sample=sample, processes=2, batch=20,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert both == alone
    assert alone.requests.asked > 20
    assert alone.changes
    assert seen[0][0] == 0
    assert seen[-1][0] == seen[-1][1]
    assert seen == sorted(seen)


def test_a_process_that_is_started_does_not_load_the_whole_program() -> None:
    """It reads the console script of its parent again, see `multiprocessing.spawn`."""
    script = Path(sys.executable).with_name("portal")
    told = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__mp_main__'); print('flask' in sys.modules)"
    run_script = [sys.executable, "-c", told, str(script)]
    assert subprocess.run(run_script, capture_output=True, text=True, check=True).stdout == "False\n"


def test_postgresql_gives_what_sqlite_gives(shop: Database, pg_database: Database) -> None:
    fill(pg_database)
    sample = Sample(date(2026, 10, 4))
    found = []
    for database in (shop, pg_database):
        number = published(database, text_of(RULES[2:12]))
        found.append(tried(database, text_of(RULES, days=30), number, sample, processes=1))
    assert found[0] == found[1]


DAYS = "{days: %s, from: delivered, if_undelivered: review}"


@pytest.mark.parametrize(
    ("before", "after", "day"),
    [
        ((30, {}), (30, {}), 30),  # nothing changes: the last day that both give
        ((30, {}), (45, {}), 45),
        ((30, {}), (10, {}), 30),
        ((30, {"Faulty": 365}), (45, {"Faulty": 365}), 45),  # what both say tells nothing
        ((30, {"Sale": 14}), (30, {"Sale": 20}), 20),
        ((30, {}), (30, {"Sale": 60}), 60),
        ((30, {"Sale": 60}), (30, {}), 60),
        ((30, {}), (9999, {}), 3650),
    ],
)
def test_sold_lines_are_asked_about_on_the_last_day_that_only_one_policy_gives(
    before: tuple[int, dict[str, int]], after: tuple[int, dict[str, int]], day: int
) -> None:
    def made(days: int, rules: dict[str, int]) -> Policy:
        lines = [f"- {{rule: {name}, set: {{window: {DAYS % many}}}}}" for name, many in rules.items()]
        return load_policy(text_of(lines, days=days))

    assert stored.telling_day(made(*before), made(*after)) == day


def test_a_sample_takes_every_nth_order_and_says_so(shop: Database) -> None:
    number = published(shop, text_of([]))
    whole = simulate(shop, text_of([RULES[7]]), against=number, sample=Sample(date(2026, 10, 1)))
    part = simulate(shop, text_of([RULES[7]]), against=number, sample=Sample(date(2026, 10, 1), orders=15))
    assert 10 <= part.orders <= 20 < whole.orders
    assert part.lines < whole.lines
    assert part.ordinary.asked == part.lines


def test_dates_moved_on_meet_the_rules_of_a_later_year(shop: Database) -> None:
    number = published(shop, text_of([], days=2))
    season = text_of([RULES[6].replace("2026", "2028")], days=2)
    here = simulate(shop, season, against=number, sample=Sample(date(2026, 10, 1)))
    moved = simulate(shop, season, against=number, sample=Sample(date(2026, 10, 1), years=2))
    assert (here.ordinary.changed, here.ordinary.later) == (0, 0)
    assert moved.ordinary.changed > 0
    assert moved.requests.changed > 0


def test_what_makes_no_sense_is_named(shop: Database) -> None:
    number = published(shop, text_of([]))
    with pytest.raises(Invalid) as refused:
        simulate(shop, text_of([]), against=number, sample=Sample(date(1812, 1, 1), orders=0, years=99, asked_after=-1))
    assert set(refused.value.fields) == {"since", "sample", "years", "asked_after"}
    with pytest.raises(NotFound):
        simulate(shop, text_of([]), against=999, sample=Sample(date(2026, 1, 1)))


def test_a_job_shows_its_progress_and_keeps_the_result(shop: Database) -> None:
    published(shop, text_of([]))
    sample = Sample(date(2026, 10, 1))
    with shop.transaction(Actor("staff", "Maya Okafor")) as tx:
        first = stored.ask(tx, text_of([RULES[7]]), filename="draft", sample=sample).id
        again = stored.ask(tx, text_of([RULES[7]]) + "# the same meaning", filename="draft", sample=sample).id
        assert (stored.get(tx.session, first).state, again) == ("waiting", first)
        job = tx.session.scalars(select(jobs.Job).where(jobs.Job.key == f"simulation:{first}")).one()
        assert job.name in JOBS
    run(shop, first)
    with shop.read() as session:
        row = stored.get(session, first)
        found = stored.find_latest(session, row.content_hash, row.against)
        assert found is row
        assert (row.state, row.asked_by, row.done) == ("done", "Maya Okafor", row.total)
        outcome = row.outcome
    assert outcome is not None
    assert outcome == simulate(shop, text_of([RULES[7]]), against=outcome.against, sample=sample)
    assert outcome.ordinary.turned
    assert Simulation.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome
    run(shop, first)


def test_a_job_that_breaks_is_shown_as_failed(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("portal.returns.simulation.simulate", broken)
    with shop.transaction() as tx:
        number = stored.ask(tx, text_of([RULES[8]]), filename="draft", sample=Sample(date(2026, 10, 2))).id
    with pytest.raises(OSError, match="no space"):
        run(shop, number)
    with shop.read() as session:
        assert stored.get(session, number).state == "failed"


def test_the_command_says_counts_money_and_returns(
    shop: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = SimpleNamespace(database=shop, shop=SimpleNamespace(timezone="Europe/London"))
    monkeypatch.setattr("portal.cli.policy_simulate.ports", lambda: ports)
    number = published(shop, text_of([]))
    file = tmp_path / "draft.yaml"
    file.write_text(text_of([RULES[7]]), encoding="utf-8")
    words = ["simulate", str(file), "--since", "2026-10-01", "--against", str(number)]
    text = CliRunner().invoke(policy_command, words)
    assert text.exit_code == 0, text.output
    found = simulate(shop, text_of([RULES[7]]), against=number, sample=Sample(date(2026, 10, 1)))
    assert f"tried on {found.orders:,} orders placed since 2026-10-01" in text.stdout
    assert f"{found.changed_returns:,} returns change" in text.stdout
    assert found.changes[0].rma in text.stdout
    refused = [line.split() for line in text.stdout.splitlines() if line.strip().startswith("refused")]
    assert refused[1][1:3] == [
        str(found.ordinary.before.answers["refuse"]),
        str(found.ordinary.after.answers["refuse"]),
    ]
    data = CliRunner().invoke(policy_command, [*words, "--json"])
    assert Simulation.from_json(json.loads(data.stdout)) == found
    assert CliRunner().invoke(policy_command, [*words, "--since", "soon"]).exit_code == 2
    year = CliRunner().invoke(policy_command, ["simulate", str(file), "--against", str(number)])
    assert f"orders placed since {clock.local_date(clock.now(), 'Europe/London') - timedelta(days=365)}" in year.stdout
