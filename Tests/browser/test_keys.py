"""The API keys of a project, made and revoked; and who may see figures."""

import re

import pytest
from conftest import NARROW, WIDE, bearer, create
from playwright.sync_api import expect
from test_views import look


@pytest.fixture
def admin(make_key):
    return make_key("anna", "--admin")


def test_a_key_is_created_shown_once_and_revoked(server, visit, admin):
    tab = visit(server, "#/keys")
    page = tab.sign_in(admin).page
    expect(page.get_by_role("row", name="anna")).to_contain_text("admin")
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("warehouse")
    dialog.get_by_label("It may only read").check()
    dialog.get_by_label("Expires").select_option("in 90 days")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog).to_contain_text("shown this once")
    key = dialog.locator(".secret code").inner_text()
    dialog.get_by_role("button", name="I have it").click()
    row = page.get_by_role("row", name="warehouse")
    expect(row).to_contain_text("read only")
    expect(row).to_contain_text("in 90 days")
    assert key not in page.content()
    assert server.request("GET", "/v1/conversations", headers=bearer(key)).status == 200
    refused = server.request("POST", "/v1/conversations", {}, bearer(key))
    assert refused.status == 403
    row.get_by_role("button", name="Revoke").click()
    dialog.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Revoked.")).to_be_visible()
    assert server.request("GET", "/v1/conversations", headers=bearer(key)).status == 401
    expect(page.get_by_role("row", name="anna").get_by_role("button")).to_have_count(0)


def test_a_name_that_is_taken_is_said(server, visit, admin, make_key):
    make_key("crm")
    tab = visit(server, "#/keys")
    tab.provoked.add(400)
    page = tab.sign_in(admin).page
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("crm")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_role("alert")).to_contain_text("There is a key of that name already")


def test_other_keys_do_not_see_keys_or_figures(server, visit, make_key):
    key = make_key("crm")
    tab = visit(server, "#/keys")
    tab.provoked.add(403)
    page = tab.sign_in(key).page
    expect(page.get_by_role("heading", name="Your key has no right to manage keys")).to_be_visible()
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", name="Your key may not read the figures")).to_be_visible()


def test_before_the_first_key_it_says_how_one_is_made(server, visit):
    tab = visit(server, "#/keys")
    tab.provoked.add(403)
    expect(tab.page.get_by_role("heading", name="There are no keys yet")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_keys_are_accessible_silent_and_fit(
        server, visit, admin, make_key, keys, size, scheme):
    make_key("crm")
    make_key("report", "--read-only", "--expires=12d")
    make_key("old")
    assert keys("revoke", "old").returncode == 0
    tab = visit(server, "#/keys", size=size, scheme=scheme)
    page = tab.sign_in(admin).page
    expect(page.get_by_role("row", name="report")).to_contain_text("in 12 days")
    expect(page.get_by_role("row", name="old")).to_have_count(0)
    look(tab)
    page.get_by_role("button", name="New key").click()
    look(tab)


def test_figures_are_drawn_while_somebody_looks(server, visit):
    for _ in range(3):
        create(server)
    tab = visit(server, "#/overview", clock=True)
    page = tab.page
    expect(page.get_by_text("Ready")).to_be_visible()
    page.clock.fast_forward(2000)
    expect(page.get_by_role("heading", name="Routes")).to_be_visible()
    for name in ["Requests", "Latency", "Errors", "Commit", "Write-ahead log"]:
        figure = re.compile(f"^{name}, the last two minutes: now ")
        expect(page.get_by_role("img", name=figure)).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    # A sample that has begun comes to its end.
    page.wait_for_timeout(300)
    count = len(tab.requests)
    page.clock.fast_forward(2500)
    page.wait_for_timeout(300)
    assert len(tab.requests) == count
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("link", name="Conversations").click()
    expect(page.get_by_text("3 conversations")).to_be_visible()
