"""Every error and warning that the language can give is pinned, as a compiler prints it: text, help, file, line and column.

`diagnostics.txt` holds what is printed for each wrong document. A message of the program that no document there provokes fails
here, so that none is written without being read. `PORTAL_PIN=1` writes the file anew.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.policy import loader
from portal.policy.analysis import analyse
from portal.policy.cases import load_cases
from portal.policy.diagnostics import PolicyErrors, render
from portal.policy.facts import Facts, OrderFacts
from portal.policy.laws import load_law
from portal.policy.loader import load_policy
from tests.pure.policy.samples import document
from tests.pure.policy.test_diagnostics import BOMBS, WRONG_CONDITIONS, WRONG_DOCUMENTS, WRONG_TERMS, rule

PINNED = Path(__file__).with_name("diagnostics.txt")
FOLDER = Path(loader.__file__).parent
LAW = """\
schema: 1
law: test-law
title: A law
checked: 2026-11-26
applies: {order.country: GB}
floors:
  - floor: A right
    cite: Article 1
    grant: {window: {days: 14}}
"""


def errors(load: Callable[[str], object]) -> Callable[[str], str]:
    def printed(text: str) -> str:
        with pytest.raises(PolicyErrors) as caught:
            load(text)
        return caught.value.rendered()

    return printed


of_policy = errors(lambda text: load_policy(text, "shop.yaml"))
of_law = errors(lambda text: load_law(text, "test-law.yaml"))
of_cases = errors(lambda text: load_cases(text, load_policy(document(zone="America/New_York")), "shop.cases.yaml"))


def warnings(text: str) -> str:
    loaded = load_policy(text, "shop.yaml")
    past = [(Facts(order=OrderFacts(country="GB")), 12)]
    found = (*loaded.warnings, *analyse(loaded, countries=("GB",), past=past))
    return "\n\n".join(render(each, text) for each in found)


A_RULE = "- rule: A\n  set: {review: always}"
SETS = {
    "terms that are none": "free",
    "a fallback that counts from no earlier moment": "{window: {days: 3, from: shipped, if_undelivered: "
    "{days: 9, from: shipped}}}",
    "six questions": f"{{questions: [{', '.join(f'{{name: q{n}, ask: A?}}' for n in range(6))}]}}",
    "a question with a name of its own kind": "{questions: [{name: Worn, ask: Worn?}]}",
    "two questions of one name": "{questions: [{name: a, ask: A?}, {name: a, ask: B?}]}",
    "a question that asks nothing": "{questions: [{name: worn}]}",
    "one choice": "{questions: [{name: a, ask: A?, choices: [no]}]}",
    "a choice twice": "{questions: [{name: a, ask: A?, choices: [no, no]}]}",
    "a long message": f"{{message: {'x' * 501}}}",
    "a mapping for a list": "{ship_with: {label: true}}",
}
WHENS = {
    "a long pattern": f"{{item.sku: {{matches: {'x' * 201}}}}}",
    "an amount below nothing": "{return.value: {over: GBP-5}}",
    "an amount in other figures": "{return.value: {over: ٣٠٠ GBP}}",
    "an amount of a currency with a figure in it": "{return.value: {over: 300 GBP1}}",
}
TEXTS = {
    "a mapping of rules": document().replace("otherwise:\n", "rules: {A: {review: always}}\notherwise:\n"),
    "too many rules": BOMBS["many rules"],
    "a rule that is a word": document("- always"),
    "a long name": document(f"- rule: {'x' * 81}\n  set: {{review: always}}"),
    "no name of the policy": document().replace("name: Test\n", ""),
    "a rule without name and terms": document("- when: {}"),
    "a policy of 300 kB": "# " + "x" * 300_000,
    "a policy of 6000 lines": "\n" * 6_000,
    "a deep policy": "[" * 40,
    "a policy of many nodes": BOMBS["many nodes"],
    "no YAML of any kind": "%YAML 1." + "9" * 5_000 + "\n---\na: 1\n",
}
LAWS = {
    "a law without a day": LAW.replace("checked: 2026-11-26\n", ""),
    "a law of tomorrow": LAW.replace("schema: 1", "schema: 2"),
    "a floor without a window": LAW.replace("{window: {days: 14}}", "{returnable: true}"),
    "a floor with a fee": LAW.replace("14}}", "14}, restocking_fee: 5%}"),
    "a floor with a label to pay": LAW.replace("14}}", "14}, return_shipping: {paid_by: customer}}"),
    "a floor that gives a bonus": LAW.replace("14}}", "14}, credit_bonus: 5%}"),
    "a law that is a list": "[1]",
    "no law": "",
    "a law with a word of its own": LAW.replace("title:", "titel:"),
}
A_CASE = "cases:\n  - case: A\n    facts: {}\n    expect: {answer: accept}\n"
CASES = {
    "no cases": "",
    "cases that are a list": "[1]",
    "an empty list of cases": "cases: []",
    "a case that is a word": "cases: [one]",
    "a case without a name": "cases: [{expect: {answer: accept}}]",
    "an answer that is a word": A_CASE.replace("{answer: accept}", "accept"),
    "an answer that there is not": A_CASE.replace("accept}", "accepted}"),
    "facts that are a word": A_CASE.replace("{}", "faulty"),
    "a fact that there is not": A_CASE.replace("{}", "{item.tag: x}"),
    "a moment that is none": A_CASE.replace("{}", "{at: soon}"),
    "a moment at the end of all years": A_CASE.replace("{}", "{at: 9999-12-31 23:59}"),
    "a moment at their beginning": A_CASE.replace("{}", "{at: 0001-01-01 00:00}"),
    "a key that there is not": A_CASE.replace("facts:", "fact:"),
}
WARNED = {
    "refuses in silence": "- rule: No\n  when: {item.tags: {has: x}}\n  set: {returnable: false}",
    "gives away what comes back": "- rule: Gift it\n  when: {item.tags: {has: x}}\n  set: {donate: true}",
    "can never hold": "- rule: Never\n  when: {line.quantity: {over: 3, under: 3}}\n  set: {review: always}",
    "has its days backwards": "- rule: Season\n  when: {order.placed: {from: 2026-12-24, to: 2026-11-01}}\n"
    "  set: {review: always}",
    "never decides": A_RULE + "\n- rule: B\n  when: {reason: other}\n  set: {review: never}",
    "shortens": "- rule: Sale\n  when: {item.tags: {has: sale}}\n  set: {window: {days: 20}}\n"
    "- rule: Faults\n  when: {reason: faulty}\n  set: {window: {days: 900}}",
    "shortens by a date": "- rule: Late\n  when: {order.placed: {from: 2026-11-01}}\n  set: {window: {until: 2027-01-31}}\n"
    "- rule: Faults\n  when: {reason: faulty}\n  set: {window: {days: 900}}",
    "gives a season to goods that have none": "- rule: Late\n  when: {order.placed: {from: 2026-11-01}}\n"
    "  set: {window: {until: 2027-01-31}}\n- rule: Final\n  when: {item.tags: {has: final}}\n  set: {window: {days: 2}}",
    "takes more": "- rule: Label\n  when: {order.currency: GBP}\n  set: {return_shipping: {paid_by: customer, amount: 3 GBP}}\n"
    "- rule: Faults\n  when: {reason: faulty}\n  set: {return_shipping: {paid_by: merchant}}",
    "ends too early": "- rule: Season\n  when: {order.placed: {from: 2026-11-01}}\n  set: {window: {until: 2025-01-31}}",
    "is below the law": "- rule: Short\n  when: {item.tags: {has: sale}}\n  set: {window: {days: 3}}",
    "asks for a country that there is not": "- rule: Union\n  when: {order.country: EU}\n  set: {review: always}",
    "asks for two tags as one": "- rule: Outlet\n  when: {item.tags: {has: 'outlet, sale'}}\n  set: {review: always}",
    "meets no past order": "- rule: France\n  when: {order.country: FR}\n  set: {review: always}",
}


def documents() -> Iterator[tuple[str, str]]:
    """What is printed for each wrong document, by a name of its own."""
    for when, *_ in WRONG_CONDITIONS:
        yield f"when {when}", of_policy(rule(when))
    for sets, *_ in WRONG_TERMS:
        yield f"set {sets}", of_policy(rule(sets=sets))
    for number, (text, *_) in enumerate(WRONG_DOCUMENTS, 1):
        yield f"document {number}", of_policy(text)
    for name, when in WHENS.items():
        yield name, of_policy(rule(when))
    for name, sets in SETS.items():
        yield name, of_policy(rule(sets=sets))
    for printed, texts in ((of_policy, TEXTS), (of_law, LAWS), (of_cases, CASES)):
        for name, text in texts.items():
            yield name, printed(text)
    for name, rules in WARNED.items():
        yield f"a rule that {name}", warnings(document(rules))


def messages(path: Path) -> Iterator[tuple[str, str]]:
    """Every message that a module gives, as a pattern, with its place."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        at = {"findings.error": 1, "findings.warning": 1, "findings.at": 2, "_at": 2}.get(called)
        if at is not None and len(node.args) > at:
            for pattern in patterns(node.args[at]):
                yield f"{path.name}:{node.lineno}", pattern


def patterns(message: ast.expr) -> list[str]:
    match message:
        case ast.IfExp(body=one, orelse=other):
            return [*patterns(one), *patterns(other)]
        case ast.JoinedStr(values=parts):
            return ["".join(re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in parts)]
        case ast.Constant(str() as text):
            return [re.escape(text)]
        case _:
            # A message that is made elsewhere: by `Money.parse`, or a line above.
            return []


def printed() -> str:
    return "".join(f"## {name[:100]}\n{text}\n\n" for name, text in documents())


def test_everything_that_is_said_is_pinned_as_it_is_printed() -> None:
    said = re.sub(r"x{60,}", "x…x", printed())
    if os.environ.get("PORTAL_PIN"):
        PINNED.write_text(said, encoding="utf-8")
    assert said == PINNED.read_text(encoding="utf-8")


def test_no_message_of_the_program_is_left_out() -> None:
    pinned = re.findall(r"^(?:error|warning): (.*)$", PINNED.read_text(encoding="utf-8"), re.M)
    found = [each for path in sorted(FOLDER.glob("*.py")) for each in messages(path)]
    assert len(found) > 90
    missing = [f"{at} {pattern}" for at, pattern in found if not any(re.fullmatch(pattern, line) for line in pinned)]
    assert missing == []


def test_every_finding_says_where_it_stands_and_what_to_do() -> None:
    text = PINNED.read_text(encoding="utf-8")
    count = len(re.findall(r"^(?:error|warning): ", text, re.M))
    assert count == len(re.findall(r"^ *= help: .+$", text, re.M))
    assert count == len(re.findall(r"^ *--> (?:shop|test-law|shop\.cases)\.yaml:[1-9]\d*:[1-9]\d*$", text, re.M))
