"""The templates' kit keeps its promises: escaped text, labelled controls, no inline code, one look per status."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from flask import Flask, render_template, render_template_string
from flask_babel import Babel
from markupsafe import escape

from portal.errors import NotFound
from portal.web import statuses
from portal.web.render import register_errors

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
CSS = ROOT / "static" / "css"
EVIL = "<img src=x onerror=alert(1)> \"quoted\" & 'single'"
SHOP = {"name": "Wren & Harbour", "url": "https://shop.example/", "help_url": "/help", "policy_url": "/policy"}
PAGES = [path for path in TEMPLATES.rglob("*.html") if not {"email", "pdf"} & set(path.relative_to(TEMPLATES).parts)]
PAGES = [path for path in PAGES if path.name != "email.html"]


class Tags(HTMLParser):
    """Collects the start tags of a page, and fails when an element that needs its end lacks it."""

    VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.found if name == tag]


@pytest.fixture(scope="module")
def app() -> Flask:
    app = Flask("kit", template_folder=str(TEMPLATES), static_folder=str(ROOT / "static"))
    app.config.update(SECRET_KEY="kit", WTF_CSRF_ENABLED=False)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals["csrf_token"] = lambda: "token"
    Babel(app)
    statuses.init_app(app)
    return app


@pytest.fixture(autouse=True)
def request_context(app: Flask) -> Iterator[None]:
    with app.test_request_context("/"):
        yield


def render(source: str, **context: object) -> str:
    return render_template_string("{% import '_macros/ui.html' as ui %}" + source, **context)


TEXT_SLOTS = [
    "{{ ui.button(x, busy=x, name=x, value=x) }}",
    "{{ ui.link_button(x, '/', icon_name='check') }}",
    "{{ ui.back_link('/', x) }}{{ ui.back_button(x) }}{{ ui.change_link('/', x) }}",
    "{{ ui.post_button('/', x, hidden={'a': x}) }}",
    "{{ ui.field('a', x, x, hint=x, error=x, attrs={'data-a': x}) }}",
    "{{ ui.field('a', x, x, hint=x, error=[x, x], optional=true, as_title=true) }}",
    "{{ ui.textarea('a', x, x, hint=x, error=x) }}",
    "{{ ui.select('a', x, [(x, x), ('2', x, true)], x, hint=x, error=x) }}",
    "{{ ui.inline_select('a', x, [('1', x)]) }}",
    "{{ ui.money_field('a', x, '£', x, hint=x, error=x) }}",
    "{{ ui.file_field('a', x, x, hint=x, error=x, multiple=true, capture=true) }}",
    "{{ ui.photo_tiles([{'src': '/a', 'alt': x, 'remove_value': 1}]) }}",
    "{% call ui.fieldset(x, 'a', hint=x, error=x, as_title=true) %}{{ ui.radios('b', [(x, x), ('2', x)], x, 2) }}{% endcall %}",
    "{{ ui.checkbox('a', x, x, true, hint=x) }}",
    "{{ ui.choice_card('a', '1', x, x, x, tag=x, image={'src': '/a', 'alt': x}, checked=true) }}",
    "{% call ui.choice_card('a', '1', x, end_icon='qr', body_when='checked') %}{{ x }}{% endcall %}",
    "{{ ui.tile('a', x, x, x, 'k', '#24365c') }}{{ ui.option_row('a', x, x, true, 'K') }}",
    "{{ ui.search_field('a', x, x, key=true) }}",
    "{{ ui.error_summary([('a', x), ('', x)]) }}{{ ui.error_summary({'a': x}, x) }}",
    "{{ ui.tone_badge('blue', x) }}{{ ui.deadline(x, 'soon') }}",
    "{{ ui.notice('amber', x, x) }}{% call ui.notice('red', x, live='alert') %}{{ x }}{% endcall %}",
    "{{ ui.flashes([('green', x), ('message', x)]) }}{{ ui.progress(2, 4, x) }}",
    "{{ ui.timeline([{'state': 'done', 'what': x, 'when': x, 'when_iso': x, 'detail': x}, {'state': 'now', 'what': x}], x) }}",
    "{{ ui.log([{'when': x, 'what': x, 'tone': 'amber'}]) }}{{ ui.steps([(x, x)]) }}",
    "{{ ui.rule_chip(x) }}{{ ui.rule_value(x, x) }}{{ ui.kbd(x) }}",
    "{% call ui.empty_state('check', x, x) %}{{ ui.link_button(x, '/') }}{% endcall %}",
    "{{ ui.avatar(x, x, true) }}{{ ui.no_owner() }}<ul>{{ ui.feature('card', x, x) }}</ul>",
    "{{ ui.breakdown([{'term': x, 'amount': x}, {'term': x, 'amount': x, 'kind': 'total'}], x) }}{{ ui.facts([(x, x)]) }}",
    "{{ ui.summary_list([{'term': x, 'value': x, 'href': '/'}]) }}",
    "{% call ui.section_head(x) %}{{ x }}{% endcall %}",
    "{% call ui.table(x, [(x, 'num'), ('', '', x)], cards=true) %}<tr><td>{{ x }}</td><td></td></tr>{% endcall %}",
    "{{ ui.tabs([{'text': x, 'href': '/', 'count': 3, 'current': true}], x) }}{{ ui.filter_chip(x, '/') }}",
    "{{ ui.pagination(x, None, '/2') }}{{ ui.thumb('/a', x) }}",
    "{% call ui.goods_line(x, x, x) %}{{ x }}{% endcall %}{% call ui.card(x, x, id='c') %}{{ x }}{% endcall %}",
]


@pytest.mark.parametrize("source", TEXT_SLOTS)
def test_every_macro_escapes_what_people_typed_and_closes_what_it_opens(source: str) -> None:
    html = render(source, x=EVIL)
    assert "<img src=x" not in html
    assert str(escape("<img src=x")) in html
    tags = Tags(html)
    for _tag, attrs in tags.found:
        assert not any(name.startswith("on") or name == "style" for name in attrs)


def test_every_macro_of_the_kit_is_tried() -> None:
    exported = set(re.findall(r"{% set (\w+) =", (TEMPLATES / "_macros/ui.html").read_text()))
    used = {name for source in TEXT_SLOTS for name in re.findall(r"ui\.(\w+)\(", source)}
    indirect = {
        "icon",
        "shop_mark",
        "csrf",
        "badge",
        "error_text",
        "field_shell",
        "select_control",
        "tick_input",
        "radio",
    }
    assert exported - used - indirect == set()


@pytest.mark.parametrize(
    ("source", "control"),
    [
        ("{{ ui.field('a', 'Name', hint='Why', error='Enter it') }}", "input"),
        ("{{ ui.textarea('a', 'Name', hint='Why', error='Enter it') }}", "textarea"),
        ("{{ ui.select('a', 'Name', [('1', 'One')], hint='Why', error='Enter it') }}", "select"),
        ("{{ ui.money_field('a', 'Name', '£', hint='Why', error='Enter it') }}", "input"),
        ("{{ ui.file_field('a', 'Name', 'Add', hint='Why', error='Enter it') }}", "input"),
    ],
)
def test_a_field_names_and_describes_its_control(source: str, control: str) -> None:
    tags = Tags(render(source))
    (attrs,) = tags.all(control)
    assert {"for": "a"}.items() <= tags.all("label")[0].items()
    assert attrs["id"] == "a"
    assert attrs["aria-invalid"] == "true"
    described = str(attrs["aria-describedby"]).split()
    ids = {found.get("id") for _tag, found in tags.found}
    assert described == ["a-hint", "a-error"]
    assert set(described) <= ids


def test_the_error_summary_takes_focus_and_links_to_its_fields() -> None:
    html = render("{{ ui.error_summary([('order', 'Enter your order number')]) }}")
    box = Tags(html).all("div")[0]
    assert (box["role"], box["tabindex"]) == ("alert", "-1")
    assert '<a href="#order">Enter your order number</a>' in html
    assert "There is a problem" in html
    assert render("{{ ui.error_summary([]) }}").strip() == ""


def test_the_timeline_marks_now_and_no_other_step() -> None:
    html = render(
        "{{ ui.timeline(items) }}",
        items=[{"state": state, "what": state} for state in ("done", "now", "next")],
    )
    assert [item.get("aria-current") for item in Tags(html).all("li")] == [None, "step", None]


@pytest.mark.parametrize("kind", sorted(statuses.LOOKS))
def test_every_status_has_a_known_tone_a_glyph_of_the_sprite_and_one_word(kind: str) -> None:
    symbols = sprite_symbols()
    for name, look in statuses.LOOKS[kind].items():
        assert look.tone in statuses.GLYPHS
        assert f"glyph-{look.glyph}" in symbols
        word = str(look.word)
        assert word
        assert " " not in word
        assert word in render("{{ ui.badge(kind, name) }}", kind=kind, name=name)


def test_one_word_never_has_two_tones() -> None:
    tones: dict[str, set[str]] = {}
    for looks in statuses.LOOKS.values():
        for look in looks.values():
            tones.setdefault(str(look.word), set()).add(look.tone)
    assert {word: found for word, found in tones.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    ("outcome", "word"),
    [(None, "Closed"), ("refund", "Refunded"), ("store_credit", "Credited"), ("exchange", "Exchanged")],
)
def test_a_closed_return_says_what_came_of_it(outcome: str | None, word: str) -> None:
    assert str(statuses.status_of("return", "closed", outcome).word) == word


def test_an_unknown_status_is_an_error_and_not_a_blank_badge() -> None:
    with pytest.raises(KeyError):
        statuses.status_of("return", "nonsense")


def sprite_symbols() -> set[str]:
    tree = ElementTree.parse(ROOT / "static/icons/sprite.svg")
    return {str(node.get("id")) for node in tree.iter("{http://www.w3.org/2000/svg}symbol")}


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    named = set()
    for path in PAGES:
        text = path.read_text()
        named |= set(re.findall(r"icon\('([a-z-]+)'", text))
        named |= set(re.findall(r"(?:icon_name|end_icon)='([a-z-]+)'", text))
    assert named - {"glyph-"} <= sprite_symbols()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_no_page_template_holds_inline_code_or_foreign_addresses(path: Path) -> None:
    text = re.sub(r"{#.*?#}", "", path.read_text(), flags=re.S)
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:|data:[a-z]+/", text)
    # A data block is not run; browsers leave it alone under the strictest policy.
    assert not re.search(r"<script(?![^>]*\ssrc=)(?! type=\"application/ld\+json\">)", text)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)


@pytest.mark.parametrize("path", sorted(CSS.glob("*.css")), ids=lambda path: path.name)
def test_a_stylesheet_fetches_nothing_from_elsewhere_and_stays_short(path: Path) -> None:
    text = path.read_text()
    assert "@import" not in text
    assert "data:" not in text
    assert not re.search(r"url\([\"']?(?:https?:)?//", text)
    assert len(text.splitlines()) <= 400


def channel(value: int) -> float:
    part = value / 255
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        red, green, blue = (channel(int(colour[n : n + 2], 16)) for n in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dim = sorted((light(one), light(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def tokens(theme: str) -> dict[str, str]:
    text = (CSS / "tokens.css").read_text()
    block = (
        text.split(".theme-dark {")[1].split("\n}")[0] if theme == "dark" else text.split(":root {")[1].split("\n}")[0]
    )
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_tokens_reach_the_contrast_of_wcag_aa(theme: str) -> None:
    named = tokens(theme)
    for ground in ("surface", "canvas", "sunken", "accent-soft"):
        for text in ("ink", "ink-2", "ink-3", "accent-ink"):
            assert contrast(named[text], named[ground]) >= 4.5, (text, ground)
    for tone in statuses.GLYPHS:
        assert contrast(named[f"{tone}-text"], named[f"{tone}-bg"]) >= 4.5, tone
        assert contrast(named[f"{tone}-glyph"], named[f"{tone}-bg"]) >= 3, tone
    assert contrast(named["on-accent"], named["accent"]) >= 4.5
    assert contrast(named["on-danger"], named["danger-fill"]) >= 4.5
    assert contrast(named["line-strong"], named["surface"]) >= 3
    assert contrast(named["focus"], named["surface"]) >= 3


def test_both_ways_into_the_dark_have_the_same_colours() -> None:
    text = (CSS / "tokens.css").read_text()
    by_class = text.split(".theme-dark {")[1].split("\n}")[0]
    by_device = text.split(".theme-auto {")[1].split("\n  }")[0]
    assert by_class.split() == by_device.split()


def test_the_customer_layout_has_its_landmarks_and_says_error_in_the_title() -> None:
    source = (
        "{% extends '_layout_customer.html' %}{% block title %}Find{% endblock %}"
        "{% block content %}<h1>Find</h1>{% endblock %}{% block aside %}More{% endblock %}"
    )
    calm = render_template_string(source, shop=SHOP, lang="en-GB")
    tags = Tags(calm)
    assert "<title>Find – Wren &amp; Harbour</title>" in calm
    assert [len(tags.all(tag)) for tag in ("header", "main", "footer", "h1")] == [1, 1, 1, 1]
    assert tags.all("a")[0] == {"class": "skip", "href": "#main"}
    assert tags.all("html")[0]["lang"] == "en-GB"
    wrong = render_template_string(source, shop=SHOP, errors=[("a", "Enter it")])
    assert "<title>Error: Find – Wren" in wrong


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_the_staff_layout_shows_only_what_it_is_given(theme: str) -> None:
    source = "{% extends '_layout_staff.html' %}{% block content %}<h1>Exceptions</h1>{% endblock %}"
    nav = [
        {
            "title": None,
            "entries": [{"text": "Exceptions", "href": "/staff/", "icon": "inbox", "count": 14, "current": True}],
        }
    ]
    user = SimpleNamespace(name="Maya Okafor", role="Returns lead", initials="MO")
    html = render_template_string(source, shop=SHOP, user=user, nav=nav, theme=theme, theme_url="/staff/theme")
    tags = Tags(html)
    assert tags.all("html")[0]["class"] == f"theme-{theme}"
    assert "Scan" not in html
    assert 'role="search"' not in html
    assert "Policy" not in html
    forms = tags.all("form")
    assert forms
    assert all(form["method"] == "post" for form in forms)
    assert html.count('name="csrf_token"') == len(forms)
    outside = render_template_string(source, shop=SHOP, user=None)
    assert "<nav" not in outside
    assert "<details" not in outside


@pytest.mark.parametrize("code", [400, 403, 404, 409, 413, 429, 500])
@pytest.mark.parametrize("address", ["/returns/R-1", "/staff/returns/R-1"])
def test_an_error_page_says_what_is_safe_and_leads_to_the_right_side(app: Flask, code: int, address: str) -> None:
    with app.test_request_context(address):
        html = render_template(f"errors/{code}.html", message=EVIL, retry_after=61)
    tags = Tags(html)
    assert len(tags.all("h1")) == 1
    assert "<img src=x" not in html
    assert not re.search(r"\b(oops|unfortunately)\b|!</", html, re.I)
    home = "/staff/" if address.startswith("/staff") else "/"
    assert home in [str(attrs.get("href")) for attrs in tags.all("a") if "btn" in str(attrs.get("class"))]


def test_the_sentence_of_an_error_is_translated_like_every_other(tmp_path: Path) -> None:
    # English alone is shipped, so the catalogue is one of this test.
    catalogue = Catalog(locale="uk")
    catalogue.add("There is no such return.", "Такого повернення немає.")
    folder = tmp_path / "uk" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, catalogue)
    app = Flask("kit", template_folder=str(TEMPLATES))
    Babel(app, default_locale="uk", default_translation_directories=str(tmp_path))
    register_errors(app)
    app.jinja_env.globals["csrf_token"] = lambda: "token"

    @app.get("/nothing-here")
    def nothing_here() -> str:
        raise NotFound("There is no such return.")

    answer = app.test_client().get("/nothing-here")
    assert answer.status_code == 404
    assert "Такого повернення немає." in answer.get_data(as_text=True)


def test_the_mail_frame_needs_no_picture_and_its_layout_tables_say_so() -> None:
    source = (
        "{% extends 'email/_layout.html' %}{% import '_macros/email.html' as mail %}{% block heading %}{{ x }}{% endblock %}"
        "{% block body %}{{ mail.facts(x, x) }}{{ mail.breakdown(rows, x, x) }}{{ mail.button(x, 'https://a.example') }}"
        "{{ mail.code(x, x) }}{{ mail.paragraph(x) }}{% endblock %}"
    )
    rows = [{"term": EVIL, "amount": "£1.00"}, {"term": EVIL, "amount": "£1.00", "kind": "total"}]
    html = render_template_string(source, shop=SHOP, x=EVIL, rows=rows, preheader=EVIL)
    tags = Tags(html)
    assert "<img" not in html
    assert "<script" not in html
    assert "url(" not in html
    data = [attrs for attrs in tags.all("table") if attrs.get("role") != "presentation"]
    assert len(data) == 1
    assert len(tags.all("caption")) == 1


def test_the_plain_part_is_not_escaped_and_its_amounts_line_up(app: Flask) -> None:
    module = app.jinja_env.get_template("_macros/email.txt").module
    rows = [{"term": "Tom's & Ann's", "amount": "£64.00"}, {"term": "Refund", "amount": "£54.10", "kind": "total"}]
    text = module.breakdown(rows, "Refund", None)  # type: ignore[attr-defined]
    lines = [line for line in text.splitlines() if "£" in line]
    assert "Tom's & Ann's" in text
    assert {len(line) for line in lines} == {58}
