"""What is executed can be answered: requests of every shape whose header nearly fills the room for
it. Over the limit nothing is executed, and the answer is the service's own."""

import socket

import pytest

from conftest import ANSWER_SECONDS, bearer

LIMITS = [4096, 32_768]
ENTRY = 64
# How far over the limit the service still answers itself, in any case.
ANSWERED_ABOVE = 2048
# What a request line may have for nothing.
LINE = 4096
# What an answer's header may take (Sources/HTTP/HeaderRoom.swift).
ANSWER = 4096 - 512
APP = "https://app.example.com"
PATH = b"/v1/conversations"


@pytest.fixture(params=LIMITS)
def limit(request):
    return request.param


@pytest.fixture
def server(start, limit, make_key):
    """With everything on that adds fields to answers."""
    return start(environment={
        "CONVERSATIOND_HTTP_HEADER_BYTES_MAX": str(limit),
        "CONVERSATIOND_HTTP_CORS_ORIGINS": f"{APP} https://other.example.com",
        "CONVERSATIOND_HTTP_REQUESTS_PER_MINUTE_MAX": "10000000"})


@pytest.fixture
def fields(make_key):
    """Those of every request."""
    return [b"Host: localhost", f"Authorization: {bearer(make_key())['Authorization']}".encode(),
            f"Origin: {APP}".encode(), b"Content-Type: application/json",
            b"Content-Length: 2"]


def counted(line, fields):
    """As the contract counts."""
    cookies = [field.removeprefix(b"Cookie: ") for field in fields if field.startswith(b"Cookie: ")]
    arguments = line.split(b" ")[1].partition(b"?")[2]
    entries = (len(fields) + sum(1 + cookie.count(b";") for cookie in cookies)
               + (1 + arguments.count(b"&") if arguments else 0))
    return (sum(len(field) + 2 for field in fields) + ENTRY * entries + sum(map(len, cookies))
            + max(0, len(line) + 2 - LINE))


def exchange(server, text):
    """Sends a request, and returns all that comes back until it is whole or the connection ends."""
    with socket.create_connection((server.host, server.port), timeout=ANSWER_SECONDS) as client:
        received = b""
        try:
            client.sendall(text)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(65_536):
                received += piece
        except OSError:
            pass  # The server has closed the connection already.
        return received


def status_of(answer):
    return int(answer[9:12]) if answer else None


def is_own(answer):
    return b"\r\nx-request-id: " in answer.lower()


def stored(sqlite, server):
    return int(sqlite(server.database, "SELECT count(*) FROM conversations").stdout)


def long_field(base, count, line):
    """A header that counts exactly so much, by one long field."""
    rest = count - counted(line, [*base, b"X-Long: "])
    return [*base, b"X-Long: " + rest * b"a"] if rest >= 0 else None


def small_fields(base, count, line):
    small = (count - counted(line, base) - 1000) // (ENTRY + 6)
    return long_field([*base, *small * [b"a: b"]], count, line)


def cookies(base, count, line):
    small = (count - counted(line, base) - 1000) // (ENTRY + 2 * 8)
    cookie = b"Cookie: " + b"; ".join(small * [b"ab=cde"])
    return long_field([*base, cookie], count, line)


def fields_and_cookies(base, count, line):
    return cookies(small_fields(base, count // 2, line), count, line)


SHAPES = [long_field, small_fields, cookies, fields_and_cookies]


def offsets():
    """Every size about the limit, and some further away."""
    return [*range(-600, -40, 67), *range(-40, 41), *range(41, ANSWERED_ABOVE, 211),
            *range(ANSWERED_ABOVE, 16_000, 517)]


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_executed_is_answered(server, limit, fields, sqlite, shape):
    line = b"POST " + PATH + b" HTTP/1.1"
    created = 0
    for offset in offsets():
        shaped = shape(fields, limit + offset, line)
        assert counted(line, shaped) == limit + offset
        answer = exchange(server, b"\r\n".join([line, *shaped, b"", b"{}"]))
        if offset <= 0:
            assert status_of(answer) == 200, (offset, answer)
            created += 1
        elif offset < ANSWERED_ABOVE:
            assert status_of(answer) == 431 and is_own(answer), (offset, answer)
            assert b'"code":"request_header_fields_too_large"' in answer
            assert f"access-control-allow-origin: {APP}".encode() in answer.lower()
        else:
            assert status_of(answer) in (431, None), (offset, answer)
    assert stored(sqlite, server) == created


@pytest.mark.parametrize("name", [b"a", b"metadata%5Bk%5D"])
def test_arguments_count(server, limit, fields, name):
    """Within the limit the list is answered, or says what is wrong with them."""
    for offset in offsets():
        query = b"&".join((limit + LINE) // 200 * [name + b"=v"])
        line = b"GET " + PATH + b"?" + query + b" HTTP/1.1"
        shaped = long_field(fields, limit + offset, line)
        answer = exchange(server, b"\r\n".join([line, *shaped, b"", b"{}"]))
        if offset <= 0:
            assert status_of(answer) in (200, 400) and is_own(answer), (offset, answer)
        elif offset < ANSWERED_ABOVE:
            assert status_of(answer) == 431 and is_own(answer), (offset, answer)
        else:
            assert status_of(answer) in (431, 414, None), (offset, answer)


def test_a_long_request_line_counts_where_it_is_over_its_own_room(server, limit, fields):
    for line_bytes in [LINE - 2, LINE - 1, LINE + 100, LINE + limit // 2]:
        frame = b"GET  HTTP/1.1"
        line = frame[:4] + b"/" + (line_bytes - len(frame) - 1) * b"a" + frame[4:]
        for offset, status in [(-20, 404), (0, 404), (1, 431), (20, 431)]:
            answer = exchange(server, b"\r\n".join(
                [line, *long_field(fields, limit + offset, line), b"", b"{}"]))
            assert status_of(answer) == status and is_own(answer), (line_bytes, offset, answer)


@pytest.mark.parametrize("spaces", [1, 2000])
def test_spaces_before_a_value_count(server, limit, fields, sqlite, spaces):
    line = b"POST " + PATH + b" HTTP/1.1"
    base = [*fields, b"X-Spaces:" + spaces * b" " + b"a"]
    for offset, status in [(0, 200), (1, 431)]:
        shaped = long_field(base, limit + offset, line)
        answer = exchange(server, b"\r\n".join([line, *shaped, b"", b"{}"]))
        assert status_of(answer) == status and is_own(answer)
    assert stored(sqlite, server) == 1


def test_what_follows_the_last_chunk_counts_too(server, limit, fields, sqlite):
    line = b"POST " + PATH + b" HTTP/1.1"
    base = [*fields[:-1], b"Transfer-Encoding: chunked"]
    created = 0
    for trailer in [[b"X-Trailer: a"], 20 * [b"a: b"], [b"X-Trailer:" + 500 * b" " + b"a"]]:
        bytes_of_trailer = sum(len(field) + 2 + ENTRY for field in trailer)
        for offset in [*range(-40, 41, 4), *range(100, 1000, 300)]:
            shaped = long_field(base, limit + offset - bytes_of_trailer, line)
            answer = exchange(server, b"\r\n".join(
                [line, *shaped, b"", b"2", b"{}", b"0", *trailer, b"", b""]))
            assert is_own(answer), (offset, answer)
            assert status_of(answer) == (200 if offset <= 0 else 431), (offset, answer)
            created += offset <= 0
    assert stored(sqlite, server) == created


def test_folded_fields_are_refused(server, fields):
    for field in [b"X-Folded: a\r\n b", b"X-Folded: a\r\n\tb", b"X-Folded:\r\n b",
                  b"X-Folded: a\r\n b\r\n c"]:
        answer = exchange(server, b"\r\n".join(
            [b"POST " + PATH + b" HTTP/1.1", *fields, field, b"", b"{}"]))
        assert status_of(answer) == 400 and b'"code":"invalid_header"' in answer, answer


def test_the_largest_answer_has_room(server, limit, fields):
    """A preflight that asks for as many fields as are repeated; nothing else is as large."""
    for asked, is_repeated in [(1024, True), (1025, False)]:
        answer = exchange(server, b"\r\n".join([
            b"OPTIONS " + PATH + b" HTTP/1.1", b"Host: localhost", f"Origin: {APP}".encode(),
            b"Access-Control-Request-Method: POST",
            b"Access-Control-Request-Headers: " + asked * b"a", b"", b""]))
        assert status_of(answer) == 204
        assert (asked * b"a" in answer) == is_repeated
        assert len(answer) <= ANSWER - 512


def test_every_route_refuses_a_header_that_is_too_large(server, limit, fields):
    for method, path in [("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/openapi.json"),
                         ("GET", "/metrics"), ("DELETE", "/v1/conversations/x"),
                         ("PATCH", "/v1/conversations/x"), ("GET", "/nope")]:
        line = f"{method} {path} HTTP/1.1".encode()
        shaped = long_field(fields[:1], limit + 1, line)
        answer = exchange(server, b"\r\n".join([line, *shaped, b"", b""]))
        assert status_of(answer) == 431 and is_own(answer), answer


def test_the_refusal_says_the_limit(server, limit):
    answer = server.request("GET", "/healthz", headers={"X-Long": limit * "a"})
    assert answer.status == 431
    assert answer.error == {
        "message": f"Request header fields too large. The limit is {limit} bytes, with 64 for each "
                   "field, cookie and query parameter, and with 'Cookie' counted twice.",
        "type": "invalid_request_error", "param": None, "code": "request_header_fields_too_large"}
