"""Clients that close their sending half right after the request, as `nc -N` does: they get their
answer, and then the end of the stream."""

import socket

import pytest

from conftest import ANSWER_SECONDS, locked

TIMES = 40
# Much longer than noticing takes, and much shorter than the idle timeout.
NOTICE_SECONDS = 10
IDLE_SECONDS = 600


@pytest.fixture
def patient(start):
    """A server that would leave silent connections open for longer than a test may take."""
    return start(environment={"CONVERSATIOND_HTTP_IDLE_TIMEOUT_SECONDS": str(IDLE_SECONDS)})


def request(method, path, body=b"", *fields):
    return b"\r\n".join([
        f"{method} {path} HTTP/1.1".encode(), b"Host: localhost",
        f"Content-Length: {len(body)}".encode(), *fields, b"", body])


CREATE = request("POST", "/v1/conversations", b'{"metadata":{"topic":"half"}}')
LIST = request("GET", "/v1/conversations")
READY = request("GET", "/readyz")
HEALTH = request("GET", "/healthz")
CHUNKED = (b"POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\n"
           b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")


def connect(server):
    raw = socket.create_connection((server.host, server.port), timeout=ANSWER_SECONDS)
    return server.trust.wrap_socket(raw, server_hostname=server.host) if server.trust else raw


def receive_to_end(client, seconds=NOTICE_SECONDS):
    client.settimeout(seconds)
    received = b""
    while piece := client.recv(65_536):
        received += piece
    return received


def half_close(server, *texts):
    """Sends the pieces, closes the sending half, and returns all that comes back."""
    with connect(server) as client:
        for text in texts:
            client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        return receive_to_end(client)


def stored(sqlite, server):
    return int(sqlite(server.database, "SELECT count(*) FROM conversations").stdout)


@pytest.mark.parametrize("text", [CREATE, LIST, READY, HEALTH, CHUNKED],
                         ids=["create", "list", "readyz", "healthz", "chunked"])
def test_the_answer_arrives_and_then_the_end(patient, text):
    for _ in range(TIMES):
        answer = half_close(patient, text)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert answer.count(b"HTTP/1.1 ") == 1


def test_what_is_stored_is_answered(patient, sqlite):
    answers = [half_close(patient, CREATE) for _ in range(TIMES)]
    assert sum(answer.startswith(b"HTTP/1.1 200 ") for answer in answers) == TIMES
    assert stored(sqlite, patient) == TIMES


def test_the_answer_of_a_write_that_waits_for_a_lock_arrives(patient):
    with connect(patient) as client:
        with locked(patient.database):
            client.sendall(CREATE)
            client.shutdown(socket.SHUT_WR)
            # The end has arrived at the server before the lock is free.
            assert patient.request("GET", "/healthz").status == 200
        assert receive_to_end(client).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("texts", [
    [HEALTH, HEALTH], [HEALTH, LIST], [LIST, HEALTH], [CREATE, CREATE, HEALTH], 5 * [LIST],
    20 * [HEALTH]], ids=range(6))
@pytest.mark.parametrize("pieces", ["at once", "one by one"])
def test_all_requests_before_the_end_are_answered(patient, texts, pieces):
    for _ in range(10):
        answers = half_close(patient, *(texts if pieces == "one by one" else [b"".join(texts)]))
        assert answers.count(b"HTTP/1.1 200 ") == len(texts)


@pytest.mark.parametrize("text", [HEALTH, LIST], ids=["at once", "waiting"])
def test_the_end_is_noticed_on_a_connection_that_was_used_before(patient, text):
    for _ in range(TIMES):
        with connect(patient) as client:
            for _ in range(2):
                client.sendall(text)
                assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
            client.sendall(text)
            client.shutdown(socket.SHUT_WR)
            assert receive_to_end(client).startswith(b"HTTP/1.1 200 ")


def test_the_end_is_noticed_without_a_request(patient):
    assert half_close(patient) == b""


def test_the_answer_arrives_over_tls(start, tls):
    server = start(tls=tls)
    for text in [CREATE, LIST, HEALTH]:
        for _ in range(TIMES // 4):
            with connect(server) as client:
                client.sendall(text)
                # Without an alert, as Python's ssl sends one only when it ends both halves.
                socket.socket.shutdown(client, socket.SHUT_WR)
                assert receive_to_end(client).startswith(b"HTTP/1.1 200 ")


def test_a_refusal_arrives(patient, make_key):
    make_key()
    for text in [CREATE, LIST]:
        assert half_close(patient, text).startswith(b"HTTP/1.1 401 ")
