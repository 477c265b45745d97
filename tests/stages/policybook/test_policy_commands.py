"""`portal policy` with the book of versions and `explain`, as a person at a terminal meets them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from portal import wording
from portal.cli.policy import policy
from portal.db import SYSTEM, Database
from portal.errors import ConfigError, Conflict, NotFound
from portal.policy.laws import FOLDER
from portal.policy.loader import load_policy
from portal.policybook.models import PolicyVersion
from portal.policybook.service import read_laws
from tests.stages.returns.trade import POLICY, Item, Order, add_order, open_shop, rows


@dataclass(frozen=True)
class Terminal:
    """The command line over one database."""

    database: Database

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(policy, words)


@pytest.fixture
def terminal(database: Database, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    ports = SimpleNamespace(database=database, shop=SimpleNamespace(timezone="Europe/London", sold_to=("GB",)))
    for module in ("policy", "policy_book", "policy_explain"):
        monkeypatch.setattr(sys.modules[f"portal.cli.{module}"], "ports", lambda: ports)
    return Terminal(database)


def test_publishing_says_the_version_and_publishes_once(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(POLICY, encoding="utf-8")
    first, second = terminal("publish", str(file), "--note", "Start"), terminal("publish", str(file))
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "published as version 1, " in first.output
    assert "is version 1, " in second.output
    assert "nothing was published" in second.output
    (row,) = rows(terminal.database, select(PolicyVersion))
    assert (row.note, row.author) == ("Start", "Command line")


LAWFUL = POLICY.replace("otherwise:", "laws: [uk-consumer]\notherwise:", 1)
SEASON = "  - rule: Season\n    when: {order.placed: {from: 2026-01-01}}\n    set: {window: {until: 2099-01-31}}\n"
HEAVY = "  - rule: Heavy\n    when: {item.weight: {over: 20 kg}}\n    set: {review: always}\n"


def test_what_the_page_has_ticked_is_said_by_check_and_by_publish(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(LAWFUL, encoding="utf-8")
    first = terminal("publish", str(file))
    assert "warning" not in first.stderr
    add_order(terminal.database)
    file.write_text(LAWFUL.replace("laws:", f"{HEAVY}{SEASON}laws:"), encoding="utf-8")
    said = (
        "`Season` is for orders placed from 2026-01-01 on, before this version starts",
        "`Heavy` sends returns to a person",
    )
    checked = terminal("check", str(file), "--sells-to", "GB").stdout
    published = terminal("publish", str(file))
    assert published.exit_code == 0
    for each in said:
        assert f"warning: {each}" in checked
        assert f"warning: {each}" in published.stderr
        assert each not in published.stdout
    assert "database" not in checked
    again = terminal("publish", str(file))
    assert again.stderr == "", "nothing was published"


def test_tags_that_would_give_the_same_answer_share_a_line(terminal: Terminal) -> None:
    open_shop(terminal.database, LAWFUL)
    order = add_order(terminal.database, [Item(tags=("final-sale",))])
    (number,) = [each.number for each in rows(terminal.database, select(Order)) if each.id == order]
    said = terminal("explain", number, "1", "--reason", "changed-mind", "--at", "2026-11-05").output
    (line,) = [each for each in said.splitlines() if "has the tag" in each and "refused" in each]
    assert line.startswith("- If the item has the tag ")
    assert "custom-made, " in line


def test_without_a_database_check_says_what_it_could_not_look_at(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_ports() -> None:
        raise ConfigError("PORTAL_SECRET_KEY is missing")

    monkeypatch.setattr(sys.modules["portal.cli.policy"], "ports", no_ports)
    file = tmp_path / "mine.yaml"
    file.write_text(LAWFUL, encoding="utf-8")
    result = terminal("check", str(file), "--sells-to", "GB")
    assert result.exit_code == 0
    assert result.output.endswith("its database can’t be reached from here\n")


def test_a_broken_file_is_not_published(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(POLICY.replace("window:", "windw:"), encoding="utf-8")
    result = terminal("publish", str(file))
    assert result.exit_code == 1
    assert "did you mean `window`?" in result.output
    assert rows(terminal.database, select(PolicyVersion)) == []


OTHER = POLICY.replace("over: 300 GBP", "over: 500 GBP") + "# the end\n"


@pytest.fixture
def two(terminal: Terminal, tmp_path: Path) -> Terminal:
    """A book of two versions."""
    for name, text in (("one.yaml", POLICY), ("two.yaml", OTHER)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert terminal("publish", str(tmp_path / name), "--note", f"From {name}").exit_code == 0
    return terminal


CHANGE = """\
Changed rule: Big returns
  - When the return is worth more than 300.00 GBP, ask a person to decide.
  + When the return is worth more than 500.00 GBP, ask a person to decide.
"""


def test_publishing_says_what_changes_and_when(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "two.yaml").write_text(OTHER, encoding="utf-8")
    terminal("publish", str(tmp_path / "one.yaml"))
    year = datetime.now(UTC).year + 1
    moment = f"{wording.moment(datetime(year, 7, 1, 8, 30, tzinfo=UTC), 'Europe/London')} (Europe/London)"
    result = terminal("publish", str(tmp_path / "two.yaml"), "--start", f"{year}-07-01T09:30", "--author", "Maya")
    assert result.exit_code == 0, result.output
    assert f"in force from {moment}" in result.output
    assert result.output.endswith(f"what changes from version 1:\n{CHANGE}")
    row = rows(terminal.database, select(PolicyVersion).where(PolicyVersion.number == 2))[0]
    assert (row.author, row.effective_at) == ("Maya", datetime(year, 7, 1, 8, 30, tzinfo=UTC))
    listed = json.loads(terminal("versions", "--json").output)["versions"]
    assert [(each["number"], each["state"]) for each in listed] == [(2, "coming"), (1, "live")]
    between = terminal("publish", str(tmp_path / "two.yaml"))
    assert ", 09:30 (" in moment
    assert between.output.splitlines()[-1] == f"version 2 still starts on {moment} and holds from then on"
    assert "nothing was published" in terminal("publish", str(tmp_path / "two.yaml"), "--instead-of", "2").output
    instead = terminal("publish", str(tmp_path / "one.yaml"), "--instead-of", "2")
    assert "published as version 4" in instead.output
    assert f"in force from {moment}" in instead.output
    back = terminal("rollback", "3", "--instead-of", "4", "--note", "After all")
    assert "published again as version 5" in back.output
    assert [line.split()[:2] for line in terminal("versions").output.splitlines()] == [
        ["5", "coming"], ["4", "replaced"], ["2", "replaced"], ["3", "live"], ["1", "retired"],
    ]  # fmt: skip
    assert terminal("export").output == OTHER, "the version in force and not the newest"
    assert isinstance(terminal("publish", str(tmp_path / "one.yaml"), "--instead-of", "3").exception, Conflict)
    both = terminal("publish", str(tmp_path / "one.yaml"), "--instead-of", "5", "--start", "2099-01-01")
    assert "not both" in both.output
    past = terminal("publish", str(tmp_path / "one.yaml"), "--start", "2026-01-01")
    assert "can’t start in the past" in str(past.exception)


def test_publishing_beside_a_version_to_come_says_what_ends_when_that_starts(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY, encoding="utf-8")
    terminal("publish", str(file))
    year = datetime.now(UTC).year + 1
    terminal("publish", str(file), "--start", f"{year}-07-01T09:30")
    file.write_text(OTHER, encoding="utf-8")
    said = terminal("publish", str(file)).output
    assert said.endswith(f"and these changes end, because version 2 does not have them:\n{CHANGE}")
    back = terminal("rollback", "1", "--note", "Back").output
    assert "these changes end" not in back, "version 2 says what version 1 says"


def test_two_files_or_versions_are_compared_in_sentences_and_as_json(two: Terminal, tmp_path: Path) -> None:
    one, other = str(tmp_path / "one.yaml"), str(tmp_path / "two.yaml")
    for pair in (("1", "2"), (one, "2"), (one, other)):
        assert two("diff", *pair).output == CHANGE
    assert two("diff", "2", other).output == "No difference: both give the same answers in the same words.\n"
    said = json.loads(two("diff", "1", other, "--json").output)
    assert [each["rule"] for each in said["differences"]] == ["Big returns"]
    assert said["after"]["hash"] == load_policy(OTHER).content_hash
    assert isinstance(two("diff", "1", "7").exception, NotFound)
    assert "neither a file nor the number of a version" in two("diff", "1", "nothing.yaml").output


def test_a_version_is_given_back_as_the_very_file_that_was_published(two: Terminal, tmp_path: Path) -> None:
    assert two("export").output == OTHER
    assert two("export", "1").output == POLICY
    back = tmp_path / "back.yaml"
    result = two("export", "2", "--output", str(back))
    assert result.output == f"{back}: version 2, {load_policy(OTHER).content_hash[:12]}\n"
    assert back.read_bytes() == OTHER.encode()
    assert "nothing was published" in two("publish", str(back)).output
    assert isinstance(two("export", "7").exception, NotFound)


def test_an_export_whose_law_reads_differently_today_says_so(two: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "three.yaml"
    file.write_text(POLICY.replace("rules:", "laws: [uk-consumer]\nrules:"), encoding="utf-8")
    before = read_laws(
        {"uk-consumer": (FOLDER / "uk-consumer.yaml").read_text(encoding="utf-8").replace("days: 184", "days: 180")}
    )
    with two.database.transaction(SYSTEM) as tx:
        old = load_policy(file.read_text(encoding="utf-8"), "three.yaml", before)
        version = PolicyVersion(
            number=3, name=old.name, content_hash=old.content_hash, source=old.source, effective_at=tx.at,
            published_at=tx.at, author="Maya", laws={name: law.source for name, law in before.items()},
        )  # fmt: skip
        tx.session.add(version)
    result = two("export")
    assert "reads the laws it names as they are today" in result.stderr
    assert result.stdout == file.read_text(encoding="utf-8")
    assert "published as version 4" in two("publish", str(file)).output, "the law of today is another floor"


def test_going_back_publishes_a_copy_and_says_what_changes(two: Terminal) -> None:
    result = two("rollback", "1", "--note", "500 was too much")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("version 1: published again as version 3, ")
    assert "+ When the return is worth more than 300.00 GBP, ask a person to decide." in result.output
    listed = two("versions").output.splitlines()
    assert [line.split()[:2] for line in listed] == [["3", "live"], ["2", "retired"], ["1", "retired"]]
    assert listed[0].endswith("Command line: 500 was too much")
    assert isinstance(two("rollback", "3", "--note", "x").exception, Conflict)
    assert isinstance(two("rollback", "9", "--note", "x").exception, NotFound)
    assert two("rollback", "1").exit_code == 2, "a note is needed"


def test_an_empty_book_says_what_to_do(terminal: Terminal) -> None:
    assert "publish a policy with" in terminal("versions").output
    assert isinstance(terminal("export").exception, NotFound)


def test_why_is_answered_with_rule_and_date(terminal: Terminal) -> None:
    open_shop(terminal.database)
    order = add_order(terminal.database, [Item(3, 290_00, listed=300_00, tags=("final-sale",))])
    with terminal.database.read() as session:
        found = session.get(Order, order)
        assert found is not None
        number = found.number
    refused = terminal("explain", number, "1", "--reason", "changed_mind", "--at", "2026-11-17")
    assert refused.exit_code == 0, refused.output
    assert f"{number} line 1: refuse" in refused.output
    assert "“Final sale” says that this can’t be returned." in refused.output
    assert "the customer reads: It was sold as final sale." in refused.output
    allowed = terminal("explain", f"#{number.lower()}", "1", "--reason", "faulty", "--at", "2026-11-17")
    assert "line 1: accept" in allowed.output
    assert "No (Final sale)" in allowed.output
    assert "total                      96.66 GBP" in allowed.output
    assert "until 29 October 2027" in allowed.output
    for change in (
        "+ If the reason is damaged or faulty: accepted, once what is asked for is there.",
        "+ If the item doesn’t have the tag final-sale: accepted.",
        "+ Without “Final sale”: accepted.",
    ):
        assert change in refused.output
    assert "- If the customer asks from 30 October 2027 on: refused." in allowed.output


@pytest.mark.parametrize(
    ("term", "said"),
    [
        ("evidence: photo", "accept. The customer still has to add a photo"),
        ("evidence: {photos: 2, of: the fault}", "accept. The customer still has to add 2 photos"),
        (
            "questions: [{name: worn, ask: Was it worn?}]",
            "accept. The customer still has to add an answer to “Was it worn?”",
        ),
        (
            "evidence: photo, questions: [{name: worn, ask: Was it worn?}]",
            "accept. The customer still has to add a photo and an answer to “Was it worn?”",
        ),
        ("ship_by: 9 days", "accept"),
    ],
)
def test_the_first_line_says_what_is_still_asked_before_the_answer_holds(
    terminal: Terminal, term: str, said: str
) -> None:
    open_shop(terminal.database, POLICY.replace("rules:", f"rules:\n  - {{rule: Ask, set: {{{term}}}}}", 1))
    order = add_order(terminal.database, [Item(1, 20_00)])
    number = rows(terminal.database, select(Order).where(Order.id == order))[0].number
    answer = terminal("explain", number, "1", "--reason", "changed-mind", "--at", "2026-11-10")
    assert answer.output.splitlines()[0] == f"{number} line 1: {said}"


EXPLAINED = {
    "order", "line", "quantity", "reason", "resolution", "answer", "causes", "requires", "terms", "return_by", "return_by_on",
    "policy", "laws", "what_if", "quote", "facts",
}  # fmt: skip


def test_why_is_answered_as_json_in_the_documented_shape(terminal: Terminal) -> None:
    open_shop(terminal.database, POLICY.replace("rules:", "laws: [uk-consumer]\nrules:"))
    order = add_order(terminal.database, [Item(3, 1_000_01, tags=("final-sale",))])
    number = rows(terminal.database, select(Order).where(Order.id == order))[0].number
    asked = ("explain", number, "1", "--reason", "changed-mind", "--quantity", "3", "--json", "--at")
    during, after = (json.loads(terminal(*asked, day).output) for day in ("2026-11-10", "2026-11-17"))
    assert set(during) == set(after) == EXPLAINED
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    shape = readme.split("## Why\n")[1].split("\n## ")[0]
    assert all(f"| `{key}` |" in shape for key in (*EXPLAINED, *(f"what_if.{each}" for each in during["what_if"][0])))
    assert (during["answer"], after["answer"]) == ("review", "refuse")
    (law,) = during["laws"]
    assert (law["law"], law["floor"], law["terms"]) == ("uk-consumer", "UK right to cancel", ["returnable", "window"])
    assert law["checked"] >= "2026-01-01"
    assert after["laws"] == []
    changes = {each["sentence"]: each for each in during["what_if"]}
    # Two of the three units are worth 666.67 together, one 333.33: the limit of 300 is below both.
    assert [sentence for sentence in changes if "units" in sentence] == []
    assert changes["If the return is worth 300.00 GBP or less: accepted."] == {
        "if": [{"fact": "return.value", "op": "at_most", "value": {"amount": 30000, "currency": "GBP"}}],
        "without": [], "answer": "accept", "requires": [],
        "terms": {"review": {"value": "never", "set_by": "otherwise"}},
        "sentence": "If the return is worth 300.00 GBP or less: accepted.",
    }  # fmt: skip
    assert changes["Without the law “UK consumer law”: refused."]["without"] == ["law: uk-consumer"]
    until = next(each for each in after["what_if"] if each["if"] and each["if"][0].get("fact") == "today")
    assert until["if"] == [{"fact": "today", "op": "to", "value": "2026-11-12"}]


def test_the_versions_that_bind_an_order_answer_what_would_have_changed_it(terminal: Terminal) -> None:
    open_shop(terminal.database, POLICY.replace("over: 300", "over: 100"))
    open_shop(terminal.database, POLICY, at=datetime(2026, 10, 15, tzinfo=UTC))
    old, new = (
        add_order(terminal.database, [Item(gross=200_00)], placed_at=datetime(2026, 10, day, tzinfo=UTC))
        for day in (9, 20)
    )
    for order, answer, limit in ((old, "review", "100.00"), (new, "accept", "300.01")):
        number = rows(terminal.database, select(Order).where(Order.id == order))[0].number
        result = terminal("explain", number, "1", "--reason", "other", "--at", "2026-11-17")
        assert f"{number} line 1: {answer}" in result.output
        assert f"If the return is worth {limit} GBP or" in result.output


def test_an_unknown_line_is_answered_with_those_there_are(terminal: Terminal) -> None:
    open_shop(terminal.database)
    add_order(terminal.database, [Item(name="Jeans")])
    (order,) = rows(terminal.database, select(Order))
    result = terminal("explain", order.number, "9", "--reason", "faulty")
    assert isinstance(result.exception, NotFound)
    assert "it has 1 (Jeans)" in str(result.exception)
    assert isinstance(terminal("explain", "nothing", "1", "--reason", "faulty").exception, NotFound)
