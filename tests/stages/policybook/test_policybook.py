"""The policy book: versions are numbered without gaps, never change, and bind what was bought under them."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from portal import edge
from portal.db import SYSTEM, Actor, Database
from portal.errors import Conflict, Invalid, NotFound
from portal.policy.diagnostics import PolicyErrors
from portal.policy.facts import Facts
from portal.policy.reasons import REASONS
from portal.policybook import service, versions
from portal.policybook.models import PolicyVersion
from portal.policybook.service import Book, load_book
from portal.timeline import TimelineEntry
from tests.stages.returns.trade import BOOKED, POLICY, PUBLISHED, counting, later, open_shop, rows

MAYA = Actor("staff", "Maya Okafor", 1)


def publish(database: Database, text: str = POLICY, at=BOOKED, **more) -> int:
    with database.transaction(MAYA, at=at) as tx:
        return service.publish(tx, text, filename="x.yaml", author="Maya Okafor", **more).number


def load(database: Database) -> Book:
    with database.read() as session:
        return load_book(session)


def named(name: str) -> str:
    return POLICY.replace("Test shop", name)


def test_a_version_is_kept_as_it_was_written(database: Database) -> None:
    publish(database, POLICY, note="The beginning")
    (row,) = rows(database, select(PolicyVersion))
    assert (row.number, row.name, row.source, row.author, row.note) == (
        1,
        "Test shop",
        POLICY,
        "Maya Okafor",
        "The beginning",
    )
    number, policy = load(database).current()
    assert (number, policy.content_hash) == (1, row.content_hash)
    (entry,) = rows(database, select(TimelineEntry))
    assert (entry.what, entry.why, entry.data["version"]) == ("policy.published", "The beginning", 1)


def test_numbers_have_no_gaps_and_the_same_text_again_is_no_version(database: Database) -> None:
    assert [publish(database, named(name)) for name in ("A", "A", "B", "A")] == [1, 1, 2, 3]
    with database.read() as session:
        assert [row.number for row in service.list_versions(session)] == [3, 2, 1]
        assert service.get_version(session, 2).name == "B"
        with pytest.raises(NotFound):
            service.get_version(session, 4)


def test_a_broken_text_publishes_nothing(database: Database) -> None:
    with pytest.raises(PolicyErrors):
        publish(database, POLICY.replace("window:", "windw:"))
    assert rows(database, select(PolicyVersion)) == []


def test_an_order_is_bound_by_the_version_of_its_day(database: Database) -> None:
    publish(database, named("A"), at=PUBLISHED)
    publish(database, named("B"), at=BOOKED, effective_at=later(days=10))
    book = load(database)
    assert [book.binding(moment)[1].name for moment in (PUBLISHED - timedelta(days=99), later(days=9), None)] == [
        "A",
        "A",
        "A",
    ]
    assert book.binding(later(days=10))[1].name == "B"
    assert book.current(BOOKED)[0] == 1
    assert book.current()[0] == 2


def test_a_version_does_not_reach_into_the_past(database: Database) -> None:
    publish(database, named("A"))
    with pytest.raises(Invalid):
        publish(database, named("B"), effective_at=BOOKED - timedelta(seconds=1))


def test_while_a_version_is_to_come_another_can_be_published_for_any_moment_from_now_on(database: Database) -> None:
    publish(database, named("A"))
    publish(database, named("B"), effective_at=later(days=10))
    assert publish(database, named("C"), at=later(1)) == 3
    assert publish(database, named("D"), at=later(1), effective_at=later(days=20)) == 4
    book = load(database)
    assert [book.current(later(days=day))[0] for day in (0, 2, 9, 10, 19, 20)] == [1, 3, 3, 2, 2, 4]
    assert [each.number for each in book.coming(later(days=2))] == [2, 4]
    assert book.newest == 4


@pytest.mark.parametrize(
    ("name", "day", "number"),
    [
        ("A", None, 1),  # is in force
        ("B", 10, 2),  # starts then
        ("B", 11, 3),  # is in force by then, unless what starts before is replaced
        ("A", 9, 3),
        ("B", None, 3),  # is to come, and wanted now
        ("A", 10, 3),  # in its place
    ],
)
def test_the_text_that_is_in_force_or_has_that_very_start_makes_no_version(
    database: Database, name: str, day: int | None, number: int
) -> None:
    publish(database, named("A"))
    publish(database, named("B"), effective_at=later(days=10))
    starts = None if day is None else later(days=day)
    assert publish(database, named(name), at=later(days=1), effective_at=starts) == number


def test_what_binds_is_told_anew_where_a_number_was_given_to_a_version_that_was_never_kept(database: Database) -> None:
    publish(database, named("A"))

    def failing() -> None:
        with database.transaction(MAYA, at=BOOKED) as tx:
            service.publish(tx, named("B"), filename="x", author="M", effective_at=later(days=5))
            assert load_book(tx.session).current(later(days=6))[0] == 2
            raise InterruptedError

    with pytest.raises(InterruptedError):
        failing()
    publish(database, named("B"), effective_at=later(days=10))
    assert [load(database).current(later(days=day))[0] for day in (6, 10)] == [1, 2]


def test_a_loaded_book_costs_one_small_query(database: Database) -> None:
    open_shop(database)
    with database.read() as session:
        first = load_book(session)
        with counting(database) as statements:
            assert load_book(session) is first
    assert len(statements) == 1


def test_a_new_version_is_seen_at_once_and_every_database_has_its_own(
    database: Database,
    make_pg,
    tmp_path: Path,
) -> None:
    publish(database, named("A"))
    assert load(database).current()[1].name == "A"
    publish(database, named("B"))
    assert load(database).current()[1].name == "B"
    from portal import rows as tables

    other = Database(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    tables.metadata.create_all(other.write_engine)
    assert load(other).versions == ()
    publish(other, named("C"))
    publish(other, named("D"))
    assert load(other).current()[1].name == "D"
    assert load(database).current()[1].name == "B"
    other.dispose()


def test_a_new_version_costs_no_reading_of_those_before_it(database: Database) -> None:
    publish(database, named("A"))
    first = load(database).current()[1]
    publish(database, named("B"))
    book = load(database)
    assert [version.policy.name for version in book.versions] == ["A", "B"]
    assert book.versions[0].policy is first


def test_an_empty_book_says_what_to_do(database: Database) -> None:
    with pytest.raises(NotFound, match="portal policy publish"):
        load(database).current()


def test_the_first_policy_is_published_once(database: Database) -> None:
    path = Path(__file__).resolve().parents[3] / "policies" / "default.yaml"
    for _ in range(2):
        with database.transaction(SYSTEM, at=PUBLISHED) as tx:
            service.ensure_first(tx, path)
    assert [row.number for row in rows(database, select(PolicyVersion))] == [1]


def test_two_publishers_at_once_make_two_numbers_or_one_conflict(pg_database: Database) -> None:
    gate, outcome = threading.Barrier(6), []

    def one(index: int) -> None:
        gate.wait()
        try:
            with edge.command(pg_database, MAYA) as tx:
                outcome.append(service.publish(tx, named(f"N{index}"), filename="x", author="M").number)
        except (Conflict, Invalid) as error:
            outcome.append(error)

    threads = [threading.Thread(target=one, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = sorted(each for each in outcome if isinstance(each, int))
    assert len(outcome) == 6
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("file", ["default", "apparel", "electronics", "gifts"])
def test_reasons_that_no_rule_tells_apart_really_share_their_decision(database: Database, file: str) -> None:
    text = (Path(__file__).resolve().parents[3] / "policies" / f"{file}.yaml").read_text(encoding="utf-8")
    book = open_shop(database, text)
    bound = book.bound(None)
    for facts in (Facts(at=BOOKED), Facts(at=BOOKED, resolution="exchange")):
        shared = book.decide_each_reason(bound, facts)
        assert list(shared) == list(REASONS)
        for reason in REASONS:
            assert shared[reason].to_bytes() == book.decide(bound, facts.asking(reason=reason))[1].to_bytes()
    assert len({id(decision) for decision in shared.values()}) < len(REASONS)


def roll_back(database: Database, number: int, at=BOOKED, **more) -> PolicyVersion:
    with database.transaction(MAYA, at=at) as tx:
        return versions.roll_back(tx, number, author="Maya Okafor", note="Back", **more)


def test_going_back_publishes_the_very_document_once_more(database: Database) -> None:
    publish(database, named("A") + "# a remark\n")
    publish(database, named("B"))
    made = roll_back(database, 1, seen=(2, 2))
    first = rows(database, select(PolicyVersion).where(PolicyVersion.number == 1))[0]
    assert (made.number, made.source, made.content_hash) == (3, first.source, first.content_hash)
    assert (made.author, made.note) == ("Maya Okafor", "Back")
    for number, more in ((3, {}), (1, {}), (2, {"seen": (2, 2)}), (2, {"seen": (3, 2)})):
        with pytest.raises(Conflict):
            roll_back(database, number, **more)


def test_going_back_takes_the_place_of_a_version_that_is_still_to_come(database: Database) -> None:
    publish(database, named("A"))
    start = BOOKED + timedelta(days=9)
    publish(database, named("B"), effective_at=start)
    soon = BOOKED + timedelta(days=1)
    with pytest.raises(Conflict):
        roll_back(database, 1, at=soon)
    made = roll_back(database, 1, at=soon, instead_of=2)
    assert made.effective_at == start
    for moment, gone in ((soon, 2), (start, 3)):
        with pytest.raises(Conflict, match="not to come any more"):
            roll_back(database, 2, at=moment, instead_of=gone)
    with pytest.raises(NotFound):
        roll_back(database, 2, at=soon, instead_of=9)
    assert [load(database).binding(moment)[0] for moment in (BOOKED, start, start + timedelta(days=9))] == [1, 3, 3]
    with database.read() as session:
        before, _ = versions.heads(session, BOOKED)
        after, count = versions.heads(session, start)
    assert [(each.number, each.state) for each in before] == [(3, "coming"), (2, "replaced"), (1, "live")]
    assert [(each.number, each.state) for each in after] == [(3, "live"), (2, "replaced"), (1, "retired")]
    assert [each.until for each in after] == [None, start, start]
    assert count == 3


def test_going_back_now_leaves_what_is_to_come(database: Database) -> None:
    publish(database, named("A"))
    publish(database, named("B"))
    publish(database, named("C"), effective_at=later(days=10))
    assert roll_back(database, 1, seen=(3, 2)).number == 4
    assert [load(database).current(later(days=day))[0] for day in (1, 10)] == [4, 3]


# Starts in days, in the order of publication; then on day 3, the last start first: number, state, in force until which day.
LISTED = [
    ((0,), [(1, "live", None)]),
    ((0, 5), [(2, "coming", None), (1, "live", 5)]),
    ((0, 9, 5), [(2, "coming", None), (3, "coming", 9), (1, "live", 5)]),
    ((0, 5, 5), [(3, "coming", None), (2, "replaced", 5), (1, "live", 5)]),
    ((0, 2, 2), [(3, "live", None), (2, "replaced", 2), (1, "retired", 2)]),
    ((0, 9, 2), [(2, "coming", None), (3, "live", 9), (1, "retired", 2)]),
    ((5,), [(1, "live", None)]),
    ((5, 2), [(1, "coming", None), (2, "live", 5)]),
    ((5, 5), [(2, "coming", None), (1, "live", 5)]),
]


@pytest.mark.parametrize(("starts", "listed"), LISTED)
def test_the_list_says_what_holds_what_comes_and_what_never_came(
    database: Database, starts: tuple[int, ...], listed: list[tuple[int, str, int | None]]
) -> None:
    for number, day in enumerate(starts):
        publish(database, named(f"N{number}"), effective_at=later(days=day))
    now = later(days=3)
    with database.read() as session:
        found, count = versions.heads(session, now)
    assert count == len(starts)
    assert [(each.number, each.state, each.until) for each in found] == [
        (number, state, None if day is None else later(days=day)) for number, state, day in listed
    ]
    (live,) = (each for each in found if each.state == "live")
    assert live.number == load(database).current(now)[0]
    assert live.early == (live.since > now)
    assert [each.number for each in reversed(found) if each.state == "coming"] == [
        each.number for each in load(database).coming(now)
    ]


@pytest.mark.parametrize("change", ["UPDATE policy_version SET note = 'x'", "DELETE FROM policy_version"])
def test_the_database_itself_refuses_to_change_a_version(any_database: Database, change: str) -> None:
    publish(any_database)
    with pytest.raises(DatabaseError), any_database.transaction(MAYA) as tx:
        tx.session.execute(text(change))
    assert len(rows(any_database, select(PolicyVersion).where(PolicyVersion.note == ""))) == 1
