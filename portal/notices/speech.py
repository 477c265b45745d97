"""How one reader is spoken to: language, amounts, shares, days.

In: a locale and the shop's zone. Out: text. Invariant: words and figures of one text are in one language.
Never: a sentence of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.numbers import format_percent

from portal import i18n, wording
from portal.policy.explain import Wording


@dataclass(frozen=True, slots=True)
class Speech:
    """How one reader is spoken to: their language, and the shop's zone."""

    locale: str
    zone: str
    gettext: Callable[[str], str]
    ngettext: Callable[[str, str, int], str]

    @classmethod
    def of(cls, locale: str, zone: str) -> Speech:
        """The speech for a locale that `i18n.reader` gave."""
        words = i18n.catalogue(locale)
        return cls(locale, zone, words.gettext, words.ngettext)

    def money(self, minor: int, currency: str, *, signed: bool = False) -> str:
        """``−£3.50``; ``signed`` also writes the plus."""
        return wording.money(minor, currency, self.locale, signed=signed)

    def percent(self, basis_points: int) -> str:
        """``10%`` of 1000 basis points."""
        share = Decimal(basis_points) / 10_000
        return format_percent(share, locale=wording.locale_of(self.locale), decimal_quantization=False)

    def local_day(self, moment: datetime) -> date:
        """The day of ``moment`` in the shop's calendar."""
        return moment.astimezone(ZoneInfo(self.zone)).date()

    def goes_to(self, method: str, provider: str) -> str:
        """Where money goes, behind "to": the card or account (``Visa ending 4242``), else what its ``provider`` is to a customer.

        Both are those of `refunds.queries.Piece`: where staff have paid by hand, the way by which they did.
        """
        _ = self.gettext
        own = {
            "bank": _("your bank account"),
            "bank_transfer": _("your bank account"),
            "gift_card": _("your gift card"),
            "paypal": _("your PayPal account"),
            "cash": _("you in cash"),
            "cod": _("you in person"),
            "cash_on_delivery": _("you in person"),
            "stripe": _("the card or account you paid with"),
            "other": _("you by another way"),
        }
        # Nobody pays "to Cash": a method that only names the way is said as the way is.
        named = own.get(method.casefold().replace(" ", "_"))
        return named or method or own.get(provider.casefold(), _("the way you paid"))

    def working_days(self, least: int, most: int) -> str:
        """``5 to 10 working days``."""
        if least == most:
            return self.ngettext("%(num)s working day", "%(num)s working days", most) % {"num": most}
        return self.gettext("%(least)s to %(most)s working days") % {"least": least, "most": most}

    def answer_within(self, hours: int) -> str:
        """``24 hours``: the time in which a person of the shop answers, by the shop's setting; every promise says this."""
        return self.ngettext("%(num)s hour", "%(num)s hours", hours) % {"num": hours}

    def when_sent(self, refund_when: str, check_days: int, *, by_hand: bool = False) -> str:
        """When money leaves the shop, by the policy's `refund_when`: one sentence for every page and mail.

        ``check_days`` are the working days in which the shop checks what has arrived; what is handed in ``by_hand`` at one of
        its own shops travels in no parcel.
        """
        _ = self.gettext
        if by_hand and refund_when != "authorized":
            return {
                "in_transit": _("We send it when you’ve handed the items in."),
                "received": _("We send it when you’ve handed the items in."),
                "inspected": _("We check the items in the shop, then we send it."),
            }[refund_when]
        if refund_when == "inspected":
            return self.ngettext(
                "We check your parcel within %(num)s working day of its arrival, then we send it.",
                "We check your parcel within %(num)s working days of its arrival, then we send it.",
                check_days,
            ) % {"num": check_days}
        return {
            "authorized": _("We send it at once."),
            "in_transit": _("We send it when you’ve handed the parcel over."),
            "received": _("We send it when your parcel has reached us."),
        }[refund_when]

    def wording(self) -> Wording:
        """The same for the sentences of `policy.explain`."""
        return Wording(
            self.gettext,
            self.ngettext,
            lambda day: wording.day(day, self.locale),
            lambda money: self.money(money.minor, money.currency),
        )
