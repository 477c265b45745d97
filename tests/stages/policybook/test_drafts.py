"""The draft: one per shop, every state undoable, nobody's change lost, nothing published that was not read."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from portal import clock, edge
from portal.db import Actor, Database
from portal.errors import Conflict, Invalid
from portal.money import Money
from portal.policy import edit
from portal.policy.checks import check_text
from portal.policy.conditions import Comparison
from portal.policy.edit import Wish
from portal.policybook import drafts, service
from portal.policybook.drafts import Draft, StaleDraft
from portal.policybook.models import PolicyDraft, PolicyVersion
from portal.timeline import TimelineEntry
from tests.stages.returns.trade import BOOKED, POLICY, rows

MAYA, JONAS = Actor("staff", "Maya Okafor", 1), Actor("staff", "Jonas Berg", 2)
WARNS = POLICY.replace(
    "otherwise:", "  - rule: No\n    when: {item.tags: no}\n    set: {returnable: false}\n\notherwise:", 1
)


@pytest.fixture
def published(database: Database) -> Database:
    with database.transaction(MAYA, at=BOOKED) as tx:
        service.publish(tx, POLICY, filename="x.yaml", author="Maya Okafor")
    return database


def there(database: Database) -> Draft:
    with database.read() as session:
        return drafts.find_draft(session, clock.now())


def save(database: Database, text: str, seen: str | None = None, who: Actor = MAYA) -> Draft:
    seen = there(database).seen if seen is None else seen
    with edge.command(database, who) as tx:
        return drafts.save(tx, seen, lambda _: text)


def test_without_a_draft_the_newest_version_is_shown_and_the_first_change_begins_one(published: Database) -> None:
    shown = there(published)
    assert (shown.exists, shown.source, shown.base, shown.author) == (False, POLICY, 1, "Maya Okafor")
    assert not save(published, POLICY).exists
    saved = save(published, POLICY + "# more\n", who=JONAS)
    assert (saved.exists, saved.base, saved.author) == (True, 1, "Jonas Berg")
    assert there(published) == saved


def test_where_nothing_was_published_the_draft_begins_empty(database: Database) -> None:
    assert there(database) == Draft("", 0, 0, 0, "", None)
    assert save(database, POLICY).base == 0
    with database.transaction(MAYA) as tx:
        assert drafts.publish(tx, drafts.find_draft(tx.session, tx.at).seen, read=()).number == 1


def test_a_stale_change_saves_nothing_and_gives_both_texts_back(published: Database) -> None:
    seen = there(published).seen
    save(published, POLICY + "# Maya\n", seen)
    with pytest.raises(StaleDraft) as stale:
        save(published, POLICY + "# Jonas\n", seen, JONAS)
    assert stale.value.mine == POLICY + "# Jonas\n"
    assert stale.value.theirs == there(published)
    assert there(published).source == POLICY + "# Maya\n"


def test_my_text_of_a_stale_change_is_made_of_what_i_saw(published: Database) -> None:
    first = save(published, POLICY + "# one\n")
    save(published, POLICY + "# two\n")
    with pytest.raises(StaleDraft) as stale, published.transaction(JONAS) as tx:
        drafts.save(tx, first.seen, lambda text: text + "# mine\n")
    assert stale.value.mine == POLICY + "# one\n# mine\n"


SHORTER = POLICY.replace("days: 365", "days: 300")


def stale(database: Database, theirs: str, mine: str) -> StaleDraft:
    seen = there(database).seen
    save(database, theirs, seen)
    with pytest.raises(StaleDraft) as caught:
        save(database, mine, seen, JONAS)
    return caught.value


def test_two_changes_that_do_not_touch_each_other_can_both_be_saved(published: Database) -> None:
    wish = Wish("Big returns", Comparison("return.value", "over", Money(250_00, "GBP")), {"review": "always"})
    mine = edit.change_rule(POLICY, "Big returns", wish)
    found = stale(published, SHORTER, mine)
    assert found.both == edit.change_rule(SHORTER, "Big returns", wish)


@pytest.mark.parametrize(
    ("theirs", "mine"),
    [
        pytest.param(SHORTER, POLICY.replace("days: 365", "days: 200"), id="the same rule"),
        pytest.param(SHORTER, POLICY + "# mine\n", id="a comment, which no rule has"),
        pytest.param(SHORTER, "rules: [broken", id="no policy of mine"),
        pytest.param("rules: [broken", SHORTER, id="no policy of theirs"),
        pytest.param(POLICY.replace("name: ", "name: X"), POLICY.replace("name: ", "name: Y"), id="the name"),
        pytest.param(edit.remove_rule(POLICY, "Faulty items"), SHORTER, id="a rule that is gone"),
    ],
)
def test_where_one_of_two_changes_would_be_lost_nobody_is_offered_both(
    published: Database, theirs: str, mine: str
) -> None:
    assert stale(published, theirs, mine).both is None


@pytest.mark.parametrize("seen", ["", "1", "x.y", "1.999999", "9.0", "1.-1", "١.٠", "1." + "9" * 40])
def test_a_state_that_nobody_can_have_seen_is_stale_and_no_crash(published: Database, seen: str) -> None:
    save(published, POLICY + "# one\n")
    with pytest.raises(StaleDraft) as stale:
        save(published, "x", seen)
    assert stale.value.mine is None


def test_two_who_save_upon_one_state_at_the_same_moment_are_one_and_a_conflict(pg_database: Database) -> None:
    with pg_database.transaction(MAYA, at=BOOKED) as tx:
        service.publish(tx, POLICY, filename="x.yaml", author="Maya Okafor")
    seen, outcomes, gate = there(pg_database).seen, [], threading.Barrier(4)

    def one(name: str) -> None:
        gate.wait()
        try:
            outcomes.append(save(pg_database, POLICY + f"# {name}\n", seen, Actor("staff", name, 1)).author)
        except Conflict:
            outcomes.append("")

    threads = [threading.Thread(target=one, args=(name,)) for name in "ABCD"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = filter(None, outcomes)
    assert len(outcomes) == 4
    assert there(pg_database).source.endswith(f"# {winner}\n")


def test_changes_are_undone_one_by_one_until_there_is_no_draft(published: Database) -> None:
    save(published, POLICY + "# one\n")
    save(published, POLICY + "# two\n")
    for text in (POLICY + "# one\n", POLICY, POLICY):
        with published.transaction(MAYA) as tx:
            assert drafts.undo(tx, drafts.find_draft(tx.session, tx.at).seen).source == text
    assert not there(published).exists


def test_a_draft_that_was_thrown_away_is_gone_with_all_its_states_and_their_numbers(published: Database) -> None:
    first = save(published, POLICY + "# one\n")
    last = save(published, POLICY + "# two\n")
    with published.transaction(MAYA) as tx:
        drafts.discard(tx, last.seen)
    assert rows(published, select(PolicyDraft)) == []
    again = save(published, POLICY + "# three\n")
    assert again.revision > last.revision
    with pytest.raises(StaleDraft):
        save(published, POLICY, first.seen)
    assert [entry.what for entry in rows(published, select(TimelineEntry))][-1] == "policy_draft.discarded"


def test_old_states_are_let_go(published: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "KEEP", 3)
    for number in range(6):
        save(published, POLICY + f"# {number}\n")
    with published.read() as session:
        assert session.scalar(select(func.count()).select_from(PolicyDraft)) == 3


def test_a_text_longer_than_a_policy_is_not_kept(published: Database) -> None:
    for text in ("x" * 300_000, "\n" * 6000, "a\x00b"):
        with pytest.raises(Invalid):
            save(published, text)
    assert not there(published).exists


def test_publishing_makes_the_next_version_of_exactly_this_text_and_ends_the_draft(published: Database) -> None:
    new = edit.change_otherwise(POLICY, {**service.load_policy(POLICY).otherwise, "credit_bonus": 1200})
    drafted = save(published, new)
    with published.transaction(JONAS) as tx:
        version = drafts.publish(tx, drafted.seen, read=(), note="More bonus", effective_at=tx.at + timedelta(days=1))
        assert version.effective_at == tx.at + timedelta(days=1)
        starts = version.effective_at
    (_, row) = rows(published, select(PolicyVersion).order_by(PolicyVersion.number))
    assert (row.number, row.source, row.author, row.note) == (2, new, "Jonas Berg", "More bonus")
    assert there(published).source == POLICY, "until it starts, the rules that hold are those before it"
    with published.read() as session:
        assert drafts.find_draft(session, starts) == Draft(new, 0, 2, 0, "Jonas Berg", row.published_at)


def test_an_error_keeps_a_draft_from_being_published_and_a_warning_until_it_was_read(published: Database) -> None:
    broken = save(published, POLICY + "unknown: 1\n")
    with pytest.raises(Invalid, match="errors"), published.transaction(MAYA) as tx:
        drafts.publish(tx, broken.seen, read=())
    warned = save(published, WARNS)
    (check,) = check_text(WARNS)
    assert (check.severity, check.rule) == ("warning", "No")
    with pytest.raises(Invalid) as unread, published.transaction(MAYA) as tx:
        drafts.publish(tx, warned.seen, read=("other",))
    assert list(unread.value.fields) == [f"read-{check.key}"]
    with published.transaction(MAYA) as tx:
        assert drafts.publish(tx, warned.seen, read=(check.key,)).number == 2


def test_a_stale_draft_is_not_published(published: Database) -> None:
    seen = save(published, POLICY + "# one\n").seen
    save(published, POLICY + "# two\n")
    for act in (
        lambda tx: drafts.publish(tx, seen, read=()),
        lambda tx: drafts.discard(tx, seen),
        lambda tx: drafts.undo(tx, seen),
    ):
        with pytest.raises(StaleDraft), published.transaction(MAYA) as tx:
            act(tx)
    assert len(rows(published, select(PolicyVersion))) == 1


def test_a_text_with_a_nul_character_is_not_called_too_long(published: Database) -> None:
    with pytest.raises(Invalid, match="NUL character"):
        save(published, POLICY + "\x00")
