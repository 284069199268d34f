"""A disk that is full, that fails, and that comes back: what clients are told, what is stored, and
what the next start finds."""

import errno
import json
import os
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from conftest import read_answer
from faults import OPEN, READ, SYNC, TRUNCATE, WRITE, Faults
from metrics import scrape

WRITERS = 8
LOG = "conversations.db-wal"
DATABASE = "conversations.db"
# Each is some 65 pages of the log; the server writes it back each 4,000.
LARGE = {f"{number}": 512 * "x" for number in range(16)}
LARGE_COUNT = 80


@pytest.fixture
def faults(preloaded, tmp_path):
    return Faults(preloaded("faults.c"), tmp_path / "faults")


@pytest.fixture
def server(start, faults):
    return start(environment=faults.environment)


def create(server, name, **metadata):
    return server.request("POST", "/v1/conversations", {"metadata": {"name": name, **metadata}})


def get(server, conversation):
    return server.request("GET", f"/v1/conversations/{conversation['id']}")


def stored(server):
    with closing(sqlite3.connect(server.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute("SELECT id, metadata FROM overview")
        return {id: json.loads(metadata) for id, metadata in rows}


def is_unready(server):
    answer = server.request("GET", "/readyz")
    assert server.request("GET", "/healthz").status == 200
    return answer.status == 503 and answer.error["message"].startswith("Not ready: ")


def all_changes(server, conversations):
    """A request of each kind that writes."""
    first, second, third = [f"/v1/conversations/{found['id']}" for found in conversations]
    return [
        create(server, "new"), server.request("POST", first, {"metadata": {}}),
        server.request("PATCH", second, {"metadata": {"name": "other"}}),
        server.request("DELETE", third)]


# What goes by


FULL = pytest.mark.parametrize(
    "error", [errno.ENOSPC, errno.EDQUOT], ids=["of the disk", "of a quota"])


@FULL
def test_a_full_disk_refuses_writes_and_nothing_else_until_there_is_room(
        server, faults, wait_until, error):
    conversations = [create(server, name).json() for name in "abc"]
    before = stored(server)
    faults.begin(WRITE, error, LOG)
    for answer in all_changes(server, conversations):
        assert (answer.status, answer.error["code"]) == (503, "storage_full")
        assert (answer.error["type"], answer.headers["retry-after"]) == ("server_error", "1")
        assert "Nothing was stored" in answer.error["message"]
    assert faults.hits > 0
    for conversation in conversations:
        assert get(server, conversation).json() == conversation
    found = server.request("GET", "/v1/conversations?metadata_exists[]=name").json()["data"]
    assert found == conversations[::-1]
    assert is_unready(server)
    assert stored(server) == before

    faults.end()
    wait_until(lambda: not is_unready(server))
    assert [answer.status for answer in all_changes(server, conversations)] == 4 * [200]
    assert server.stop() == 0
    assert len(stored(server)) == 3


@FULL
# The log is written in two pieces: all but the last page, and the last page.
@pytest.mark.parametrize("skip", [0, 1])
def test_a_disk_that_fills_up_within_a_commit_takes_nothing_of_it(server, faults, skip, error):
    small = create(server, "small").json()
    faults.begin(WRITE, error, LOG, skip)
    answer = create(server, "large", **{key: LARGE[key] for key in list(LARGE)[:15]})
    assert (answer.status, answer.error["code"]) == (503, "storage_full")
    faults.end()
    # After what was begun there, the log goes on.
    other = create(server, "other").json()
    server.kill()
    assert stored(server) == {found["id"]: found["metadata"] for found in (small, other)}
    server.start()
    assert get(server, other).json() == other


@pytest.mark.parametrize("calls", [WRITE, SYNC], ids=["write", "fsync"])
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=errno.errorcode.get)
def test_a_log_that_cannot_be_written_back_is_kept_and_grows(
        start, faults, wait_until, calls, error):
    # Keys that are kept for a second are looked for each second, and the log with them.
    server = start(environment={
        **faults.environment, "CONVERSATIOND_DATABASE_IDEMPOTENCY_SECONDS": "1"})
    log = server.database.with_name(LOG)
    words = "the write-ahead log could not be written back when that was last tried, and grows"
    faults.begin(calls, error, DATABASE)
    created = []
    with closing(server.connection()) as connection:
        def write(count):
            for _ in range(count):
                connection.request("POST", "/v1/conversations", json.dumps({"metadata": LARGE}))
                answer = read_answer(connection)
                assert answer.status == 200, answer
                created.append(answer.json()["id"])

        write(LARGE_COUNT)
        assert faults.hits > 0
        assert log.stat().st_size > 4000 * 4096
        assert scrape(server).value("database_wal_stuck") == 1
        wait_until(lambda: words in server.log())
        faults.end()
        write(1)  # This one writes the log back, and the next begins it anew.
        assert scrape(server).value("database_wal_stuck") == 0
        size = log.stat().st_size
        write(1)
        assert log.stat().st_size == size
        assert server.database.stat().st_size > LARGE_COUNT * 16 * 512
    server.kill()
    assert stored(server) == dict.fromkeys(created, LARGE)


@pytest.mark.parametrize("error", [errno.EIO, errno.ETIMEDOUT], ids=errno.errorcode.get)
def test_a_disk_that_cannot_be_read_is_an_error_of_each_request_until_it_can(
        server, faults, error, wait_until):
    conversations = [create(server, name).json() for name in "abc"]
    before = stored(server)
    server.restart()
    faults.begin(READ, error, DATABASE)
    reading = [get(server, conversations[0]), server.request("GET", "/v1/conversations")]
    for answer in [*reading, *all_changes(server, conversations)]:
        # SQLite may take EIO for a damaged page, of which only the log can tell more.
        assert (answer.status, answer.error["code"]) in [(503, "unavailable"), (500, None)]
        assert answer.status == 503 or error == errno.EIO
        assert answer.headers["retry-after"] or answer.headers["x-should-retry"] == "false"
        assert f"request_id={answer.headers['x-request-id']}" in server.log()
    assert faults.hits > 0

    faults.end()
    assert stored(server) == before
    wait_until(lambda: not is_unready(server))
    assert get(server, conversations[0]).json() == conversations[0]
    assert [answer.status for answer in all_changes(server, conversations)] == 4 * [200]
    assert server.stop() == 0


@pytest.mark.parametrize("file", [DATABASE, LOG])
@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.EIO], ids=errno.errorcode.get)
def test_a_file_that_cannot_be_opened_is_unavailable_until_it_can(server, faults, file, error):
    conversation = create(server, "a").json()
    # The threads of queries open the file when they are first asked.
    faults.begin(OPEN, error, file)
    answer = server.request("GET", "/v1/conversations")
    assert faults.hits > 0
    assert (answer.status, answer.error["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    # The writer and the readers that have it go on.
    assert create(server, "b").status == 200
    faults.end()
    answer = server.request("GET", "/v1/conversations")
    assert answer.status == 200 and conversation in answer.json()["data"]


# What ends the server


ENDS = {
    "fsync": (SYNC, errno.EIO, 0), "fsync, no space": (SYNC, errno.ENOSPC, 0),
    "fsync, quota": (SYNC, errno.EDQUOT, 0),
    "write": (WRITE, errno.EIO, 0), "the third write": (WRITE, errno.EIO, 2),
    "write, read-only": (WRITE, errno.EROFS, 0),
}


@pytest.mark.parametrize("fault", ENDS.values(), ids=ENDS)
def test_a_commit_that_fails_is_the_last_and_loses_no_answered_write(server, faults, run, fault):
    calls, error, skip = fault
    answered = [create(server, str(number)).json() for number in range(10)]
    answers = []

    def write(writer):
        with closing(server.connection()) as connection:
            for number in range(10):
                name = f"{writer} {number}"
                body = json.dumps({"metadata": {"name": name, "fill": 512 * "x"}})
                try:
                    connection.request("POST", "/v1/conversations", body)
                    answers.append((name, read_answer(connection)))
                except OSError:
                    # Nobody was there any more, or the connection was cut off before an answer.
                    answers.append((name, None))
                    return

    faults.begin(calls, error, LOG, skip)
    with ThreadPoolExecutor(WRITERS) as pool:
        for finished in [pool.submit(write, writer) for writer in range(WRITERS)]:
            finished.result()
    assert server.wait() == 74
    assert server.log().splitlines()[-1] == (
        "Error: the disk failed during a commit; restart to recover what has reached it")
    assert faults.hits > 0
    faults.end()

    told = [(name, answer) for name, answer in answers if answer]
    unknown = [name for name, answer in told if answer.status == 500]
    assert unknown
    server.start()
    found = stored(server)
    names = {metadata["name"] for metadata in found.values()}
    for name, answer in told:
        if answer.status == 200:
            assert found[answer.json()["id"]]["name"] == name
        elif answer.status == 500:
            assert answer.error["code"] == "commit_unknown"
            assert answer.headers["x-should-retry"] == "false"
        else:
            assert (answer.status, answer.error["code"]) == (503, "unavailable")
            assert name not in names
    for conversation in answered:
        assert get(server, conversation).json() == conversation
    assert create(server, "after").status == 200
    assert run("check", "--database", server.database).returncode == 0


# At the start


COMMANDS = [["serve", "--port", "0"], ["migrate"], ["check"]]
NOT_OPEN = "unable to open database file|too many open files"
START = {
    "reading": (READ, errno.EIO, DATABASE, "disk I/O error"),
    "reading, too late": (READ, errno.ETIMEDOUT, DATABASE, "disk I/O error"),
    "reading the log": (READ, errno.EIO, LOG, "disk I/O error"),
    "opening": (OPEN, errno.EMFILE, DATABASE, NOT_OPEN),
    "opening the log": (OPEN, errno.EMFILE, LOG, NOT_OPEN),
    "making the log's index": (TRUNCATE, errno.EIO, "-shm", "disk I/O error"),
    "writing the log's index": (WRITE, errno.ENOSPC, "-shm", "disk I/O error"),
}


@pytest.mark.parametrize("fault", START.values(), ids=START)
def test_a_fault_at_the_start_is_named_and_leaves_what_a_crash_has_left(
        start, refused, faults, fault):
    calls, error, suffix, words = fault
    server = start()
    created = create(server, "a").json()
    server.kill()
    files = [server.database, server.database.with_name(LOG)]
    before = [file.read_bytes() for file in files]
    assert len(before[1]) > 0
    for command in COMMANDS:
        server.database.with_name(f"{DATABASE}-shm").unlink(missing_ok=True)
        faults.begin(calls, error, suffix)
        line = refused(
            *command, "--database", server.database, environment=faults.environment)
        assert faults.hits > 0
        assert line.startswith(f"Error: database '{server.database}': ")
        assert re.search(words, line)
        assert [file.read_bytes() for file in files] == before
    server.start()
    assert get(server, created).json() == created


# A copy


@FULL
def test_a_backup_for_which_there_is_no_room_names_its_file_and_leaves_none(
        start, refused, faults, error):
    server = start()
    create(server, "a")
    target = server.folder / "backup.db"
    faults.begin(WRITE, error, f"{target.name}.partial")
    line = refused(
        "backup", target, "--database", server.database, environment=faults.environment)
    assert faults.hits > 0
    assert line == f"Error: '{target}': {os.strerror(error).lower()}"
    assert not list(server.folder.glob("backup.db*"))
