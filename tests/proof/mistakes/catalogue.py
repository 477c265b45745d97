"""The list: what is done wrong, where, and the tests that hold it. The machine is asked about all of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """In ``path``, the one place that reads ``old`` becomes ``new``. ``tests`` are pytest's names of what has to fail then.

    ``scene`` is the way of `tests.proof.scenes` into the situation in which it shows; the machine has to notice it there too.
    """

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]
    scene: str = ""


SUBMIT, SETTLE, PAYOUT = "portal/refunds/submit.py", "portal/refunds/settle.py", "portal/refunds/payout.py"
TENDERS, GATE = "portal/refunds/tenders.py", "portal/refunds/gate.py"
SECOND, TWO_PEOPLE = "portal/refunds/second.py", "portal/refunds/two_people.py"
ACTIONS, UNDO, RELEASE = "portal/refunds/actions.py", "portal/refunds/undo.py", "portal/refunds/release.py"
HOLDING, GATEWAY = "portal/returns/holding.py", "portal/adapters/stripe_gateway.py"
CLAIMS, SHORTAGE, RECEIVING = "portal/refunds/claims.py", "portal/refunds/shortage.py", "portal/receiving/service.py"
REFUNDS, RIVER = "tests/stages/refunds", "tests/stages/receiving/test_with_the_river.py"
AGREED = f"{REFUNDS}/test_shortage.py::TestEachPartGoesIntoWhatWasAgreed"

MISTAKES = (
    # -- sending -------------------------------------------------------------------------------------------------
    Mistake(
        "a new key for each try", SUBMIT,
        "RefundRequest.from_params(refund.params, refund.idempotency_key)",
        'RefundRequest.from_params(refund.params, f"{refund.idempotency_key}:{refund.attempts}")',
        (f"{REFUNDS}/test_submit.py::test_an_answer_that_is_lost_is_unknown_and_the_retry_uses_the_same_key",),
    ),
    Mistake(
        "a timeout is read as a refusal", SUBMIT,
        "    except UpstreamError as error:\n        _settle_error(",
        "    except UpstreamError as error:\n        error.retryable = error.effect_unknown = False\n        _settle_error(",
        (f"{REFUNDS}/test_money_cases.py::test_14_a_timeout_after_the_effect_keeps_the_reserve_and_ends_as_one_refund",),
    ),
    Mistake(
        "a refusal is believed without looking", SUBMIT,
        "if error.code in LOOK_FIRST or (not error.retryable and not claimed.fresh):", "if False:",
        (f"{REFUNDS}/test_submit.py::test_a_refusal_after_a_lost_answer_is_believed_only_after_a_look",),
    ),
    Mistake(
        "a key is used after its life", SUBMIT,
        "KEY_LIFE = timedelta(hours=23)", "KEY_LIFE = timedelta(days=230)",
        (f"{REFUNDS}/test_submit.py::test_a_500_without_effect_is_never_answered_with_a_new_key",),
    ),
    Mistake(
        "what a backup has forgotten is sent without looking", SUBMIT,
        "if claimed.aged and _found(database, gateway, refund_id):", "if False:",
        (f"{REFUNDS}/test_submit.py::test_a_restored_backup_never_sends_again_what_was_sent_before_it",),
    ),
    Mistake(
        "two refunds of one payment are sent at once", SUBMIT,
        'if busy else None', "if False else None",
        (f"{REFUNDS}/test_submit.py::test_two_refunds_of_one_payment_wait_for_each_other",),
    ),
    Mistake(
        "a disputed payment is refunded", SUBMIT,
        "if payment.disputed_at is not None and refund.status == lifecycle.PLANNED:", "if False:",
        (f"{REFUNDS}/test_submit.py::test_a_planned_refund_of_a_disputed_payment_waits",),
    ),
    Mistake(
        "the time to take back is not kept", SUBMIT,
        "if first and tx.at < until else None", "if False else None",
        (f"{REFUNDS}/test_controls.py::TestUndo",),
    ),
    Mistake(
        "only one page of Stripe's list is read", GATEWAY,
        "return list(first.auto_paging_iter())\n\n        return", "return list(first.data)\n\n        return",
        (f"{REFUNDS}/test_money_cases.py::test_20_every_page_of_refunds_made_by_hand_is_known",),
    ),
    Mistake(
        "crowns of Iceland are sent as if they had hundredths", "portal/adapters/stripe_money.py",
        "amount, rest = divmod(minor * more, fewer)", "amount, rest = divmod(minor, 1)",
        ("tests/stages/orders/test_stripe_money.py::test_each_currency_goes_to_stripe_in_stripes_unit_and_comes_back",),
    ),
    # -- promising -----------------------------------------------------------------------------------------------
    Mistake(
        "a promise is not counted", "portal/refunds/planning.py",
        "    payment.refunding_minor += amount_minor\n", "",
        (f"{REFUNDS}/test_money_cases.py::test_6_pending_refunds_count_and_what_is_offered_is_never_negative",),
    ),
    Mistake(
        "what was captured is taken for what is left", PAYOUT,
        "            payment.refundable_minor,\n", "            payment.captured_minor,\n",
        (f"{REFUNDS}/test_payout.py::test_each_payment_gives_what_is_left_of_it_and_the_next_one_the_rest",),
    ),
    Mistake(
        "no lock on the money of an order", TENDERS,
        '        connection.execute(_LOCK, {"id": order_id})\n', "",
        (f"{REFUNDS}/test_races.py",),
    ),
    Mistake(
        "a payout is planned twice", PAYOUT,
        "if return_.payout_planned_at is None and _is_due(return_, moment):", "if _is_due(return_, moment):",
        (f"{REFUNDS}/test_payout.py::test_a_payout_is_planned_once_however_often_its_moment_comes",),
    ),
    Mistake(
        "a payout does not wait for an open question", PAYOUT,
        "return any(review.kind not in MONEY_KINDS for review in reviews.open_reviews(tx.session, return_id))",
        "return False",
        (f"{REFUNDS}/test_payout.py::test_an_open_question_holds_the_payout_until_it_is_settled",),
    ),
    Mistake(
        "credit is given beside a refund", PAYOUT,
        "if total - bonus > left:", "if False:",
        (f"{REFUNDS}/test_money_cases.py::test_18_store_credit_for_what_was_refunded_already_is_refused",),
    ),
    Mistake(
        "what cannot be paid is silently less", PAYOUT,
        "    if short:\n", "    if False:\n",
        (f"{REFUNDS}/test_payout.py::test_money_that_was_refunded_by_hand_before_is_never_paid_again_and_the_difference_is_named",),
    ),
    Mistake(
        "steps of a currency are ignored", PAYOUT,
        "step_of(payment.currency) if is_stripe(payment) else 1,", "1,",
        (f"{REFUNDS}/test_sums.py::test_partial_returns_sum_to_what_was_paid_whatever_the_network_does",),
    ),
    Mistake(
        "units are rounded, not floored", "portal/money.py",
        "return amount * last // quantity - amount * (first - 1) // quantity",
        "return round(amount * last / quantity) - round(amount * (first - 1) / quantity)",
        ("tests/stages/returns/test_units.py::test_singles_are_worth_what_the_cumulative_floor_says",),
    ),
    # -- what Stripe says ----------------------------------------------------------------------------------------
    Mistake(
        "a reserve stays counted after a failure", SETTLE,
        "    payment.refunding_minor -= refund.amount_minor\n", "",
        (f"{REFUNDS}/test_money_cases.py::test_46_a_canceled_refund_frees_its_amount",),
    ),
    Mistake(
        "nobody is asked about a failure", SETTLE,
        "    if quiet:\n        return\n", "    return\n",
        (f"{REFUNDS}/test_money_cases.py::test_44_a_success_that_fails_later_frees_the_money_and_tells_staff_and_customer_once",),
    ),
    Mistake(
        "a late failure is booked as if it had never been paid", SETTLE,
        "    if was_paid:\n", "    if False:\n",
        (f"{REFUNDS}/test_money_cases.py::test_44_a_success_that_fails_later_frees_the_money_and_tells_staff_and_customer_once",),
    ),
    Mistake(
        "\"refunded\" is said when Stripe has only accepted", SETTLE,
        "elif seen == lifecycle.SUCCEEDED:", "elif seen in lifecycle.ACCEPTED:",
        (f"{REFUNDS}/test_money_cases.py::test_46_a_canceled_refund_frees_its_amount",),
    ),
    Mistake(
        "old news moves a row", "portal/refunds/lifecycle.py",
        "SUCCEEDED: frozenset({FAILED, CANCELED})", "SUCCEEDED: frozenset({PENDING, FAILED, CANCELED})",
        ("tests/pure/test_refund_lifecycle.py::test_every_pair_has_its_one_answer",),
    ),
    Mistake(
        "what failed comes back to life", "portal/refunds/lifecycle.py",
        "FAILED: frozenset(),", "FAILED: frozenset({PENDING, SUCCEEDED}),",
        ("tests/pure/test_refund_lifecycle.py::test_every_pair_has_its_one_answer",),
    ),
    Mistake(
        "a message is believed instead of asked about", "portal/refunds/webhooks.py",
        'view = gateway.read_refund(subject["id"])\n',
        'import dataclasses\n\n        view = gateway.read_refund(subject["id"])\n'
        '        view = dataclasses.replace(view, status=subject["status"])\n',
        (f"{REFUNDS}/test_webhooks.py::test_a_message_is_a_hint_and_what_stripe_says_now_counts",),
    ),
    Mistake(
        "a message is believed that Stripe did not sign", "portal/refunds/webhooks.py",
        "    if len(raw_body) > MAX_BODY or not is_signed(raw_body, signature_header or \"\", secrets, now):",
        "    if len(raw_body) > MAX_BODY:",
        (f"{REFUNDS}/test_webhooks.py::test_what_stripe_did_not_sign_just_now_is_400_and_leaves_nothing",),
    ),
    Mistake(
        "refunds of other hands are not counted", TENDERS,
        "min(known, payment.captured_minor - payment.refunding_minor)", "0",
        (f"{REFUNDS}/test_elsewhere.py::test_what_the_shops_system_and_stripe_both_tell_of_counts_once",),
    ),
    Mistake(
        "what found no room stays uncounted when more was captured", "portal/flow.py",
        '"order.updated": (keep_what_was_given, count_other_hands),', '"order.updated": (keep_what_was_given,),',
        (f"{REFUNDS}/test_elsewhere.py::test_what_found_no_room_counts_once_the_shop_says_that_more_was_captured",),
    ),
    Mistake(
        "the bank's reference is forgotten", SETTLE,
        "    refund.bank_reference = view.bank_reference or refund.bank_reference\n", "",
        (f"{REFUNDS}/test_reconcile.py::test_the_banks_reference_is_taken_over",),
    ),
    Mistake(
        "a chargeback freezes nothing", GATEWAY,
        "frozen=bool(harmful)", "frozen=False",
        (f"{REFUNDS}/test_payout.py::test_a_dispute_freezes_the_order_and_what_it_held_goes_on_when_it_is_won",),
    ),
    # -- payments that were not captured ---------------------------------------------------------------------------
    Mistake(
        "free is said without looking", RELEASE,
        "    never_taken = claimed.charged_minor - view.captured_minor\n", "    never_taken = claimed.charged_minor\n",
        (f"{REFUNDS}/test_release.py::test_two_returns_at_once_are_one_capture_and_one_refund",),
    ),
    Mistake(
        "all is captured that was authorized", RELEASE,
        "claimed.charged_minor - claimed.free_minor - claimed.amount_minor, view", "claimed.charged_minor, view",
        (f"{REFUNDS}/test_release.py::test_the_return_of_everything_cancels_the_payment",),
    ),
    Mistake(
        "a backup does not learn what was given free since", "portal/refunds/reconcile.py",
        "        _settle_let_go(database, payment, seen)\n", "",
        (
            f"{REFUNDS}/test_release.py::test_a_backup_older_than_a_payment_let_go_learns_of_it_in_the_night_after",
            f"{REFUNDS}/test_release.py::test_a_backup_older_than_a_capture_of_less_sends_no_refund_of_what_was_never_taken",
        ),
        "let_go_since_the_backup",
    ),
    Mistake(
        "what the shop captured less is taken for given free", SETTLE,
        'view.status == "canceled" or view.released_for == public_id', 'view.status == "canceled" or view.released_minor > 0',
        (f"{REFUNDS}/test_release.py::test_what_the_shop_itself_captured_less_is_no_refund_given_free",),
    ),
    Mistake(
        "what was paid by hand counts as given free", SETTLE,
        "    refund.way, refund.status = REFUND, lifecycle.SUCCEEDED\n", "    refund.status = lifecycle.SUCCEEDED\n",
        (
            f"{REFUNDS}/test_release.py"
            "::test_what_could_not_be_given_free_and_was_paid_by_hand_is_no_release_and_the_rest_is_captured",
        ),
    ),
    # -- staff -----------------------------------------------------------------------------------------------------
    Mistake(
        "a refund is declared unsent at once", ACTIONS,
        "if refund.checked_at is None or refund.checked_at < begun + KEY_IS_DEAD:", "if False:",
        (f"{REFUNDS}/test_submit.py::test_past_the_keys_life_and_nothing_found_staff_are_asked_and_may_start_anew",),
    ),
    Mistake(
        "what is at Stripe may be paid by bank too", ACTIONS,
        "if refund.status not in lifecycle.LOST and refund.status != lifecycle.PLANNED:", "if False:",
        (f"{REFUNDS}/test_payout.py::test_what_may_still_arrive_is_neither_retried_nor_paid_by_another_way",),
    ),
    Mistake(
        "what may still arrive is sent again", ACTIONS,
        "if refund.status not in lifecycle.LOST or final", "if final",
        (f"{REFUNDS}/test_payout.py::test_what_may_still_arrive_is_neither_retried_nor_paid_by_another_way",),
    ),
    Mistake(
        "what has left is taken back", UNDO,
        "if refund.status != lifecycle.PLANNED or refund.cause == ELSEWHERE:", "if refund.cause == ELSEWHERE:",
        (f"{REFUNDS}/test_controls.py::TestUndo",),
    ),
    Mistake(
        "a stop stops nothing", GATE,
        "if self.stopped_at is not None:", "if False:",
        (f"{REFUNDS}/test_gate.py::TestSwitch::test_nothing_is_sent_while_it_is_stopped_and_all_of_it_afterwards",),
    ),
    Mistake(
        "the day's cap is not asked", GATE,
        "if not cap or refund.let_through_by:", "if True:",
        (f"{REFUNDS}/test_gate.py",),
    ),
    Mistake(
        "the cap is counted without its lock", GATE,
        '        return ""\n    _locked(tx)\n', '        return ""\n',
        (f"{REFUNDS}/test_gate.py::TestDailyCap::test_two_workers_never_both_take_the_last_of_it",),
    ),
    Mistake(
        "no second person is needed", TWO_PEOPLE,
        "if total > most else", "if False else",
        (f"{REFUNDS}/test_controls.py::TestSecondPerson",),
    ),
    Mistake(
        "the second person is the first", SECOND,
        "if had_a_part(tx.session, refund, tx.actor.id):", "if False:",
        (f"{REFUNDS}/test_controls.py::TestSecondPerson",),
    ),
    Mistake(
        "gifts for a replacement count apart", TWO_PEOPLE,
        "Goodwill.order_id.in_(family)", "Goodwill.order_id == payment.order_id",
        (f"{REFUNDS}/test_goodwill.py::test_gifts_for_an_order_and_for_its_replacement_count_together_and_each_order_owes_its_own",),
    ),
    # -- goods -----------------------------------------------------------------------------------------------------
    Mistake(
        "units are not given back", HOLDING,
        "    line.order_line.units_held -= units.size(held(line))\n", "",
        ("tests/stages/returns/test_units.py::TestMoneyOfPartialReturns::test_releasing_the_middle_keeps_the_sum_exact",),
    ),
    Mistake(
        "no lock on the units of an order", HOLDING,
        "select(Order).with_for_update(of=Order)", "select(Order)",
        ("tests/stages/returns/test_races.py",),
    ),
    Mistake(
        "stock rises twice for one unit", "portal/receiving/service.py",
        "if count.goes == RESTOCK) - line.restocked_quantity)", "if count.goes == RESTOCK))",
        ("tests/stages/receiving/test_receiving.py::TestInspect::test_stock_follows_the_last_look",),
    ),
    Mistake(
        "what did not come is paid", "portal/returns/payable.py",
        "        elif condition in NOT_PAID:\n            continue\n", "",
        ("tests/stages/receiving/test_receiving.py::TestQuestions::test_missing_units_are_not_paid",),
    ),
    # -- the record ------------------------------------------------------------------------------------------------
    Mistake(
        "the ledger may be changed", "portal/db.py",
        'for verb in ("update", "delete"):', "for verb in ():",
        (f"{REFUNDS}/test_ledger.py::test_a_row_of_the_ledger_is_never_changed_or_removed",),
    ),
    Mistake(
        "a number of the credit notes is left out", "portal/refunds/credit_notes.py",
        ".values(last=NumberSeries.last + 1)", ".values(last=NumberSeries.last + 2)",
        (f"{REFUNDS}/test_credit_notes.py",),
    ),
    Mistake(
        "Stripe's refunds that are not here are no difference", "portal/refunds/report.py",
        '        yield Difference("unknown_here"', '        if False:\n            yield Difference("unknown_here"',
        (f"{REFUNDS}/test_reconcile.py",),
    ),
    # -- situations that have a scene ------------------------------------------------------------------------------
    Mistake(
        "a return whose replacement is on its way is decided once more", UNDO,
        " or _waived(tx, return_) or _replaced(tx, return_)", " or _waived(tx, return_)",
        (f"{RIVER}::test_a_replacement_that_was_ordered_is_not_undone_with_the_refund_beside_it",),
        "exchange_taken_back",
    ),
    Mistake(
        "what came for an exchange is not replaced when the rest is given up", CLAIMS,
        "        exchange.order_replacements(tx, return_.id)\n", "        exchange.release(tx, return_.id)\n",
        (f"{RIVER}::test_what_came_is_replaced_when_the_rest_of_a_paid_return_is_given_up",),
        "rest_given_up",
    ),
    Mistake(
        "a look at the goods pays what was taken back", RECEIVING,
        "        if reviews.DECIDE_AGAIN not in (review.data or {}):\n            reviews.settle",
        "        if True:\n            reviews.settle",
        (f"{RIVER}::test_what_was_taken_back_waits_for_a_decision_however_often_the_goods_are_looked_at",),
        "looked_at_again",
    ),
    Mistake(
        "credit of a replacement is not counted", PAYOUT,
        "    .where(StoreCredit.order_id.in_(select(_THESE)))\n", '    .where(StoreCredit.order_id == bindparam("root"))\n',
        (f"{REFUNDS}/test_exchange.py::test_credit_for_a_replacement_counts_against_the_payments_of_the_original",),
        "replacement_returned",
    ),
    Mistake(
        "what is sent again is held against its payment alone", ACTIONS,
        "    return min(payment.refundable_minor, payout.room(session, chain, payments_of(session, chain)))\n",
        "    return payment.refundable_minor\n",
        (f"{REFUNDS}/test_siblings.py::test_a_failed_refund_is_not_paid_from_what_stands_for_store_credit",),
        "credit_after_failure",
    ),
    Mistake(
        "what staff paid is charged to money that stands for credit", SHORTAGE,
        "possible = min(owed.minor, payout.room(tx.session, chain, list(payments.values()))) if payments else 0",
        "possible = owed.minor",
        (f"{REFUNDS}/test_shortage.py::TestPaidElsewhere::test_no_payment_is_charged_with_what_was_given_as_store_credit",),
        "paid_beside_credit",
    ),
    Mistake(
        "credit that was short is sent as money", PAYOUT,
        "    as_credit = 0 if is_credit_over(tx.session, return_id) else min(max(quote.credit_total.minor, 0), rest)\n",
        "    as_credit = 0\n",
        (f"{AGREED}::test_owed_store_credit_waits_for_its_money_and_is_never_refunded",),
        "credit_short",
    ),
    Mistake(
        "what is sent later carries no rest", PAYOUT,
        "    refunds = _plan_refunds_and_carry(tx, return_, chain, rest - as_credit, shop)[0] if rest > as_credit else []\n",
        "    refunds = _plan_refunds(tx, return_, chain, rest - as_credit, shop)[0] if rest > as_credit else []\n",
        (f"{AGREED}::test_a_rest_below_a_step_is_left_for_the_next_payout_and_the_return_ends",),
        "rest_sent_later",
    ),
    Mistake(
        "an order may be told to have captured less than was given", "portal/flow.py",
        '"order.updated": (keep_what_was_given, count_other_hands),', '"order.updated": (count_other_hands,),',
        (f"{REFUNDS}/test_elsewhere.py::test_an_import_never_lowers_what_was_captured_below_refunds_and_store_credit_together",),
        "less_captured_after_credit",
    ),
    Mistake(
        "credit beside a refund needs no second person", TWO_PEOPLE,
        "    return refunds + (credit.amount_minor if credit is not None else 0)\n", "    return refunds\n",
        (f"{REFUNDS}/test_controls.py::TestSecondPerson::test_store_credit_beside_a_refund_counts_for_the_same_payout",),
        "credit_beside_refund",
    ),
    Mistake(
        "what staff take off a credit leaves its bonus whole", PAYOUT,
        "quote.credit_total.minor, quote.bonus_minor)\n",
        'quote.credit_total.minor, sum(p.amount_minor for p in quote.all_parts() if p.kind == "credit_bonus"))\n',
        (f"{RIVER}::test_what_staff_take_off_a_credit_comes_off_its_bonus_first_and_tax_is_that_of_the_goods",),
        "bonus_taken_off",
    ),
    Mistake(
        "a payment of several orders is let go for one of them", RELEASE,
        "        if _is_shared(tx, payment):\n", "        if False:\n",
        (f"{REFUNDS}/test_release.py::test_a_payment_that_pays_for_two_orders_is_left_to_people",),
        "payment_of_two_orders",
    ),
    Mistake(
        "what may have been given free is prepared again", RELEASE,
        "sure=claimed.sure and not error.effect_unknown,", "sure=True,",
        (f"{REFUNDS}/test_release.py::test_a_lost_answer_is_found_by_looking_and_nothing_is_done_twice",),
        "free_without_answer",
    ),
    Mistake(
        "nobody hears of a refund that does not get out", SETTLE,
        "    if early or tx.session.scalars(", "    if True or tx.session.scalars(",
        (f"{REFUNDS}/test_submit.py::test_a_refund_that_does_not_get_out_for_hours_is_asked_about_once_and_still_tried",),
        "stuck",
    ),
    Mistake(
        "a gift's note does not wait for what can be taken back", "portal/refunds/credit_notes.py",
        "    if not paid or any(part.status == lifecycle.PLANNED for part in parts):\n", "    if not paid:\n",
        # The machine cannot see it: what a note names is not taken back any more (`undo`).
        (f"{REFUNDS}/test_credit_notes.py::test_a_gifts_note_waits_for_what_can_be_taken_back_and_leaves_it_out",),
    ),
    Mistake(
        "a credit note goes on naming what was closed unpaid", "portal/flow.py",
        '"money.waived": (then("correct_credit_note"), ', '"money.waived": (',
        (f"{REFUNDS}/test_corrections.py::test_a_close_asks_for_the_correction_and_the_job_issues_it",),
        "rest_closed",
    ),
    Mistake(
        "units are given that were never delivered", "portal/refunds/goodwill.py",
        "    return line.delivered_at is not None and line.delivered_at <= at\n", "    return True\n",
        (f"{REFUNDS}/test_goodwill.py::test_units_that_the_customer_does_not_have_are_not_given_but_an_amount_is",),
        "split_delivery",
    ),
    Mistake(
        "what was given up is forgotten", "portal/refunds/ledger.py",
        "Refund.failure_code.not_in(lifecycle.DECIDED_ANEW)", "Refund.failure_code != lifecycle.TAKEN_BACK",
        (f"{REFUNDS}/test_shortage.py::TestAFailedRefundWithTooLittleLeft",),
        "credit_after_failure",
    ),
    Mistake(
        "a bonus is paid in money", SHORTAGE,
        "    return min(quote.bonus_minor, quote.credit_total.minor, open_minor)\n", "    return 0\n",
        (f"{REFUNDS}/test_shortage.py::TestABonus",),
        "paid_beside_credit",
    ),
    Mistake(
        "what is on its way is called refunded", "portal/refunds/queries.py",
        "    if paid == owed:\n", "    if paid + sums[ledger.RESERVED] == owed:\n",
        (f"{REFUNDS}/test_submit.py::test_an_answer_that_is_lost_is_unknown_and_the_retry_uses_the_same_key",),
        "credit_beside_refund",
    ),
)  # fmt: skip
