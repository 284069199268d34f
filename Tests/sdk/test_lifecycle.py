"""How a server stops, and what it answers while it cannot write."""

import http.client
import json
import os
import resource
import signal
import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count

import pytest

from conftest import locked, read_answer

WRITERS = 20


def create(server, metadata):
    return server.request("POST", "/v1/conversations", {"metadata": metadata})


def integrity(database):
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall()


def write_until_cut_off(server, writer, stored, started):
    """Creates and updates on one connection until the server ends it; notes what was answered."""
    with closing(server.connection()) as connection:
        def send(path, metadata):
            connection.request("POST", path, json.dumps({"metadata": metadata}))
            answer = read_answer(connection)
            assert answer.status == 200
            return answer.json()["id"]

        try:
            for number in count():
                old, new = {"created": f"{writer} {number}"}, {"updated": f"{writer} {number}"}
                id = send("/v1/conversations", old)
                # Until it is answered, either set may be the one that is stored.
                stored[id] = [old, new]
                send(f"/v1/conversations/{id}", new)
                stored[id] = [new]
                started[writer].set()
        except (OSError, http.client.HTTPException):
            assert started[writer].is_set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_server_under_load_stops_and_keeps_every_answered_write(server, number):
    stored, started = {}, [threading.Event() for _ in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [
            pool.submit(write_until_cut_off, server, writer, stored, started)
            for writer in range(WRITERS)]
        assert all(event.wait(30) for event in started)
        server.send(number)
        assert server.wait(10) == 0
    for writer in writers:
        writer.result()
    assert [path.name for path in server.folder.glob("*.db*")] == ["conversations.db"]

    server.start()
    for id, possible in stored.items():
        answer = server.request("GET", f"/v1/conversations/{id}")
        assert answer.json()["metadata"] in possible
    assert integrity(server.database) == [("ok",)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_an_idle_server_stops_and_refuses_connections(server, number):
    assert server.stop(number) == 0
    assert server.refuses_connections()
    assert not list(server.folder.glob("*-wal")) and not list(server.folder.glob("*-shm"))


def test_an_idle_connection_does_not_hold_the_exit(server):
    with closing(server.connection()) as connection:
        connection.request("GET", "/healthz")
        read_answer(connection)
        server.send()
        assert server.wait(10) == 0


@pytest.mark.parametrize("head", [
    "POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"meta",
    "POST /v1/conversations HTTP/1.1\r\nHost: localh", ""],
    ids=["half a body", "half a head", "nothing"])
def test_a_client_that_stays_half_way_does_not_hold_the_exit(start, head):
    server = start(environment={"CONVERSATIOND_HTTP_EVENT_LOOPS": "1"})
    with socket.create_connection((server.host, server.port)) as slow:
        slow.sendall(head.encode())
        # The one event loop has seen what came before this request.
        assert create(server, {"a": "1"}).status == 200
        server.send()
        assert server.wait(10) == 0
    assert integrity(server.database) == [("ok",)]


def test_what_is_in_flight_is_answered_while_new_connections_are_refused(start, wait_until):
    server = start(environment={"CONVERSATIOND_HTTP_EVENT_LOOPS": "1"})
    id = create(server, {"a": "1"}).json()["id"]
    with closing(server.connection()) as connection:
        with locked(server.database):
            connection.request("POST", f"/v1/conversations/{id}", '{"metadata":{"a":"2"}}')
            assert server.request("GET", "/healthz").status == 200
            server.send()
            wait_until(server.refuses_connections)
        answer = read_answer(connection)
    assert (answer.status, answer.json()["metadata"]) == (200, {"a": "2"})
    assert answer.headers["connection"].lower() == "close"
    assert server.wait(10) == 0
    server.start()
    assert server.request("GET", f"/v1/conversations/{id}").json()["metadata"] == {"a": "2"}


def test_a_second_signal_changes_nothing(server):
    with locked(server.database):
        with closing(server.connection()) as connection:
            connection.request("POST", "/v1/conversations")
            server.send(signal.SIGTERM)
            server.send(signal.SIGINT)
    assert server.wait(10) == 0


def test_a_log_that_nobody_reads_any_more_does_not_end_the_server(start):
    read, write = os.pipe()
    server = start(stderr=write)
    os.close(write)
    os.close(read)
    for _ in range(3):
        assert create(server, {"a": "1"}).status == 200
    assert server.stop() == 0


# While another process holds the lock


@pytest.fixture
def impatient(start):
    """A server that waits hardly at all for another process's lock."""
    return start(environment={"CONVERSATIOND_DATABASE_BUSY_TIMEOUT_MILLISECONDS": "20"})


def test_a_locked_database_is_unavailable_and_works_again_afterwards(impatient):
    server = impatient
    id = create(server, {"a": "1"}).json()["id"]
    path = f"/v1/conversations/{id}"
    with locked(server.database):
        refusals = [
            create(server, {"a": "2"}), server.request("POST", path, {"metadata": {"a": "2"}}),
            server.request("DELETE", path)]
        reading = server.request("GET", path)
    for answer in refusals:
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "x-should-retry" not in answer.headers
        assert (answer.error["type"], answer.error["code"]) == ("server_error", "unavailable")
        assert "Nothing was stored" in answer.error["message"]
    assert (reading.status, reading.json()["metadata"]) == (200, {"a": "1"})
    with closing(sqlite3.connect(server.database)) as connection:
        assert connection.execute("SELECT count(*) FROM conversations").fetchone() == (1,)
    assert server.request("GET", path).json()["metadata"] == {"a": "1"}
    assert server.request("POST", path, {"metadata": {"a": "3"}}).status == 200


def test_readiness_tells_of_a_locked_database_and_health_does_not(impatient, wait_until):
    server = impatient

    def is_ready():
        return server.request("GET", "/readyz").status == 200

    assert server.request("GET", "/readyz").json() == {"status": "ok"}
    with locked(server.database):
        # A write finds out.
        assert create(server, {"a": "1"}).status == 503
        answer = server.request("GET", "/readyz")
        assert server.request("GET", "/healthz").json() == {"status": "ok"}
    assert (answer.status, answer.error["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    assert "another process holds the database's lock" in answer.error["message"]
    wait_until(is_ready)


def test_readiness_goes_by_the_writes_of_clients(impatient):
    server = impatient
    with locked(server.database):
        assert create(server, {"a": "1"}).status == 503
        assert server.request("GET", "/readyz").status == 503
    assert create(server, {"a": "1"}).status == 200
    assert server.request("GET", "/readyz").status == 200


def test_a_full_queue_is_unavailable_at_once(start, wait_until):
    server = start(environment={"CONVERSATIOND_DATABASE_WAITING_WRITES_MAX": "1",
                                "CONVERSATIOND_HTTP_EVENT_LOOPS": "1"})
    connections = [server.connection() for _ in range(10)]
    with locked(server.database):
        for number, connection in enumerate(connections):
            body = json.dumps({"metadata": {"n": str(number)}})
            connection.request("POST", "/v1/conversations", body)
        # One write is in the writer's hands, or waits as the only one; the rest cannot wait.
        wait_until(lambda: server.log().count("status=503") >= len(connections) - 2)
    answers = [read_answer(connection) for connection in connections]
    for connection in connections:
        connection.close()
    refused = [answer for answer in answers if answer.status == 503]
    assert len(refused) >= len(connections) - 2
    assert all(answer.error["code"] == "unavailable" for answer in refused)
    assert all(answer.headers["retry-after"] for answer in refused)
    taken = {answer.json()["metadata"]["n"] for answer in answers if answer.status == 200}
    assert 1 <= len(taken) == len(answers) - len(refused)
    with closing(sqlite3.connect(server.database)) as connection:
        stored = connection.execute("SELECT value FROM metadata").fetchall()
    assert {value for (value,) in stored} == taken


def test_a_server_that_stops_under_a_foreign_lock_answers_what_is_in_flight(server, wait_until):
    first, second = server.connection(), server.connection()
    with locked(server.database):
        first.request("POST", "/v1/conversations", json.dumps({"metadata": {"n": "1"}}))
        # The second one waits for a group of its own, and would wait a busy timeout of its own.
        second.request("POST", "/v1/conversations", json.dumps({"metadata": {"n": "2"}}))
        wait_until(lambda: server.has_read_all(2))
        server.send(signal.SIGTERM)
        for connection in (first, second):
            answer = read_answer(connection)
            assert (answer.status, answer.error["code"]) == (503, "unavailable")
            connection.close()
        assert server.wait() == 0
    with closing(sqlite3.connect(server.database)) as connection:
        assert connection.execute("SELECT count(*) FROM conversations").fetchone() == (0,)


def test_a_server_that_waits_to_forget_old_keys_stops_under_a_foreign_lock(start):
    server = start(environment={"CONVERSATIOND_DATABASE_IDEMPOTENCY_SECONDS": "1",
                                "CONVERSATIOND_DATABASE_BUSY_TIMEOUT_MILLISECONDS": "60000"})
    created = server.request("POST", "/v1/conversations", headers={"Idempotency-Key": "k"})
    assert created.status == 200
    with locked(server.database):
        time.sleep(3)  # Nothing tells from outside that the server waits for the lock now.
        server.send(signal.SIGTERM)
        assert server.wait() == 0


# When the disk fails


def test_a_commit_that_fails_half_way_ends_the_server_and_loses_no_answered_write(server, run):
    created = [create(server, {"n": str(n), "fill": 500 * "x"}).json() for n in range(20)]
    log = server.database.with_name("conversations.db-wal")
    # The write-ahead log cannot grow by another page: the next commit fails in its middle.
    limit = log.stat().st_size + 100
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (limit, limit))

    answer = create(server, {"n": "unknown", "fill": 500 * "y"})
    assert answer.status == 500
    assert (answer.error["type"], answer.error["code"]) == ("server_error", "commit_unknown")
    assert "SQLite error 778" in server.log()  # SQLITE_IOERR_WRITE
    assert answer.headers["x-should-retry"] == "false"
    assert "not known" in answer.error["message"]
    assert server.wait() not in (0, -signal.SIGABRT, -signal.SIGXFSZ)
    assert "Fatal error" not in server.log()
    assert answer.headers["x-request-id"] in server.log()
    assert [line for line in server.log().splitlines() if line.startswith("Error: ")]

    server.start()
    for conversation in created:
        path = f"/v1/conversations/{conversation['id']}"
        assert server.request("GET", path).json() == conversation
    assert create(server, {"a": "1"}).status == 200
    assert integrity(server.database) == [("ok",)]
    assert run("check", "--database", server.database).returncode == 0


def test_after_a_failed_commit_every_writer_is_told_and_nothing_new_is_stored(
        server, wait_until):
    conversation = create(server, {"n": "0", "fill": 500 * "x"}).json()
    log = server.database.with_name("conversations.db-wal")
    limit = log.stat().st_size + 100
    connections = [server.connection() for _ in range(WRITERS)]
    with locked(server.database):
        for number, connection in enumerate(connections):
            body = json.dumps({"metadata": {"n": str(number), "fill": 500 * "y"}})
            connection.request("POST", "/v1/conversations", body)
        # What has not arrived when the server ends is not answered.
        wait_until(lambda: server.has_read_all(len(connections)))
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    answers = []
    for connection in connections:
        answers.append(read_answer(connection))
        connection.close()
    for answer in answers:
        assert (answer.status, answer.error["code"]) in (
            (500, "commit_unknown"), (503, "unavailable"))
    assert any(answer.status == 500 for answer in answers)
    assert server.wait() > 0
    server.start()
    path = f"/v1/conversations/{conversation['id']}"
    assert server.request("GET", path).json() == conversation
    assert integrity(server.database) == [("ok",)]
