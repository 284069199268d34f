"""Large bodies: whose are read, how many values they may have, and that nobody waits for them."""

import json
import socket
import threading
from contextlib import contextmanager

import pytest

from conftest import ANSWER_SECONDS, bearer

PATH = "/v1/conversations"
# Up to here the body of anybody is read.
FREE_BYTES = 16 << 10
# Up to here it is parsed where it arrived.
PROMPT_BYTES = 64 << 10
BODY_BYTES_MAX = 16 << 20
VALUES_MAX = 262_144
CHUNKED = b"Transfer-Encoding: chunked"


def announced(size):
    return b"Content-Length: %d" % size


def send_header(client, *fields, method="POST", path=PATH, key=None):
    authorization = [f"Authorization: Bearer {key}".encode()] if key else []
    client.sendall(b"\r\n".join([f"{method} {path} HTTP/1.1".encode(), b"Host: localhost",
                                 *authorization, *fields, b"", b""]))


def receive_to_end(client):
    received = b""
    while piece := client.recv(65_536):
        received += piece
    return received


@contextmanager
def connection(server):
    with socket.create_connection((server.host, server.port), timeout=ANSWER_SECONDS) as client:
        yield client


def refused_at_the_header(server, *fields, **options):
    """The answer to a request whose body is announced and not sent, up to the connection's end."""
    with connection(server) as client:
        send_header(client, *fields, **options)
        return receive_to_end(client)


@pytest.fixture
def key(make_key):
    return make_key("writer")


@pytest.fixture
def read_only_key(make_key):
    return make_key("reader", "--read-only")


# Who is read


@pytest.mark.parametrize("field", [announced(FREE_BYTES + 1), announced(BODY_BYTES_MAX), CHUNKED])
@pytest.mark.parametrize("expect", [[], [b"Expect: 100-continue"]], ids=["sent", "asked first"])
def test_a_stranger_is_refused_before_the_body(server, key, field, expect):
    for stranger in [None, "sk-wrong"]:
        answer = refused_at_the_header(server, field, *expect, key=stranger)
        assert answer.startswith(b"HTTP/1.1 401 "), answer
        assert b"\r\nConnection: close\r\n" in answer
        assert b"\r\nwww-authenticate: bearer\r\n" in answer.lower()


def test_who_may_only_read_is_refused_before_the_body(server, read_only_key):
    for method in ["POST", "GET"]:
        answer = refused_at_the_header(
            server, announced(1 << 20), method=method, key=read_only_key)
        assert answer.startswith(b"HTTP/1.1 403 "), answer
        assert b'"insufficient_permissions"' in answer


def test_a_small_body_of_a_stranger_is_read_and_refused(server, key):
    with connection(server) as client:
        for _ in range(2):
            send_header(client, announced(FREE_BYTES))
            client.sendall(FREE_BYTES * b" ")
            assert client.recv(65_536).startswith(b"HTTP/1.1 401 ")


def test_a_stranger_who_sends_all_the_same_reads_the_answer(server, key):
    for size in [FREE_BYTES + 1, 1 << 20, BODY_BYTES_MAX]:
        answer = server.request("POST", PATH, body=size * b" ")
        assert (answer.status, answer.error["code"]) == (401, None)


@pytest.mark.parametrize("size", [FREE_BYTES, FREE_BYTES + 1, PROMPT_BYTES, PROMPT_BYTES + 1,
                                  BODY_BYTES_MAX])
def test_who_may_write_is_read(server, make_key, size):
    body = b'{"metadata":{"a":"1"}}'.ljust(size)
    # Before there are any keys, everybody on this machine.
    assert server.request("POST", PATH, body).json()["metadata"] == {"a": "1"}
    headers = bearer(make_key())
    assert server.request("POST", PATH, body, headers).json()["metadata"] == {"a": "1"}


def test_who_may_write_is_told_to_go_on(server, key):
    with connection(server) as client:
        send_header(client, announced(20_000), b"Expect: 100-continue", key=key)
        assert client.recv(65_536).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"{}".ljust(20_000))
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_before_the_first_key_pages_and_other_hosts_are_refused_before_the_body(server):
    for field in [b"Origin: http://example.com", b"Origin: null"]:
        answer = refused_at_the_header(server, field, announced(1 << 20))
        assert answer.startswith(b"HTTP/1.1 403 ") and b'"origin_not_allowed"' in answer


@pytest.mark.parametrize("path, status", [("/healthz", 200), ("/readyz", 200),
                                          ("/openapi.json", 200), ("/nope", 401),
                                          ("/metrics", 401)])
def test_no_route_reads_what_it_has_no_use_for(server, key, path, status):
    answer = refused_at_the_header(server, announced(1 << 20), method="GET", path=path)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer


def test_a_body_over_the_limit_is_refused_before_it(server, key):
    answer = refused_at_the_header(server, announced(BODY_BYTES_MAX + 1), key=key)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"The limit is %d bytes." % BODY_BYTES_MAX in answer
    assert refused_at_the_header(server, announced(BODY_BYTES_MAX + 1)).startswith(
        b"HTTP/1.1 401 ")


# How much is in it


def error_of(server, body):
    answer = server.request("POST", PATH, body)
    return (answer.status, answer.error["code"], answer.error["message"])


TOO_MANY = (400, "invalid_json",
            f"Invalid body: too many JSON values. The limit is {VALUES_MAX} values.")


@pytest.mark.parametrize("unit", [b"[],", b"0,", b"{},", b"1e400,", b'{"a":0},'])
def test_16_mib_of_values_are_refused_and_harm_nobody(server, unit):
    body = b"[" + unit * ((BODY_BYTES_MAX - 3) // len(unit)) + b"0]"
    assert error_of(server, body) == TOO_MANY
    assert server.request("GET", "/healthz").status == 200


def test_as_many_values_as_may_be_are_read(server):
    most = b"[" + b",".join(VALUES_MAX * [b"0"]) + b"]"
    assert error_of(server, most)[1] == "invalid_type"
    assert error_of(server, most.replace(b"[", b"[0,")) == TOO_MANY


def test_what_stands_in_strings_does_not_count(server):
    text = VALUES_MAX * '[{,:\\"'
    assert error_of(server, json.dumps([text]).encode())[1] == "invalid_type"


def test_an_idempotency_key_covers_a_large_body(server):
    headers = {"Idempotency-Key": "large"}
    body = b'{"metadata":{"a":"1"}}'.ljust(BODY_BYTES_MAX)
    first, again = (server.request("POST", PATH, body, headers) for _ in range(2))
    assert again.headers["idempotent-replayed"] == "true" and again.body == first.body
    assert server.request("POST", PATH, body[:-1] + b"\n", headers).status == 422


# That nobody waits


def test_all_are_answered_while_large_bodies_come(server, client):
    """Without a deadline of its own: what matters is in Tests/HTTPTests/LargeContentTests.swift."""
    body = b"[1e400," + b",".join((1 << 19) * [b"0"]) + b"]"
    stop = threading.Event()

    def send():
        while not stop.is_set():
            assert server.request("POST", PATH, body).status == 400

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(50):
            assert server.request("GET", "/healthz").status == 200
            assert client.conversations.create(metadata={"a": "1"}).metadata == {"a": "1"}
    finally:
        stop.set()
        for sender in senders:
            sender.join()


# How it is encoded


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "GZIP", "x"])
@pytest.mark.parametrize("method, path", [
    ("POST", PATH), ("POST", f"{PATH}/conv_x"), ("PATCH", f"{PATH}/conv_x")])
def test_an_encoded_body_is_refused(server, encoding, method, path):
    # The encoding is the first thing that is looked at of a body.
    answer = server.request(method, path, b"\x1f\x8b", {
        "Content-Encoding": encoding, "Content-Type": "text/plain"})
    assert (answer.status, answer.error) == (415, {
        "message": f"Unsupported content encoding: '{encoding}'. This API only accepts 'identity', "
                   "a body as it is.",
        "type": "invalid_request_error", "param": None, "code": "unsupported_content_encoding"})
    assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("encoding", ["identity", "Identity", "identity, identity", ""])
def test_a_body_as_it_is_may_say_so(server, encoding):
    assert server.request("POST", PATH, {}, {"Content-Encoding": encoding}).status == 200


def test_without_a_body_there_is_no_encoding(server):
    id = server.request("POST", PATH, headers={"Content-Encoding": "gzip"}).json()["id"]
    answer = server.request("DELETE", f"{PATH}/{id}", headers={"Content-Encoding": "gzip"})
    assert answer.status == 200
