"""TLS as clients meet it: what works as over plain HTTP, and who is turned away."""

import json
import signal
import socket
import sqlite3
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from errno import ECONNRESET, ENOTCONN, EPIPE

import pytest
import trustme
from openai import APIConnectionError

from certificates import HOST
from conftest import ANSWER_SECONDS, bearer, read_answer

CLIENTS = 50
PIPELINED = 60
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
RSA, ECDSA = trustme.KeyType.RSA, trustme.KeyType.ECDSA
# 16 pairs of the longest values in the longest UTF-8.
LARGE_SET = {f"key{number}": 512 * "\U0001f600" for number in range(16)}


@pytest.fixture
def server(start, tls):
    return start(tls=tls)


def tls_socket(server, context=None):
    """A TLS connection without a client library."""
    plain = socket.create_connection((server.host, server.port), timeout=ANSWER_SECONDS)
    return (context or server.trust).wrap_socket(plain, server_hostname=HOST)


def is_served(server):
    return server.request("GET", "/healthz").status == 200


# What works


@pytest.mark.parametrize("authority_key", [RSA, ECDSA])
@pytest.mark.parametrize("key", [RSA, ECDSA])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_knows_a_server_by_a_chain_with_an_intermediate(
        start, tls, key, authority_key, version):
    # Clients trust the root alone: without the intermediate they would turn away.
    intermediate = tls.authority.create_child_ca(key_type=authority_key)
    tls.write(intermediate.issue_cert(HOST, key_type=key))
    server = start(tls=tls)
    with tls_socket(server, tls.client_context(version)) as client:
        assert client.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
        client.sendall(HEALTH)
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")


def test_the_sdk_works_as_over_plain_http(server):
    with server.client() as client:
        created = client.conversations.create(metadata={"a": "1"})
        updated = client.conversations.update(created.id, metadata={"b": "2"})
        assert client.conversations.retrieve(created.id) == updated
        assert updated.metadata == {"b": "2"}
        listed = client.get("/conversations", cast_to=object)["data"]
        assert [conversation["id"] for conversation in listed] == [created.id]
        assert client.conversations.delete(created.id).deleted
    assert server.request("GET", f"/v1/conversations/{created.id}").status == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json"])
def test_an_operator_is_answered(server, path):
    assert server.request("GET", path).status == 200


def test_a_client_that_does_not_trust_the_authority_turns_away(server):
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trustme.CA().configure_trust(stranger)
    server.trust, trusted = stranger, server.trust
    with server.client(max_retries=0) as client, pytest.raises(APIConnectionError) as failure:
        client.conversations.create()
    assert "CERTIFICATE_VERIFY_FAILED" in str(failure.value.__cause__)
    server.trust = trusted
    assert is_served(server)


def test_requests_share_a_connection(server):
    with closing(server.connection()) as connection:
        connection.connect()
        first = connection.sock
        for number in range(20):
            connection.request("POST", "/v1/conversations",
                               json.dumps({"metadata": {"number": str(number)}}))
            answer = read_answer(connection)
            assert answer.json()["metadata"] == {"number": str(number)}
            # http.client would open another one by itself.
            assert connection.sock is first


def test_requests_in_one_record_are_all_answered(server):
    # What GnuTLS has decrypted and libmicrohttpd not yet read is on no socket any more, while a
    # write waits for its commit.
    body = b'{"metadata":{"a":"1"}}'
    request = (b"POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
               b"%d\r\n\r\n%s" % (len(body), body))
    with tls_socket(server) as client:
        client.sendall(PIPELINED * request)
        answered = b""
        while answered.count(b"HTTP/1.1 200 OK") < PIPELINED:
            piece = client.recv(65536)
            assert piece, answered[-1000:]
            answered += piece
    with closing(sqlite3.connect(server.database)) as connection:
        assert connection.execute("SELECT count(*) FROM conversations").fetchone() == (PIPELINED,)


def test_a_large_body_arrives_whole(server):
    body = json.dumps({"metadata": LARGE_SET}).encode() + 200_000 * b" "
    answer = server.request("POST", "/v1/conversations", body)
    assert (answer.status, answer.json()["metadata"]) == (200, LARGE_SET)
    read = server.request("GET", f"/v1/conversations/{answer.json()['id']}")
    assert read.body == answer.body


def test_a_body_past_the_limit_is_refused_with_an_answer(server):
    for _ in range(3):
        answer = server.request("POST", "/v1/conversations", 17_000_000 * b" ")
        assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    assert is_served(server)


@pytest.mark.parametrize("buffer_bytes", [None, 4096], ids=["fast", "slow"])
def test_a_large_list_is_sent_whole(server, buffer_bytes):
    with closing(server.connection()) as connection:
        for _ in range(100):
            connection.request("POST", "/v1/conversations", json.dumps({"metadata": LARGE_SET}))
            assert read_answer(connection).status == 200
    with closing(server.connection()) as connection, socket.socket() as plain:
        plain.settimeout(ANSWER_SECONDS)
        if buffer_bytes:
            # The answer goes in many pieces, between which the server waits.
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        plain.connect((server.host, server.port))
        with server.trust.wrap_socket(plain, server_hostname=HOST) as connection.sock:
            connection.request("GET", "/v1/conversations?limit=100")
            answer = read_answer(connection)
    assert len(answer.body) > 3_000_000
    assert [each["metadata"] for each in answer.json()["data"]] == 100 * [LARGE_SET]


def test_many_clients_at_once(server):
    def use(number):
        with server.client(max_retries=0) as client:
            for turn in range(5):
                metadata = {"client": str(number), "turn": str(turn)}
                created = client.conversations.create(metadata=metadata)
                assert client.conversations.retrieve(created.id).metadata == metadata

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(use, range(CLIENTS)))
    with closing(sqlite3.connect(server.database)) as connection:
        assert connection.execute("SELECT count(*) FROM conversations").fetchone() == (
            5 * CLIENTS,)


def test_with_a_key_every_address_is_served(start, make_key, tls):
    key = make_key()
    server = start("--host", "0.0.0.0", tls=tls)
    assert server.url.startswith("https://0.0.0.0:")
    server.host = HOST
    assert server.request("GET", "/v1/conversations").status == 401
    assert server.request("GET", "/v1/conversations", headers=bearer(key)).status == 200


def test_without_a_key_no_other_address_is_served(refused, tls, tmp_path):
    line = refused("serve", "--host", "0.0.0.0", "--port", "0", environment=tls.environment)
    assert "conversationd keys create" in line
    assert [path.name for path in tmp_path.iterdir()] == ["tls"]


# Who is turned away


def agree_in_memory(client_context, server_context):
    """Whether a handshake between the two succeeds."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=HOST)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
    return not waiting


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(server, tls, version):
    client_context = tls.client_context(version)
    # The client itself is willing, and it is the server that is not.
    willing = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    willing.load_cert_chain(tls.certificate, tls.private_key)
    willing.set_ciphers("DEFAULT:@SECLEVEL=0")
    willing.minimum_version = ssl.TLSVersion.TLSv1
    assert agree_in_memory(client_context, willing)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        tls_socket(server, client_context)
    assert is_served(server)


@pytest.mark.parametrize("sent", [
    HEALTH, b"\r\n" + HEALTH, b"POST /v1/conversations HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
    bytes(range(256)) * 16, b"\x16\x03\x01\xff\xff" + 1000 * b"\x00", b"\x16\x03\x01"],
    ids=["HTTP", "an empty line", "a write", "noise", "an empty handshake", "half a record"])
def test_what_is_not_tls_gets_no_answer_and_harms_nothing(server, sent):
    with socket.create_connection((server.host, server.port), timeout=ANSWER_SECONDS) as client:
        answered = b""
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(4096):
                answered += piece
        except OSError as error:
            # The server may close before all of it is sent, or with some of it unread.
            assert error.errno in (EPIPE, ECONNRESET, ENOTCONN), error
    # Nothing, or an alert.
    assert b"HTTP" not in answered and len(answered) < 20
    assert is_served(server)
    with closing(sqlite3.connect(server.database)) as connection:
        assert connection.execute("SELECT count(*) FROM conversations").fetchone() == (0,)


def test_a_handshake_that_does_not_go_on_is_cut_off(start, tls):
    server = start(tls=tls, environment={"CONVERSATIOND_HTTP_REQUEST_TIMEOUT_SECONDS": "1"})
    with socket.create_connection((server.host, server.port), timeout=ANSWER_SECONDS) as silent:
        with socket.create_connection((server.host, server.port), timeout=ANSWER_SECONDS) as half:
            half.sendall(b"\x16\x03\x01\x02\x00\x01")
            assert is_served(server)
            assert silent.recv(1) == b""
            assert half.recv(1) == b""


# The end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_server_with_open_connections_stops(server, number):
    with ExitStack() as clients:
        silent, half = [clients.enter_context(
            socket.create_connection((server.host, server.port))) for _ in range(2)]
        half.sendall(b"\x16\x03\x01\x02\x00\x01")
        unused, used = [clients.enter_context(tls_socket(server)) for _ in range(2)]
        used.sendall(HEALTH)
        assert used.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
        assert server.stop(number) == 0
    assert "Fatal error" not in server.log()


def test_what_is_in_flight_is_answered_at_the_end(server, wait_until):
    with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with closing(server.connection()) as connection:
            connection.request("POST", "/v1/conversations", '{"metadata":{"a":"1"}}')
            wait_until(lambda: server.has_read_all(1))
            server.send()
            wait_until(server.refuses_connections)
            other.execute("ROLLBACK")
            answer = read_answer(connection)
    assert (answer.status, answer.json()["metadata"]) == (200, {"a": "1"})
    assert server.wait() == 0
