"""People: what a role may do, which passwords are taken, and that a change of somebody ends what they had open."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import get_args

import pytest
from sqlalchemy import select

from portal import clock
from portal.db import Actor, Database
from portal.errors import Invalid, NotFound
from portal.shop import RefundLimits, RoleName
from portal.staff import permissions as may
from portal.staff import queries, service
from portal.staff.models import SignIn, User
from portal.timeline import TimelineEntry

PASSWORD = "harbour-lights-2026"
INES = Actor("staff", "Ines Moreau", 1)

TABLE = {
    may.SEE_QUEUE: {"owner", "lead", "agent"},
    may.SEE_RETURNS: {"owner", "lead", "agent", "merchant", "warehouse"},
    may.SEE_CUSTOMERS: {"owner", "lead", "agent"},
    may.DECIDE: {"owner", "lead", "agent"},
    may.OVERRULE: {"owner", "lead"},
    may.RECEIVE: {"owner", "lead", "agent", "warehouse"},
    may.SEE_REFUNDS: {"owner", "lead", "agent"},
    may.REPAIR_REFUNDS: {"owner", "lead"},
    may.EXCEED_CAP: {"owner", "lead"},
    may.STOP_REFUNDS: {"owner", "lead"},
    may.UNDO_REFUNDS: {"owner", "lead", "agent"},
    may.SECOND_REFUNDS: {"owner", "lead"},
    may.GIVE_GOODWILL: {"owner", "lead"},
    may.SEE_POLICY: {"owner", "lead", "agent", "merchant"},
    may.EDIT_POLICY: {"owner", "lead", "merchant"},
    may.PUBLISH_POLICY: {"owner", "lead", "merchant"},
    may.EXCEED_CAP: {"owner", "lead"},
    may.STOP_REFUNDS: {"owner", "lead"},
    may.MANAGE_STAFF: {"owner"},
}


@pytest.mark.parametrize("permission", may.PERMISSIONS)
def test_each_permission_belongs_to_exactly_these_roles(permission: str) -> None:
    assert {role for role in may.ROLES if may.allows([role], permission)} == TABLE[permission]


def test_a_role_that_is_not_known_any_more_gives_nothing_and_several_add_up() -> None:
    assert may.allowed(["janitor"]) == frozenset()
    assert may.allowed(["warehouse", "agent"]) == may.ROLES["warehouse"] | may.ROLES["agent"]


def test_asking_for_a_permission_that_does_not_exist_is_a_bug() -> None:
    with pytest.raises(KeyError):
        may.allows(["owner"], "fly")


def put(database: Database, email: str = "maya@wren.example", role: str = "lead", **more: str) -> str:
    with database.transaction(INES) as tx:
        return service.put_user(tx, email=email, role=role, **({"name": "Maya Okafor", "password": PASSWORD} | more))


def test_somebody_is_added_once_and_changed_afterwards(any_database: Database) -> None:
    assert put(any_database) == "added"
    assert put(any_database, " MAYA@Wren.example", role="agent", name="") == "changed"
    with any_database.read() as session:
        user = session.scalars(select(User)).one()
        assert (user.email, user.name, [role.name for role in user.roles]) == (
            "maya@wren.example",
            "Maya Okafor",
            ["agent"],
        )
        said = session.scalars(select(TimelineEntry).order_by(TimelineEntry.id)).all()
        assert [(each.what, each.actor_name, each.data) for each in said] == [
            ("staff.added", "Ines Moreau", {"user": user.id, "name": "Maya Okafor", "role": "lead"}),
            ("staff.changed", "Ines Moreau", {"user": user.id, "name": "Maya Okafor", "role": "agent"}),
        ]


def test_a_name_is_made_from_the_address_when_none_is_given(database: Database) -> None:
    put(database, "jonas.berg@wren.example", name="")
    with database.read() as session:
        assert session.scalars(select(User.name)).one() == "Jonas Berg"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "no address"),
        ("email", ""),
        ("email", "a@b\x00.example"),
        ("role", "janitor"),
        ("password", "short"),
        ("password", "elevenchars"),
        ("password", "x" * 201),
        ("password", "aaaaaaaaaaaa"),
        ("password", "maya@wren.example"),
        ("password", "harbour-\x00-lights"),
        ("name", "x" * 121),
    ],
)
def test_what_makes_no_person_is_refused_by_its_field(database: Database, field: str, value: str) -> None:
    with pytest.raises(Invalid) as wrong:
        put(database, **{field: value})
    assert list(wrong.value.fields) == [field]
    with database.read() as session:
        assert session.scalars(select(User)).all() == []


@pytest.mark.parametrize(
    "password", ["twelve chars", "пароль-гавань-2026", "  spaces kept  ", "🦆🦢🦉🐓🦜🦩🦚🐧🐦🐤🐣🐥"]
)
def test_any_text_of_twelve_signs_is_a_password(database: Database, password: str) -> None:
    assert put(database, password=password) == "added"


def test_a_password_is_never_stored(database: Database) -> None:
    put(database)
    with database.read() as session:
        kept = session.scalars(select(User.password)).one()
        assert kept is not None
        assert kept.startswith("$argon2id$")
        assert PASSWORD not in kept


def _who(database: Database, token: str, at_most_hours: float = 12) -> str | None:
    with database.read() as session:
        uniquifier = session.scalars(select(User.fs_uniquifier)).one()
        after = clock.now() - timedelta(hours=at_most_hours)
        found = queries.find_signed_in(session, uniquifier, token, begun_after=after)
        return None if found is None else found.email


def sign_in(database: Database) -> str:
    with database.transaction() as tx:
        user = tx.session.scalars(select(User)).one()
        return service.sign_in(tx, user.id)


def test_a_sign_in_holds_until_it_ends(any_database: Database) -> None:
    put(any_database)
    token = sign_in(any_database)
    assert _who(any_database, token) == "maya@wren.example"
    assert _who(any_database, token, at_most_hours=0) is None
    assert _who(any_database, "another token") is None
    with any_database.transaction() as tx:
        service.sign_out(tx, token)
    assert _who(any_database, token) is None


def test_another_persons_token_does_not_fit_a_cookie(database: Database) -> None:
    put(database)
    put(database, "jonas@wren.example")
    with database.transaction() as tx:
        maya, jonas = tx.session.scalars(select(User).order_by(User.id)).all()
        token = service.sign_in(tx, jonas.id)
        uniquifier = maya.fs_uniquifier
    with database.read() as session:
        assert queries.find_signed_in(session, uniquifier, token, begun_after=clock.now() - timedelta(hours=1)) is None


def test_putting_somebody_out_ends_their_sign_ins_and_letting_them_in_does_not_revive_them(database: Database) -> None:
    put(database)
    token = sign_in(database)
    for active in (False, True):
        with database.transaction(INES) as tx:
            service.set_active(tx, email="Maya@wren.example", active=active)
        assert _who(database, token) is None
    with database.read() as session:
        said = [each.what for each in session.scalars(select(TimelineEntry).order_by(TimelineEntry.id))]
    assert said == ["staff.added", "staff.deactivated", "staff.activated"]


def test_nobody_can_put_out_somebody_who_is_not_there(database: Database) -> None:
    with pytest.raises(NotFound), database.transaction() as tx:
        service.set_active(tx, email="nobody@wren.example", active=False)


def test_old_sign_ins_of_a_person_are_forgotten_at_the_next_one(database: Database) -> None:
    put(database)
    long_ago = clock.now() - timedelta(days=31)
    with database.transaction(at=long_ago) as tx:
        service.sign_in(tx, tx.session.scalars(select(User.id)).one())
    sign_in(database)
    with database.read() as session:
        assert len(session.scalars(select(SignIn)).all()) == 1


def test_the_shops_file_limits_the_roles_that_there_are() -> None:
    assert set(get_args(RoleName)) == set(may.ROLES)


@pytest.mark.parametrize(
    ("roles", "currency", "most"),
    [
        (["agent"], "GBP", 30000),
        (["agent"], "EUR", None),
        (["lead"], "GBP", 100000),
        (["agent", "lead"], "GBP", 100000),
        (["agent", "owner"], "GBP", None),
        ([], "GBP", None),
    ],
)
def test_a_limit_counts_for_a_role_and_a_currency_and_the_kindest_of_several(
    roles: list[str], currency: str, most: int | None
) -> None:
    limits = RefundLimits(limits={"agent": {"GBP": Decimal(300)}, "lead": {"GBP": Decimal(1000)}})
    assert limits.limit_minor(roles, currency) == most
