"""The bench: what a scan opens, what counting does, and that less money is always seen before the parcel is finished."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal.db import Actor
from portal.labels.models import Label
from portal.receiving import rest
from portal.receiving import service as receiving
from portal.receiving.models import Receipt
from portal.receiving.service import Count
from portal.returns import service
from tests.stages.returns.trade import BENCH, JONAS, MAYA, rows
from tests.web.staff.browser import Browser, words
from tests.web.staff.shop import Item, Shop, wish

SHIRT = Item(gross=64_00, name="Brushed flannel shirt", sku="WH-FS-L")
DELICATE = Item(gross=100_00, name="Silk scarf", sku="WH-SC", tags=("delicate",))


def scan(browser: Browser, code: str, path: str = "/staff/receive"):  # type: ignore[no-untyped-def]
    return browser.submit(browser.form(path, "scan"), {"code": code})


def parcel(browser: Browser, rma: str):  # type: ignore[no-untyped-def]
    return browser.form(f"/staff/receive/{rma}", f"/staff/receive/{rma}")


def fields(shop: Shop, rma: str, *conditions: str) -> dict[str, str]:
    """The first group of each line in this condition."""
    lines = shop.look(rma).lines
    return {f"c-{line.id}-0": condition for line, condition in zip(lines, conditions, strict=True)}


def test_every_code_of_a_parcel_opens_its_return(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(items=(SHIRT,))
    (label,) = rows(shop.database, select(Label))
    short = label.code[2:-2]
    number = shop.look(rma).order.number
    for code in (rma, rma.lower(), rma.replace("-", ""), label.code, f"{short[:4]} {short[4:]}", number, "WH-FS-L"):
        answer = scan(warehouse, code)
        assert (answer.status_code, answer.location) == (303, f"/staff/receive/{rma}"), code
    seen = warehouse.words("/staff/receive")
    assert f"Opened {rma}" in seen


def test_the_scan_field_has_the_focus_on_every_bench_page(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked()
    for path in ("/staff/receive", f"/staff/receive/{rma}", "/staff/receive/choose?code=x"):
        assert " autofocus " in warehouse.page(path).partition('id="scan"')[2][:60], path


def test_an_unknown_code_stays_in_the_list_until_it_is_set_aside(warehouse: Browser, shop: Shop) -> None:
    answer = scan(warehouse, "WH-BN-OS-RUS")
    assert (answer.status_code, answer.location) == (303, "/staff/receive")
    seen = warehouse.words("/staff/receive")
    assert "WH-BN-OS-RUS is in no open return." in seen
    assert "Not in any open return. Set it aside" in seen
    assert warehouse.submit(warehouse.form("/staff/receive", "/scans/0/forget")).status_code == 303
    assert "WH-BN-OS-RUS" not in warehouse.words("/staff/receive")


def test_an_article_in_several_returns_asks_which_and_in_the_open_one_stays_there(
    warehouse: Browser, shop: Shop
) -> None:
    first, second = shop.booked(items=(SHIRT,)), shop.booked(items=(SHIRT,))
    answer = scan(warehouse, "WH-FS-L")
    page = warehouse.page(answer.location)
    assert first in page
    assert second in page
    answer = scan(warehouse, "WH-FS-L", f"/staff/receive/{second}")
    assert answer.location == f"/staff/receive/{second}"


def test_an_article_is_not_offered_in_returns_that_have_it_already(warehouse: Browser, shop: Shop) -> None:
    done, waiting = shop.booked(items=(SHIRT,)), shop.booked(items=(SHIRT,))
    with shop.do(BENCH) as tx:
        receiving.receive(tx, done, [Count("1", 1, "as_new")], command_key=done)
    assert scan(warehouse, "WH-FS-L").location == f"/staff/receive/{waiting}"


def test_as_agreed_is_finished_in_one_step_and_back_at_the_scan_field(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(items=(SHIRT,))
    seen = warehouse.words(f"/staff/receive/{rma}")
    assert "1 item expected" in seen
    assert "Refund as agreed £64.00" in seen
    answer = warehouse.submit(parcel(warehouse, rma), fields(shop, rma, "as_new") | {"note": "Box dented"})
    assert (answer.status_code, answer.location) == (303, "/staff/receive")
    found = shop.look(rma)
    assert (found.status, found.lines[0].condition, found.lines[0].disposition) == ("received", "as_new", "restock")
    entry = shop.entry(rma, "return.received")
    assert (entry.actor_name, entry.why) == ("Ben Whitlock", "Box dented")
    seen = warehouse.words("/staff/receive")
    assert f"{rma}: Finished." in seen
    assert "This parcel is finished Its money is on its way." in warehouse.words(f"/staff/receive/{rma}")
    assert "1 parcel 1 item 0 exceptions" in " ".join(_figures(seen))
    assert [refund.amount_minor for refund in shop.refunds(rma)] == [64_00]


def _figures(seen: str) -> list[str]:
    parts = seen.partition("Your day at the bench")[2].partition("Last scans")[0].split()
    numbers, names = (
        [part for part in parts if part.isdigit()][-3:],
        [p for p in parts if p.startswith(("parcel", "item", "excep"))],
    )
    return [f"{number} {name}" for number, name in zip(numbers, names, strict=True)]


def test_a_finished_parcel_sent_again_counts_nothing_twice(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(items=(SHIRT,))
    form, choice = parcel(warehouse, rma), fields(shop, rma, "as_new")
    assert [warehouse.submit(form, choice).status_code for _ in range(3)] == [303, 303, 303]
    assert shop.count(Receipt) == 1
    assert len(shop.refunds(rma)) == 1
    assert "was finished already. Nothing was counted twice." in warehouse.words("/staff/receive")


def test_a_form_of_a_parcel_that_somebody_else_has_finished_counts_nothing(
    warehouse: Browser, lead: Browser, shop: Shop
) -> None:
    rma = shop.booked(items=(SHIRT,))
    mine, choice = parcel(lead, rma), fields(shop, rma, "as_new")
    warehouse.submit(parcel(warehouse, rma), choice)
    answer = lead.submit(mine, choice)
    assert answer.status_code == 409
    assert "has changed meanwhile" in words(answer.text)
    assert shop.count(Receipt) == 1


def test_less_money_is_shown_before_the_parcel_can_be_finished(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(wish("1"), wish("2"), items=(SHIRT, Item(gross=36_00, name="Beanie")))
    choice = fields(shop, rma, "as_new", "missing")
    page = warehouse.submit(parcel(warehouse, rma), choice)
    assert page.status_code == 200
    seen = words(page.text)
    for part in ("Refund drops, 100% less", "£36.00 £0.00", "Total £64.00 was £100.00",
                 "Goes to exceptions before the customer is told."):  # fmt: skip
        assert part in seen, part
    assert 'class="effect effect--drop"' in page.text
    top = words(page.text.partition('id="scan"')[0])
    assert "The amount drops from £100.00 to £64.00 Nothing is counted yet. Look at it once more, then press" in top
    assert "data-error-summary" in page.text, "the script puts the focus there"
    assert shop.count(Receipt) == 0
    answer = warehouse.submit(warehouse.form("", "/staff/receive/", html=_without_scan(page.text)))
    assert (answer.status_code, answer.location) == (303, "/staff/receive")
    assert shop.look(rma).status == "received"
    assert shop.look(rma).quote["total"]["amount"] == 64_00
    assert "Finished, goes to exceptions" in warehouse.words("/staff/receive")
    assert shop.refunds(rma) == []
    assert "1 exception" in " ".join(_figures(warehouse.words("/staff/receive")))


def _without_scan(html: str) -> str:
    return html.replace('action="/staff/receive/scan"', 'action="/elsewhere"')


def test_what_was_shown_for_other_counts_does_not_count(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(wish("1"), wish("2"), items=(SHIRT, Item(gross=36_00, name="Beanie")))
    page = warehouse.submit(parcel(warehouse, rma), fields(shop, rma, "as_new", "missing"))
    form = warehouse.form("", "/staff/receive/", html=_without_scan(page.text))
    worse = warehouse.submit(form, fields(shop, rma, "missing", "missing"))
    assert worse.status_code == 200
    assert "Total £0.00 was £100.00" in words(worse.text)
    assert shop.count(Receipt) == 0


def test_checking_counts_nothing(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(items=(SHIRT,))
    page = warehouse.submit(parcel(warehouse, rma), fields(shop, rma, "as_new") | {"act": "check"})
    assert page.status_code == 200
    assert "Total £64.00 As agreed." in words(page.text)
    assert shop.look(rma).status == "authorized"


def test_checking_a_part_says_what_is_still_to_come(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(wish("1", quantity=3), items=(Item(gross=192_00, name="Shirt", quantity=3),))
    line = shop.look(rma).lines[0].id
    counts = fields(shop, rma, "as_new") | {f"q-{line}-0": "2", "act": "check"}
    page = warehouse.submit(parcel(warehouse, rma), counts)
    assert "As agreed. 1 item is still to come." in words(page.text)
    assert "still to come" not in words(warehouse.submit(parcel(warehouse, rma), counts | {f"q-{line}-0": "3"}).text)


def test_a_first_part_promises_no_exception_and_no_sum_without_the_rest(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(wish("1", 2), wish("2"), items=(Item(2, 14_94, name="Beanie"), SHIRT))
    beanie, shirt = (line.id for line in shop.look(rma).lines)
    counts = {f"c-{beanie}-0": "damaged", f"q-{shirt}-0": "0"}
    page = warehouse.submit(parcel(warehouse, rma), counts | {"act": "check"})
    seen = words(page.text)
    assert "Goes to exceptions" not in seen
    assert "£78.94 if the rest comes as agreed" in seen
    assert "Somebody decides when all has come." in seen
    assert "1 item is still to come." in seen


def test_each_tile_says_ahead_what_it_does_to_the_money(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(items=(DELICATE,))
    html = warehouse.page(f"/staff/receive/{rma}")
    said = {name: words("<p>" + html.partition(f'data-for="{name}">')[2].partition("</del>" if name == "used" else "</div>")[0])
            for name in ("as_new", "used", "damaged", "missing")}  # fmt: skip
    assert said["as_new"] == "Refund as agreed £100.00"
    assert said["used"] == "Refund drops, 30% less As the policy says for this condition. £100.00"
    assert said["damaged"] == "Refund drops, 50% less As the policy says for this condition."
    assert said["missing"] == "Refund drops, 100% less As the policy says for this condition."


def test_units_in_several_conditions_are_counted_apart(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(wish("1", 5), items=(Item(quantity=5, gross=50_00, name="Mug"),))
    line = shop.look(rma).lines[0].id
    form = parcel(warehouse, rma)
    counts = {
        f"q-{line}-0": "2", f"c-{line}-0": "as_new", f"q-{line}-1": "1", f"c-{line}-1": "damaged",
        f"d-{line}-1": "recycle", f"n-{line}-1": "Handle broken",
    }  # fmt: skip
    answer = warehouse.submit(form, counts)
    assert (answer.status_code, answer.location) == (303, "/staff/receive")
    assert f"{rma}: Counted, 2 items still to come." in warehouse.words("/staff/receive")
    assert shop.look(rma).lines[0].found == {"as_new": 2, "damaged": 1}
    kept = rows(shop.database, select(Receipt).order_by(Receipt.id))
    assert [(each.quantity, each.condition, each.disposition, each.note) for each in kept] == [
        (2, "as_new", "restock", ""), (1, "damaged", "recycle", "Handle broken"),
    ]  # fmt: skip
    seen = warehouse.words(f"/staff/receive/{rma}")
    assert "5 items expected, 3 counted before." in seen
    assert "3 of 5" in seen
    rest = parcel(warehouse, rma)
    assert rest.get(f"q-{line}-0") == "2"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"c": ""}, "Choose the condition"),
        ({"c": "mint"}, "Choose the condition"),
        ({"q": "x"}, "Enter how many came, as a number"),
        ({"q": "-1"}, "Enter how many came, as a number"),
        ({"q": "1.5"}, "Enter how many came, as a number"),
        ({"q": "9" * 30}, "Enter how many came, as a number"),
        ({"q": "１"}, "Enter how many came, as a number"),
        ({"q": "3"}, "Only 2 are still expected, 3 were counted"),
        ({"q": "0"}, "Count at least one item"),
        ({"q": ""}, "Count at least one item"),
        ({"d": "missing"}, "What is missing goes nowhere, and only that"),
        ({"d": "moon"}, "What is missing goes nowhere, and only that"),
        ({"n": "x" * 1001}, "Use at most 1000 characters of text"),
        ({"n": "\x00"}, "Use at most 1000 characters of text"),
    ],
)
def test_each_mistake_is_told_at_its_field_and_keeps_the_rest(
    warehouse: Browser, shop: Shop, changes: dict[str, str], told: str
) -> None:
    rma = shop.booked(wish("1", 2), items=(Item(quantity=2, gross=20_00),))
    line = shop.look(rma).lines[0].id
    filled = {"q": "2", "c": "as_new", "d": "", "n": "kept"} | changes
    sent = {f"{name}-{line}-0": value for name, value in filled.items()}
    answer = warehouse.submit(parcel(warehouse, rma), sent | {"note": "Box was wet"})
    assert answer.status_code == 422
    assert 'value="Box was wet"' in answer.text
    assert told in words(answer.text)
    assert shop.count(Receipt) == 0
    if "n" not in changes:
        assert 'value="kept"' in answer.text


def test_goods_that_the_policy_wants_checked_are_checked_in_a_second_step(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(items=(DELICATE,))
    warehouse.submit(parcel(warehouse, rma), fields(shop, rma, "as_new"))
    assert shop.look(rma).status == "received"
    assert "Waiting to be checked 1" in warehouse.words("/staff/receive")
    seen = warehouse.words(f"/staff/receive/{rma}")
    assert "Check in which condition it is." in seen
    assert "Noted at arrival: 1 × as new" in seen
    assert "Not in the parcel" not in seen
    page = warehouse.submit(parcel(warehouse, rma), fields(shop, rma, "used"))
    assert "Refund drops, 30% less" in words(page.text)
    answer = warehouse.submit(warehouse.form("", "/staff/receive/", html=_without_scan(page.text)))
    assert answer.status_code == 303
    found = shop.look(rma)
    assert (found.status, found.quote["total"]["amount"]) == ("inspected", 70_00)
    assert [refund.amount_minor for refund in shop.refunds(rma)] == [70_00]
    assert "Nothing waits." in warehouse.words("/staff/receive")


def test_what_a_check_took_off_says_of_how_many_units_where_there_are_several(lead: Browser, shop: Shop) -> None:
    def checked(quantity: int, *counts: Count) -> str:
        item = Item(quantity, 40_00 * quantity, tags=("delicate",), name="Linen shirt")
        rma = shop.booked(wish(quantity=quantity), items=(item,))
        with shop.do(BENCH) as tx:
            receiving.receive(tx, rma, [Count("1", quantity, "as_new")], command_key=rma)
            receiving.inspect(tx, rma, counts, command_key=f"{rma} checked")
        return lead.words(f"/staff/returns/{rma}")

    assert "After the check 2 × Linen shirt, 70% of the price −£24.00" in checked(
        3, Count("1", 1, "as_new"), Count("1", 2, "used")
    )
    assert "After the check Linen shirt, 70% of the price −£12.00" in checked(1, Count("1", 1, "used"))


def test_an_inspection_names_every_unit(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(wish("1", 2), items=(Item(quantity=2, gross=100_00, tags=("delicate",)),))
    warehouse.submit(parcel(warehouse, rma), fields(shop, rma, "as_new"))
    line = shop.look(rma).lines[0].id
    answer = warehouse.submit(parcel(warehouse, rma), {f"q-{line}-0": "1", f"c-{line}-0": "as_new"})
    assert answer.status_code == 422
    assert "Name the condition of all 2" in words(answer.text)


def test_goods_that_differ_go_to_the_exceptions_and_are_decided_there(
    warehouse: Browser, lead: Browser, shop: Shop
) -> None:
    rma = shop.booked(items=(SHIRT,))
    answer = warehouse.submit(parcel(warehouse, rma), fields(shop, rma, "used"))
    assert answer.status_code == 303, "the amount stays, so nothing has to be shown first"
    seen = lead.words("/staff/")
    assert "Used or worn on arrival" in seen
    assert "Received" in seen
    seen = lead.words(f"/staff/returns/{rma}")
    assert "Accept the goods, £64.00" in seen
    assert "Ben Whitlock received the parcel: 1 × used" in seen
    assert lead.submit(lead.form(f"/staff/returns/{rma}", "decision")).status_code == 303
    assert [refund.amount_minor for refund in shop.refunds(rma)] == [64_00]


def test_a_parcel_that_nobody_expects_is_said_so(warehouse: Browser, shop: Shop) -> None:
    wished, gone, done = shop.under_review(), shop.booked(), shop.booked(items=(SHIRT,))
    with shop.do(JONAS) as tx:
        service.cancel(tx, gone, by="staff")
    warehouse.submit(parcel(warehouse, done), fields(shop, done, "as_new"))
    for rma, said in ((wished, "No parcel is expected"), (gone, "No parcel is expected")):
        assert said in warehouse.words(f"/staff/receive/{rma}")
        scan(warehouse, rma)
        seen = warehouse.words("/staff/receive")
        assert f"{rma} No parcel is expected for it. Set it aside Set aside" in seen
        assert f"Opened {rma}" not in seen
        answer = warehouse.post(f"/staff/receive/{rma}", {"stage": "receive", "command_key": "k"})
        assert answer.status_code == 409
    assert shop.count(Receipt) == 1


@pytest.mark.parametrize(
    "code", ["", " ", "\x00", "R-", "🦆" * 100, "'; DROP TABLE return; --", "%", "=1+1", "x" * 5000]
)
def test_any_scan_is_answered(warehouse: Browser, shop: Shop, code: str) -> None:
    shop.booked()
    assert scan(warehouse, code).status_code == 303
    assert warehouse.get("/staff/receive").status_code == 200


def test_the_list_of_scans_stays_short(warehouse: Browser, shop: Shop) -> None:
    for number in range(12):
        scan(warehouse, f"UNKNOWN-{number:02}" + "x" * 60)
    seen = warehouse.words("/staff/receive").partition("Last scans")[2]
    assert "UNKNOWN-11" in seen
    assert "UNKNOWN-04" in seen
    assert "UNKNOWN-03" not in seen
    cookie = warehouse.client.get_cookie("portal")
    assert cookie is not None
    assert len(cookie.value) < 3000


def test_the_return_says_where_each_unit_goes_that_came(lead: Browser, shop: Shop) -> None:
    rma = shop.booked(wish(quantity=3), items=(Item(3, 30_00, tags=("delicate",)),))
    here = f"/staff/returns/{rma}"
    counts = [Count("1", 1, "as_new"), Count("1", 1, "used", "donate"), Count("1", 1, "missing")]
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, counts, command_key="parcel")
    counted = "Counted: 1 × as new, 1 × used, 1 × missing. 1 × Back to stock, 1 × Donate"
    assert counted in lead.words(here)
    with shop.do(BENCH) as tx:
        receiving.inspect(tx, rma, [Count("1", 2, "as_new")], command_key="check")
    assert "Counted: 1 × missing, 2 × as new. Back to stock" in lead.words(here)
    lost = shop.booked()
    with shop.do(BENCH) as tx:
        receiving.receive(tx, lost, [Count("1", 1, "missing")], command_key="lost")
    assert "Counted: 1 × missing. Nothing to put away" in lead.words(f"/staff/returns/{lost}")


def test_a_correction_of_a_form_that_was_counted_in_part_is_named_as_not_saved(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(wish("1", 2), items=(Item(gross=64_00, quantity=2),))
    form, choice = parcel(warehouse, rma), fields(shop, rma, "as_new")
    line = shop.look(rma).lines[0].id
    warehouse.submit(form, choice | {f"q-{line}-0": "1"})
    assert shop.count(Receipt) == 1
    answer = warehouse.submit(form, choice | {f"q-{line}-0": "2"})
    assert answer.location == f"/staff/receive/{rma}"
    seen = warehouse.words(answer.location)
    assert "1 item is still to come. What you sent now was not saved" in seen
    assert "finished already" not in seen
    assert shop.count(Receipt) == 1


def test_each_parcel_of_a_return_counts_and_a_day_has_only_what_the_person_did(warehouse: Browser, shop: Shop) -> None:
    rma = shop.booked(wish(quantity=3), items=(Item(3, 96_00, name="Shirt"),))
    other = shop.booked(items=(Item(gross=64_00),))
    ben = Actor("staff", "Ben Whitlock", 5)
    for key in ("first", "second"):
        with shop.do(ben) as tx:
            receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key=key)
    with shop.do(MAYA) as tx:
        rest.give_up(tx, rma, "Lost", decide_within_hours=24)
        receiving.receive(tx, other, [Count("1", 1, "damaged")], command_key=other)
    assert "2 parcels 2 items 0 exceptions" in " ".join(_figures(warehouse.words("/staff/receive")))


def test_what_was_given_up_is_not_said_to_have_been_received_or_returned(lead: Browser, shop: Shop) -> None:
    rma = shop.booked(wish(quantity=3), items=(Item(3, 96_00, name="Shirt"),))
    with shop.do(BENCH) as tx:
        receiving.receive(tx, rma, [Count("1", 1, "as_new")], command_key="first")
    assert "Returns 3 of 3 items" in lead.words(f"/staff/returns/{rma}")
    with shop.do(MAYA) as tx:
        rest.give_up(tx, rma, "Lost", decide_within_hours=24)
    seen = lead.words(f"/staff/returns/{rma}")
    assert "counted what never came: 2 × missing" in seen
    assert f"{MAYA.name} received the parcel" not in seen
    assert "Returns 1 of 3 items" in seen
