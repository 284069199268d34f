"""Each view at two sizes, light and dark: accessible, silent, and not wider than the screen."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import NARROW, WIDE
from playwright.sync_api import expect


def open_first(page):
    page.locator(".list .id a").first.click()
    expect(page.locator(".turn.assistant").first).to_be_visible()


def edit(page):
    open_first(page)
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Value of status").fill("changed")
    page.get_by_role("button", name="Remove topic").click()
    page.get_by_role("button", name="Add a pair").click()


def suggest_values(page):
    page.get_by_role("combobox").fill("status")
    page.keyboard.press("=")
    expect(page.get_by_role("option", name="pending")).to_be_visible()


def suggest_keys(page):
    page.get_by_role("combobox").click()
    expect(page.get_by_role("option", name="channel")).to_be_visible()


def select(page):
    for index in range(3):
        page.locator("td.check input").nth(index).check()
    expect(page.get_by_role("region", name="Selection")).to_be_visible()


def delete_selected(page):
    select(page)
    page.get_by_role("region", name="Selection").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def change_selected(page):
    select(page)
    page.get_by_role("region", name="Selection").get_by_role(
        "button", name="Change metadata").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def delete_one(page):
    open_first(page)
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def open_page(page):
    open_first(page)
    page.get_by_role("link", name="Open the whole page").click()
    expect(page.get_by_role("heading", name="Facts")).to_be_visible()
    page.locator("summary").first.click()


def show_json(page):
    open_page(page)
    page.get_by_role("button", name="JSON").click()


def press(name):
    def press(page):
        page.get_by_role("button", name=name).click()
        page.get_by_role("dialog").wait_for()

    return press


def show_shortcuts(page):
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def wait_for_figures(page):
    expect(page.get_by_role("heading", name="Routes")).to_be_visible()


FILTERED = "#/conversations?metadata[topic]=refund&metadata[status]=open&metadata[status]=pending"
VIEWS = {
    "list": ("", None),
    "filtered": (FILTERED, None),
    "nothing matches": ("#/conversations?metadata[topic]=nope", None),
    "panel": ("", open_first),
    "edit": ("", edit),
    "keys suggested": ("", suggest_keys),
    "values suggested": ("", suggest_values),
    "selection": ("", select),
    "delete": ("", delete_selected),
    "delete one": ("", delete_one),
    "change": ("", change_selected),
    "page": ("", open_page),
    "json": ("", show_json),
    "time": ("", press("Any time")),
    "columns": ("", press("Columns")),
    "export": ("", press("Export")),
    "who": ("", press("Project default, read and write")),
    "shortcuts": ("", show_shortcuts),
    "overview": ("#/overview", wait_for_figures),
    "no such conversation": (f"#/conversations/conv_{'0' * 48}", None),
    "no such page": ("#/nope", None),
}


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_accessible_silent_and_fits(few, visit, name, size):
    fragment, prepare = VIEWS[name]
    tab = visit(few, fragment, size=size)
    if name == "no such conversation":
        tab.provoked.add(404)
    page = tab.page
    expect(page.locator("#main > *")).not_to_have_count(0)
    expect(page.get_by_text("Loading")).to_have_count(0)
    if prepare:
        prepare(page)
    look(tab)


def test_without_conversations_it_says_how_the_first_is_made(start, visit):
    tab = visit(start())
    expect(tab.page.get_by_text("No conversations yet")).to_be_visible()
    look(tab)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_sign_in_is_accessible_silent_and_fits(start, visit, make_key, size):
    make_key()
    tab = visit(start(), size=size)
    tab.sign_in("sk-wrong-but-long-enough")
    expect(tab.page.get_by_role("alert")).to_contain_text("Incorrect API key")
    look(tab)


def look(tab):
    """What must be true of every view, by day and by night."""
    tab.page.wait_for_timeout(100)
    assert tab.too_wide() == []
    # Without a description of all that passes, which takes as long as the rest.
    found = {"resultTypes": ["violations"]}
    # The scheme changes the colours and nothing else.
    contrast = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, **found}
    # The second run finds axe in the page.
    for scheme, axe, options in [("light", Axe(), found), ("dark", Axe("0"), contrast)]:
        # Without motion the colours are there at once.
        tab.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        results = axe.run(tab.page, options=options)
        assert results.violations_count == 0, results.generate_report()


def test_the_colours_can_be_switched_and_stay(sample, visit):
    tab = visit(sample)
    page = tab.page
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light or dark").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    page.reload()
    expect(page.locator("#main > *")).not_to_have_count(0)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_times_are_local_with_utc_as_their_title(sample, visit):
    page = visit(sample, timezone_id="Asia/Tokyo").page
    title = page.locator(".list time").first.get_attribute("title")
    local, utc = title.rstrip(")").split(" (")
    hours = (int(local[11:13]) - int(utc[11:13])) % 24
    assert hours == 9 and utc.endswith("Z")
