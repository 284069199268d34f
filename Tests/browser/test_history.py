"""The history of a conversation's metadata: what it tells, and the way back."""

import pytest
from conftest import NARROW, WIDE, bearer, create, stored
from playwright.sync_api import expect
from test_editing import HOSTILE, change
from test_states import answer_with
from test_views import look

NOTHING = "No former set was kept: a server keeps them when its operator has set metadata_history.days."


@pytest.fixture
def keeping(start):
    """A server that keeps former sets."""
    return start(environment={"CONVERSATIOND_METADATA_HISTORY_DAYS": "30"})


def unfold(page):
    """Opens the history by keyboard, and returns it with its lines."""
    history = page.locator(".history")
    history.locator("summary").press("Enter")
    return history, history.locator(".versions > li")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["panel", "page"])
def test_a_former_set_is_shown_and_restored_but_never_over_another_change(keeping, visit, size):
    first = {**HOSTILE, "status": "open"}
    identifier = create(keeping, first)
    for number in range(20):
        change(keeping, identifier, {"n": str(number)})
    change(keeping, identifier, {"status": "closed", "percent": None, "1": HOSTILE["rtl \u202e"]})
    fragment = f"?show={identifier}" if size == WIDE else f"/{identifier}"
    tab = visit(keeping, f"#/conversations{fragment}", size=size)
    tab.provoked.add(412)
    page = tab.page
    history, lines = unfold(page)
    expect(lines).to_have_count(20)
    for words in ["changed status open → closed", f"removed percent {HOSTILE['percent']}",
                  "changed 1 10 → ", "U+202E", "no key", "req_"]:
        expect(lines.first).to_contain_text(words)
    assert lines.first.locator("time").get_attribute("title").endswith("Z")
    history.get_by_role("button", name="Show more").click()
    expect(lines).to_have_count(21)
    expect(lines.last).to_contain_text("added n 0")
    expect(lines.last).to_be_focused()
    expect(history.get_by_role("button", name="Show more")).to_be_hidden()
    look(tab)

    # Somebody else is quicker.
    dialog = page.get_by_role("dialog")
    lines.first.get_by_role("button", name="Restore this set").click()
    expect(dialog).to_contain_text("changed status closed → open")
    assert tab.too_wide() == []
    change(keeping, identifier, {"n": "theirs"})
    dialog.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("Not restored: somebody has changed the set")).to_be_visible()
    assert stored(keeping, identifier)["n"] == "theirs"
    expect(lines.first).to_contain_text("changed n 19 → theirs")

    lines.nth(1).get_by_role("button", name="Restore this set").click()
    dialog.get_by_role("button", name="Restore").click()
    expect(lines.first).to_contain_text("changed n theirs → 19")
    assert stored(keeping, identifier) == {**first, "n": "19"}
    expect(history.locator("summary")).to_be_focused()
    status = page.locator(".metadata").get_by_role("button", name="Filter: status is ")
    expect(status).to_have_text("open")
    page.get_by_role("button", name="Undo").click()
    expect(lines.first).to_contain_text("changed n 19 → theirs")
    expect(status).to_have_text("closed")
    expect(history.locator("summary")).to_be_focused()

    # An edit is in the history at once, and keeps the history from changing what is edited.
    page.get_by_role("button", name="Edit").click()
    lines.first.get_by_role("button", name="Restore this set").click()
    expect(page.get_by_text("Save or cancel the editing first.")).to_be_visible()
    page.get_by_label("Value of n", exact=True).fill("mine")
    page.get_by_role("button", name="Save").click()
    expect(lines.first).to_contain_text("changed n theirs → mine")
    expect(page.get_by_role("button", name="Edit")).to_be_focused()
    assert page.locator("main img, main script, main b b").count() == 0


def test_keys_are_named_and_a_read_only_one_restores_nothing(keeping, visit, make_key):
    key, reader = make_key("crm"), make_key("reader", "--read-only")
    identifier = create(keeping, {"status": "open"}, key=key)
    answer = keeping.request("PATCH", f"/v1/conversations/{identifier}",
                             {"metadata": {"status": "closed"}}, bearer(key))
    assert answer.status == 200
    page = visit(keeping, f"#/conversations/{identifier}").sign_in(reader).page
    history, lines = unfold(page)
    expect(lines).to_contain_text(["crm"])
    expect(history.get_by_role("button")).to_have_count(0)


def test_without_a_history_it_says_how_one_is_kept(server, visit):
    identifier = create(server, {"status": "open"})
    change(server, identifier, {"status": "closed"})
    tab = visit(server, f"#/conversations/{identifier}")
    tab.provoked |= {404, 503}
    page = tab.page
    history, lines = unfold(page)
    expect(history).to_contain_text(NOTHING)
    # An older server behind the same proxy has no such path, and any may be busy.
    for status, words in [(503, "The server is busy"), (404, NOTHING)]:
        page.route("**/metadata_history?**", answer_with(status, None, "Said by the server."))
        history.locator("summary").click()
        history.locator("summary").click()
        expect(history).to_contain_text(words)
        page.unroute("**/metadata_history?**")
    expect(lines).to_have_count(0)
