"""Moments as days in the policies' own calendars, and which days two policies can tell apart.

In: moments as the database writes them (UTC), and policies. Out: ordinals of days, and a number for each class of days.
Invariant: two lines of one class are on the same side of every day that a rule or a law names, and have the same spans
between their days, so that no test and no window answers differently. Never: a day that is not taken in a policy's timezone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol, TypeAlias
from zoneinfo import ZoneInfo

from portal.policy.conditions import DAY, Comparison, find_fact
from portal.policy.loader import Policy
from portal.policy.simulate import Numbers
from portal.policy.terms import Window

Days: TypeAlias = tuple[int, ...]
"""The same moment's day in each zone, as ordinals."""
MOMENTS = ("placed", "last_delivered", "shipped", "delivered")
"""The moments of a line. Columns of them hold what the database writes, None where a moment is not known."""
_SPLIT = -1
"""Stands for an hour within which a day of some zone begins: each of its moments is looked at by itself."""
_PLAIN = {"days", "until", "start", "if_undelivered"}


class HasColumns(Protocol):
    """Lines, of which each column can be had by its name."""

    def __getitem__(self, name: str, /) -> Sequence[Any]: ...


class Calendar:
    """The days of moments in some zones.

    ``years`` moves every moment that many years on, so that rules with dates of this year can be tried on orders of the last.
    """

    def __init__(self, zones: Sequence[ZoneInfo], years: int = 0) -> None:
        self.zones = tuple(dict.fromkeys(zones))
        self._years = years
        self._hours = Numbers()
        self._by_days: dict[Days | None, int] = {}

    def moment(self, text: str) -> datetime:
        """The aware moment."""
        found = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return move(found, self._years) if self._years else found

    def days(self, text: str | None) -> Days | None:
        """The day in each zone; None when the moment is not known."""
        return None if text is None else self.days_of(self.moment(text))

    def numbers(self, moments: Sequence[str | None]) -> list[int]:
        """A number for the days of each moment, the same for the same days."""
        hours = [text and text[:13] for text in moments]
        found = self._hours.of(hours, lambda at: self._of_hour(hours[at]))
        if _SPLIT in found:
            found = [
                self._number(self.days(moments[at])) if number == _SPLIT else number for at, number in enumerate(found)
            ]
        return found

    def _of_hour(self, hour: str | None) -> int:
        if hour is None:
            return self._number(None)
        first, last = (self.days(hour + rest) for rest in (":00:00", ":59:59.999999"))
        return self._number(first) if first == last else _SPLIT

    def _number(self, days: Days | None) -> int:
        return self._by_days.setdefault(days, len(self._by_days))

    def days_of(self, moment: datetime) -> Days:
        """The day in each zone."""
        return tuple(moment.astimezone(zone).toordinal() for zone in self.zones)


def move(moment: datetime, years: int) -> datetime:
    """The same day and time so many years later; 29 February becomes the 28th where there is none."""
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:
        return moment.replace(year=moment.year + years, day=28)


def first_day(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a day in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def noon(ordinal: int, zone: ZoneInfo) -> datetime:
    """Noon of a day: when a line is asked about."""
    return datetime.combine(date.fromordinal(ordinal), time(12), tzinfo=zone).astimezone(UTC)


class DayClasses:
    """The classes of lines by their days: placed, last parcel, shipped, delivered, and the day on which is asked.

    A line is asked about ``asked_after`` days after delivery (or shipping, or the order, whichever is known), at noon in the
    calendar's first zone.
    """

    def __init__(
        self, calendar: Calendar, policies: Sequence[Policy], tests: Iterable[Comparison], asked_after: int
    ) -> None:
        self._calendar = calendar
        self._asked_after = asked_after
        self._numbers = Numbers()
        self._classes: dict[Hashable, int] = {}
        windows = [window for policy in policies for window in all_windows(policy)]
        # A kind of window that is not known here may look at weekdays or holidays: then every day is a class of its own.
        self._by_day = not all(_is_plain(window) for window in windows)
        tests = list(tests)
        self._edges = sorted(_edges(tests, windows))
        used = {window.start for window in windows} | {
            test.fact.rpartition(".")[2] for test in tests if _asks_days(test)
        }
        # A moment that nothing is counted from and no test asks tells no two lines apart.
        self._used = [index for index, name in enumerate(MOMENTS) if name in used]
        self.counted = {name for name in MOMENTS if self._by_day or name in used} | {"delivered"}
        """The moments that matter for every line. Of one that was delivered, the day of asking does not hang on the others."""

    def asked_on(self, placed: Days | None, shipped: Days | None, delivered: Days | None) -> datetime:
        """The moment of asking. Raises ValueError when no moment is known."""
        start = delivered or shipped or placed
        if start is None:
            raise ValueError("a line without any moment")
        return noon(start[0] + self._asked_after, self._calendar.zones[0])

    def numbers(self, moments: HasColumns) -> list[int]:
        """The class of each line, by its columns of `MOMENTS`."""
        delivered = moments["delivered"]
        columns: list[Sequence[int]] = []
        for name in MOMENTS:
            if name in self.counted:
                columns.append(self._calendar.numbers(moments[name]))
            elif None in delivered:
                left = [text if came is None else None for text, came in zip(moments[name], delivered, strict=True)]
                columns.append(self._calendar.numbers(left))
        days = list(zip(*columns, strict=True))
        return self._numbers.of(days, lambda place: self._number([moments[name][place] for name in MOMENTS]))

    def _number(self, moments: Sequence[str | None]) -> int:
        days = tuple(map(self._calendar.days, moments))
        key: Hashable = days if self._by_day else self._sides(days)
        return self._classes.setdefault(key, len(self._classes))

    def _sides(self, days: tuple[Days | None, ...]) -> Hashable:
        placed, _, shipped, delivered = days
        asked = self._calendar.days_of(self.asked_on(placed, shipped, delivered))
        edges, used = self._edges, [days[index] for index in self._used]
        return tuple(
            (
                bisect_right(edges, today),
                *(None if each is None else (bisect_right(edges, each[zone]), today - each[zone]) for each in used),
            )
            for zone, today in enumerate(asked)
        )


def all_terms(policy: Policy) -> Iterator[Mapping[str, Any]]:
    """What the rules, `otherwise` and the laws of a policy set."""
    yield policy.otherwise
    yield from (rule.sets for rule in policy.rules)
    yield from (floor.grants for law in policy.floors for floor in law.floors)


def all_windows(policy: Policy) -> Iterator[Window]:
    """Every window that could be decided, those for parcels that are not delivered among them."""

    def within(value: Any) -> Iterator[Window]:
        if isinstance(value, Window):
            yield value
            yield from within(value.if_undelivered)
        elif isinstance(value, Mapping):
            for each in value.values():
                yield from within(each)

    for sets in all_terms(policy):
        yield from within(sets)


def _asks_days(test: Comparison) -> bool:
    spec = find_fact(test.fact)
    return spec is not None and (spec.type == DAY or spec.kind == "days")


def _is_plain(window: Window) -> bool:
    return all(getattr(window, each.name) == each.default for each in fields(window) if each.name not in _PLAIN)


def _edges(tests: Iterable[Comparison], windows: Sequence[Window]) -> set[int]:
    """The first days on which some test or some comparison of last days may answer differently than the day before."""
    found: set[int] = set()
    for test in tests:
        spec = find_fact(test.fact)
        if spec is not None and spec.type == DAY:
            first, last = test.value if isinstance(test.value, tuple) else (test.value, test.value)
            found |= {first.toordinal(), (last + timedelta(days=1)).toordinal()}
    spans = {0, *(window.days for window in windows if window.days is not None)}
    for window in windows:
        if window.until is not None:
            # The end of a window of n days is before, on, or after the fixed day of another one.
            found |= {window.until.toordinal() - span + side for span in spans for side in (0, 1)}
    return found


def asks_law_for_days(policy: Policy, tests: Iterable[Comparison]) -> bool:
    """True when a law tests days, which it does in UTC and not in the policy's zone."""
    return bool(policy.floors) and any(
        (spec := find_fact(test.fact)) is not None and spec.type == DAY for test in tests
    )
