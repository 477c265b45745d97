"""Who comes in, for how long, and how little a stranger learns by trying."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo
from sqlalchemy import select

from portal import edge
from portal.cli.access import staff as people_commands
from portal.db import Database
from portal.flow import Ports
from portal.staff import service
from portal.staff.models import SignIn, User
from tests.web.staff.browser import PASSWORD, Browser, words
from tests.web.staff.conftest import make_app
from tests.web.staff.shop import NOW

MAYA = "maya@wren.example"


def test_a_page_sends_a_stranger_to_the_door_and_on_to_the_page_afterwards(stranger: Browser) -> None:
    answer = stranger.get("/staff/returns?status=received")
    assert answer.status_code == 303
    assert answer.location.startswith("/staff/sign-in?next=")
    form = stranger.form(answer.location, "sign-in")
    answer = stranger.submit(form, {"email": MAYA, "password": PASSWORD})
    assert (answer.status_code, answer.location) == (303, "/staff/returns?status=received")
    assert stranger.get("/staff/returns?status=received").status_code == 200


def test_address_in_any_case_and_password_in_any_normal_form_fit(
    app: Flask, database: Database, people: object
) -> None:
    with database.transaction() as tx:
        service.put_user(tx, email="Zoë@Wren.example", role="agent", name="Zoë", password="élan-vital-été-2026")
    browser = Browser(app)
    browser.sign_in(" ZOË@wren.EXAMPLE ", "e\u0301lan-vital-e\u0301te\u0301-2026")
    assert browser.get("/staff/").status_code == 200


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (MAYA, "harbour-lights-2027"),
        ("nobody@wren.example", PASSWORD),
        ("no address", PASSWORD),
        (MAYA, "x" * 100_000),
        ("' OR 1=1 --", "' OR 1=1 --"),
        ("maya@wren.example\x00", PASSWORD),
    ],
)
def test_what_does_not_fit_gets_one_sentence_that_never_says_which(
    stranger: Browser, email: str, password: str
) -> None:
    answer = stranger.sign_in(email, password)
    assert answer.status_code == 422
    assert "The e-mail address or the password is wrong" in words(answer.text)
    assert stranger.get("/staff/").status_code == 303


def test_an_unknown_address_gets_the_same_page_as_a_wrong_password(stranger: Browser) -> None:
    pages = []
    for email in (MAYA, "mara@wren.example"):
        text = stranger.sign_in(email, "wrong-but-long-enough").text.replace(email, "EMAIL")
        pages.append([line for line in text.splitlines() if "csrf_token" not in line])
    assert pages[0] == pages[1]


def test_an_unknown_address_costs_a_hash_too(stranger: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    import flask_security.forms

    hashed = []
    real = flask_security.forms.hash_password
    monkeypatch.setattr(flask_security.forms, "hash_password", lambda text: hashed.append(1) or real(text))
    stranger.sign_in("nobody@wren.example", "wrong-but-long-enough")
    assert hashed


def test_somebody_deactivated_learns_nothing_and_is_out_at_the_next_request(
    app: Flask, database: Database, lead: Browser
) -> None:
    assert lead.get("/staff/").status_code == 200
    with database.transaction() as tx:
        service.set_active(tx, email=MAYA, active=False)
    assert lead.get("/staff/").status_code == 303
    answer = Browser(app).sign_in(MAYA)
    assert answer.status_code == 422
    assert "password is wrong" in words(answer.text)


def test_a_new_password_ends_every_sign_in(database: Database, lead: Browser) -> None:
    with database.transaction() as tx:
        service.put_user(tx, email=MAYA, role="lead", name="", password="another-harbour-2026")
    assert lead.get("/staff/").status_code == 303


def test_a_changed_role_counts_at_the_next_request(database: Database, agent: Browser) -> None:
    assert agent.get("/staff/refunds").status_code == 200
    with database.transaction() as tx:
        user = tx.session.scalars(select(User).where(User.email == "jonas@wren.example")).one()
        user.roles = [service._role(tx, "warehouse")]
    assert agent.get("/staff/refunds").status_code == 403


def guess(database: Database, times: int) -> None:
    """Wrong sign-ins to one account, each from another address."""
    for number in range(times):
        edge.limit_sign_in(database, f"198.51.100.{number}", MAYA)


def test_a_strangers_wrong_tries_do_not_lock_the_account(stranger: Browser) -> None:
    data = dict(stranger.form("/staff/sign-in", "sign-in").values) | {"email": MAYA, "password": "wrong"}
    there, here = {"REMOTE_ADDR": "192.0.2.1"}, {"REMOTE_ADDR": "192.0.2.99"}
    codes = [stranger.client.post("/staff/sign-in", data=data, environ_base=there).status_code for _ in range(70)]
    assert codes == [422] * 10 + [429] * 60
    right = data | {"password": PASSWORD}
    assert stranger.client.post("/staff/sign-in", data=right, environ_base=here).status_code == 303


def test_tries_are_limited_for_the_account_from_any_address(stranger: Browser, database: Database) -> None:
    form = stranger.form("/staff/sign-in", "sign-in")
    data = dict(form.values) | {"email": MAYA, "password": "wrong-but-long-enough"}
    guess(database, 59)
    answer = stranger.client.post("/staff/sign-in", data=data, environ_base={"REMOTE_ADDR": "192.0.2.98"})
    assert answer.status_code == 422
    answer = stranger.client.post(
        "/staff/sign-in", data=data | {"password": PASSWORD}, environ_base={"REMOTE_ADDR": "192.0.2.99"}
    )
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    assert "Too many tries" in words(answer.text)
    assert "order" not in words(answer.text).partition("Too many tries")[2].partition("Wait 1")[0]


@pytest.mark.parametrize(
    "spelling",
    [
        "maya@\N{FULLWIDTH LATIN SMALL LETTER W}ren.example",
        "maya@wren\N{IDEOGRAPHIC FULL STOP}example",
        "MAYA@wren\N{FULLWIDTH FULL STOP}EXAMPLE",
        "maya@\N{MATHEMATICAL BOLD SMALL W}ren.example",
    ],
)
def test_every_spelling_of_a_domain_counts_for_the_one_account_it_opens(
    stranger: Browser, database: Database, spelling: str
) -> None:
    guess(database, 58)
    data = dict(stranger.form("/staff/sign-in", "sign-in").values) | {"email": MAYA, "password": PASSWORD}

    def tried(number: int, **changed: str) -> int:
        address = {"REMOTE_ADDR": f"192.0.2.{number}"}
        return stranger.client.post("/staff/sign-in", data=data | changed, environ_base=address).status_code

    for number in range(2):
        assert tried(number, email=(MAYA, spelling)[number], password="wrong-but-long-enough") == 422
    assert tried(98, email=spelling) == 429
    assert tried(99) == 429


def test_what_is_no_address_is_refused_and_counted_as_it_was_typed(stranger: Browser) -> None:
    data = dict(stranger.form("/staff/sign-in", "sign-in").values) | {"email": "no address", "password": PASSWORD}
    codes = [
        stranger.client.post("/staff/sign-in", data=data, environ_base={"REMOTE_ADDR": f"192.0.2.{n}"}).status_code
        for n in range(61)
    ]
    assert codes == [422] * 60 + [429]


def test_tries_are_limited_for_the_address_over_any_accounts(stranger: Browser) -> None:
    form = stranger.form("/staff/sign-in", "sign-in")
    codes = [
        stranger.client.post(
            "/staff/sign-in", data=dict(form.values) | {"email": f"p{n}@wren.example", "password": "x" * 12}
        )
        for n in range(11)
    ]
    assert [answer.status_code for answer in codes] == [422] * 10 + [429]


def test_an_office_behind_one_address_signs_in_as_often_as_it_likes(stranger: Browser) -> None:
    for _number in range(12):
        data = dict(stranger.form("/staff/sign-in", "sign-in").values) | {"email": MAYA, "password": PASSWORD}
        assert stranger.client.post("/staff/sign-in", data=data).status_code == 303
        assert stranger.submit(stranger.form("/staff/", "sign-out")).status_code == 303


def test_without_its_token_the_form_does_nothing(stranger: Browser, database: Database) -> None:
    answer = stranger.client.post("/staff/sign-in", data={"email": MAYA, "password": PASSWORD})
    assert answer.status_code == 400
    assert stranger.get("/staff/").status_code == 303


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/staff//evil.example",
        "/staff\\@evil.example",
        "javascript:alert(1)",
        "/staffing",
        "/returns/R-1",
        "/staff/\r\nSet-Cookie: a=b",
        "/staff/?x=" + "y" * 2000,
    ],
)
def test_the_way_on_never_leaves_the_staff_pages(stranger: Browser, target: str) -> None:
    token = stranger.form("/staff/sign-in").get("csrf_token")
    data = {"csrf_token": token, "email": MAYA, "password": PASSWORD, "next": target}
    answer = stranger.client.post("/staff/sign-in", data=data)
    assert (answer.status_code, answer.location) == (303, "/staff/")


def test_two_idle_hours_sign_out_and_a_page_now_and_then_does_not(
    lead: Browser, friday: time_machine.Traveller
) -> None:
    for hours in (1.9, 3.8, 5.7):
        friday.move_to(NOW + timedelta(hours=hours))
        assert lead.get("/staff/").status_code == 200
    friday.move_to(NOW + timedelta(hours=7.8))
    assert lead.get("/staff/").status_code == 303


def test_twelve_hours_sign_out_however_busy(lead: Browser, friday: time_machine.Traveller) -> None:
    for half in range(1, 24):
        friday.move_to(NOW + timedelta(minutes=30 * half))
        assert lead.get("/staff/").status_code == 200
    friday.move_to(NOW + timedelta(hours=12, minutes=1))
    assert lead.get("/staff/").status_code == 303


def test_a_copied_cookie_is_worth_nothing_after_the_sign_out(app: Flask, lead: Browser) -> None:
    stolen = lead.client.get_cookie("portal")
    assert stolen is not None
    thief = Browser(app)
    thief.client.set_cookie("portal", stolen.value)
    assert thief.get("/staff/").status_code == 200
    answer = lead.submit(lead.form("/staff/", "sign-out"))
    assert (answer.status_code, answer.location) == (303, "/staff/sign-in")
    assert lead.get("/staff/").status_code == 303
    assert thief.get("/staff/").status_code == 303


def test_one_sign_out_leaves_other_browsers_of_the_person_alone(sign_in: Callable[[str], Browser]) -> None:
    desk, phone = sign_in("lead"), sign_in("lead")
    desk.submit(desk.form("/staff/", "sign-out"))
    assert phone.get("/staff/").status_code == 200


def test_the_cookie_before_the_sign_in_is_not_the_cookie_after_it(app: Flask, stranger: Browser) -> None:
    with stranger.client.session_transaction() as planted:
        planted["staff"], planted["planted"] = "a token of the attacker", "yes"
    old_token = stranger.form("/staff/sign-in").get("csrf_token")
    stranger.sign_in(MAYA)
    with stranger.client.session_transaction() as found:
        assert "planted" not in found
        assert found["staff"] != "a token of the attacker"
    answer = stranger.client.post("/staff/theme", data={"csrf_token": old_token, "theme": "dark"})
    assert answer.status_code == 400


def test_a_remember_me_that_somebody_adds_to_the_form_sets_no_cookie(stranger: Browser) -> None:
    stranger.submit(stranger.form("/staff/sign-in"), {"email": MAYA, "password": PASSWORD, "remember": "y"})
    assert stranger.client.get_cookie("remember_token") is None
    cookie = stranger.client.get_cookie("portal")
    assert cookie is not None
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert cookie.expires is None


def test_tokens_in_address_or_header_open_nothing(stranger: Browser) -> None:
    assert stranger.get("/staff/?auth_token=x", headers={"Authentication-Token": "x"}).status_code == 303


def test_pages_of_the_library_are_not_there(stranger: Browser) -> None:
    for path in (
        "/login",
        "/staff/login",
        "/register",
        "/reset",
        "/staff/verify",
        "/change",
        "/fs-static/js/base64.js",
    ):
        assert stranger.get(path).status_code == 404, path


@pytest.mark.parametrize("data", ["[1]", '{"email": "maya@wren.example"}', "null", "{"])
def test_json_at_the_door_is_no_form(stranger: Browser, data: str) -> None:
    token = stranger.form("/staff/sign-in").get("csrf_token")
    answer = stranger.client.post(
        "/staff/sign-in", data=data, content_type="application/json", headers={"X-CSRFToken": str(token)}
    )
    assert answer.status_code == 422


def test_looking_at_pages_writes_nothing(database: Database, lead: Browser) -> None:
    with database.engine.connect() as connection:
        first = connection.exec_driver_sql("PRAGMA data_version").scalar()
        for path in ("/staff/", "/staff/returns", "/staff/receive", "/staff/refunds", "/staff/help"):
            assert lead.get(path).status_code == 200
        assert connection.exec_driver_sql("PRAGMA data_version").scalar() == first


def test_passwords_are_kept_as_argon2id_with_real_costs_and_still_fit(ports: Ports, database: Database) -> None:
    with database.transaction() as tx:
        service.put_user(tx, email=MAYA, role="lead", name="Maya Okafor", password=PASSWORD)
    kept = _kept(database)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    browser = Browser(make_app(ports))
    browser.sign_in(MAYA)
    assert browser.get("/staff/").status_code == 200
    assert _kept(database) == kept


def test_a_hash_with_weaker_costs_is_renewed_at_the_sign_in(ports: Ports, database: Database, people: object) -> None:
    assert "m=8,t=1,p=1" in _kept(database)
    Browser(make_app(ports)).sign_in(MAYA)
    assert "m=65536,t=3,p=4" in _kept(database)


def _kept(database: Database) -> str:
    with database.read() as session:
        return str(session.scalars(select(User.password).where(User.email == MAYA)).one())


def test_only_the_hash_of_a_sign_in_is_stored(database: Database, lead: Browser) -> None:
    with lead.client.session_transaction() as session:
        token = session["staff"]
    with database.read() as rows:
        kept = rows.scalars(select(SignIn)).all()
        assert [each.token_hash for each in kept] == [service.token_hash(token)]


def test_the_theme_is_a_cookie_and_a_class(lead: Browser) -> None:
    assert 'class="theme-auto"' in lead.page("/staff/")
    answer = lead.post("/staff/theme", {"theme": "dark", "next": "/staff/returns"})
    assert (answer.status_code, answer.location) == (303, "/staff/returns")
    assert 'class="theme-dark"' in lead.page("/staff/")
    lead.post("/staff/theme", {"theme": "<b>"})
    assert 'class="theme-auto"' in lead.page("/staff/")


def test_the_command_that_deactivates_ends_every_sign_in_and_lets_nobody_in(
    ports: Ports, database: Database, lead: Browser
) -> None:
    app, elsewhere = make_app(ports), Browser(make_app(ports))
    elsewhere.sign_in(MAYA)

    def portal(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(people_commands, words, obj=ScriptInfo(create_app=lambda: app))
        return done.exit_code, done.output

    assert lead.get("/staff/").status_code == 200
    assert portal("deactivate", MAYA.upper()) == (0, f"{MAYA}: deactivated, signed out everywhere\n")
    for browser in (lead, elsewhere):
        answer = browser.get("/staff/")
        assert (answer.status_code, answer.location) == (303, "/staff/sign-in")
    with database.read() as session:
        assert session.scalars(select(SignIn).where(SignIn.ended_at.is_(None))).all() == []
    assert portal("deactivate", MAYA)[0] == 0
    assert portal("deactivate", "nobody@wren.example")[0] == 1
    assert portal("activate", MAYA) == (0, f"{MAYA}: active\n")
    assert lead.get("/staff/").status_code == 303
    elsewhere.sign_in(MAYA)
    assert elsewhere.get("/staff/").status_code == 200
