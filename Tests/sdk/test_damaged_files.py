"""Files as a crash, a bad disk or a careless hand leaves them: what can be served is, and the rest
is named, without making it worse."""

import json
import os
import random
import sqlite3
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from conftest import Server, read_answer

DATABASE, LOG, INDEX = "conversations.db", "conversations.db-wal", "conversations.db-shm"
COUNT = 20
UPDATES = 100
PAGE = 4096
FRAME = 24 + PAGE
LOG_HEADER = 32


def create(server, name):
    answer = server.request("POST", "/v1/conversations", {"metadata": {"name": name}})
    assert answer.status == 200, answer
    return answer.json()


def served(server):
    """What a server has, the oldest first."""
    answer = server.request("GET", "/v1/conversations?order=asc&limit=100")
    assert answer.status == 200, answer
    return answer.json()["data"]


@pytest.fixture(scope="module")
def crash(binary, tmp_path_factory):
    """The files of a server that was killed, and what it had answered, all of it in its log."""
    server = Server(binary, tmp_path_factory.mktemp("crash")).start()
    created = [create(server, str(number)) for number in range(COUNT)]
    server.kill()
    files = {path.name: path.read_bytes() for path in server.folder.glob("conversations.db*")}
    assert len(files[LOG]) > COUNT * PAGE
    return files, created


@pytest.fixture
def crashed(crash, tmp_path):
    """The same, to be changed."""
    files, created = crash
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path, created


# The log and its index


INDICES = {
    "as it is": lambda content: content, "missing": lambda content: None,
    "empty": lambda content: b"", "zeros": lambda content: bytes(len(content)),
    "garbage": lambda content: random.Random(1).randbytes(len(content)),
    "cut short": lambda content: content[:1000],
}


@pytest.mark.parametrize("change", INDICES.values(), ids=INDICES)
def test_a_log_that_a_crash_has_left_is_served_whatever_its_index(crashed, start, run, change):
    folder, created = crashed
    put(folder / INDEX, change((folder / INDEX).read_bytes()))
    check = run("check", "--database", DATABASE)
    assert (check.returncode, check.stderr) == (0, "")
    assert f": {COUNT} conversations" in check.stdout
    server = start()
    assert served(server) == created
    assert create(server, "new")["id"] > created[-1]["id"]
    assert server.stop() == 0
    assert not (folder / LOG).exists()


def put(path, content):
    path.unlink()
    if content is not None:
        path.write_bytes(content)


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1:]


LOGS = {
    "missing": lambda content: None,
    "empty": lambda content: b"",
    "a header": lambda content: content[:LOG_HEADER],
    "half a header": lambda content: content[:LOG_HEADER // 2],
    "zeros": lambda content: bytes(len(content)),
    "garbage": lambda content: random.Random(2).randbytes(len(content)),
    "a changed header": lambda content: flipped(content, 20),
    "cut short within a frame": lambda content: content[:len(content) // 2 + 100],
    "cut short by one byte": lambda content: content[:-1],
    "a changed bit in the middle": lambda content: flipped(content, len(content) // 2),
    "a frame of zeros": lambda content: (
        content[:LOG_HEADER + 20 * FRAME] + bytes(FRAME) + content[LOG_HEADER + 21 * FRAME:]),
    "garbage at its end": lambda content: content + random.Random(3).randbytes(10 * FRAME),
    "another's frames at its end": lambda content: content + content[LOG_HEADER:],
}


@pytest.mark.parametrize("change", LOGS.values(), ids=LOGS)
def test_of_a_damaged_log_the_whole_commits_before_the_damage_are_served(
        crashed, start, run, change):
    folder, created = crashed
    content = (folder / LOG).read_bytes()
    put(folder / LOG, change(content))
    server = start()
    found = served(server)
    assert found == created[:len(found)]
    assert found == created or not (change(content) or b"").startswith(content)
    new = create(server, "new")
    server.kill()
    assert run("check", "--database", DATABASE).returncode == 0
    server.start()
    assert served(server) == [*found, new]


def test_a_folder_that_cannot_be_written_is_named_and_the_log_stays(
        crash, refused, ordinary_user):
    folder, options = ordinary_user
    fixed = folder / "fixed"
    fixed.mkdir()
    files = {fixed / name: content for name, content in crash[0].items() if name != INDEX}
    for file, content in files.items():
        file.write_bytes(content)
        if "user" in options:
            os.chown(file, options["user"], options["group"])
    fixed.chmod(0o555)
    for command in [["serve", "--port", "0"], ["migrate"], ["check"]]:
        line = refused(*command, "--database", fixed / DATABASE, **options)
        assert line.startswith(f"Error: database '{fixed / DATABASE}': ")
        assert {file: file.read_bytes() for file in files} == files
    fixed.chmod(0o755)


# The database


@pytest.fixture(scope="module")
def many(binary, tmp_path_factory):
    """A database of many pages in one file, and what is in it."""
    path = tmp_path_factory.mktemp("many") / DATABASE
    subprocess.run([binary, "migrate", "--database", path], check=True, capture_output=True)
    conversations = {
        f"conv_{number:08x}{40 * '1'}": {"k": str(number).ljust(400, "v")}
        for number in range(1, 1200)}
    with closing(sqlite3.connect(path)) as connection:
        for number, (id, metadata) in enumerate(conversations.items(), 1):
            connection.execute(
                "INSERT INTO conversations (id, created_at) VALUES (?, ?)", [id, number])
            connection.execute(
                "INSERT INTO metadata (conversation, key, value) VALUES (?, 'k', ?)",
                [number, metadata["k"]])
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes(), conversations


@pytest.fixture
def large(many, tmp_path):
    """The same, to be changed."""
    path = tmp_path / DATABASE
    path.write_bytes(many[0])
    return path, many[1]


def pages_of(path, tree):
    """The numbers of the pages of a table or an index, its root first."""
    with closing(sqlite3.connect(path)) as connection:
        [root] = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", [tree]).fetchone()
    content = path.read_bytes()
    pages, left = [], [root]
    while left:
        number = left.pop()
        pages.append(number)
        page = content[(number - 1) * PAGE:number * PAGE]
        # https://www.sqlite.org/fileformat2.html#b_tree_pages
        if page[0] in (2, 5):
            cells = [int.from_bytes(page[12 + 2 * cell:14 + 2 * cell], "big")
                     for cell in range(int.from_bytes(page[3:5], "big"))]
            left += [int.from_bytes(page[8:12], "big"),
                     *(int.from_bytes(page[cell:cell + 4], "big") for cell in cells)]
    return pages


TREES = ["conversations", "metadata", "metadata_by_pair", "metadata_by_key",
         "conversations_by_project", "sqlite_autoindex_conversations_1"]
PAGES = {
    "garbage": lambda page: random.Random(4).randbytes(PAGE),
    "zeros": lambda page: bytes(PAGE),
    # A changed entry of an index would look like one that is not there; only `check` finds that.
    "too many cells": lambda page: page[:3] + b"\xff\xff" + page[5:],
}


@pytest.mark.parametrize("tree", TREES)
@pytest.mark.parametrize("change", PAGES.values(), ids=PAGES)
def test_a_damaged_page_is_an_error_of_what_needs_it(large, start, run, tree, change):
    path, conversations = large
    pages = pages_of(path, tree)
    assert len(pages) > 1
    content = bytearray(path.read_bytes())
    # The last leaf: what is created next belongs there.
    place = (max(pages[1:]) - 1) * PAGE
    content[place:place + PAGE] = change(bytes(content[place:place + PAGE]))
    path.write_bytes(content)
    check = run("check", "--database", path)
    assert (check.returncode, check.stderr) == (65, "") and "integrity: " in check.stdout

    server = start()
    statuses = Counter()
    with closing(server.connection()) as connection:
        for id, metadata in list(conversations.items())[::20]:
            answer = send(connection, "GET", f"/v1/conversations/{id}")
            statuses[answer.status] += 1
            assert is_internal(answer) or answer.json()["metadata"] == metadata
        for path in ["", *(f"/{id}" for id in list(conversations)[::60])]:
            answer = send(connection, "POST", f"/v1/conversations{path}", NEW)
            assert answer.status == 200 or is_internal(answer)
            if answer.status == 200:
                id = answer.json()["id"]
                assert send(connection, "GET", f"/v1/conversations/{id}").json()["metadata"] == NEW
        for query in ["", "?order=asc", "?metadata_exists[]=k", "?metadata[k]=new"]:
            answer = send(connection, "GET", f"/v1/conversations{query}")
            assert answer.status == 200 or is_internal(answer)
    # Most is as it was.
    assert statuses[200] > statuses[500]
    assert server.request("GET", "/healthz").status == 200
    assert server.stop() == 0


def test_who_needs_a_damaged_page_spoils_nobody_else_s_writes(large, start):
    path, conversations = large
    content = bytearray(path.read_bytes())
    place = (max(pages_of(path, "metadata")[1:]) - 1) * PAGE
    content[place:place + PAGE] = bytes(PAGE)
    path.write_bytes(content)
    server = start()
    with closing(server.connection()) as connection:
        broken = next(
            id for id in reversed(conversations)
            if send(connection, "GET", f"/v1/conversations/{id}").status == 500)

    def update(id):
        with closing(server.connection()) as connection:
            return [send(connection, "POST", f"/v1/conversations/{id}", {"k": str(number)}).status
                    for number in range(UPDATES)]

    healthy = list(conversations)[:6]
    with ThreadPoolExecutor(9) as pool:
        failed = [pool.submit(update, broken) for _ in range(3)]
        for updated in [pool.submit(update, id) for id in healthy]:
            assert updated.result() == UPDATES * [200]
            # One that went through is newer than one that needed the page.
            assert server.request("GET", "/readyz").status == 200
        for other in failed:
            assert other.result() == UPDATES * [500]
    assert server.stop() == 0


NEW = {"k": "new"}


def send(connection, method, path, metadata=None):
    body = None if metadata is None else json.dumps({"metadata": metadata})
    connection.request(method, path, body)
    return read_answer(connection)


def is_internal(answer):
    """Whether it is an error that says no more to a client; the log does."""
    if answer.status != 500:
        return False
    error = answer.error
    return (error["type"], error["code"]) == ("server_error", None)


def of_page(number, change):
    def changed(content):
        start = (number - 1) * PAGE
        return content[:start] + change(content[start:start + PAGE]) + content[start + PAGE:]
    return changed


REFUSED = {
    "one byte": lambda content: content[:1], "half a header": lambda content: content[:50],
    "a header alone": lambda content: content[:100], "half a page": lambda content: content[:2048],
    "half of it": lambda content: content[:len(content) // 2],
    "another magic": lambda content: b"SQLite format 4" + content[15:],
    "no page size": lambda content: content[:16] + b"\0\0" + content[18:],
    "another page size": lambda content: content[:16] + b"\x02\0" + content[18:],
    "a schema of garbage": of_page(
        1, lambda page: page[:100] + random.Random(5).randbytes(PAGE - 100)),
    "a schema of zeros": of_page(1, lambda page: page[:100] + bytes(PAGE - 100)),
    "a header of garbage": of_page(1, lambda page: random.Random(6).randbytes(100) + page[100:]),
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_served_is_named_and_not_changed(large, run, change):
    path, _ = large
    path.write_bytes(change(path.read_bytes()))
    before = path.read_bytes()
    for command in [["serve", "--port", "0"], ["migrate"], ["check"]]:
        result = run(*command, "--database", path)
        assert result.returncode == 65
        lines = (result.stderr or result.stdout).splitlines()
        assert lines and "Fatal error" not in result.stderr
        # `check` tells what it finds in a file that it can open.
        assert command == ["check"] or lines[0].startswith(f"Error: database '{path}': ")
        assert path.read_bytes() == before


# Beneath a running server


def test_a_folder_in_place_of_the_file_is_unavailable_to_writers(server, refused, wait_until):
    created = create(server, "a")
    moved = server.database.with_name("moved")
    server.database.rename(moved)
    server.database.mkdir()
    answer = server.request("POST", "/v1/conversations", {"metadata": {"name": "b"}})
    assert (answer.status, answer.error["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] and "Nothing was stored" in answer.error["message"]
    assert server.request("GET", f"/v1/conversations/{created['id']}").json() == created
    wait_until(lambda: server.request("GET", "/readyz").status == 503)
    # It comes back with the file.
    server.database.rmdir()
    moved.rename(server.database)
    wait_until(lambda: server.request("GET", "/readyz").status == 200)
    later = create(server, "b")
    assert served(server) == [created, later]
    assert server.stop() == 0


def test_a_file_that_is_cut_short_beneath_a_server_harms_nothing_else(server, run):
    for number in range(COUNT):
        create(server, str(number))
    server.restart()
    os.truncate(server.database, PAGE)
    statuses = [answer.status for answer in [
        server.request("GET", "/v1/conversations"),
        server.request("POST", "/v1/conversations", {"metadata": {"name": "b"}}),
        server.request("GET", "/readyz"), server.request("GET", "/healthz")]]
    assert statuses[-1] == 200 and set(statuses[:-1]) <= {200, 500, 503}
    server.stop()
    assert "Fatal error" not in server.log()
