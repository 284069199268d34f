"""No descriptors and no memory left: what is open goes on, the rest waits or is refused, and all
of it comes back."""

import concurrent.futures
import http.client
import json
import os
import resource
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path

import pytest

from conftest import ANSWER_SECONDS, read_answer

CLIENTS = 4
WAITING = 5
ROUNDS = 4
WITHOUT_SECONDS = 1.5
MIB = 1 << 20
LARGE = b'{"metadata":{"a":"' + 900_000 * b"x" + b'"}}'
WHOLE = {f"{number}": 512 * "y" for number in range(16)}


@contextmanager
def limited(server, limit, value):
    """The running server's limit, while this lasts."""
    before = resource.prlimit(server.process.pid, limit)
    resource.prlimit(server.process.pid, limit, (value, before[1]))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, limit, before)


def create(server, name):
    answer = server.request("POST", "/v1/conversations", {"metadata": {"name": name}})
    assert answer.status == 200, answer
    return answer.json()


def ask(connection, method, path, body=None):
    connection.request(method, path, body)
    return read_answer(connection)


def processor_seconds(server):
    fields = Path(f"/proc/{server.process.pid}/stat").read_text(encoding="ascii").split()
    return sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")


def stored_ids(server):
    with closing(sqlite3.connect(server.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {id for (id,) in connection.execute("SELECT id FROM conversations")}


def first_free_descriptor(server):
    taken = set(map(int, os.listdir(f"/proc/{server.process.pid}/fd")))
    return next(number for number in count() if number not in taken)


def test_without_descriptors_new_clients_wait_and_the_others_go_on(start):
    server = start(environment={"CONVERSATIOND_DATABASE_QUERY_THREADS": "1"})
    with closing(server.connection()) as old, ExitStack() as stack:
        created = ask(old, "POST", "/v1/conversations").json()
        path = f"/v1/conversations/{created['id']}"
        assert ask(old, "GET", "/v1/conversations").json()["data"] == [created]
        with limited(server, resource.RLIMIT_NOFILE, first_free_descriptor(server)):
            before = processor_seconds(server)
            new = [stack.enter_context(socket.create_connection(
                (server.host, server.port), timeout=1)) for _ in range(WAITING)]
            for client in new:
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with pytest.raises(TimeoutError):
                new[0].recv(1)
            # Nothing turns in circles for want of them.
            assert processor_seconds(server) - before < 0.5
            assert ask(old, "GET", path).json() == created
            assert ask(old, "GET", "/v1/conversations").json()["data"] == [created]
            assert ask(old, "POST", path, '{"metadata":{"a":"1"}}').status == 200
        for client in new:
            client.settimeout(ANSWER_SECONDS)
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert create(server, "b")["id"] > created["id"]
    assert server.stop() == 0


def address_space(server):
    """Of the running server, in bytes: proc(5)."""
    pages = Path(f"/proc/{server.process.pid}/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def load(server, answers):
    """Writes, lists and large bodies, as long as the server answers."""
    try:
        with closing(server.connection()) as connection:
            for _ in range(ROUNDS):
                for request in [
                        ("POST", "/v1/conversations", json.dumps({"metadata": WHOLE})),
                        ("GET", "/v1/conversations?limit=100", None),
                        ("POST", "/v1/conversations", LARGE)]:
                    answers.append((request[2], ask(connection, *request)))
    except (OSError, http.client.HTTPException):
        pass  # The server closed the connection, or has ended.


@pytest.mark.parametrize("more", [0, 8 * MIB], ids=["none", "8 MiB"])
def test_without_memory_no_answered_write_is_lost(server, more):
    before = {create(server, str(number))["id"] for number in range(10)}
    answers = []
    with ThreadPoolExecutor(CLIENTS) as pool:
        with limited(server, resource.RLIMIT_AS, address_space(server) + more):
            runs = [pool.submit(load, server, answers) for _ in range(CLIENTS)]
            # Where no thread can be made, what needs one waits until there is memory again.
            concurrent.futures.wait(runs, timeout=WITHOUT_SECONDS)
        for finished in runs:
            finished.result()
    try:
        assert create(server, "after")
        assert server.stop() == 0
    except (OSError, http.client.HTTPException):
        # Swift's tasks end the process when there is no memory for them, which takes it a moment.
        assert server.wait() != 0
    server.start()
    created = set()
    for body, answer in answers:
        if body == LARGE:
            assert answer.status in (400, 503)
        elif answer.status == 200 and body:
            created.add(answer.json()["id"])
        else:
            assert answer.status in (200, 500, 503)
    assert created | before <= stored_ids(server)
    assert server.request("GET", "/readyz").status == 200
