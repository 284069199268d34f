"""kill -9 while a file is created, migrated, or given keys."""

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from conftest import REPOSITORY, bearer, clean_environment

PATH = "/v1/conversations"
ROUNDS = 5
CONVERSATIONS = 5_000
APPLICATION_ID = 0x636F6E76


@pytest.fixture
def chance():
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.fixture
def killed(binary, tmp_path, chance):
    """Runs a command and kills it at any moment of that time; returns what it had printed."""

    def killed(*arguments, within):
        process = subprocess.Popen(
            [binary, *map(str, arguments)], env=clean_environment(), cwd=tmp_path,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            time.sleep(chance.uniform(0, within))
        finally:
            process.kill()
        return process.communicate()[0].decode()

    return killed


def timed(action):
    start = time.monotonic()
    action()
    return time.monotonic() - start


def folders(tmp_path):
    for number in range(ROUNDS):
        (tmp_path / str(number)).mkdir()
        yield tmp_path / str(number)


def test_a_file_whose_creation_was_killed_is_created_all_the_same(start, run, killed, tmp_path):
    whole = timed(lambda: start().kill())
    for folder in folders(tmp_path):
        database = folder / "conversations.db"
        for _ in range(2):
            killed("serve", "--port", "0", "--database", database, within=whole)
        server = start(folder=folder)
        created = server.request("POST", PATH, {"metadata": {"a": "1"}}).json()
        server.kill()
        # A start that is killed after that has a log to recover from.
        killed("serve", "--port", "0", "--database", database, within=whole)
        server.start()
        assert server.request("GET", PATH).json()["data"] == [created]
        assert server.stop() == 0
        assert run("check", "--database", database).returncode == 0


# Writes so much that some of it is in the file before the end, which does not come.
BROKEN_OFF = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.executescript("PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; BEGIN;" + sys.argv[2])
os.kill(os.getpid(), signal.SIGKILL)
"""


def break_off(database, sql):
    result = subprocess.run([sys.executable, "-c", BROKEN_OFF, database, sql])
    assert result.returncode == -signal.SIGKILL
    assert database.with_name("conversations.db-journal").stat().st_size > 0


def test_a_creation_that_was_broken_off_leaves_a_file_like_none(run, start, tmp_path):
    database = tmp_path / "conversations.db"
    break_off(database, "CREATE TABLE a (b); INSERT INTO a VALUES (zeroblob(100000));")
    server = start()
    created = server.request("POST", PATH, {"metadata": {"a": "1"}}).json()
    server.restart()
    assert server.request("GET", PATH).json()["data"] == [created]
    assert run("check", "--database", database).returncode == 0


@pytest.mark.parametrize("command", ["serve", "check", "keys create --name a", "migrate"])
def test_a_person_s_change_that_was_broken_off_is_rolled_back(run, server, command):
    created = server.request("POST", PATH, {"metadata": {"a": "1"}}).json()
    assert server.stop() == 0
    break_off(server.database, """
        UPDATE metadata SET value = 'half';
        CREATE TABLE mine (a); INSERT INTO mine VALUES (zeroblob(100000));""")
    if command == "serve":
        server.start()
        assert server.request("GET", PATH).json()["data"] == [created]
        assert server.stop() == 0
    else:
        result = run(*command.split(), "--database", server.database)
        assert result.returncode == 0, result
    _, [(id, metadata)] = look(server.database)
    assert (id, json.loads(metadata)) == (created["id"], created["metadata"])


def make_first_version(database):
    """A file as the first migration alone leaves it, with so much in it that the next take a while.
    """
    first, = (REPOSITORY / "migrations").glob("0001_*.sql")
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(f"""
            PRAGMA journal_mode = WAL;
            BEGIN;
            {first.read_text(encoding="utf-8")}
            WITH RECURSIVE counted (n) AS (
              SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {CONVERSATIONS})
            INSERT INTO conversations (id, created_at)
            SELECT printf('conv_%08x%040d', 1700000000 + n, n), 1700000000 + n FROM counted;
            INSERT INTO metadata (conversation, key, value)
            SELECT number, 'number', number FROM conversations;
            PRAGMA application_id = {APPLICATION_ID};
            PRAGMA user_version = 1;
            COMMIT;
            """)


def look(database):
    """Which version the file has, and what is in it."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        version, = connection.execute("PRAGMA user_version").fetchone()
        return version, connection.execute("SELECT id, metadata FROM overview").fetchall()


def test_a_migration_that_was_killed_goes_on_where_it_was(run, killed, tmp_path):
    old, probe = tmp_path / "old.db", tmp_path / "probe.db"
    make_first_version(old)
    _, content = look(old)
    assert len(content) == CONVERSATIONS
    shutil.copy(old, probe)

    def migrate(database):
        assert run("migrate", "--database", database).returncode == 0

    whole = timed(lambda: migrate(probe))
    newest, _ = look(probe)
    versions = []
    for folder in folders(tmp_path):
        database = shutil.copy(old, folder / "conversations.db")
        killed("migrate", "--database", database, within=whole)
        version, found = look(database)
        assert found == content
        versions.append(version)
        migrate(database)
        assert look(database) == (newest, content)
        assert run("check", "--database", database).returncode == 0
    print(f"killed at versions {versions}")
    assert set(versions) <= set(range(1, newest + 1))


def statuses(server, keys):
    return [server.request("GET", PATH, headers=bearer(key)).status for key in keys]


def test_keys_made_and_revoked_before_a_kill_count_after_it(server, make_key, keys, list_keys):
    made = []
    for number in range(3):
        made.append(make_key(f"key {number}"))
        if number:
            assert keys("revoke", f"key {number - 1}").returncode == 0
        server.kill()
        server.start()
        assert server.request("GET", PATH).status == 401
        assert statuses(server, made) == [*number * [401], 200]
    assert [row["STATE"] for row in list_keys()] == ["revoked", "revoked", "active"]


def test_a_key_that_was_printed_counts_whenever_its_command_was_killed(
        server, run, make_key, killed, list_keys, tmp_path):
    whole = timed(lambda: make_key("whole"))
    printed = [killed("keys", "create", "--name", f"key {number}", "--database", server.database,
                      within=1.5 * whole) for number in range(ROUNDS)]
    printed = [line.removesuffix("\n") for line in printed if line.endswith("\n")]
    server.kill()
    server.start()
    assert statuses(server, printed) == len(printed) * [200]
    # One whose line was lost with its command may be there or not; a person sees it.
    listed = list_keys()
    assert len(printed) + 1 <= len(listed) <= ROUNDS + 1
    assert {row["STATE"] for row in listed} == {"active"}
    assert run("check", "--database", server.database).returncode == 0
