"""The history of metadata: what a server keeps of former sets, shows, restores and forgets."""

import re

import pytest
from openai import NotFoundError, PermissionDeniedError
from openai.types.conversations import Conversation

from conftest import REPOSITORY, bearer

DAYS = {"CONVERSATIOND_METADATA_HISTORY_DAYS": "30"}


def path(id):
    return f"/v1/conversations/{id}/metadata_history"


def history(server, id, query="", headers=()):
    answer = server.request("GET", path(id) + query, headers=headers)
    assert answer.status == 200
    assert list(answer.json()) == ["object", "data", "first_id", "has_more", "last_id"]
    return answer.json()


@pytest.fixture
def keeping(start):
    """A server that keeps former sets."""
    return start(environment=DAYS)


def test_sets_are_kept_shown_page_by_page_and_restored(keeping, make_key):
    server = keeping
    with server.client() as nobody:
        id = nobody.conversations.create(metadata={"topic": "a"}).id
        made = nobody.conversations.with_raw_response.update(id, metadata={"topic": "b", "n": "1"})
    support = bearer(make_key("support"))
    changed = server.request("PATCH", f"/v1/conversations/{id}", {"metadata": {"n": None}}, support)
    # Changes nothing.
    same = server.request("PATCH", f"/v1/conversations/{id}", {"metadata": {"x": None}}, support)
    assert same.body == changed.body
    cleared = server.request("POST", f"/v1/conversations/{id}", {"metadata": None}, support)

    all = history(server, id, headers=support)
    assert [each["metadata"] for each in all["data"]] == [
        {"topic": "b"}, {"n": "1", "topic": "b"}, {"topic": "a"}]
    assert [each["replaced_by"] for each in all["data"]] == ["support", "support", None]
    assert [each["request_id"] for each in all["data"]] == [
        answer.headers["x-request-id"] for answer in (cleared, changed, made)]
    for each in all["data"]:
        assert list(each) == [
            "object", "id", "metadata", "replaced_at", "replaced_by", "request_id"]
        assert each["object"] == "conversation.metadata_version"
        assert each["replaced_at"] == int(each["id"]) // 1_000_000
        assert abs(each["replaced_at"] - changed.json()["created_at"]) < 3600
    ids = [each["id"] for each in all["data"]]
    assert (all["first_id"], all["last_id"], all["has_more"]) == (ids[0], ids[2], False)
    walked, after = [], ""
    while True:
        page = history(server, id, f"?limit=1&order=asc{after}", support)
        walked += page["data"]
        after = f"&after={page['last_id']}"
        if not page["has_more"]:
            break
    assert walked == all["data"][::-1]

    restore = f"{path(id)}/{ids[1]}/restore"
    stale = server.request("POST", restore, headers={**support, "If-Match": made.headers["etag"]})
    assert (stale.status, stale.error["code"]) == (412, "precondition_failed")
    restored = server.request(
        "POST", restore, {}, {**support, "Content-Type": "application/json",
                              "If-Match": cleared.headers["etag"]})
    assert restored.status == 200
    assert restored.json()["metadata"] == {"n": "1", "topic": "b"}
    assert restored.headers["etag"] == made.headers["etag"]
    assert restored.body == server.request("GET", f"/v1/conversations/{id}", headers=support).body
    newest = history(server, id, "?limit=1", support)["data"][0]
    assert newest["metadata"] == {}
    assert newest["request_id"] == restored.headers["x-request-id"]
    # What it has already.
    assert server.request("POST", restore, headers=support).body == restored.body
    assert history(server, id, headers=support)["data"][1:] == all["data"]
    unknown = server.request("POST", f"{path(id)}/{int(ids[0]) + 1}/restore", headers=support)
    assert (unknown.status, unknown.error["code"]) == (404, "metadata_version_not_found")

    server.restart()
    assert len(history(server, id, headers=support)["data"]) == 4
    assert server.request("DELETE", f"/v1/conversations/{id}", headers=support).status == 200
    assert server.request("GET", path(id), headers=support).status == 404


def test_other_projects_see_none_of_it_and_readers_restore_nothing(keeping, make_key):
    keys = [make_key("ours"), make_key("reader", "--read-only"), make_key("theirs", "--project", "b")]
    ours, reader, theirs = (keeping.client(api_key=key, max_retries=0) for key in keys)
    with ours, reader, theirs:
        id = ours.conversations.create(metadata={"a": "1"}).id
        ours.conversations.update(id, metadata={"a": "2"})
        at = f"/conversations/{id}/metadata_history"
        version, = reader.get(at, cast_to=object)["data"]
        assert version["replaced_by"] == "ours"
        restore = f"{at}/{version['id']}/restore"
        with pytest.raises(PermissionDeniedError):
            reader.post(restore, cast_to=Conversation)
        with pytest.raises(NotFoundError, match=f"Conversation with id '{id}' not found"):
            theirs.get(at, cast_to=object)
        with pytest.raises(NotFoundError, match=f"Conversation with id '{id}' not found"):
            theirs.post(restore, cast_to=Conversation)
        assert ours.conversations.retrieve(id).metadata == {"a": "2"}
        assert ours.post(restore, cast_to=Conversation).metadata == {"a": "1"}


def test_without_the_setting_nothing_is_kept_and_what_was_kept_stays(start, tmp_path):
    on = start(environment=DAYS)
    id = on.request("POST", "/v1/conversations", {"metadata": {"a": "1"}}).json()["id"]
    on.request("POST", f"/v1/conversations/{id}", {"metadata": {"a": "2"}})
    kept = history(on, id)
    assert on.stop() == 0
    off = start()
    off.request("POST", f"/v1/conversations/{id}", {"metadata": {"a": "3"}})
    assert history(off, id) == kept
    restored = off.request("POST", f"{path(id)}/{kept['first_id']}/restore")
    assert restored.json()["metadata"] == {"a": "1"}
    assert history(off, id) == kept


@pytest.mark.sqlite_only
def test_a_backup_has_it_and_an_export_has_not(keeping, sqlite, run, tmp_path):
    id = keeping.request("POST", "/v1/conversations", {"metadata": {"a": "former"}}).json()["id"]
    keeping.request("POST", f"/v1/conversations/{id}", {"metadata": {"a": "new"}})
    assert run("backup", tmp_path / "copy.db", "--database", keeping.database).returncode == 0
    kept = sqlite(tmp_path / "copy.db", "SELECT before, after FROM metadata_changes").stdout
    assert kept == '{"a":"former"}|{"a":"new"}\n'
    exported = run("export", "--database", keeping.database).stdout
    assert '"new"' in exported and "former" not in exported


@pytest.mark.sqlite_only
def test_the_statements_of_the_documentation_run(keeping, sqlite, run):
    id = keeping.request("POST", "/v1/conversations", {"metadata": {"a": "1"}}).json()["id"]

    def statement(page, start):
        text = (REPOSITORY / page).read_text(encoding="utf-8")
        found, = re.findall(rf"^```sql\n({start}.*?)^```$", text, re.MULTILINE | re.DOTALL)
        return re.sub(r"conv_[0-9a-f]{48}", id, found)

    seen = statement("docs/sqlite.md", "SELECT changed_at")
    for number in (2, 3):
        keeping.request("POST", f"/v1/conversations/{id}", {"metadata": {"a": f"{number}"}})
    lines = sqlite(keeping.database, seen).stdout.splitlines()
    assert [line.partition("|")[2] for line in lines] == [
        '|{"a":"1"}|{"a":"2"}', '|{"a":"2"}|{"a":"3"}']
    older, one = (statement("docs/operation.md", f"DELETE FROM metadata_history WHERE {column} ")
                  for column in ("version", "conversation"))
    assert sqlite(keeping.database, older).stderr == "" and len(history(keeping, id)["data"]) == 2
    assert sqlite(keeping.database, one).stderr == "" and history(keeping, id)["data"] == []
    result = run("check", "--database", keeping.database)
    assert (result.returncode, "all is well" in result.stdout) == (0, True)
