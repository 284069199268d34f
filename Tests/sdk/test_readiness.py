"""`/readyz` tells whether writes reach the disk, and asks the disk seldom."""

import sqlite3
import time
from contextlib import closing

import pytest

from conftest import bearer, locked
from metrics import scrape

PROBE_SECONDS = 5
ASKS = 50
OK = {"status": "ok"}


@pytest.fixture
def impatient(start):
    """A server that waits hardly at all for another process's lock."""
    return start(environment={"CONVERSATIOND_DATABASE_BUSY_TIMEOUT_MILLISECONDS": "20"})


def is_ready(server):
    answer = server.request("GET", "/readyz")
    if answer.status == 200:
        assert answer.json() == OK
        return True
    assert (answer.status, answer.error["code"]) == (503, "unavailable")
    assert answer.error["message"].startswith("Not ready: ")
    assert answer.headers["retry-after"]
    assert server.request("GET", "/healthz").json() == OK
    return False


def log_bytes(server):
    size = scrape(server).value("database_wal_bytes")
    log = server.database.with_name(server.database.name + "-wal")
    assert size == (log.stat().st_size if log.exists() else 0)
    return size


def test_a_server_is_ready_when_it_starts(server):
    assert is_ready(server)


def test_the_disk_is_asked_seldom_and_in_the_end_again(server, wait_until):
    before, start = log_bytes(server), time.monotonic()
    assert all([is_ready(server) for _ in range(ASKS)])
    once = log_bytes(server)
    # One page of the log for one probe, however often it is asked for.
    assert 0 < once - before < 10_000
    assert scrape(server).value("write_group_size_count") == 1

    wait_until(lambda: is_ready(server) and log_bytes(server) > once)
    assert time.monotonic() - start >= PROBE_SECONDS
    assert scrape(server).value("write_groups_failed_total") == 0


def test_a_write_that_went_through_stands_for_a_probe(server):
    assert server.request("POST", "/v1/conversations", {}).status == 200
    before = log_bytes(server)
    assert all([is_ready(server) for _ in range(ASKS)])
    assert log_bytes(server) == before


def test_reading_stands_for_no_probe(server):
    before = log_bytes(server)
    assert server.request("GET", "/v1/conversations").status == 200
    # Neither does a write that changes nothing.
    assert server.request("DELETE", "/v1/conversations/x").status == 404
    assert log_bytes(server) == before
    assert is_ready(server)
    assert log_bytes(server) > before


def test_a_probe_changes_nothing_that_is_stored(server):
    def everything():
        with closing(sqlite3.connect(server.database)) as connection:
            versions = [connection.execute(f"PRAGMA {name}").fetchone()
                        for name in ("user_version", "application_id", "integrity_check")]
            return versions, list(connection.iterdump())

    before = everything()
    assert is_ready(server)
    assert everything() == before


def test_a_lock_makes_unready_until_it_is_gone(impatient, wait_until):
    with locked(impatient.database):
        assert not is_ready(impatient)
        # Not for the lock alone, but as long as nobody knows better.
        assert not is_ready(impatient)
    wait_until(lambda: is_ready(impatient))
    assert impatient.request("POST", "/v1/conversations", {}).status == 200


def test_a_lock_that_comes_later_is_noticed(impatient, wait_until):
    assert is_ready(impatient)
    with locked(impatient.database):
        wait_until(lambda: not is_ready(impatient))
    # The next write that goes through ends it at once.
    assert impatient.request("POST", "/v1/conversations", {}).status == 200
    assert is_ready(impatient)


def test_a_write_that_failed_makes_unready_at_once(impatient):
    with locked(impatient.database):
        assert impatient.request("POST", "/v1/conversations", {}).status == 503
        assert not is_ready(impatient)


def test_a_file_that_is_gone_makes_unready(server, wait_until):
    assert is_ready(server)
    for path in server.folder.glob("conversations.db*"):
        path.unlink()
    wait_until(lambda: not is_ready(server))


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_no_key_is_needed(server, make_key, path):
    make_key()
    assert server.request("GET", "/v1/conversations").status == 401
    for headers in ({}, bearer("sk-wrong"), {"Host": "load-balancer.example"}):
        answer = server.request("GET", path, headers=headers)
        assert (answer.status, answer.json()) == (200, OK)
    answer = server.request("HEAD", path)
    assert (answer.status, answer.body) == (200, b"")
