"""The commands on returns, in one place for pages, API and downstream stages."""

from portal.returns.booking import DECIDE_WITHIN_HOURS, Refused, book
from portal.returns.decisions import (
    authorize,
    can_be_canceled,
    cancel,
    close,
    expire,
    mark_in_transit,
    overrules,
    refuse,
)
from portal.returns.outcome import change_resolution, hand_over, outcomes
from portal.returns.payable import goods_outstanding, payable_quote, reprice
from portal.returns.questions import answer_question, ask
from portal.returns.reopening import take_decision_back

__all__ = [
    "DECIDE_WITHIN_HOURS",
    "Refused",
    "answer_question",
    "ask",
    "authorize",
    "book",
    "can_be_canceled",
    "cancel",
    "change_resolution",
    "close",
    "expire",
    "goods_outstanding",
    "hand_over",
    "mark_in_transit",
    "outcomes",
    "overrules",
    "payable_quote",
    "refuse",
    "reprice",
    "take_decision_back",
]
