"""Goodwill by the desk: a page of the order, one refund for one form, and the limit of a role."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import select

from portal.flow import Ports
from portal.notices.models import Notice
from portal.notices.render import render
from portal.orders.models import Order, Payment
from portal.refunds import corrections, credit_notes, given_up, goodwill, late, settle
from portal.refunds.gateway import RefundView
from portal.refunds.goodwill import Gift
from portal.refunds.models import Goodwill, Refund
from portal.refunds.settle import STRIPE
from portal.refunds.tenders import lock_refund
from portal.shop import RefundLimits
from tests.stages.refunds.test_controls import INES
from tests.stages.returns.trade import rows
from tests.web.staff.browser import Browser, Form, cost, links, words
from tests.web.staff.conftest import make_app
from tests.web.staff.shop import NOW, Item, Shop, wish


def give(browser: Browser, form: Form, fields: dict[str, str]) -> int:
    """Fill the form in, look at what it would give and go on; how that is answered."""
    checked = browser.submit(form, fields)
    assert checked.status_code == 200, words(checked.text)
    return browser.submit(browser.form("", "/goodwill", html=checked.text)).status_code


def test_what_is_given_and_where_it_goes_is_seen_before(lead: Browser, shop: Shop) -> None:
    here = f"/staff/orders/{shop.order(Item(gross=109_00, name='Wool coat'))}/goodwill"
    checked = lead.submit(lead.form(here, "/goodwill"), {"amount": "20", "reason": "Late parcel"})
    for part in ("Priya Nair gets £20.00", "Visa ending 1177 By Stripe £20.00", "“Late parcel”",
                 "Send £20.00 to Visa ending 1177"):  # fmt: skip
        assert part in words(checked.text), part
    assert (shop.count(Goodwill), shop.count(Refund)) == (0, 0)
    confirm = lead.form("", "/goodwill", html=checked.text)
    back = lead.submit(confirm, {"act": "edit"})
    assert lead.form("", "/goodwill", html=back.text).get("amount") == "20"
    other = lead.submit(confirm, {"amount": "25"})
    assert "Send £25.00 to Visa ending 1177" in words(other.text), "another sum than the one seen is shown first"
    assert shop.count(Goodwill) == 0
    assert [lead.submit(confirm).status_code for _ in range(2)] == [303, 303]
    assert rows(shop.database, select(Refund.amount_minor)) == [20_00]


def test_a_payment_of_which_only_its_intent_is_known_is_named_by_no_provider(lead: Browser, shop: Shop) -> None:
    order_id = shop.order(Item(gross=109_00, name="Wool coat"))
    with shop.do() as tx:
        tx.session.query(Payment).filter_by(order_id=order_id).update({"method": ""})
    here = f"/staff/orders/{order_id}/goodwill"
    assert "Paid with Card or account that paid" in lead.words(here)
    checked = words(lead.submit(lead.form(here, "/goodwill"), {"amount": "20", "reason": "Late parcel"}).text)
    for part in ("Card or account that paid By Stripe £20.00", "Give £20.00 Change it"):
        assert part in checked, part


def test_a_return_shows_what_was_given_for_its_order_until_it_is_taken_back(
    lead: Browser, warehouse: Browser, shop: Shop
) -> None:
    rma = shop.booked(items=(Item(gross=72_00, name="Selvedge jeans"), Item(gross=30_00, name="Belt")))
    here, gifts = f"/staff/returns/{rma}", f"/staff/orders/{shop.look(rma).order_id}/goodwill"
    assert "Goodwill for this order" not in lead.words(here)
    before = len(cost(shop.database, lead, here))
    for amount in ("5", "7"):
        assert give(lead, lead.form(gifts, "/goodwill"), {"amount": amount, "reason": "Late parcel"}) == 303
    number, other = rows(shop.database, select(Refund.public_id).order_by(Refund.id))
    seen = lead.words(here)
    assert "Goodwill for this order" in seen
    assert "Visa ending 1177 Maya Okafor: Late parcel £5.00 Planned" in seen
    assert "Owed £72.00" in seen
    assert f'href="/staff/refunds/{number}"' in lead.page(here)
    assert f'href="/staff/refunds/{number}"' not in warehouse.page(here)
    assert len(cost(shop.database, lead, here)) <= before + 1, "the gate that may stop what is prepared"
    for each in (number, other):
        form = lead.form(f"/staff/refunds/{each}", "/undo")
        assert lead.submit(form, {"note": "Given twice"}).status_code == 303
    assert "Goodwill for this order" not in lead.words(here)


def test_a_form_that_was_used_gives_nothing_else_and_becomes_a_new_one(lead: Browser, shop: Shop) -> None:
    here = f"/staff/orders/{shop.order(Item(gross=109_00, name='Wool coat'))}/goodwill"
    checked = lead.submit(lead.form(here, "/goodwill"), {"amount": "5", "reason": "Late parcel"})
    confirm = lead.form("", "/goodwill", html=checked.text)
    assert lead.submit(confirm).status_code == 303
    used = lead.submit(confirm, {"amount": "30", "reason": "Broken too"})
    assert used.status_code == 409
    assert "This form was used already: £5.00 went to the customer by it. Nothing else was given." in words(used.text)
    back = lead.submit(confirm, {"act": "edit"})
    for page in (used, back):
        assert lead.form("", "/goodwill", html=page.text).get("key") != confirm.get("key")
    assert give(lead, lead.form("", "/goodwill", html=back.text), {"amount": "30", "reason": "Broken too"}) == 303
    assert rows(shop.database, select(Refund.amount_minor).order_by(Refund.id)) == [5_00, 30_00]


def test_an_amount_is_given_once_for_one_form_with_a_reason(lead: Browser, shop: Shop) -> None:
    order_id = shop.order(Item(gross=109_00, name="Wool coat"))
    here = f"/staff/orders/{order_id}/goodwill"
    seen = lead.words(here)
    for part in (
        "Refund without a return",
        "Paid £109.00 Paid with Visa ending 1177 Left to give back £109.00",
        "Wool coat, of 1 Paid £109.00 for all of this line",
        "Without a return so far Nothing yet.",
    ):
        assert part in seen, part
    form = lead.form(here, "/goodwill")
    wrong = lead.submit(form, {"amount": "20"})
    assert wrong.status_code == 422
    assert "Write why, for your colleagues." in words(wrong.text)
    for _ in range(2):
        assert give(lead, form, {"amount": "20.00", "reason": "Late parcel"}) == 303
    (refund,) = rows(shop.database, select(Refund))
    assert (refund.cause, refund.amount_minor, refund.status) == ("goodwill", 20_00, "planned")
    assert shop.count(Goodwill) == 1
    seen = lead.words(here)
    assert "Left to give back £89.00" in seen
    assert "Without a return so far £20.00 Planned Today, 10:15, Maya Okafor: Late parcel" in seen
    seen = lead.words(f"/staff/refunds/{refund.public_id}")
    for part in ("Maya Okafor had a refund of £20.00 prepared", "Take it back"):
        assert part in seen, part


def test_items_are_given_for_what_they_cost_and_then_count_as_returned(lead: Browser, shop: Shop) -> None:
    order_id = shop.order(Item(gross=100_00, quantity=3, name="Socks"))
    here = f"/staff/orders/{order_id}/goodwill"
    form = lead.form(here, "/goodwill")
    field = next(name for name, _value in form.values if name.startswith("units-"))
    for typed in ("4", "-1", "x"):
        wrong = lead.submit(form, {field: typed, "reason": "Lost"})
        assert wrong.status_code == 422
        assert "Enter a number from 0 to 3" in words(wrong.text)
    both = lead.submit(form, {field: "1", "amount": "5", "reason": "Lost"})
    assert "not both" in words(both.text)
    assert give(lead, form, {field: "2", "reason": "Lost in the post"}) == 303
    (refund,) = rows(shop.database, select(Refund))
    assert refund.amount_minor == 66_66
    assert "Socks, of 1" in lead.words(here)


def test_more_than_the_order_has_left_is_refused_with_what_is_left(lead: Browser, shop: Shop) -> None:
    here = f"/staff/orders/{shop.order(Item(gross=50_00))}/goodwill"
    answer = lead.submit(lead.form(here, "/goodwill"), {"amount": "50.01", "reason": "x"})
    assert answer.status_code == 409
    assert "This order has £50.00 left to give back. Nothing was sent." in words(answer.text)
    assert shop.count(Refund) == 0


def test_an_order_without_a_return_is_found_by_its_number_and_a_return_links_to_it(
    lead: Browser, agent: Browser, shop: Shop
) -> None:
    order_id = shop.order(Item(gross=50_00))
    (order,) = rows(shop.database, select(Order))
    assert lead.get(f"/staff/search?q={order.number}").location == f"/staff/orders/{order_id}/goodwill"
    assert agent.get(f"/staff/search?q={order.number}").status_code == 200
    rma = shop.booked(order=order_id)
    assert f"/staff/orders/{order_id}/goodwill" in lead.page(f"/staff/returns/{rma}")
    assert "/goodwill" not in agent.page(f"/staff/returns/{rma}")
    assert lead.get("/staff/orders/999/goodwill").status_code == 404


def test_a_role_gives_and_approves_no_more_than_its_limit(ports: Ports, shop: Shop, people: object) -> None:
    limits = RefundLimits(limits={"agent": {"GBP": Decimal(300)}, "lead": {"GBP": Decimal(30)}})
    app = make_app(replace(ports, shop=ports.shop.model_copy(update={"refunds": limits})))
    lead = Browser(app)
    lead.sign_in("maya@wren.example")
    here = f"/staff/orders/{shop.order(Item(gross=100_00))}/goodwill"
    assert "Your role gives at most £30.00 Of that you can still give £30.00" in lead.words(here)
    answer = lead.submit(lead.form(here, "/goodwill"), {"amount": "30.01", "reason": "x"})
    assert answer.status_code == 403
    assert shop.count(Refund) == 0
    assert give(lead, lead.form(here, "/goodwill"), {"amount": "20.00", "reason": "x"}) == 303
    assert "Of that you can still give £10.00" in lead.words(here)
    split = lead.submit(lead.form(here, "/goodwill"), {"amount": "20.00", "reason": "y"})
    assert split.status_code == 403
    assert "£20.00 were given for this order before" in words(split.text)
    assert shop.count(Refund) == 1
    agent = Browser(app)
    agent.sign_in("jonas@wren.example")
    rma = shop.under_review()
    answer = agent.submit(agent.form(f"/staff/returns/{rma}", "/decision"), {"decision": "approve"})
    assert answer.status_code == 403
    assert "Your role approves at most £300.00." in words(answer.text)
    assert shop.look(rma).status == "under_review"


def test_a_gift_that_needs_a_second_person_is_opened_from_the_exceptions_and_decided_there(
    lead: Browser, owner: Browser, shop: Shop
) -> None:
    order_id = shop.order(Item(gross=400_00), email="priya@example.com")
    (order,) = rows(shop.database, select(Order))
    here = f"/staff/orders/{order_id}/goodwill"
    give(lead, lead.form(here, "/goodwill"), {"amount": "310.00", "reason": "Wedding ruined"})
    (refund,) = rows(shop.database, select(Refund))
    with shop.do(STRIPE) as tx:
        settle.hold_back(tx, *lock_refund(tx.session, refund.id), "second_person", "£310.00 is to be paid.")
    listed = owner.words("/staff/?why=second_person")
    assert f"Order {order.number} Priya Nair Needs a second person £310.00 is to be paid." in listed
    assert f"Order {order.number}" in owner.words(f"/staff/?text={order.number}")
    (case,) = {each for each in links(owner.page("/staff/?why=second_person")) if "/refunds/rf_" in each}
    seen = owner.words(case)
    for part in ("Maya Okafor had a refund of £310.00 prepared: “Wedding ruined”", "Approve £310.00"):
        assert part in seen, part
    assert owner.submit(owner.form(case, "/second"), {"note": "Spoke to the couple"}).status_code == 303
    assert rows(shop.database, select(Refund))[0].seconded_by == "Ines Moreau"
    assert f"Order {order.number}" not in owner.words("/staff/?why=second_person")


def test_the_page_asks_a_fixed_number_of_queries(lead: Browser, shop: Shop) -> None:
    one = shop.order(Item(gross=50_00))
    many = shop.order(*[Item(gross=10_00, name=f"Item {n}") for n in range(8)])
    for number in range(3):
        form = lead.form(f"/staff/orders/{many}/goodwill", "/goodwill")
        give(lead, form, {"amount": f"{number + 1}", "reason": "x"})
    few, more = (cost(shop.database, lead, f"/staff/orders/{each}/goodwill") for each in (one, many))
    assert len(few) == len(more) <= 11


def test_the_customer_is_told_once_stripe_has_paid(lead: Browser, shop: Shop) -> None:
    order_id = shop.order(Item(gross=50_00))
    here = f"/staff/orders/{order_id}/goodwill"
    give(lead, lead.form(here, "/goodwill"), {"amount": "20.00", "reason": "Late parcel"})
    (refund,) = rows(shop.database, select(Refund))
    assert shop.count(Notice) == 0
    view = RefundView(
        id="re_1",
        status="succeeded",
        amount_minor=20_00,
        currency="GBP",
        payment_intent="pi",
        created_at=NOW,
        metadata={},
    )
    for _ in range(2):
        with shop.do(STRIPE) as tx:
            settle.take_over(tx, *lock_refund(tx.session, refund.id), view)
    (told,) = rows(shop.database, select(Notice))
    assert (told.kind, told.return_id, told.context["pieces"][0]["amount"]) == ("goodwill_sent", None, 20_00)
    assert "Late parcel" not in str(told.context)


def test_a_gift_that_was_lost_after_its_credit_note_has_both_papers(lead: Browser, shop: Shop, ports: Ports) -> None:
    order_id = shop.order(Item(gross=50_00))
    here = f"/staff/orders/{order_id}/goodwill"
    give(lead, lead.form(here, "/goodwill"), {"amount": "20.00", "reason": "Late parcel"})
    (refund,) = rows(shop.database, select(Refund))
    for status in ("succeeded", "failed"):
        view = RefundView("re_1", status, 20_00, "GBP", "pi", NOW, {})
        with shop.do(STRIPE) as tx:
            settle.take_over(tx, *lock_refund(tx.session, refund.id), view)
        credit_notes.issue_and_draw(ports, None, refund.id)
    with shop.do(INES) as tx:
        # Somebody has given the money by hand.
        tx.session.scalars(select(Payment)).one().refunded_elsewhere_minor = 50_00
        tx.session.flush()
        given_up.give_up(tx, refund.public_id, "Too little left.")
    corrections.correct_and_draw(ports, None, refund.id)
    seen = lead.page(here)
    assert "Credit note (PDF) Correction CN-2026-0002 (PDF)" in words(seen)
    for name in ("credit-note", "credit-note-correction-1"):
        paper = lead.get(f"/staff/refunds/{refund.public_id}/{name}.pdf")
        assert (paper.status_code, paper.content_type) == (200, "application/pdf")


def test_a_failed_gift_with_too_little_left_offers_no_way_that_is_closed(lead: Browser, shop: Shop) -> None:
    here = f"/staff/orders/{shop.order(Item(gross=50_00))}/goodwill"
    give(lead, lead.form(here, "/goodwill"), {"amount": "20.00", "reason": "Late parcel"})
    (refund,) = rows(shop.database, select(Refund))
    with shop.do(STRIPE) as tx:
        settle.lose(
            tx, *lock_refund(tx.session, refund.id), status="failed", code="expired_or_canceled_card", sentence="No."
        )
    page = f"/staff/refunds/{refund.public_id}"
    assert "Ask for a bank account, pay there, then record it here" in lead.words(page)
    with shop.do(INES) as tx:
        tx.session.scalars(select(Payment)).one().refunded_elsewhere_minor = 40_00
    seen = lead.words(page)
    assert "It can only be ended" in seen
    assert "The card has expired or was canceled" in seen
    assert "record it here" not in seen


def test_the_customer_is_told_of_a_gift_that_failed_or_is_late(shop: Shop, ports: Ports) -> None:
    for key in "ab":
        order_id = shop.order(Item(gross=50_00))
        with shop.do(INES) as tx:
            goodwill.give(tx, order_id, Gift(20_00), reason="Late parcel", command_key=key * 20, shop=ports.shop)
    failed, slow = rows(shop.database, select(Refund).order_by(Refund.id))
    with shop.do(STRIPE) as tx:
        settle.lose(
            tx,
            *lock_refund(tx.session, failed.id),
            status="failed",
            code="expired_or_canceled_card",
            sentence="Expired.",
        )
    shop.set_refund(slow.public_id, status="pending", submitted_at=NOW - timedelta(days=30))
    assert late.raise_late(shop.database, ports.shop.bank_days.most, ports.shop.timezone) == 1
    told = rows(shop.database, select(Notice).order_by(Notice.id))
    assert [(each.kind, each.refund_id) for each in told] == [("refund_failed", failed.id), ("refund_late", slow.id)]
    for notice, said in zip(told, ("it didn’t get through", "the bank hasn’t finished it yet"), strict=True):
        text = render(
            notice.kind, notice.context, shop=ports.shop, wanted_locale="", base_url="http://localhost", link="http://x/gifts",
            label_attached=False, now=NOW,
        )  # fmt: skip
        for part in (said, "£20.00 to Visa ending 1177", "See your refund", "http://x/gifts", "because of your order"):
            assert part in " ".join(text.text.split()), part
        assert "Late parcel" not in text.text


def test_money_that_an_open_return_was_promised_is_given_only_after_a_tick(lead: Browser, shop: Shop) -> None:
    rma = shop.booked(wish(), items=(Item(gross=60_00),))
    with shop.database.read() as session:
        order_id = session.scalars(select(Order.id)).one()
    here, there = f"/staff/orders/{order_id}/goodwill", f"/staff/returns/{rma}"
    assert f"They were promised this, and it is not paid yet: {rma} : £60.00" in lead.words(here)
    assert "can be paid" not in lead.words(there)
    form = lead.form(here, "/goodwill")
    asked = lead.submit(form, {"amount": "50", "reason": "Late parcel"})
    assert asked.status_code == 422
    assert "were promised £60.00, and £10.00 would be left for them" in words(asked.text)
    assert shop.count(Goodwill) == 0
    assert give(lead, form, {"amount": "50", "reason": "Late parcel", "sure": "1"}) == 303
    seen = lead.words(there)
    assert "£10.00 of the £60.00 can be paid" in seen
    assert "no longer have the other £50.00" in seen


def test_a_return_shows_nothing_that_was_given_for_another_order(lead: Browser, shop: Shop) -> None:
    rma, other = shop.booked(), shop.order(Item(gross=72_00, name="Belt"))
    form = lead.form(f"/staff/orders/{other}/goodwill", "/goodwill")
    assert give(lead, form, {"amount": "5", "reason": "Late parcel"}) == 303
    assert "Goodwill for this order" not in lead.words(f"/staff/returns/{rma}")


def test_what_was_given_of_a_payment_that_was_never_taken_is_called_released(lead: Browser, shop: Shop) -> None:
    here = f"/staff/orders/{shop.order(Item(gross=72_00, name='Belt'))}/goodwill"
    assert give(lead, lead.form(here, "/goodwill"), {"amount": "5", "reason": "Late parcel"}) == 303
    with shop.do(STRIPE) as tx:
        (refund_id,) = tx.session.scalars(select(Refund.id))
        settle.released(tx, *lock_refund(tx.session, refund_id), charged_minor=0)
    seen = lead.words(here)
    assert "Released" in seen
    assert "Refunded" not in seen.partition("Late parcel")[2]
