"""What the sqlite3 command-line program can and cannot do to a database beside the server."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

FULL = {f"key {n}": "value" for n in range(16)}


@pytest.fixture
def conversation(server):
    """A stored conversation of one pair; its number is 1."""
    return create(server, {"a": "1"})


def create(server, metadata):
    answer = server.request("POST", "/v1/conversations", {"metadata": metadata})
    assert answer.status == 200
    return answer.json()


def stored(server, conversation):
    return server.request("GET", f"/v1/conversations/{conversation['id']}").json()


def insert(key, value="'v'", number=1):
    return f"INSERT INTO metadata (conversation, key, value) VALUES ({number}, {key}, {value})"


def test_foreign_keys_are_off_in_the_sqlite_program(server, sqlite):
    # The tests below mean something only because of that.
    assert sqlite(server.database, "PRAGMA foreign_keys").stdout == "0\n"


def insert_key(key="'k'", number=1, request_hash=64 * "0", content_hash=32 * "0"):
    return (f"INSERT INTO idempotency_keys "
            f"(project, key, request_hash, conversation, answer, content_hash, created_at) "
            f"VALUES (1, {key}, '{request_hash}', {number}, '', '{content_hash}', 0)")


LEGAL = {
    "a second pair": insert("'b'"),
    "an empty key and value": insert("''", "''"),
    "a key of 64 code points": insert(f"'{64 * '💬'}'"),
    "a value of 512 code points": insert("'b'", f"'{512 * '💬'}'"),
    "both spellings of a letter": insert("'\u00e9'") + "; " + insert("'e\u0301'"),
    "a changed value": "UPDATE metadata SET value = '2'",
    "a changed key": "UPDATE metadata SET key = 'b'",
    "a replaced pair": "REPLACE INTO metadata (conversation, key, value) VALUES (1, 'a', '2')",
    "a deleted pair": "DELETE FROM metadata",
}


@pytest.mark.parametrize("sql", LEGAL.values(), ids=LEGAL)
def test_a_legal_change_is_taken_and_served(server, conversation, sqlite, sql):
    result = sqlite(server.database, sql)
    assert (result.returncode, result.stderr) == (0, "")
    with closing(sqlite3.connect(server.database)) as connection:
        pairs = dict(connection.execute("SELECT key, value FROM metadata"))
    assert stored(server, conversation)["metadata"] == pairs != {"a": "1"}


ILLEGAL = {
    "a key of 65 code points": insert(f"'{65 * 'k'}'"),
    "a key of 65 emoji": insert(f"'{65 * '💬'}'"),
    "a value of 513 code points": insert("'b'", f"'{513 * 'v'}'"),
    "a NUL in a key": insert("'b' || char(0)"),
    "a NUL in a value": insert("'b'", "'v' || char(0) || 'w'"),
    "a NUL that hides a long value": insert("'b'", f"char(0) || '{600 * 'v'}'"),
    "a key twice": insert("'a'"),
    "a NULL value": insert("'b'", "NULL"),
    "a value that is a blob": insert("'b'", "x'41'"),
    "a pair of no conversation": insert("'b'", number=99),
    "a pair of another project": (
        "INSERT INTO metadata (conversation, key, value, project) VALUES (1, 'b', 'v', 2)"),
    "a change to a long key": f"UPDATE metadata SET key = '{65 * 'k'}'",
    "a change to a long value": f"UPDATE metadata SET value = '{513 * 'v'}'",
    "a change to a NUL in a key": "UPDATE metadata SET key = key || char(0)",
    "a change to a NUL in a value": "UPDATE metadata SET value = char(0)",
    "a change to no conversation": "UPDATE metadata SET conversation = 99",
    "a change to another project": "UPDATE metadata SET project = 2",
    "a replaced pair of a long value": (
        f"REPLACE INTO metadata (conversation, key, value) VALUES (1, 'a', '{513 * 'v'}')"),
    "a change of an id": "UPDATE conversations SET id = replace(id, 'conv_', 'CONV_')",
    "a change of a creation time": "UPDATE conversations SET created_at = created_at + 1",
    "a change of a number": "UPDATE conversations SET number = 7",
    "an id of another form": "INSERT INTO conversations (id, created_at) VALUES ('conv_1', 1)",
    "an id of another time": (
        f"INSERT INTO conversations (id, created_at) VALUES ('conv_{48 * '0'}', 1)"),
    "an id of capitals": (
        f"INSERT INTO conversations (id, created_at) VALUES ('conv_0000000A{40 * '0'}', 10)"),
    "a conversation in place of another, by id": (
        "INSERT OR REPLACE INTO conversations (id, created_at) "
        "SELECT id, created_at FROM conversations"),
    "a conversation in place of another, by number": (
        f"REPLACE INTO conversations (number, id, created_at) VALUES (1, 'conv_{48 * '0'}', 0)"),
    "an older conversation after a newer one": (
        f"INSERT INTO conversations (id, created_at) VALUES ('conv_{48 * '0'}', 0)"),
    "an idempotency key of no conversation": insert_key(number=99),
    "an empty idempotency key": insert_key("''"),
    "an idempotency key with a blank": insert_key("'a b'"),
    "an idempotency key of 256 characters": insert_key(f"'{256 * 'k'}'"),
    "an idempotency key beyond ASCII": insert_key("'é'"),
    "a request hash of another form": insert_key(request_hash=64 * "G"),
    "a content hash of another form": insert_key(content_hash=31 * "0"),
    "a change of an idempotency key": (
        insert_key() + "; UPDATE idempotency_keys SET answer = 'another'"),
}


@pytest.mark.parametrize("sql", ILLEGAL.values(), ids=ILLEGAL)
def test_an_illegal_change_is_refused_and_changes_nothing(server, conversation, sqlite, sql):
    result = sqlite(server.database, sql)
    assert result.returncode != 0
    sqlite_constraint = "(19)"
    assert sqlite_constraint in result.stderr
    assert stored(server, conversation) == conversation
    assert sqlite(server.database, "SELECT count(*) FROM conversations").stdout == "1\n"
    assert sqlite(server.database, "SELECT count(*) FROM metadata").stdout == "1\n"
    records = "SELECT count(*) FROM idempotency_keys WHERE answer <> ''"
    assert sqlite(server.database, records).stdout == "0\n"


@pytest.mark.parametrize("sql", [
    insert("'one more'", number=2),
    insert("'one more'", number=2).replace("INSERT", "INSERT OR REPLACE"),
    insert("'one more'", number=2).replace("INSERT", "INSERT OR IGNORE"),
    "UPDATE metadata SET conversation = 2 WHERE conversation = 1",
    "UPDATE OR REPLACE metadata SET conversation = 2 WHERE conversation = 1",
], ids=["insert", "insert or replace", "insert or ignore", "move", "move or replace"])
def test_a_seventeenth_pair_is_refused(server, conversation, sqlite, sql):
    full = create(server, FULL)
    result = sqlite(server.database, sql)
    assert result.returncode != 0
    assert "at most 16" in result.stderr
    assert stored(server, full)["metadata"] == FULL
    assert stored(server, conversation) == conversation


def test_a_deleted_conversation_takes_its_pairs_and_leaves_nothing_to_inherit(
        server, conversation, sqlite):
    other = create(server, {"b": "2"})
    delete = f"DELETE FROM conversations WHERE id = '{other['id']}'"
    assert sqlite(server.database, delete).returncode == 0
    assert sqlite(server.database, "SELECT conversation, key FROM metadata").stdout == "1|a\n"
    assert server.request("GET", f"/v1/conversations/{other['id']}").status == 404
    # The newest is gone, and its number too: the next conversation does not get it.
    later = server.request("POST", "/v1/conversations").json()
    assert later["metadata"] == {}
    assert later["id"] > conversation["id"]
    assert sqlite(server.database, "SELECT number FROM conversations").stdout == "1\n3\n"


def test_a_conversation_inserted_by_hand_is_served(server, sqlite):
    id = f"conv_00000001{40 * 'a'}"
    sql = (f"INSERT INTO conversations (id, created_at) VALUES ('{id}', 1);"
           + insert("'by'", "'hand'"))
    assert sqlite(server.database, sql).returncode == 0
    assert server.request("GET", f"/v1/conversations/{id}").json() == {
        "id": id, "object": "conversation", "created_at": 1, "metadata": {"by": "hand"}}


def test_the_overview_shows_a_conversation_a_row(server, sqlite):
    odd = {"": "", "quote\"": "it's", "\u00e9": "1", "e\u0301": "2", "💬": "a\nb\\"}
    for metadata in ({}, odd, FULL):
        conversation = create(server, metadata)
        time = datetime.fromtimestamp(conversation["created_at"], UTC)
        sql = f"SELECT * FROM overview WHERE id = '{conversation['id']}'"
        [row] = json.loads(sqlite(server.database, sql, "-json").stdout)
        assert row["id"] == conversation["id"]
        assert row["created_at"] == time.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert json.loads(row["metadata"]) == metadata
        assert list(json.loads(row["metadata"])) == sorted(metadata)
    assert sqlite(server.database, "SELECT count(*) FROM overview").stdout == "3\n"


@pytest.mark.parametrize("sql", [
    "UPDATE metadata SET value = CAST(x'ff' AS TEXT) WHERE conversation = 1",
    insert("CAST(x'6bff' AS TEXT)"), insert("'b'", "CAST(x'c080' AS TEXT)"),
    insert("'b'", "CAST(x'eda080' AS TEXT)"), insert("'b'", "CAST(x'f09f92' AS TEXT)"),
], ids=["value", "key", "overlong", "surrogate", "cut short"])
def test_a_row_that_is_not_utf_8_is_an_error_of_its_conversation_alone(
        server, conversation, sqlite, run, sql):
    other = create(server, {"b": "2"})
    assert sqlite(server.database, sql).returncode == 0

    path = f"/v1/conversations/{conversation['id']}"
    answer = server.request("GET", path)
    assert answer.status == 500
    assert answer.headers["x-should-retry"] == "false"
    assert answer.error["type"] == "server_error"
    assert (answer.error["param"], answer.error["code"]) == (None, None)
    assert answer.headers["x-request-id"] in server.log()

    assert stored(server, other) == other
    assert server.request("GET", "/readyz").status == 200
    assert run("check", "--database", server.database).returncode == 65

    update = server.request("POST", path, {"metadata": {"a": "3"}})
    assert (update.status, update.json()["metadata"]) == (200, {"a": "3"})
    assert stored(server, conversation)["metadata"] == {"a": "3"}
    assert stored(server, other) == other
    assert run("check", "--database", server.database).returncode == 0


def test_a_conversation_with_a_row_that_is_not_utf_8_can_be_deleted(server, conversation, sqlite):
    sqlite(server.database, insert("CAST(x'ff' AS TEXT)"))
    assert server.request("DELETE", f"/v1/conversations/{conversation['id']}").status == 200
    assert sqlite(server.database, "SELECT count(*) FROM metadata").stdout == "0\n"
