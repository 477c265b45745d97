"""Time, as the only place that asks the machine for it.

In: nothing. Out: aware UTC datetimes. Invariant: every stored ``*_at`` is aware and UTC. Never: naive datetimes.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def now() -> datetime:
    """The current moment, aware, in UTC."""
    return datetime.now(UTC)


def end_of_day(day: date, zone: str) -> datetime:
    """The last microsecond of ``day`` in the shop's ``zone``, as UTC. Clock changes make such a day 23 or 25 hours long."""
    midnight = datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(zone))
    return midnight.astimezone(UTC) - timedelta(microseconds=1)


def local_date(moment: datetime, zone: str) -> date:
    """The calendar day of ``moment`` in the shop's ``zone``."""
    return moment.astimezone(ZoneInfo(zone)).date()


def add_working_days(day: date, days: int) -> date:
    """``days`` Mondays to Fridays after ``day``; public holidays differ by bank and are not known."""
    while days > 0:
        day += timedelta(days=1)
        if day.weekday() < 5:
            days -= 1
    return day
