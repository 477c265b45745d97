"""The policy's pages: read as sentences, edited without YAML, checked, published, rolled back; nobody's change is lost."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from portal import clock
from portal.db import Database
from portal.orders.models import OrderLine
from portal.policy.loader import load_policy
from portal.policybook import drafts, service
from portal.policybook.models import PolicyVersion
from tests.pure.policy.language import values
from tests.pure.policy.test_diagnostics import BOMBS
from tests.stages.returns.trade import POLICY, rows
from tests.web.staff.browser import Browser, cost, forms, links, words
from tests.web.staff.shop import Shop
from tests.web.staff.test_hostile import EVIL, NAUGHTY

pytestmark = pytest.mark.usefixtures("book")
YEAR_9999 = "  - {rule: Ever, when: {order.placed: {to: 9999-12-31}}, set: {review: always}}\n"
WARNS = POLICY.replace("    say: It was sold as final sale.\n", "")


def draft(database: Database) -> str:
    with database.read() as session:
        return drafts.find_draft(session, clock.now()).source


def names(database: Database) -> list[str]:
    return [rule.name for rule in load_policy(draft(database)).rules]


def save_rule(browser: Browser, rule: str, **changes: object):
    form = browser.form(f"/staff/policy?edit={rule}", "policy/rules#")
    return browser.submit(form, {"act": "save", **{key.replace("__", "-"): value for key, value in changes.items()}})


def save_text(browser: Browser, text: str):
    return browser.submit(browser.form("/staff/policy/text", "policy/text"), {"text": text})


def ticks(browser: Browser) -> list[str]:
    """The boxes of everything that has to be read before the draft is published: the shop's policy is below some laws."""
    return re.findall(r'name="read" value="(\w+)"', browser.page("/staff/policy/publish"))


def begin(browser: Browser) -> None:
    """A draft with one change."""
    assert save_rule(browser, "Big returns", set__review__value="never").status_code == 303


def test_the_rules_are_read_as_sentences_with_the_sentence_of_the_customer(agent: Browser) -> None:
    seen = agent.words("/staff/policy")
    assert "When the item has the tag final-sale , don’t accept it ." in seen
    assert "Customers read: “It was sold as final sale.”" in seen
    assert "Otherwise accept it for 30 days after delivery" in seen
    assert "0 errors, 7 warnings, 0 notes" in seen
    assert (
        "“Final sale” gives less than the law asks about what can come back (United Kingdom: Consumer Contracts Regulations"
        in seen
    )
    html = agent.page("/staff/policy?edit=Big+returns&new=1")
    assert 'id="editor"' not in html
    assert "/staff/policy/rules/move" not in html
    assert "Publish version" not in html


def test_a_rule_is_changed_without_yaml_and_shown_with_the_old_value_struck_out(
    lead: Browser, database: Database
) -> None:
    answer = save_rule(lead, "Big returns", when__0__value="250")
    assert (answer.status_code, answer.location) == (303, "/staff/policy#rule-7")
    assert draft(database) == POLICY.replace("over: 300 GBP", "over: 250.00 GBP")
    html = lead.page("/staff/policy")
    assert '<del>£300.00</del> <span class="value">£250.00</span>' in html
    seen = words(html)
    assert "“Big returns” is saved in the draft." in seen
    assert "Version 2, saved Today, 10:15 by Maya Okafor. Version 1 is live." in seen
    assert seen.count("Changed") == 1


def test_a_rule_is_added_with_another_test_and_another_setting_button_by_button(
    lead: Browser, database: Database
) -> None:
    path = "/staff/policy?new=0"
    form = lead.form(path, "policy/rules#")
    steps: list[dict[str, object]] = [
        {"act": "refresh", "name": "Christmas", "when-0-fact": "order.placed"},
        {"act": "add:", "when-0-op": "between", "when-0-value": "2026-11-01", "when-0-last": "2026-12-24"},
        {"act": "also", "when-1-fact": "order.is_gift", "also": "window"},
        {"act": "also", "set-window-from": "until", "also": "credit_bonus"},
        {"act": "unset:credit_bonus", "when-1-not": "1"},
    ]
    for step in steps:
        answer = lead.submit(form, step)
        assert answer.status_code == 200
        assert draft(database) == POLICY
        form = lead.form(path, "policy/rules#", html=answer.text)
    answer = lead.submit(form, {"act": "save", "set-window-until": "2027-01-31"})
    assert answer.status_code == 303
    rule = load_policy(draft(database)).rules[0]
    assert (rule.name, list(rule.sets)) == ("Christmas", ["window"])
    assert (
        "When the order was placed from 1 November 2026 to 24 December 2026 , except when the order is a gift , "
        "accept returns until 31 January 2027 ." in lead.words("/staff/policy")
    )


@pytest.mark.parametrize(("place", "at"), [(None, -1), ("0", 0), ("1", 1), ("2", 2)])
def test_a_new_rule_comes_where_its_author_wants_it_and_last_when_nothing_was_chosen(
    lead: Browser, database: Database, place: str | None, at: int
) -> None:
    page = lead.get("/staff/policy").text
    assert "/staff/policy?new=#editor" in page
    form = lead.form("/staff/policy?new=", "policy/rules#")
    form = lead.form("x", "policy/rules#", html=lead.submit(form, {"act": "also", "also": "keep_item"}).text)
    chosen = {} if place is None else {"place": place}
    wish = {"name": "Gifts", "when-0-fact": "order.is_gift", **chosen}
    form = lead.form("x", "policy/rules#", html=lead.submit(form, {"act": "refresh", **wish}).text)
    assert lead.submit(form, {"act": "save"}).status_code == 303
    names = [rule.name for rule in load_policy(draft(database)).rules]
    assert names[at] == "Gifts"
    assert len(names) == len(load_policy(POLICY).rules) + 1


def test_a_setting_that_was_chosen_and_not_added_is_shown_before_the_rule_is_saved(
    lead: Browser, database: Database
) -> None:
    form = lead.form("/staff/policy?edit=Big+returns", "policy/rules#")
    answer = lead.submit(form, {"act": "save", "also": "window"})
    assert answer.status_code == 422
    assert "Look at “Time limit”, then save the rule again" in answer.text
    assert draft(database) == POLICY
    form = lead.form("x", "policy/rules#", html=answer.text)
    assert lead.submit(form, {"act": "save"}).status_code == 303
    rule = load_policy(draft(database)).rule("Big returns")
    assert rule is not None
    assert "window" in rule.sets


def test_every_term_is_edited_through_the_page(lead: Browser, database: Database) -> None:
    wanted = dict(values())
    terms = load_policy(draft(database)).otherwise
    form = lead.form("/staff/policy?edit=otherwise", "policy/rules#")
    for term in [term for term in wanted if term not in terms]:
        form = lead.form("x", "policy/rules#", html=lead.submit(form, {"act": "also", "also": term}).text)
    from portal.web.staff.policy.rule_form import form_of_otherwise

    data = form_of_otherwise(wanted).data
    # What only shows with another choice has to be asked for first, as somebody without scripts does.
    form = lead.form("x", "policy/rules#", html=lead.submit(form, {"act": "refresh", **data}).text)
    assert lead.submit(form, {"act": "save", **data}).status_code == 303
    assert dict(load_policy(draft(database)).otherwise) == wanted


@pytest.mark.parametrize(
    ("changes", "field", "about", "said"),
    [
        ({"name": ""}, "name", "", "Give the rule a name"),
        ({"name": "Final sale"}, "name", "", "Two rules are called “Final sale”"),
        ({"name": "otherwise"}, "name", "", "“otherwise” is no name for a rule"),
        ({"when__0__value": "much"}, "when-0-value", "Value of the return: ", "Enter an amount, like 3.50"),
        ({"set__review__value": "x"}, "set-review-value", "Who decides: ", "Choose one from the list"),
    ],
)
def test_a_mistake_is_said_at_the_top_by_its_name_and_at_its_field_and_what_was_typed_stays(
    lead: Browser, database: Database, changes: dict[str, str], field: str, about: str, said: str
) -> None:
    answer = save_rule(lead, "Big returns", **{"say": "Typed before.", **changes})
    assert answer.status_code == 422
    assert answer.text.count(said) == 2
    assert f'href="#{field}">{about}{said}' in answer.text
    assert f'id="{field}-error"' in answer.text
    assert "<title>Error:" in answer.text
    assert "Typed before." in answer.text
    assert draft(database) == POLICY


@pytest.mark.parametrize(
    ("typed", "kept"), [("1,200", "1200.00"), ("1,200.50", "1200.50"), ("250,50", "250.50"), ("1.200,50", "1200.50")]
)
def test_a_comma_between_thousands_is_no_decimal_point(
    lead: Browser, database: Database, typed: str, kept: str
) -> None:
    assert save_rule(lead, "Big returns", when__0__value=typed).status_code == 303
    assert draft(database) == POLICY.replace("over: 300 GBP", f"over: {kept} GBP")


def test_rules_move_up_and_down_by_buttons_and_the_order_is_the_meaning(lead: Browser, database: Database) -> None:
    before = names(database)
    html = lead.page("/staff/policy")
    assert "Move “Faulty items” up" not in html
    assert "Move “Big returns” down" not in html
    form = lead.form("/staff/policy", "rules/move")
    answer = lead.submit(form, {"rule": "Final sale", "to": "up"})
    assert (answer.status_code, answer.location) == (303, "/staff/policy#rule-1")
    assert names(database)[:2] == ["Final sale", "Faulty items"]
    lead.submit(lead.form("/staff/policy", "rules/move"), {"rule": "Final sale", "to": "down"})
    assert names(database) == before
    for to in ("", "x", "99", "-1"):
        assert (
            lead.submit(lead.form("/staff/policy", "rules/move"), {"rule": "Final sale", "to": to}).status_code == 303
        )
    assert lead.submit(lead.form("/staff/policy", "rules/move"), {"rule": "No such", "to": "up"}).status_code == 400


def test_a_deleted_rule_comes_back_by_undo_and_a_discarded_draft_does_not(lead: Browser, database: Database) -> None:
    form = lead.form("/staff/policy?edit=Keep+it", "policy/rules#")
    form.action = "/staff/policy/rules/delete"
    assert lead.submit(form, {"act": "delete"}).status_code == 303
    assert "Keep it" not in names(database)
    assert lead.submit(lead.form("/staff/policy", "undo")).status_code == 303
    assert draft(database) == POLICY
    begin(lead)
    assert "ask a person to decide" in lead.words("/staff/policy/discard")
    assert lead.submit(lead.form("/staff/policy/discard", "discard")).status_code == 303
    assert draft(database) == POLICY
    assert "No draft." in lead.words("/staff/policy")


def test_somebody_elses_change_is_never_overwritten_unseen(lead: Browser, database: Database, sign_in) -> None:
    mine = lead.form("/staff/policy?edit=Big+returns", "policy/rules#")
    move = lead.form("/staff/policy", "rules/move")
    assert save_rule(sign_in("merchant"), "Keep it", say="Yours to keep.").status_code == 303
    theirs = draft(database)
    answer = lead.submit(mine, {"act": "save", "when-0-value": "250"})
    assert answer.status_code == 409
    seen = words(answer.text)
    assert "Nora Wren saved another state of the draft" in seen
    both, form = (form for form in forms(answer.text) if "policy/text" in (form.action or ""))
    assert form.get("text") == POLICY.replace("over: 300 GBP", "over: 250.00 GBP")
    assert "Yours to keep." in answer.text
    assert draft(database) == theirs
    assert lead.submit(move, {"rule": "Final sale", "to": "up"}).status_code == 409
    assert draft(database) == theirs
    # Having seen both, the author may decide for the own one.
    assert lead.submit(form).status_code == 303
    assert "over: 250.00 GBP" in draft(database)
    assert "Yours to keep." not in draft(database)
    assert lead.submit(lead.form("/staff/policy", "undo")).status_code == 303
    answer = lead.submit(both)
    assert (answer.status_code, answer.location) == (303, "/staff/policy")
    assert "Both changes are saved in the draft." in lead.words("/staff/policy")
    assert "over: 250.00 GBP" in draft(database)
    assert "Yours to keep." in draft(database)


@pytest.mark.parametrize("step", [{"act": "add:"}, {"act": "save", "name": ""}])
def test_a_rule_that_was_shown_again_is_still_compared_with_what_its_author_saw_first(
    lead: Browser, database: Database, step: dict[str, str]
) -> None:
    mine = lead.form("/staff/policy?edit=Big+returns", "policy/rules#")
    save_rule(lead, "Big returns", when__0__value="111")
    again = lead.form("x", "policy/rules#", html=lead.submit(mine, step).text)
    answer = (
        lead.submit(again, {"act": "drop:1"}) if step["act"] != "save" else lead.submit(again, {"name": "Big returns"})
    )
    form = lead.form("x", "policy/rules#", html=answer.text)
    assert lead.submit(form, {"act": "save", "name": "Big returns", "when-0-value": "222"}).status_code == 409
    assert "over: 111.00 GBP" in draft(database)


def test_settings_that_were_shown_again_are_still_compared_with_what_their_author_saw_first(
    lead: Browser, database: Database
) -> None:
    form = lead.form("/staff/policy/settings", "policy/settings")
    begin(lead)
    theirs = draft(database)
    again = lead.form("x", "policy/settings", html=lead.submit(form, {"name": ""}).text)
    assert lead.submit(again, {"name": "Mine"}).status_code == 409
    assert draft(database) == theirs


def test_a_publish_page_that_was_shown_again_publishes_nothing_that_its_author_did_not_see_first(
    lead: Browser, database: Database
) -> None:
    begin(lead)
    form = lead.form("/staff/policy/publish", "publish")
    save_rule(lead, "Keep it", say="Yours to keep.")
    again = lead.form("x", "publish", html=lead.submit(form, {"note": "", "read": ticks(lead)}).text)
    assert lead.submit(again, {"note": "x", "read": ticks(lead)}).status_code == 409
    assert len(rows(database, select(PolicyVersion))) == 1


def test_a_warning_that_was_not_read_and_a_note_that_is_missing_are_said_at_once(lead: Browser) -> None:
    begin(lead)
    first, *others = ticks(lead)
    answer = lead.submit(lead.form("/staff/policy/publish", "publish"), {"note": "", "read": others})
    assert answer.status_code == 422
    assert [link for link in links(answer.text) if link.startswith("#")][-2:] == [f"#read-{first}", "#note"]


def test_a_rule_that_is_renamed_while_it_is_edited_keeps_what_was_typed(lead: Browser, database: Database) -> None:
    mine = lead.form("/staff/policy?edit=Big+returns", "policy/rules#")
    save_rule(lead, "Big returns", name="Bigger returns")
    answer = lead.submit(mine, {"act": "add:", "say": "Typed before."})
    assert "Typed before." in answer.text
    assert "“Big returns” is no longer in the draft" in words(answer.text)


@pytest.mark.parametrize("path", ["publish", "discard", "undo"])
def test_a_stale_page_publishes_and_discards_nothing(lead: Browser, database: Database, path: str) -> None:
    begin(lead)
    form = lead.form("/staff/policy" if path == "undo" else f"/staff/policy/{path}", path)
    save_rule(lead, "Keep it", say="Yours to keep.")
    assert lead.submit(form, {"note": "x"}).status_code == 409
    assert "Yours to keep." in draft(database)
    assert len(rows(database, select(PolicyVersion))) == 1


def test_a_text_with_errors_is_kept_shown_with_line_and_column_and_never_published(
    lead: Browser, database: Database
) -> None:
    broken = POLICY.replace("over: 300 GBP", "over: 300")
    assert save_text(lead, broken.replace("\n", "\r\n")).status_code == 303
    assert draft(database) == broken
    html = lead.page("/staff/policy/text")
    assert "Line 26, column 33" in words(html)
    assert "<mark>  26 |     when: {return.value: {over: 300}}</mark>" in html
    assert "“300” has no currency" in html
    assert "The draft has errors, so its rules can’t be shown" in lead.words("/staff/policy")
    read = lead.words("/staff/policy/customers")
    assert "The draft has errors, so its rules can’t be shown" in read
    assert "What customers read" not in read, "no table without a rule in it"
    page = lead.words("/staff/policy/publish")
    assert "1 error, 0 warnings" in page
    assert "Mend the errors" in page
    answer = lead.submit(lead.form("/staff/policy/publish", "publish"), {"note": "x", "read": ticks(lead)})
    assert answer.status_code == 422
    assert "The draft has errors" in answer.text
    assert save_rule_unreadable(lead) == 422


def save_rule_unreadable(browser: Browser) -> int:
    """A form from before the text broke."""
    with_seen = browser.form("/staff/policy/text", "policy/text").get("seen")
    data = {
        "seen": with_seen,
        "rule": "Big returns",
        "name": "Big",
        "act": "save",
        "terms": "review",
        "set-review-value": "always",
    }
    return browser.post("/staff/policy/rules", data).status_code


def test_publishing_needs_its_warnings_read_and_a_note_and_makes_the_next_version(
    lead: Browser, database: Database, shop: Shop
) -> None:
    rma = shop.booked()
    save_text(lead, WARNS)
    form = lead.form("/staff/policy/publish", "publish")
    assert "8 warnings to read first" in lead.words("/staff/policy/publish")
    answer = lead.submit(form)
    assert answer.status_code == 422
    assert "Say in one sentence what changed" in answer.text
    answer = lead.submit(form, {"note": "No sentence"})
    assert "Read the warning and tick the box" in answer.text
    keys = [link.removeprefix("#read-") for link in links(answer.text) if link.startswith("#read-")]
    assert sorted(keys) == sorted(ticks(lead))
    assert lead.submit(form, {"note": "No sentence", "read": keys[1:]}).status_code == 422
    answer = lead.submit(form, {"note": "No sentence", "read": keys})
    assert (answer.status_code, answer.location) == (303, "/staff/policy/versions/2")
    seen = lead.words("/staff/policy/versions/2")
    assert "Version 2 is live. Returns already booked keep their version." in seen
    assert "Published by Maya Okafor" in seen
    (_, version) = rows(database, select(PolicyVersion).order_by(PolicyVersion.number))
    assert (version.source, version.note, version.author) == (WARNS, "No sentence", "Maya Okafor")
    assert shop.look(rma).policy_version == 1
    assert "There is no draft" in lead.words("/staff/policy/publish")


def test_the_change_list_says_in_sentences_what_is_new_changed_removed_and_moved(lead: Browser) -> None:
    text = POLICY.replace("credit_bonus: 10%", "credit_bonus: 12%").replace("name: Test shop", "name: Winter")
    text = text.replace("  - rule: Keep it\n    when: {item.tags: {has: keep}}\n    set: {keep_item: true}\n", "")
    text = text.replace(
        "  - rule: Big returns", "  - rule: New one\n    set: {exchange_for: same_price}\n  - rule: Big returns"
    )
    save_text(lead, text)
    seen = lead.words("/staff/policy/publish")
    assert "New rule New one. Always exchange for the same product at the same price ." in seen
    assert "Removed rule Keep it. When the item has the tag keep, let the customer keep it." in seen
    assert not any("edit=Keep" in link for link in links(lead.page("/staff/policy/publish"))), (
        "nothing is left to change"
    )
    assert "Changed rule Default. Otherwise add 10% 12% to store credit." in seen
    assert "Name Test shop Winter" in seen
    assert "New order" not in seen


@pytest.mark.parametrize(
    ("day", "time", "status", "field"),
    [
        ("2026-12-01", "09:30", 303, ""),
        ("2026-11-01", "09:30", 422, "day"),
        ("", "", 422, "day"),
        ("2026-13-01", "09:30", 422, "day"),
        ("2026-12-01", "25:00", 422, "day"),
        ("9999-12-31", "00:00", 422, "day"),
    ],
)
def test_a_version_can_start_later_in_the_shops_own_time(
    lead: Browser, database: Database, day: str, time: str, status: int, field: str
) -> None:
    begin(lead)
    answer = lead.submit(
        lead.form("/staff/policy/publish", "publish"),
        {"note": "x", "start": "later", "day": day, "time": time, "read": ticks(lead)},
    )
    assert answer.status_code == status
    if field:
        assert f'href="#{field}"' in answer.text
        return
    version = rows(database, select(PolicyVersion).order_by(PolicyVersion.number))[-1]
    assert version.effective_at == datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
    assert "Coming" in lead.words("/staff/policy/versions")


PLAN = {"note": "x", "start": "later", "day": "2026-12-01", "time": "09:30"}


@pytest.fixture
def planned(lead: Browser, database: Database) -> Browser:
    """A shop whose version 2, without the limit of version 1, starts on 1 December at 9:30."""
    begin(lead)
    answer = lead.submit(lead.form("/staff/policy/publish", "publish"), {**PLAN, "read": ticks(lead)})
    assert answer.status_code == 303
    return lead


def newest(database: Database) -> PolicyVersion:
    return rows(database, select(PolicyVersion).order_by(PolicyVersion.number))[-1]


def test_until_a_version_starts_the_pages_show_the_rules_that_hold_and_that_another_is_to_come(
    planned: Browser,
) -> None:
    seen = planned.words("/staff/policy")
    assert "When the return is worth more than £300.00 , ask a person to decide" in seen
    assert "Version 2 starts on Tue 1 Dec 2026, 09:30" in seen
    assert "Until then version 1 holds. These are its rules. See version 2" in seen
    assert "Until then version 1 holds. See version 2" in planned.words("/staff/policy/versions"), "a list of versions"
    assert "Version 1. No draft." in seen
    assert "When the return is worth more than £300.00 , approve automatically" in planned.words(
        "/staff/policy/versions/2"
    )
    listed = planned.words("/staff/policy/versions")
    assert listed.index("Coming Maya Okafor, from Tue 1 Dec 2026, 09:30") < listed.index("Live Maya Okafor, since")


def test_while_one_version_is_to_come_another_is_published_now_and_told_what_comes_after_it(
    planned: Browser, database: Database
) -> None:
    save_rule(planned, "Keep it", say="Yours to keep.")
    seen = planned.words("/staff/policy/publish")
    assert "Publish version 3?" in seen
    assert "When version 2 starts, on Tue 1 Dec 2026, 09:30" in seen
    assert "If you publish in the place of version 2, nothing of this happens." in seen
    assert "Version 2 still starts on Tue 1 Dec 2026, 09:30, unless this one takes its place." in seen
    assert "came into force after this draft was begun" not in seen
    answer = planned.submit(planned.form("/staff/policy/publish", "publish"), {"note": "x", "read": ticks(planned)})
    assert (answer.status_code, answer.location) == (303, "/staff/policy/versions/3")
    told = planned.words("/staff/policy/versions/3")
    assert "Version 3 is live." in told
    assert "Version 2 still starts on Tue 1 Dec 2026, 09:30 and holds from then on." in told
    # In the place of the one that is to come: that one never starts, and its page says so.
    save_rule(planned, "Keep it", say="All yours.")
    form = planned.form("/staff/policy/publish", "publish")
    wrong = planned.submit(form, {"note": "x", "start": "instead-3", "read": ticks(planned)})
    assert (wrong.status_code, 'href="#start"' in wrong.text) == (422, True)
    answer = planned.submit(form, {"note": "x", "start": "instead-2", "read": ticks(planned)})
    assert answer.location == "/staff/policy/versions/4"
    assert newest(database).effective_at == datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
    assert "Version 4 starts on Tue 1 Dec 2026, 09:30." in planned.words("/staff/policy/versions/4")
    assert "Replaced Maya Okafor, replaced before its start on Tue 1 Dec 2026, 09:30" in planned.words(
        "/staff/policy/versions"
    )


GIFTS = "  - rule: Gift cards\n    when: {item.tags: {has: gift-card}}\n    set: {returnable: false}\n    say: No.\n"


def test_a_quick_change_ends_when_the_planned_version_starts_unless_it_is_put_into_both(
    planned: Browser, database: Database
) -> None:
    save_text(planned, POLICY.replace("otherwise:", f"{GIFTS}otherwise:", 1))
    seen = planned.words("/staff/policy/publish")
    ends = "On Tue 1 Dec 2026, 09:30 this change ends, because version 2 doesn’t have it"
    assert f"{ends} Gift cards. To keep it, publish now" in seen
    assert "Ends then Gift cards. When the item has the tag gift-card" in seen
    save_text(planned, POLICY.replace("otherwise:", f"{GIFTS}otherwise:", 1).replace("365", "300"))
    assert (
        "these changes end, because version 2 doesn’t have them Faulty items, Gift cards. To keep them, publish now"
        in (planned.words("/staff/policy/publish"))
    )
    save_text(planned, POLICY.replace("otherwise:", f"{GIFTS}otherwise:", 1))
    assert "Removed rule" not in seen
    assert "Changes then Big returns." in seen
    planned.submit(planned.form("/staff/policy/publish", "publish"), {"note": "x", "read": ticks(planned)})
    told = planned.words("/staff/policy/versions/3")
    assert f"{ends} Version 2 was published before." in told
    assert "New rule Gift cards." in told
    carry = planned.form("/staff/policy/versions/3", "/carry")
    answer = planned.submit(carry)
    assert answer.location == "/staff/policy/publish?start=instead-2"
    both = load_policy(draft(database))
    assert (both.rules[-1].name, both.rules[-2].sets["review"]) == ("Gift cards", "never")
    form = planned.form(answer.location, "publish")
    for path in (answer.location, "/staff/policy/publish"):
        assert re.search(r'value="instead-2"[^>]* checked', planned.page(path)), "a draft made for a start keeps it"
    planned.submit(form, {"note": "x", "start": "instead-2", "read": ticks(planned)})
    assert newest(database).effective_at == datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
    assert "this change ends" not in planned.words("/staff/policy/versions/3"), "what follows it has it by now"
    assert "this change ends" not in planned.words("/staff/policy/versions/2"), "it never starts"
    assert planned.submit(carry).status_code == 409


def test_a_draft_that_has_nothing_of_what_is_to_come_starts_now(planned: Browser, database: Database) -> None:
    now = re.compile(r'value="now"[^>]* checked')
    save_rule(planned, "Keep it", say="Yours to keep.")
    assert now.search(planned.page("/staff/policy/publish"))
    # The rule that version 2 changes too, and into something else.
    assert "300 GBP" in draft(database)
    assert save_text(planned, draft(database).replace("300 GBP", "200 GBP")).status_code == 303
    assert now.search(planned.page("/staff/policy/publish"))
    planned.submit(planned.form("/staff/policy/versions/2", "/draft"))
    assert re.search(r'value="instead-2"[^>]* checked', planned.page("/staff/policy/publish"))


def test_going_back_says_what_the_version_to_come_changes_afterwards(planned: Browser) -> None:
    save_rule(planned, "Keep it", say="Yours to keep.")
    planned.submit(planned.form("/staff/policy/publish", "publish"), {"note": "x", "read": ticks(planned)})
    seen = planned.words("/staff/policy/versions/1/roll-back")
    assert "When version 2 starts, on Tue 1 Dec 2026, 09:30" in seen
    assert "Changes then Big returns." in seen
    assert "Removed rule" not in seen


def test_what_is_to_come_is_stopped_by_keeping_the_version_that_holds(planned: Browser, database: Database) -> None:
    assert "A published version is never changed." in planned.words("/staff/policy/versions/2")
    seen = planned.words("/staff/policy/versions/1/roll-back")
    assert "Policy Versions Keep Keep version 1?" in seen
    assert "unless this one takes its place" not in seen, "it does, there is no other choice"
    assert "On Tue 1 Dec 2026, 09:30, in the place of version 2" in seen
    form = planned.form("/staff/policy/versions/1/roll-back", "roll-back")
    assert planned.submit(form, {"live": "2"}).status_code == 409
    assert planned.submit(form, {"start": "now"}).status_code == 409
    assert planned.submit(form, {"start": "instead-2"}).status_code == 303
    kept = newest(database)
    assert (kept.number, kept.source, kept.effective_at) == (3, POLICY, datetime(2026, 12, 1, 9, 30, tzinfo=UTC))


def test_a_copy_of_a_version_is_taken_up_in_the_draft_and_undone(planned: Browser, database: Database) -> None:
    answer = planned.submit(planned.form("/staff/policy/versions/2", "/draft"))
    assert answer.location == "/staff/policy"
    assert draft(database) == newest(database).source != POLICY
    assert "Undo brings back what was there" in planned.words("/staff/policy")
    planned.submit(planned.form("/staff/policy", "policy/undo"))
    assert draft(database) == POLICY
    assert planned.submit(planned.form("/staff/policy/versions/2", "/draft"), {"seen": "9.9"}).status_code == 409


def test_the_documents_own_settings_are_changed_without_yaml(lead: Browser, database: Database) -> None:
    form = lead.form("/staff/policy/settings", "settings")
    assert lead.submit(form).status_code == 303
    assert draft(database) == POLICY
    for changes, field in (
        ({"name": ""}, "name"),
        ({"timezone": "Moon/Base"}, "timezone"),
        ({"name": "a\u202eb"}, "name"),
    ):
        answer = lead.submit(form, changes)
        assert answer.status_code == 422
        assert f'href="#{field}"' in answer.text
    changes = {"name": "Winter", "timezone": "UTC", "laws": ["uk-consumer", "moon"], "open": "yes"}
    assert lead.submit(form, changes).status_code == 303
    policy = load_policy(draft(database))
    assert (policy.name, policy.timezone, policy.laws, policy.apply_to_open_orders) == (
        "Winter",
        "UTC",
        ("uk-consumer",),
        True,
    )
    back = lead.form("/staff/policy/settings", "settings")
    assert lead.submit(back, {"laws": None, "open": None}).status_code == 303
    policy = load_policy(draft(database))
    assert (policy.name, policy.laws, policy.apply_to_open_orders) == ("Winter", (), False)
    assert lead.submit(form, {"name": "Summer"}).status_code == 409


def test_rolling_back_publishes_a_copy_and_leaves_the_draft(lead: Browser, database: Database) -> None:
    begin(lead)
    lead.submit(lead.form("/staff/policy/publish", "publish"), {"note": "No limit", "read": ticks(lead)})
    save_rule(lead, "Keep it", say="Yours to keep.")
    page = lead.words("/staff/policy/versions/1/roll-back")
    assert "A copy of version 1 is published as version 3." in page
    assert "The draft stays as it is." in page
    form = lead.form("/staff/policy/versions/1/roll-back", "roll-back")
    assert lead.submit(form, {"newest": "1"}).status_code == 409
    assert lead.submit(form, {"note": ""}).status_code == 422
    answer = lead.submit(form)
    assert (answer.status_code, answer.location) == (303, "/staff/policy/versions/3")
    version = rows(database, select(PolicyVersion).order_by(PolicyVersion.number))[-1]
    assert (version.number, version.source, version.note) == (3, POLICY, "Back to version 1")
    assert "Yours to keep." in draft(database)
    assert "Version 3 came into force after this draft was begun" in lead.words("/staff/policy/publish")
    assert lead.get("/staff/policy/versions/99").status_code == 404
    assert lead.get("/staff/policy/versions/99/roll-back").status_code == 404


def publish(browser: Browser, note: str = "Because") -> None:
    form = browser.form("/staff/policy/publish", "publish")
    assert browser.submit(form, {"note": note, "read": ticks(browser)}).status_code == 303


def test_an_offer_to_older_orders_is_said_to_stay_before_it_is_made_and_before_it_is_rolled_back(lead: Browser) -> None:
    begin(lead)
    assert "offered to" not in lead.words("/staff/policy/publish")
    lead.submit(lead.form("/staff/policy/settings", "settings"), {"open": "yes"})
    assert "unless later ones are kinder to it" in lead.words("/staff/policy/preview")
    assert "unless" not in lead.words("/staff/policy/versions")
    seen = lead.words("/staff/policy/publish")
    assert "For orders placed before not offered offered where it is kinder" in seen
    assert "Version 2 is also offered to orders placed before it" in seen
    assert "Once it has started, the offer stays" in seen
    publish(lead)
    assert "unless version 2, which is offered to older ones, is kinder" in lead.words("/staff/policy/versions")
    seen = lead.words("/staff/policy/versions/1/roll-back")
    assert "What was offered to older orders stays" in seen
    assert "Version 2 goes on to hold for orders placed before it where it is kinder." in seen
    assert "Orders placed from the start of version 3 on don’t get it." in seen
    lead.submit(lead.form("/staff/policy/settings", "settings"), {"open": None})
    assert "Version 2 goes on to hold" in lead.words("/staff/policy/publish")
    publish(lead)
    save_rule(lead, "Keep it", say="Yours to keep.")
    assert "goes on to hold" not in lead.words("/staff/policy/publish"), "nothing is ended by this draft"
    seen = lead.words("/staff/policy/versions/2/roll-back")
    assert "Version 4 is also offered to orders placed before it" in seen


def test_the_page_and_the_command_publish_the_same(lead: Browser, database: Database) -> None:
    begin(lead)
    text = draft(database)
    lead.submit(lead.form("/staff/policy/publish", "publish"), {"note": "x", "read": ticks(lead)})
    with database.transaction() as tx:
        again = service.publish(tx, text, filename="policy.yaml", author="Command line")
    # The very text again is no new version: both ways meet in one book.
    assert again.number == 2


@pytest.mark.parametrize("text", [EVIL, "".join(NAUGHTY)[:400], *NAUGHTY[::12]], ids=lambda text: text[:20])
def test_hostile_text_is_shown_as_text_and_breaks_no_page(lead: Browser, text: str) -> None:
    assert save_rule(lead, "Big returns", name=text, say=text, set__review__value="never").status_code in (303, 422)
    for bad in (f"{POLICY}# {text}\n", text):
        assert save_text(lead, bad).status_code in (303, 422)
        for path in ("", "/text", "/publish"):
            answer = lead.get(f"/staff/policy{path}", query_string={"edit": text, "new": text})
            assert answer.status_code == 200
            for markup in ("<script>", "<img src=x", "<style", "<div style"):
                assert markup not in answer.text
    fields = ("seen", "rule", "to", "act", "note", "start", "day", "time", "terms", "when-0-kind", "newest")
    for path in ("rules", "rules/move", "rules/delete", "undo", "discard", "publish", "versions/1/roll-back"):
        assert lead.post(f"/staff/policy/{path}", dict.fromkeys(fields, text)).status_code < 500


WRONG_TEXTS = {
    "a billion laughs": (BOMBS["a billion laughs"], "Anchors are not part of the language"),
    "nested lists": ("[" * 5_000, "The document is nested deeper than 16 levels"),
    "six thousand lines": ("# \n" * 6_000, "The document has more than 5000 lines"),
    "300 kB": (f"# {'x' * 300_000}", "The document is larger than 256 kB"),
    "a name that turns around": (POLICY.replace("Final sale", "Final \u202esale"), "Hidden character U+202E"),
    "the year 9999": (POLICY.replace("rules:\n", f"rules:\n{YEAR_9999}"), "“9999-12-31” is out of reach"),
    "no number": (POLICY.replace("days: 30", "days: .nan"), "Expected a number of days, not “.nan”"),
}


@pytest.mark.parametrize("name", WRONG_TEXTS)
def test_a_text_that_is_no_policy_is_named_at_once_and_never_published(
    lead: Browser, database: Database, name: str
) -> None:
    text, said = WRONG_TEXTS[name]
    begin(lead)
    started = time.process_time()
    answer = save_text(lead, text)
    seen = words(answer.text) if answer.status_code == 422 else lead.words("/staff/policy/text")
    assert time.process_time() - started < 5
    assert said in seen
    if answer.status_code == 303:
        # It stays a draft to be mended, and no more than that.
        assert draft(database) == text
        lead.post("/staff/policy/publish", {"note": "x"})
    assert len(rows(database, select(PolicyVersion.number))) == 1


def test_a_page_costs_the_same_few_queries_whatever_the_number_of_versions_and_changes(
    lead: Browser, database: Database
) -> None:
    begin(lead)
    paths = ("", "?edit=Big+returns", "/text", "/publish", "/versions")

    def costs() -> dict[str, int]:
        return {path: len(cost(database, lead, f"/staff/policy{path}")) for path in paths}

    costs()
    before = costs()
    for number in range(2):
        lead.submit(lead.form("/staff/policy/publish", "publish"), {"note": "x", "read": ticks(lead)})
        save_rule(lead, "Big returns", when__0__value=str(400 + number))
        save_rule(lead, "Keep it", say=f"Number {number}")
    costs()
    assert costs() == before
    assert max(before.values()) <= 10


def mend(browser: Browser, said: str, path: str = "/staff/policy"):
    """Press the button of a check."""
    html = browser.page(path)
    found = re.search(
        rf'<form[^>]*action="[^"]*checks/mend"[^>]*>((?:(?!</form>).)*?{re.escape(said)}.*?)</form>', html, re.S
    )
    assert found, f"no button says {said}"
    values = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', found[1]))
    return browser.client.post("/staff/policy/checks/mend", data=values)


def test_a_check_whose_mending_is_certain_has_a_button_that_does_it(lead: Browser, database: Database) -> None:
    before = lead.words("/staff/policy")
    assert "Add “UK consumer law” to the laws" in before
    assert mend(lead, "Add “UK consumer law” to the laws").status_code == 303
    assert load_policy(draft(database)).laws == ("uk-consumer",)
    after = lead.words("/staff/policy")
    assert "Mended in the draft. Undo takes it back." in after
    assert "(United Kingdom: " not in after


def test_a_rule_that_another_hides_is_moved_above_it_with_one_press(lead: Browser, database: Database) -> None:
    hidden = "- rule: Late\n    when: {item.tags: {has: final-sale}}\n    set: {returnable: true}\n    say: Fine.\n\n"
    at = POLICY.index("  - rule: Big returns")
    save_text(lead, POLICY[:at] + "  " + hidden + POLICY[at:])
    assert "“Late” changes nothing" in lead.words("/staff/policy")
    mend(lead, "Move “Late” above “Final sale”")
    found = names(database)
    assert found.index("Late") == found.index("Final sale") - 1
    assert "“Late” changes nothing" not in lead.words("/staff/policy")


def test_a_slip_in_the_text_is_mended_to_the_word_it_was_meant_to_be(lead: Browser, database: Database) -> None:
    save_text(lead, POLICY.replace("restocking_fee: 0%", "restocking_fe: 0%", 1))
    assert "?." not in lead.words("/staff/policy/text"), "a question has its own stop"
    answer = mend(lead, "Write “restocking_fee”", "/staff/policy/text")
    assert (answer.status_code, answer.location) == (303, "/staff/policy/text#checks")
    assert draft(database) == POLICY


def test_who_only_reads_has_no_button_and_no_way_to_mend(agent: Browser, lead: Browser) -> None:
    assert "checks/mend" not in agent.page("/staff/policy")
    assert agent.client.post("/staff/policy/checks/mend", data={}).status_code in (400, 403)


def test_a_check_that_is_gone_changes_nothing(lead: Browser, database: Database) -> None:
    form = lead.form("/staff/policy", "checks/mend")
    answer = lead.submit(form, {"check": "0" * 12})
    assert answer.status_code == 303
    assert draft(database) == POLICY


def test_the_warnings_of_a_rule_stand_beside_it(lead: Browser) -> None:
    save_text(lead, WARNS)
    number = 1 + [rule.name for rule in load_policy(WARNS).rules].index("Final sale")
    rules = re.split(r'<li class="prule[^>]* id="rule-', lead.page("/staff/policy"))
    said = "<b>Warning:</b> “Final sale” refuses and gives customers no reason."
    assert [each.split('"')[0] for each in rules[1:] if said in each] == [str(number)]


def test_each_rule_says_how_often_it_decided_something(lead: Browser, shop: Shop, database: Database) -> None:
    assert lead.words("/staff/policy").count("Used 0 times in 90 days") == len(load_policy(POLICY).rules) + 1
    shop.booked()
    seen = lead.words("/staff/policy")
    assert "Default Used 1 time in 90 days" in seen
    # One query more however many returns there are.
    few = len(cost(database, lead, "/staff/policy"))
    for _ in range(3):
        shop.booked()
    assert len(cost(database, lead, "/staff/policy")) == few
    assert "Default Used 4 times in 90 days" in lead.words("/staff/policy")


def test_what_the_laws_change_is_said_in_plain_words(lead: Browser) -> None:
    assert "No law is chosen." in lead.words("/staff/policy/settings")
    mend(lead, "Add “UK consumer law” to the laws")
    seen = lead.words("/staff/policy/settings")
    assert "What the laws change" in seen
    assert "Items with “final-sale”. Returns: Accepted instead of Not accepted (Final sale)" in seen
    assert "UK right to cancel (Consumer Contracts Regulations 2013" in seen


def test_a_broken_text_is_kept_and_says_what_it_keeps_from_happening(lead: Browser) -> None:
    begin(lead)
    broken = POLICY.replace("  - rule: Final sale", " - rule: Final sale", 1)
    line = broken.splitlines().index(" - rule: Final sale") + 1
    assert save_text(lead, broken).status_code == 303
    blocked = f"It can’t be tried or published until line {line} is mended."
    html = lead.page("/staff/policy/text")
    assert f"The text is saved in the draft. {blocked}" in words(html)
    assert "/staff/policy/publish" not in links(html)
    rules = lead.page("/staff/policy")
    assert blocked in words(rules)
    assert "Try this draft" not in rules
    assert "/staff/policy/publish" not in links(rules)
    publish = lead.page("/staff/policy/publish")
    assert blocked in words(publish)
    assert 'name="note"' not in publish
    assert "/staff/policy/text" in links(publish)


def test_days_written_backwards_get_the_same_warning_from_the_form_and_from_the_text(lead: Browser) -> None:
    backwards = {"when__0__fact": "order.placed", "when__0__op": "between", "when__0__value": "2026-12-24"}
    form = lead.form("/staff/policy?edit=Big+returns", "policy/rules#")
    lead.submit(form, {"act": "drop:0"})
    answer = save_rule(lead, "Big returns", **backwards, when__0__last="2026-11-01")
    assert answer.status_code == 303
    said = "“Order date” begins on 24 December 2026 and ends before that, on 1 November 2026. Swap the two days."
    page = lead.words("/staff/policy")
    assert page.count(f"“Big returns” never applies. {said}") == 1, "beside what was saved"
    assert page.count(said) == 2, "and in the checks"
    save_text(
        lead, POLICY.replace("{return.value: {over: 300 GBP}}", "{order.placed: {from: 2026-12-24, to: 2026-11-01}}")
    )
    assert said in lead.words("/staff/policy")


SEASON = (
    "  - {rule: Season, when: {order.placed: {from: 2026-12-05, to: 2026-12-24}}, set: {window: {until: 2027-01-31}}}\n"
)


def test_a_start_after_the_first_day_of_a_rule_has_to_be_read_before_it_is_published(
    lead: Browser, database: Database
) -> None:
    season = SEASON.replace("2026-12-05", "2026-11-10")
    save_text(lead, POLICY.replace("otherwise:", f"{season}\notherwise:", 1))
    early = "“Season” begins on 10 November 2026, before this version starts"
    for page in ("", "/publish"):
        assert early not in lead.words(f"/staff/policy{page}"), "nobody has chosen a start yet"
    form, keys = lead.form("/staff/policy/publish", "publish"), ticks(lead)
    answer = lead.submit(form, {"note": "x", "start": "now", "read": keys})
    assert answer.status_code == 422
    assert f"{early} on 20 November 2026" in words(answer.text)
    (now,) = set(re.findall(r'name="read" value="(\w+)"', answer.text)) - set(keys)
    later = {"note": "x", "start": "later", "day": "2026-12-10", "time": "09:00"}
    answer = lead.submit(form, {**later, "read": [*keys, now]})
    assert answer.status_code == 422, "what was read of one start was not read of another"
    assert f"{early} on 10 December 2026" in words(answer.text)
    assert "Orders placed before 10 December 2026 keep the version they were placed under" in words(answer.text)
    (new,) = set(re.findall(r'name="read" value="(\w+)"', answer.text)) - set(keys)
    assert lead.submit(form, {**later, "read": [*keys, new]}).status_code == 303
    assert newest(database).effective_at == datetime(2026, 12, 10, 9, tzinfo=UTC)


def test_a_start_in_the_place_of_another_version_has_the_warnings_of_that_day(planned: Browser) -> None:
    save_text(planned, POLICY.replace("otherwise:", f"{SEASON.replace('2026-12-05', '2026-11-20')}\notherwise:", 1))
    form, keys = planned.form("/staff/policy/publish", "publish"), ticks(planned)
    for note in ("", "x"):
        answer = planned.submit(form, {"note": note, "start": "instead-2", "read": keys})
        assert answer.status_code == 422
        assert "begins on 20 November 2026, before this version starts on 1 December 2026" in words(answer.text)


def test_a_rule_on_a_fact_that_no_order_tells_is_checked_on_the_orders_of_the_shop(
    lead: Browser, shop: Shop, database: Database
) -> None:
    heavy = "  - {rule: Heavy, when: {item.weight: {over: 20 kg}}, set: {review: always}}\n"
    save_text(lead, POLICY.replace("otherwise:", f"{heavy}\notherwise:", 1))
    said = "“Heavy” sends returns to a person: “Weight” isn’t known of any item"
    assert said not in lead.words("/staff/policy"), "nothing was sold yet"
    order = shop.order()
    for page in ("/staff/policy", "/staff/policy/publish", "/staff/policy/text"):
        assert said in lead.words(page)
    assert len(cost(database, lead, "/staff/policy")) <= 14
    with database.transaction() as tx:
        line = tx.session.scalars(select(OrderLine).where(OrderLine.order_id == order)).one()
        line.facts = {**(line.facts or {}), "weight_g": 400}
    assert said not in lead.words("/staff/policy")


def test_a_sentence_that_no_answer_gives_is_listed_with_what_keeps_it_from_being_read(lead: Browser) -> None:
    laws = POLICY.replace("otherwise:", "laws: [eu-consumer, uk-consumer]\notherwise:", 1)
    save_text(lead, laws.replace("set: {keep_item: true}", "set: {keep_item: true}\n    say: Yours to keep."))
    seen = lead.words("/staff/policy/customers")
    assert (
        "“Yours to keep.” It’s read on the policy page only: the rule denies nothing and asks for nothing. Change"
        in seen
    )
    assert "“It was sold as final sale.” “Final sale” is overruled by law where the law lets customers" in seen
    assert "send it back (UK consumer law: Consumer Contracts Regulations 2013" in seen
    assert "Faulty items Nothing of its own" in seen


def test_the_customers_policy_page_is_previewed_as_the_draft_would_have_it(lead: Browser, database: Database) -> None:
    assert "/staff/policy/preview" in links(lead.page("/staff/policy/customers"))
    before = lead.words("/staff/policy/preview")
    assert "There is no draft: this is what customers see" in before
    assert "30 days" in before
    save_text(lead, POLICY.replace("window: {days: 30, from: delivered", "window: {days: 47, from: delivered"))
    html = lead.page("/staff/policy/preview")
    said = words(html)
    assert "A preview: no customer sees this yet" in said
    assert said.count("47 days") > 1
    assert "It was sold as final sale." in said
    assert "Your rights by law" in said
    assert "Start a return" not in said
    assert 'name="robots" content="noindex"' in html
    assert "ld+json" not in html
    assert len(cost(database, lead, "/staff/policy/preview")) <= 8
    save_text(lead, "rules: [broken")
    assert lead.get("/staff/policy/preview").location == "/staff/policy/text#checks"
