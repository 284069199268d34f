"""`/readyz` tells whether writes reach the disk, from what is known."""

import sqlite3
import time
from contextlib import closing

import pytest

from conftest import LOCK_MILLISECONDS, bearer, locked
from metrics import scrape

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


def test_an_idle_server_writes_nothing(server):
    before = log_bytes(server)
    state = server.database.stat().st_mtime_ns
    assert all([is_ready(server) for _ in range(ASKS)])
    assert log_bytes(server) == before
    assert server.database.stat().st_mtime_ns == state
    assert scrape(server).value("write_group_size_count") == 0


def test_a_lock_that_others_hold_keeps_nobody_waiting(server):
    with locked(server.database):
        start = time.monotonic()
        assert all([is_ready(server) for _ in range(ASKS)])
        # One write would have waited for as long.
        assert time.monotonic() - start < LOCK_MILLISECONDS / 1000


def test_a_write_that_failed_makes_unready_at_once(impatient, wait_until):
    with locked(impatient.database):
        assert impatient.request("POST", "/v1/conversations", {}).status == 503
        assert not is_ready(impatient)
    # A probe finds out that the lock is gone.
    wait_until(lambda: is_ready(impatient))


def test_the_next_write_that_goes_through_ends_it_at_once(impatient):
    with locked(impatient.database):
        assert impatient.request("POST", "/v1/conversations", {}).status == 503
        assert not is_ready(impatient)
    assert impatient.request("POST", "/v1/conversations", {}).status == 200
    assert is_ready(impatient)


def test_probes_change_nothing_that_is_stored(impatient, wait_until):
    def everything():
        with closing(sqlite3.connect(impatient.database)) as connection:
            versions = [connection.execute(f"PRAGMA {name}").fetchone()
                        for name in ("user_version", "application_id", "integrity_check")]
            return versions, list(connection.iterdump())

    assert impatient.request("POST", "/v1/conversations", {}).status == 200
    before = everything()
    with locked(impatient.database):
        assert impatient.request("POST", "/v1/conversations", {}).status == 503
    wait_until(lambda: is_ready(impatient))
    assert everything() == before


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
