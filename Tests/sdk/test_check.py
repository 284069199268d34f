"""`conversationd check`: what it finds, and that it finds nothing in a database that is well."""

import re
import sqlite3
from contextlib import closing

import pytest

ID = "conv_00000007" + 40 * "0"
OLDER_ID = "conv_" + 48 * "0"
SECRET = "hush-hush"


@pytest.fixture
def database(run, tmp_path):
    """A database with one conversation of two pairs."""
    path = tmp_path / "conversations.db"
    assert run("migrate", "--database", path).returncode == 0
    execute(path, f"""
        INSERT INTO conversations (id, created_at) VALUES ('{ID}', 7);
        INSERT INTO metadata (conversation, key, value)
        VALUES (1, 'a', '{SECRET}'), (1, 'b', '{SECRET}');
        """)
    return path


def execute(path, sql):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)


def test_a_good_database_is_well(run, database):
    result = run("check", "--database", database)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{database}: 1 conversations, 2 metadata pairs, 0 items, all is well\n"


def test_check_changes_nothing(run, database):
    before = database.read_bytes()
    assert run("check", "--database", database).returncode == 0
    assert database.read_bytes() == before
    # A read-only connection cannot take away the log's files; the next server does.
    log = database.with_name(database.name + "-wal")
    assert not log.exists() or log.read_bytes() == b""


def test_a_missing_file_is_refused_and_not_created(refused, tmp_path):
    line = refused("check", "--database", "missing.db")
    assert line == "Error: database 'missing.db': no such file or folder"
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_refused_with_what_to_do(refused, tmp_path):
    (tmp_path / "empty.db").touch()
    line = refused("check", "--database", "empty.db")
    assert line.startswith("Error: database 'empty.db': ") and "conversationd migrate" in line
    assert (tmp_path / "empty.db").read_bytes() == b""


def test_a_server_may_run_beside_it(server, run):
    id = server.request("POST", "/v1/conversations", {"metadata": {"a": "1"}}).json()["id"]
    result = run("check", "--database", server.database)
    assert (result.returncode, result.stderr) == (0, "")
    assert "1 conversations, 1 metadata pairs, 0 items, all is well" in result.stdout
    update = server.request("POST", f"/v1/conversations/{id}", {"metadata": {"a": "2"}})
    assert update.json()["metadata"] == {"a": "2"}


def unguarded(sql):
    """SQL past the schema's own guards, as a person who insists can run it."""
    return f"""
        PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;
        DROP TRIGGER metadata_inserted; DROP TRIGGER metadata_moved;
        DROP TRIGGER conversations_updated; {sql}"""


def pair(key, value, conversation=1):
    return (f"INSERT INTO metadata (conversation, key, value) "
            f"VALUES ({conversation}, {key}, {value});")


AN_OLDER_CONVERSATION = (
    f"INSERT INTO conversations (id, created_at) VALUES ('{OLDER_ID}', 0)")
KEY_OF_NO_CONVERSATION = f"""
    INSERT INTO idempotency_keys
      (project, key, request_hash, conversation, answer, content_hash, created_at)
    VALUES (1, 'k', '{64 * "0"}', 99, '', '{32 * "0"}', 0)"""
FAULTS = {
    "an orphan row": (pair("'k'", "'v'", conversation=7), ["1 rows of metadata", "conversations"]),
    "a value that is not UTF-8": (
        "UPDATE metadata SET value = CAST(x'ff' AS TEXT) WHERE key = 'a'",
        [ID, '"a"', "not UTF-8"]),
    "a key that is not UTF-8": (pair("CAST(x'6bff' AS TEXT)", "'v'"), [ID, "k\ufffd", "not UTF-8"]),
    "an overlong encoding": (pair("'k'", "CAST(x'c080' AS TEXT)"), [ID, '"k"', "not UTF-8"]),
    "a surrogate": (pair("'k'", "CAST(x'eda080' AS TEXT)"), [ID, '"k"', "not UTF-8"]),
    "an idempotency key of no conversation": (
        "DROP TRIGGER idempotency_keys_inserted; " + KEY_OF_NO_CONVERSATION,
        ["1 rows of idempotency_keys", "conversations"]),
    "a conversation numbered before an older one": (
        "DROP TRIGGER conversations_ordered; " + AN_OLDER_CONVERSATION, [OLDER_ID, "newer"]),
    "a 17th pair": (
        "".join(pair(f"'k{n}'", "'v'") for n in range(15)), [ID, "17 metadata pairs", "16"]),
    "a long key": (pair(f"'{65 * 'k'}'", "'v'"), [ID, 65 * "k", "over a limit"]),
    "a long value": (pair("'k'", f"'{513 * 'v'}'"), [ID, '"k"', "over a limit"]),
    "a NUL in a value": (pair("'k'", "'v' || char(0)"), [ID, '"k"']),
    "a NUL in a key": (pair("'k' || char(0)", "'v'"), [ID, "k"]),
    "items that nobody counted": ("UPDATE activity SET item_count = 5", [ID, "activity", "items"]),
    "a conversation without its row of activity": (
        "DROP TRIGGER activity_deleted; DELETE FROM activity", [ID, "activity", "missing"]),
    "an id of another form": ("UPDATE conversations SET id = 'conv_1'", ["conversation number 1"]),
    "an id of another time": ("UPDATE conversations SET created_at = 8", ["conversation number 1"]),
}


@pytest.mark.parametrize("sql, words", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found_and_named_without_values(run, database, sql, words):
    execute(database, unguarded(sql))
    result = run("check", "--database", database)
    assert (result.returncode, result.stderr) == (65, "")
    *findings, summary = result.stdout.splitlines()
    assert any(all(word in line for word in words) for line in findings), findings
    assert summary.endswith(f", {len(findings)} findings")
    assert SECRET not in result.stdout


def test_every_fault_is_found_in_one_go(run, database):
    execute(database, unguarded(
        pair("'k'", "'v'", conversation=7) + pair("'l'", "CAST(x'ff' AS TEXT)")
        + "INSERT INTO conversations (id, created_at) VALUES ('conv_1', 0);"))
    output = run("check", "--database", database).stdout
    for words in ("foreign keys:", "not UTF-8", "conversation number 2"):
        assert words in output


@pytest.fixture
def large_database(database):
    """A database of many pages; the name of each page's table or index, by page number."""
    rows = "".join(
        f"INSERT INTO conversations (id, created_at) VALUES ('conv_{t:08x}{40 * '1'}', {t});"
        + pair("'k'", f"'{400 * 'v'}'", conversation=n) for n, t in enumerate(range(8, 1000), 2))
    execute(database, f"BEGIN; {rows} COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")
    return database


@pytest.mark.parametrize("tree", [
    "conversations", "metadata", "metadata_by_pair", "metadata_by_key",
    "conversations_by_project", "sqlite_autoindex_conversations_1"])
@pytest.mark.parametrize("page", ["root", "leaf"])
def test_a_page_of_garbage_is_found(run, large_database, tree, page):
    # The sqlite3 program knows which page belongs to what only when built with dbstat; the root
    # pages are in the schema, and a leaf of a tree can be told by a row that is only there.
    with closing(sqlite3.connect(large_database)) as connection:
        [root] = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", [tree]).fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    number = root if page == "root" else leaf_below(large_database, root, size)
    with large_database.open("r+b") as file:
        file.seek((number - 1) * size)
        file.write(bytes((7 * n + 5) % 256 for n in range(size)))
    result = run("check", "--database", large_database)
    assert result.returncode == 65, result
    assert re.search("^integrity: ", result.stdout, re.MULTILINE), result
    assert "Fatal error" not in result.stderr


def leaf_below(path, root, size):
    """A leaf of a b-tree: the first child pointer of each inner page, followed down
    (https://www.sqlite.org/fileformat2.html#b_tree_pages)."""
    content = path.read_bytes()
    number = root
    while True:
        page = content[(number - 1) * size:number * size]
        if page[0] in (10, 13):
            assert number != root, "the tree is one page"
            return number
        cell = int.from_bytes(page[12:14], "big")
        number = int.from_bytes(page[cell:cell + 4], "big")


def test_a_file_cut_short_is_found(run, large_database):
    content = large_database.read_bytes()
    large_database.write_bytes(content[:len(content) // 2])
    result = run("check", "--database", large_database)
    assert result.returncode == 65
    assert "Fatal error" not in result.stderr


def test_a_missing_index_entry_is_found(run, large_database):
    execute(large_database, """
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = NULL, type = 'x' WHERE name = 'metadata_by_pair';
        """)
    assert run("check", "--database", large_database).returncode == 65
