"""HTTP at its edges, byte by byte, against the real binary: what is no request, or could be two, is
refused, and never becomes a second one."""

import os
import random
import re
import socket
from contextlib import ExitStack

import pytest

from conftest import ANSWER_SECONDS, Server

REQUEST_SECONDS = 1
MUTATIONS = 400
MAXIMUM = 2**64 - 1
CREATE = b"POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
SIZE = len(CREATE)
HOST = b"Host: localhost"
CHUNKED = b"Transfer-Encoding: chunked"
UPDATE = b"POST /v1/conversations/x HTTP/1.1"
HEALTH = b"GET /healthz HTTP/1.1"


def head(line, *fields):
    return b"\r\n".join([line, *fields]) + b"\r\n\r\n"


def health(*fields):
    return head(HEALTH, HOST, *fields)


def update(*fields, content=b""):
    return head(UPDATE, HOST, *fields) + content


def chunks(content):
    return update(CHUNKED, content=content)


@pytest.fixture(scope="module")
def edge(binary, tmp_path_factory):
    """One server for all of this, which soon gives up on clients that say no more."""
    server = Server(binary, tmp_path_factory.mktemp("edge"), environment={
        "CONVERSATIOND_HTTP_REQUEST_TIMEOUT_SECONDS": str(REQUEST_SECONDS),
        "CONVERSATIOND_HTTP_IDLE_TIMEOUT_SECONDS": str(2 * REQUEST_SECONDS)})
    yield server.start()
    server.kill()


@pytest.fixture(autouse=True)
def lives_on(edge):
    yield
    assert edge.request("GET", "/readyz").status == 200
    assert edge.process.poll() is None and "Fatal error" not in edge.log()


def connect(server):
    return socket.create_connection((server.host, server.port), timeout=ANSWER_SECONDS)


def send(client, text):
    try:
        client.sendall(text)
    except (BrokenPipeError, ConnectionResetError):
        pass  # The server has seen enough.


def receive_all(client):
    """What the server sends until it closes the connection."""
    received = b""
    try:
        while piece := client.recv(65_536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def statuses(received):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", received)]


def answers(server, text, count):
    """The statuses of so many answers on a connection that stays open."""
    with connect(server) as client:
        send(client, text)
        received = b""
        while len(statuses(received)) < count:
            piece = client.recv(65_536)
            assert piece, received
            received += piece
        return statuses(received)


def newest(server):
    return server.request("GET", "/v1/conversations?limit=1").json()["first_id"]


# What is refused: the status, or None for a closed connection without an answer


LENGTHS = {
    "two equal": (update(b"Content-Length: 2", b"Content-Length: 2", content=b"{}"), 400),
    "two": (update(b"Content-Length: 2", b"Content-Length: 0", content=b"{}"), 400),
    "two, the first of none": (update(b"Content-Length: 0", b"Content-Length: %d" % SIZE), 400),
    "a list": (update(b"Content-Length: 2, 2", content=b"{}"), 400),
    "beside chunks": (update(b"Content-Length: 5", CHUNKED, content=b"0\r\n\r\n"), 400),
    "after chunks": (update(CHUNKED, b"Content-Length: 5", content=b"0\r\n\r\n"), 400),
    "below 0": (update(b"Content-Length: -2", content=b"{}"), 400),
    "with a plus": (update(b"Content-Length: +2", content=b"{}"), 400),
    "in hexadecimal": (update(b"Content-Length: 0x2", content=b"{}"), 400),
    "with a space in it": (update(b"Content-Length: 2 2", content=b"{}"), 400),
    "with a vertical tab": (update(b"Content-Length: \v2", content=b"{}"), 400),
    "with a space before the colon": (update(b"Content-Length : 2", content=b"{}"), 400),
    "with a NUL in the name": (update(b"Content-Length\0: %d" % SIZE), 400),
    "empty": (update(b"Content-Length:"), 400),
    "folded": (update(b"Content-Length:\r\n %d" % SIZE), 400),
    "folded by a tab": (update(b"Content-Length:\r\n\t%d" % SIZE), 400),
    "folded within": (update(b"Content-Length: %d\r\n %d" % divmod(SIZE, 10)), 400),
    "folded, of a GET": (health(b"Content-Length:\r\n %d" % SIZE), 400),
    "folded into another field": (update(b"X-A: a\r\n Content-Length: %d" % SIZE), 400),
    "2^63": (update(b"Content-Length: %d" % 2**63), 413),
    "2^64 - 1": (update(b"Content-Length: %d" % MAXIMUM), 413),
    "2^64": (update(b"Content-Length: %d" % 2**64), 413),
    "2^64 + 2": (update(b"Content-Length: %d" % (2**64 + 2), content=b"{}"), 413),
    "of 1,000 digits": (update(b"Content-Length: " + 1000 * b"9"), 413),
    "too large, when asked first": (
        update(b"Content-Length: 99999999", b"Expect: 100-continue"), 413),
}
CODINGS = {
    "a space before the colon": (update(b"Transfer-Encoding : chunked", content=b"0\r\n\r\n"), 400),
    "a space after it": (update(b"Transfer-Encoding: chunked ", content=b"0\r\n\r\n"), 400),
    "a tab after it": (update(b"Transfer-Encoding: chunked\t", content=b"0\r\n\r\n"), 400),
    "a vertical tab": (update(b"Transfer-Encoding:\vchunked", content=b"0\r\n\r\n"), 400),
    "a space before the name": (
        head(UPDATE, b" Transfer-Encoding: chunked", HOST) + b"0\r\n\r\n", 400),
    "gzip": (update(b"Transfer-Encoding: gzip", content=b"0\r\n\r\n"), 400),
    "gzip, chunked": (update(b"Transfer-Encoding: gzip, chunked", content=b"0\r\n\r\n"), 400),
    "chunked, chunked": (update(b"Transfer-Encoding: chunked, chunked", content=b"0\r\n\r\n"), 400),
    "identity": (update(b"Transfer-Encoding: identity"), 400),
    "none": (update(b"Transfer-Encoding:"), 400),
    "twice": (update(CHUNKED, CHUNKED, content=b"0\r\n\r\n"), 400),
    "a NUL in the name": (update(b"Transfer-Encoding\0: chunked", content=b"0\r\n\r\n"), 400),
    "folded": (update(b"Transfer-Encoding:\r\n chunked", content=b"0\r\n\r\n"), 400),
    "folded, with a length": (
        update(b"Transfer-Encoding:\r\n chunked", b"Content-Length: 0"), 400),
}
CHUNKS = {
    "of 2^64": (chunks(b"10000000000000000\r\n"), 413),
    "of 2^64 and so many as follow": (chunks(b"1%016x\r\n" % SIZE), 413),
    "of 2^63, and all that fits": (chunks(b"%x\r\n" % 2**63 + 20_000_000 * b"a"), None),
    "of 2^64 - 1, and all that fits": (chunks(b"%x\r\n" % MAXIMUM + 20_000_000 * b"a"), None),
    "below 0": (chunks(b"-2\r\n{}\r\n0\r\n\r\n"), 400),
    "with a plus": (chunks(b"+2\r\n{}\r\n0\r\n\r\n"), 400),
    "with 0x": (chunks(b"0x2\r\n{}\r\n0\r\n\r\n"), 400),
    "without a number": (chunks(b"zz\r\n{}\r\n0\r\n\r\n"), 400),
    "without a size": (chunks(b"\r\n{}\r\n0\r\n\r\n"), 400),
    "with a space before the size": (chunks(b" 2\r\n{}\r\n0\r\n\r\n"), 400),
    "with a space after the size": (chunks(b"2 \r\n{}\r\n0\r\n\r\n"), 400),
    "shorter than its size": (chunks(b"5\r\n{}\r\n0\r\n\r\n"), 400),
    "longer than its size": (chunks(b"2\r\n{}}\r\n0\r\n\r\n"), 400),
    "without a line's end": (chunks(b"2\r\n{}0\r\n\r\n"), 400),
    "with another end": (chunks(b"2\r\n{}\rX0\r\n\r\n"), 400),
    "with a trailer that is none": (chunks(b"2\r\n{}\r\n0\r\nno colon\r\n\r\n"), 400),
    "with very many trailers": (
        chunks(b"2\r\n{}\r\n0\r\n" + 10_000 * b"X-A: b\r\n" + b"\r\n"), 431),
    # libmicrohttpd has no answer for these two.
    "with a very long size": (chunks(100_000 * b"0" + b"2\r\n{}\r\n0\r\n\r\n"), None),
    "with a very long extension": (
        chunks(b"2;" + 100_000 * b"a" + b"\r\n{}\r\n0\r\n\r\n"), None),
}
HEADS = {
    "no Host": (head(HEALTH), 400),
    "two Hosts": (health(HOST), 400),
    "two other Hosts": (health(b"host: example.com"), 400),
    "a Host with a space before the colon": (head(HEALTH, b"Host : localhost"), 400),
    "a target of 50,000 bytes": (head(b"GET /" + 50_000 * b"a" + b" HTTP/1.1", HOST), 414),
    "a target of 1,000,000 bytes": (head(b"GET /" + 1_000_000 * b"a" + b" HTTP/1.1", HOST), 414),
    "a method of 50,000 bytes": (head(50_000 * b"G" + b" / HTTP/1.1", HOST), 414),
    "100,000 empty lines": (100_000 * b"\r\n" + health(), 414),
    "a field of 50,000 bytes": (health(b"X-A: " + 50_000 * b"a"), 431),
    "a name of 50,000 bytes": (health(50_000 * b"a" + b": a"), 431),
    "5,000 fields": (health(*[b"X-%d: a" % n for n in range(5000)]), 431),
    "a field without a colon": (health(b"no colon"), 400),
    "a NUL in a name": (health(b"X-\0A: a"), 400),
    "a first field that goes on": (head(HEALTH, b" X-A: a", HOST), 400),
    "CR after the request line": (HEALTH + b"\r" + HOST + b"\r\n\r\n", 400),
    "CR CR LF": (HEALTH + b"\r\r\n" + HOST + b"\r\r\n\r\r\n", 400),
}
VERSIONS = {
    "no version": (b"GET /healthz\r\n\r\n", 400),
    "no version, and a Host": (head(b"GET /healthz", HOST), 400),
    "HTTP/0.9": (head(b"GET /healthz HTTP/0.9", HOST), 505),
    "HTTP/2.0": (head(b"GET /healthz HTTP/2.0", HOST), 505),
    "HTTP/3.1": (head(b"GET /healthz HTTP/3.1", HOST), 505),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 505),
    "HTTP/1": (head(b"GET /healthz HTTP/1", HOST), 400),
    "HTTP/1.10": (head(b"GET /healthz HTTP/1.10", HOST), 400),
    "HTTP/01.1": (head(b"GET /healthz HTTP/01.1", HOST), 400),
    "http/1.1": (head(b"GET /healthz http/1.1", HOST), 400),
    "a space after it": (head(b"GET /healthz HTTP/1.1 ", HOST), 400),
    "a NUL after it": (head(b"GET /healthz HTTP/1.1\0", HOST), 400),
}
GARBAGE = {
    "a word": (b"garbage\r\n\r\n", None),
    "a word before a request": (b"garbage\r\n" + health(), None),
    "a space before a request": (b" " + health(), None),
    "a CR before a request": (b"\r" + health(), None),
    "tabs for spaces": (head(b"GET\t/healthz\tHTTP/1.1", HOST), None),
    "a space in the target": (head(b"GET /health z HTTP/1.1", HOST), None),
    "two spaces before the version": (head(b"GET /healthz  HTTP/1.1", HOST), None),
    "a method that is no token": (head(b"G{}T /healthz HTTP/1.1", HOST), None),
    "all bytes": (4 * bytes(range(256)), 400),
    "bytes of ones": (4096 * b"\xff", None),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", None),
    "SMTP": (b"EHLO x\r\nMAIL FROM:<a>\r\n", 400),
}
REFUSED = {f"{group}: {name}": case for group, cases in {
    "length": LENGTHS, "coding": CODINGS, "chunk": CHUNKS, "head": HEADS, "version": VERSIONS,
    "garbage": GARBAGE}.items() for name, case in cases.items()}


@pytest.mark.parametrize("text, status", REFUSED.values(), ids=REFUSED)
def test_it_is_refused_and_what_follows_is_no_request(edge, text, status):
    before = newest(edge)
    with connect(edge) as client:
        send(client, text + CREATE)
        received = receive_all(client)
    assert statuses(received)[:1] == ([status] if status else []), received
    assert not [status for status in statuses(received) if status < 400], received
    assert newest(edge) == before


ENDLESS = {
    **{f"a chunk of {size:x}": chunks(b"%x\r\n" % size) for size in [
        2**31, 2**32, 2**63 - 1, 2**63, MAXIMUM]},
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(189),
    "NULs": bytes(4096),
    "half a request": HEALTH + b"\r\n" + HOST,
    "content that is missing": update(b"Content-Length: 1000"),
    "content that was asked for": update(b"Content-Length: 1000", b"Expect: 100-continue"),
}


def test_what_does_not_end_is_closed_in_time_and_what_follows_is_no_request(edge):
    before = newest(edge)
    with ExitStack() as stack:
        clients = {name: stack.enter_context(connect(edge)) for name in ENDLESS}
        for name, client in clients.items():
            send(client, ENDLESS[name] + (b"" if name == "half a request" else CREATE))
        for name, client in clients.items():
            received = receive_all(client)
            assert not [status for status in statuses(received) if 200 <= status < 400], name
    assert newest(edge) == before


# What is legal


LEGAL = {
    "an absolute target": (head(b"GET http://localhost/healthz HTTP/1.1", HOST), [200]),
    "an absolute target over another Host": (
        head(b"GET http://localhost:1/v1/conversations HTTP/1.1", b"Host: example.com"), [200]),
    "a foreign absolute target": (
        head(b"GET http://example.com/v1/conversations HTTP/1.1", HOST), [403]),
    "empty lines first": (5 * b"\r\n" + health(), [200]),
    "a minor version": (head(b"GET /healthz HTTP/1.2", HOST), [200]),
    "400 fields": (health(*[b"X-%d: a" % n for n in range(400)]), [200]),
    "no space after a colon": (head(HEALTH, b"Host:localhost"), [200]),
    "content of a GET": (health(b"Content-Length: %d" % SIZE) + CREATE, [200]),
    "content of HEAD": (
        head(b"HEAD /healthz HTTP/1.1", HOST, b"Content-Length: %d" % SIZE) + CREATE, [200]),
    "content of a refused method": (
        head(b"PUT /healthz HTTP/1.1", HOST, b"Content-Length: %d" % SIZE) + CREATE, [405]),
    "content of an unknown path": (
        head(b"POST /x HTTP/1.1", HOST, b"Content-Length: %d" % SIZE) + CREATE, [404]),
    "content of another type": (
        update(b"Content-Type: text/plain", b"Content-Length: %d" % SIZE) + CREATE, [400]),
    "a length with zeros": (update(b"Content-Length: " + 100 * b"0" + b"2", content=b"{}"), [400]),
    "chunks in capitals": (update(b"TRANSFER-ENCODING: CHUNKED", content=b"0\r\n\r\n"), [400]),
    "a request in a chunk": (chunks(b"%x\r\n%b\r\n0\r\n\r\n" % (SIZE, CREATE)), [400]),
    "sizes with zeros": (chunks(100 * b"0" + b"2\r\n{}\r\n000\r\n\r\n"), [400]),
    "extensions": (chunks(b"2;a=b\r\n{}\r\n0;c\r\n\r\n"), [400]),
    "trailers": (
        chunks(b"2\r\n{}\r\n0\r\nX-A: b\r\nContent-Length: 9\r\n%b\r\n\r\n" % CHUNKED), [400]),
    "a client that asks first": (
        update(b"Content-Length: 2", b"Expect: 100-continue", content=b"{}"), [100, 400]),
    "another expectation": (update(b"Content-Length: 2", b"Expect: x", content=b"{}"), [400]),
    "an upgrade": (health(b"Connection: Upgrade", b"Upgrade: h2c"), [200]),
    "CONNECT": (head(b"CONNECT localhost:80 HTTP/1.1", HOST), [404]),
    "TRACE": (head(b"TRACE /healthz HTTP/1.1", HOST), [405]),
    "OPTIONS *": (head(b"OPTIONS * HTTP/1.1", HOST), [404]),
    "three requests": (3 * health(), [200, 200, 200]),
}


@pytest.mark.parametrize("text, expected", LEGAL.values(), ids=LEGAL)
def test_it_is_answered_and_so_is_the_next_request(edge, text, expected):
    before = newest(edge)
    assert answers(edge, text + health(), len(expected) + 1) == [*expected, 200]
    assert newest(edge) == before


@pytest.mark.parametrize("text", [
    head(b"GET /healthz HTTP/1.0"), health(b"Connection: close")], ids=["HTTP/1.0", "close"])
def test_a_last_request_is_answered_and_what_follows_is_no_request(edge, text):
    before = newest(edge)
    with connect(edge) as client:
        send(client, text + CREATE)
        assert statuses(receive_all(client)) == [200]
    assert newest(edge) == before


@pytest.mark.parametrize("ending", [
    b"Content-Length: 22\r\n\r\n" + b'{"metadata":{"a":"1"}}',
    CHUNKED + b"\r\n\r\n" + b'16;a=b\r\n{"metadata":{"a":"1"}}\r\n0\r\nX-A: b\r\n\r\n',
], ids=["a length", "chunks"])
def test_a_request_may_come_a_byte_at_a_time(server, wait_until, ending):
    text = b"POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\n" + ending
    with connect(server) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(len(text)):
            client.sendall(text[number:number + 1])
            wait_until(lambda: server.has_read_all(1))
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
    assert newest(server)


# What libmicrohttpd hides: SECURITY.md names it. It may refuse it one day.


HIDDEN = {
    "a bare LF ends a line": head(UPDATE, HOST, b"X-A: a\nContent-Length: %d" % SIZE) + CREATE,
    "a bare LF ends a request": HEALTH + b"\n" + HOST + b"\n\n",
    "a folded line is put behind the name": health(b"Connectio: close\r\n n"),
    "a NUL cuts the target": head(b"GET /healthz\0/x HTTP/1.1", HOST),
    "a NUL cuts a value": update(b"Content-Length: %d\0" % SIZE) + CREATE,
    "a NUL begins a line, which ends the header": health(b"\0X-A: a").removesuffix(b"\r\n"),
    "a colon begins a line, which ends the header": health(b": a").removesuffix(b"\r\n"),
    "a CR is part of a value": update(b"X-A: a\rX-B: b", b"Content-Length: %d" % SIZE) + CREATE,
    "two spaces are one": head(b"GET  /healthz HTTP/1.1", HOST),
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
def test_what_is_hidden_is_read_so_or_refused(edge, text):
    before = newest(edge)
    with connect(edge) as client:
        send(client, text)
        client.shutdown(socket.SHUT_WR)
        first = statuses(client.recv(65_536))
    assert len(first) <= 1 and first in ([], [200], [400])
    assert newest(edge) == before


# What nobody has thought of


def mutated(text, chance):
    """Some bytes changed, some left out, and some put in, mostly those that mean something."""
    text = bytearray(text)
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(text))
        piece = chance.choice([
            b"\r", b"\n", b"\r\n", b"\0", b" ", b":", b";", b"0", b"Content-Length: 5\r\n",
            CHUNKED + b"\r\n", chance.randbytes(1)])
        text[place:place + chance.randint(0, 3)] = piece
    return bytes(text)


def test_mutated_requests_do_no_harm(edge):
    seed = int(os.environ.get("EDGE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"repeat with EDGE_TEST_SEED={seed}")
    chance = random.Random(seed)
    valid = [text for text, _ in [*LEGAL.values(), *REFUSED.values()] if len(text) < 1000]
    for _ in range(MUTATIONS):
        with connect(edge) as client:
            send(client, mutated(chance.choice(valid), chance) + CREATE)
            client.settimeout(0.01)
            try:
                client.recv(65_536)
            except (TimeoutError, ConnectionResetError):
                pass
    assert edge.request("GET", "/readyz").status == 200
