"""Many conversations at once: changes, deletions and exports."""

import csv
import json

from conftest import create, sample_metadata, stored
from playwright.sync_api import expect


def select_all_that_match(page, count):
    page.get_by_label("Select all that are shown").check()
    page.get_by_role("button", name=f"Select all {count} that match").click()


def confirm(page, count, verb):
    dialog = page.get_by_role("dialog")
    act = dialog.get_by_role("button", name=f"{verb} {count}")
    expect(act).to_be_disabled()
    dialog.get_by_label("to confirm").fill("1")
    expect(act).to_be_disabled()
    dialog.get_by_label("to confirm").fill(str(count))
    act.click()


def test_selected_conversations_are_changed_and_no_other(server, visit):
    identifiers = [create(server, {"n": str(number), "status": "open"}) for number in range(4)]
    tab = visit(server)
    page = tab.page
    expect(tab.rows()).to_have_count(4)
    for index in (0, 2):
        page.locator("td.check input").nth(index).check()
    page.get_by_role("button", name="Change metadata").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Key").fill("status")
    dialog.get_by_role("textbox", name="Value").fill("closed")
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog).to_contain_text("Set status to closed")
    dialog.get_by_label("First save a copy").uncheck()
    confirm(page, 2, "Change")
    expect(dialog).to_contain_text("2 done, 0 failed")
    dialog.get_by_role("button", name="Close").click()
    # The newest is the first row.
    statuses = [stored(server, identifier)["status"] for identifier in identifiers]
    assert statuses == ["open", "closed", "open", "closed"]
    expect(page.get_by_role("region", name="Selection")).to_be_hidden()


def test_a_key_is_removed_from_all_that_match_and_failures_are_told(server, visit):
    identifiers = [create(server, {"topic": "refund", "note": "x"}) for _ in range(3)]
    other = create(server, {"topic": "billing", "note": "x"})
    tab = visit(server, "#/conversations?metadata[topic]=refund")
    tab.provoked.add(404)
    page = tab.page
    expect(tab.rows()).to_have_count(3)
    for index in range(3):
        page.locator("td.check input").nth(index).check()
    server.request("DELETE", f"/v1/conversations/{identifiers[1]}")
    page.get_by_role("button", name="Change metadata").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Key").fill("note")
    dialog.get_by_label("Remove the key instead").check()
    dialog.get_by_role("button", name="Continue").click()
    dialog.get_by_label("First save a copy").uncheck()
    confirm(page, 3, "Change")
    expect(dialog).to_contain_text("2 done, 1 failed")
    expect(dialog).to_contain_text(identifiers[1])
    assert stored(server, identifiers[0]) == {"topic": "refund"}
    assert stored(server, other) == {"topic": "billing", "note": "x"}


def test_all_that_match_are_deleted_after_a_copy_was_saved(server, visit, tmp_path):
    # More than a page.
    doomed = [create(server, {"topic": "refund", "n": str(number)}) for number in range(120)]
    kept = create(server, {"topic": "billing"})
    tab = visit(server, "#/conversations?metadata[topic]=refund")
    page = tab.page
    expect(page.get_by_text("120 match")).to_be_visible()
    select_all_that_match(page, 120)
    page.get_by_role("region", name="Selection").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_contain_text("topic is refund")
    with page.expect_download() as download:
        confirm(page, 120, "Delete")
    expect(page.get_by_role("dialog")).to_contain_text("120 done, 0 failed")
    download.value.save_as(tmp_path / "copy.ndjson")
    lines = (tmp_path / "copy.ndjson").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["id"] for line in lines} == set(doomed)
    assert all(stored(server, identifier) is None for identifier in doomed[::10])
    assert stored(server, kept) == {"topic": "billing"}
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("No conversation matches")).to_be_visible()


def test_a_job_can_be_stopped(server, visit):
    for number in range(60):
        create(server, {"n": str(number)})
    tab = visit(server)
    page = tab.page
    expect(page.get_by_text("60 conversations")).to_be_visible()
    held = []

    def hold(route):
        if route.request.method == "DELETE":
            held.append(route)
        else:
            route.continue_()

    page.route("**/v1/conversations/*", hold)
    select_all_that_match(page, 60)
    page.get_by_role("region", name="Selection").get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_label("First save a copy").uncheck()
    confirm(page, 60, "Delete")
    page.wait_for_timeout(500)
    # Six at a time.
    assert len(held) == 6
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("dialog")).to_contain_text("Stopped: 0 done")
    tab.provoked.add(0)
    page.unroute_all(behavior="ignoreErrors")


def export(page, name):
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    page.get_by_role("button", name="Close").click()
    return download.value


def test_what_is_filtered_is_exported(server, visit, tmp_path):
    for number in range(30):
        create(server, sample_metadata(number))
    evil = create(server, {"topic": "refund", "f": "=1+1", "q": 'a "b", c\nd', "@x": "-2"})
    tab = visit(server, "#/conversations?metadata[topic]=refund")
    page = tab.page
    expect(tab.rows()).to_have_count(11)
    file = export(page, "CSV")
    assert file.suggested_filename.endswith(".csv")
    file.save_as(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 11
    row = next(row for row in rows if row["id"] == evil)
    assert (row["f"], row["'@x"], row["q"]) == ("'=1+1", "'-2", 'a "b", c\nd')
    file = export(page, "NDJSON")
    file.save_as(tmp_path / "a.ndjson")
    lines = (tmp_path / "a.ndjson").read_text(encoding="utf-8").splitlines()
    found = {one["id"]: one for one in map(json.loads, lines)}
    assert len(found) == 11
    assert found[evil]["metadata"] == {"topic": "refund", "f": "=1+1", "q": 'a "b", c\nd', "@x": "-2"}
