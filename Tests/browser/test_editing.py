"""Finding, opening and correcting a conversation."""

import json

import pytest
from conftest import create, stored
from playwright.sync_api import expect

JSON = {"Content-Type": "application/json"}


def open_editor(tab, identifier):
    """Opens it on the conversation's own page."""
    tab.open(f"#/conversations/{identifier}")
    tab.page.get_by_role("button", name="Edit").click()


def change(server, identifier, metadata):
    """What somebody else does meanwhile."""
    answer = server.request(
        "PATCH", f"/v1/conversations/{identifier}", {"metadata": metadata}, JSON)
    assert answer.status == 200


def test_a_conversation_is_found_opened_and_corrected_by_keyboard_alone(server, visit):
    wanted = create(server, {"topic": "refund", "user": "amara", "status": "open"})
    for number in range(5):
        create(server, {"topic": "billing", "user": f"u{number}"})
    page = visit(server).page
    expect(page.locator(".list tbody tr")).to_have_count(6)
    page.keyboard.press("/")
    page.keyboard.type("topic")
    expect(page.get_by_role("option", name="topic")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("option", name="refund")).to_be_visible()
    page.keyboard.type("ref")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(".list tbody tr")).to_have_count(1)
    assert page.url.endswith("#/conversations?metadata[topic]=refund")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Conversation")).to_be_visible()
    expect(page.get_by_role("button", name="Edit")).to_be_enabled()
    page.keyboard.press("e")
    for _ in range(10):
        if page.evaluate("document.activeElement.ariaLabel") == "Value of status":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("closed")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert stored(server, wanted) == {"topic": "refund", "user": "amara", "status": "closed"}
    expect(page.get_by_role("button", name="Edit")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("complementary", name="Conversation")).to_be_hidden()
    expect(page.locator(".list .id a").first).to_be_focused()


def test_only_what_was_changed_is_sent_and_it_can_be_undone(server, visit):
    before = {"a": "1", "b": "2", "c": "3"}
    identifier = create(server, before)
    tab = visit(server)
    open_editor(tab, identifier)
    page = tab.page
    page.get_by_label("Value of a").fill("one")
    page.get_by_role("button", name="Remove b").click()
    page.get_by_role("button", name="Add a pair").click()
    page.get_by_label("Key", exact=True).fill("d")
    page.get_by_label("Value of d").fill("4")
    for words in ["1 added", "1 changed", "1 removed", "3 of 16 pairs"]:
        expect(page.get_by_text(words)).to_be_visible()
    with page.expect_request(lambda request: request.method == "PATCH") as patch:
        page.get_by_role("button", name="Save").click()
    assert json.loads(patch.value.post_data) == {"metadata": {"a": "one", "b": None, "d": "4"}}
    assert patch.value.headers["if-match"].startswith('"')
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone.")).to_be_visible()
    assert stored(server, identifier) == before


def test_who_was_slower_sees_all_three_sets_and_overwrites_nothing(server, visit):
    identifier = create(server, {"agent": "bot", "priority": "high", "status": "pending"})
    tab = visit(server)
    tab.provoked.add(412)
    open_editor(tab, identifier)
    page = tab.page
    page.get_by_label("Value of status").fill("closed")
    page.get_by_role("button", name="Remove priority").click()
    change(server, identifier, {"agent": "marta", "status": "escalated"})
    page.get_by_role("button", name="Save").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Somebody changed this set")
    expect(dialog.get_by_role("row", name="agent")).to_contain_text("changed by somebody else")
    expect(dialog.get_by_role("row", name="priority")).to_contain_text("you removed it")
    clash = dialog.get_by_role("row", name="status")
    for value in ["pending", "escalated", "closed"]:
        expect(clash).to_contain_text(value)
    assert stored(server, identifier) == {
        "agent": "marta", "priority": "high", "status": "escalated"}
    clash.get_by_role("button", name="theirs").click()
    dialog.get_by_role("button", name="Save the result").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert stored(server, identifier) == {"agent": "marta", "status": "escalated"}


@pytest.mark.parametrize("choice, kept", [("Go on editing", "mine"), ("Discard mine", "theirs")])
def test_after_a_clash_one_may_go_on_or_give_up(server, visit, choice, kept):
    identifier = create(server, {"status": "open"})
    tab = visit(server)
    tab.provoked.add(412)
    open_editor(tab, identifier)
    page = tab.page
    page.get_by_label("Value of status").fill("mine")
    change(server, identifier, {"status": "theirs"})
    page.get_by_role("button", name="Save").click()
    page.get_by_role("dialog").get_by_role("button", name=choice).click()
    assert stored(server, identifier) == {"status": "theirs"}
    if kept == "mine":
        expect(page.get_by_label("Value of status")).to_have_value("mine")
    else:
        expect(page.get_by_role("button", name="Filter: status is theirs")).to_be_visible()


def test_what_was_deleted_meanwhile_is_said(server, visit):
    identifier = create(server, {"status": "open"})
    tab = visit(server)
    tab.provoked.add(404)
    open_editor(tab, identifier)
    page = tab.page
    page.get_by_label("Value of status").fill("closed")
    server.request("DELETE", f"/v1/conversations/{identifier}")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody deleted this conversation")


def test_limits_are_shown_before_the_server_would_refuse(server, visit):
    identifier = create(server, {"k": "v"})
    tab = visit(server)
    open_editor(tab, identifier)
    page = tab.page
    save = page.get_by_role("button", name="Save")
    value = page.get_by_label("Value of k")
    value.fill("😀" * 512)
    expect(page.locator(".counter")).to_have_text("512/512")
    expect(save).to_be_enabled()
    value.fill("😀" * 513)
    expect(save).to_be_disabled()
    expect(page.get_by_role("alert")).to_contain_text("1 over the limit of 512")
    value.fill("v")
    for number in range(15):
        page.get_by_role("button", name="Add a pair").click()
        page.get_by_label("Key", exact=True).last.fill(f"k{number}")
    expect(page.get_by_text("16 of 16 pairs")).to_be_visible()
    expect(page.get_by_role("button", name="Add a pair")).to_be_disabled()
    page.get_by_label("Key", exact=True).last.fill("k")
    expect(page.get_by_role("alert")).to_contain_text("there twice")
    page.get_by_label("Key", exact=True).last.fill("😀" * 64)
    expect(save).to_be_enabled()
    save.click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert len(stored(server, identifier)) == 16


def test_line_breaks_that_nobody_touched_stay(server, visit):
    value = "one\r\ntwo\rthree\n"
    identifier = create(server, {"note": value, "status": "open"})
    tab = visit(server)
    open_editor(tab, identifier)
    tab.page.get_by_label("Value of status").fill("closed")
    tab.page.get_by_role("button", name="Save").click()
    expect(tab.page.get_by_text("Saved.")).to_be_visible()
    assert stored(server, identifier) == {"note": value, "status": "closed"}


def test_a_deletion_names_what_is_lost_and_asks_first(server, visit):
    items = [{"type": "message", "role": "user", "content": "Hello"}]
    identifier = create(server, {"topic": "refund", "user": "amara"}, items)
    tab = visit(server)
    page = tab.page
    page.locator(".list .id a").click()
    expect(page.get_by_text("Hello")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 metadata pairs and 1 item are lost")
    dialog.get_by_role("button", name="Cancel").click()
    assert stored(server, identifier) is not None
    page.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Deleted.")).to_be_visible()
    assert stored(server, identifier) is None
    expect(page.locator(".list tbody tr")).to_have_count(0)


HOSTILE = {
    "__proto__": "constructor",
    "<img src=x onerror=alert(1)>": "<script>alert(1)</script>",
    "1": "10",
    "a[b]&c=d,e": "=HYPERLINK(\"http://example.com\")",
    "": "",
    "rtl \u202e": "\u05e9\u05dc\u05d5\u05dd \u202eabc",
    "zero\u200bwidth": "a\u200bb",
    "e\u0301": "e",
    "é": "composed",
    "emoji": "😀" * 512,
    "family": "👩‍👩‍👧",
    "quotes": "'; DROP TABLE conversations; --\" \\ ` $HOME",
    "percent": "100%25&x=1#y?z",
}


def test_hostile_strings_are_ordinary_input_everywhere(server, visit):
    items = [
        {"type": "message", "role": "user", "content": "<img src=x onerror=alert(1)> \u202egnp.exe"},
        {"type": "function_call", "name": "<b>x</b>", "call_id": "__proto__",
         "arguments": "{\"__proto__\":1}"},
        {"type": "function_call_output", "call_id": "__proto__", "output": "not JSON {"},
        {"type": "message", "role": "user", "content": [
            {"type": "input_image", "image_url": "https://example.com/tracker.png"},
            {"type": "constructor", "text": "unknown part"}]},
    ]
    identifier = create(server, HOSTILE, items)
    tab = visit(server)
    page = tab.page
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    expect(tab.rows()).to_have_count(1)
    tab.open(f"#/conversations?show={identifier}")
    # Each as one more filter: from the cell to the address, and from the address to the request.
    for count, (key, value) in enumerate(HOSTILE.items(), 1):
        page.get_by_role("complementary").get_by_role(
            "button", name=f"Filter: {key} is {value}", exact=True).click()
        expect(page.locator(".chip")).to_have_count(count)
        expect(tab.rows()).to_have_count(1)
    page.reload()
    expect(page.locator(".chip")).to_have_count(len(HOSTILE))
    expect(tab.rows()).to_have_count(1)
    assert page.get_by_text("U+202E").count() > 0
    open_editor(tab, identifier)
    page.reload()
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Value of 1", exact=True).fill("11")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert stored(server, identifier) == {**HOSTILE, "1": "11"}
    page.get_by_role("button", name="JSON").click()
    expect(page.get_by_text("tracker.png")).to_be_visible()
    assert dialogs == []
    assert page.locator("main img, main script, main b b").count() == 0
