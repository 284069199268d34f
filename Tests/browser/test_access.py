"""Keys: signing in, what a key may not do, a key that ends, and where a key never is."""

import subprocess
import sys

import pytest
from conftest import bearer, create
from playwright.sync_api import expect


def test_signing_in_returns_to_the_view_that_was_asked_for(server, visit, make_key):
    key = make_key("crm", "--project=sales")
    create(server, {"topic": "refund"}, key=key)
    create(server, {"topic": "billing"}, key=key)
    tab = visit(server, "#/conversations?metadata[topic]=refund")
    expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible()
    tab.sign_in(f" {key}\n")
    expect(tab.rows()).to_have_count(1)
    assert tab.page.url.endswith("#/conversations?metadata[topic]=refund")
    expect(tab.page.get_by_role("button", name="Project sales, read and write")).to_be_visible()


def test_a_wrong_key_is_refused_and_kept_nowhere(server, visit, make_key):
    make_key()
    tab = visit(server)
    tab.sign_in("sk-wrong-but-long-enough")
    expect(tab.page.get_by_role("alert")).to_contain_text("Incorrect API key provided")
    expect(tab.page.get_by_label("API key")).to_be_focused()
    assert tab.page.evaluate("JSON.stringify([sessionStorage, localStorage])") == "[{},{}]"


def test_a_read_only_key_sees_no_buttons_that_it_may_not_use(server, visit, make_key):
    key = make_key("writer")
    reader = make_key("reader", "--read-only")
    identifier = create(server, {"topic": "refund"}, key=key)
    tab = visit(server)
    page = tab.sign_in(reader).page
    expect(page.get_by_role("button", name="read only")).to_be_visible()
    page.locator("td.check input").first.check()
    selection = page.get_by_role("region", name="Selection")
    expect(selection.get_by_role("button", name="Export")).to_be_visible()
    expect(selection.get_by_role("button", name="Delete")).to_have_count(0)
    page.locator(".list .id a").click()
    expect(page.get_by_role("button", name="Filter: topic is refund").last).to_be_visible()
    page.keyboard.press("e")
    tab.open(f"#/conversations/{identifier}")
    expect(page.get_by_role("heading", name="Facts")).to_be_visible()
    for name in ["Edit", "Delete", "Save"]:
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_a_key_that_is_revoked_leads_to_sign_in_and_back(server, visit, make_key, keys):
    key = make_key("first")
    other = make_key("other")
    create(server, {"topic": "refund", "user": "amara"}, key=key)
    tab = visit(server, "#/conversations?metadata[user]=amara")
    page = tab.sign_in(key).page
    expect(tab.rows()).to_have_count(1)
    assert keys("revoke", "first").returncode == 0
    page.get_by_role("button", name="Filter: topic is refund").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("Incorrect API key provided")
    assert page.evaluate("sessionStorage.length") == 0
    tab.sign_in(other)
    expect(tab.rows()).to_have_count(1)
    assert page.url.endswith("?metadata[user]=amara&metadata[topic]=refund")


def test_signing_out_forgets_the_key(server, visit, make_key):
    tab = visit(server)
    expect(tab.page.get_by_role("button", name="Sign out")).to_have_count(0)
    key = make_key()
    tab.page.reload()
    page = tab.sign_in(key).page
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_key_is_in_the_storage_of_its_tab_and_nowhere_else(server, visit, make_key):
    key = make_key()
    identifier = create(server, {"topic": "refund"}, key=key)
    tab = visit(server, alone=True)
    page = tab.sign_in(key).page
    expect(tab.rows()).to_have_count(1)
    page.get_by_role("button", name="Copy as").click()
    page.get_by_role("button", name="curl").click()
    page.get_by_text("Copied").wait_for()
    for fragment in ["#/overview", "#/keys", f"#/conversations/{identifier}"]:
        tab.provoked |= {403, 404}
        tab.open(fragment)
        page.wait_for_timeout(300)
    assert page.evaluate("Object.values(sessionStorage)") == [key]
    assert key not in page.evaluate("JSON.stringify(localStorage)")
    assert key not in page.content()
    assert page.context.cookies() == []
    assert page.evaluate("indexedDB.databases()") == []
    for request in tab.requests:
        assert key not in request.url
        if "/dashboard" in request.url:
            assert "authorization" not in request.headers
    assert key not in server.log()
    # A new tab asks again.
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("name", ["curl", "Python"])
def test_code_to_copy_works_and_has_no_key(server, visit, make_key, tmp_path, name):
    key = make_key()
    create(server, {"it's": "a \"b\" $c"}, key=key)
    create(server, {"it's": "other"}, key=key)
    tab = visit(server, alone=True)
    page = tab.sign_in(key).page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Filter: it's is a").click()
    expect(tab.rows()).to_have_count(1)
    page.get_by_role("button", name="Copy as").click()
    page.get_by_role("button", name=name).click()
    page.get_by_text("Copied").wait_for()
    code = page.evaluate("navigator.clipboard.readText()")
    assert key not in code
    command = ["bash", "-c", code] if name == "curl" else [sys.executable, "-c", code]
    result = subprocess.run(
        command, env={"PATH": "/usr/bin:/bin", "CONVERSATIOND_KEY": key}, cwd=tmp_path,
        capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result
    assert "$c" in result.stdout and "other" not in result.stdout


def test_before_the_first_key_nobody_is_asked_for_one(server, visit):
    tab = visit(server)
    expect(tab.page.get_by_text("No conversations yet")).to_be_visible()
    assert all("authorization" not in request.headers for request in tab.requests)


def test_the_page_needs_no_key_and_holds_no_data(server, make_key):
    key = make_key()
    create(server, {"topic": "secret-topic"}, key=key)
    answer = server.request("GET", "/dashboard")
    assert answer.status == 200 and b"secret-topic" not in answer.body
    answer = server.request("GET", "/v1/conversations", headers=bearer(key))
    assert b"secret-topic" in answer.body
