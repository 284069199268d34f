"""Bodies as texts that were made up: the server takes as JSON what Python takes, and reads the same
strings."""

import http.client
import json
import random

import pytest

from conftest import ANSWER_SECONDS, Server, read_answer

UPDATE = "/v1/conversations/conv_unknown"
MUTATIONS = 3000
STRINGS = 300

TEXTS = [
    r'{"metadata":{"a":"b","\u0000":"\ud83d\ude00","é":"\"\\\/\b\f\n\r\t"}}',
    '{"metadata" : { } , "x":[ 1 , -2.50e+10 , true,false , null , [ ] , "a" ] }',
    '[{"a":{"a":[0,0.0,0e0,-0,1E-2]}},"😀","\u2028"]',
    '"a string"', "-12.5E+3", "null", "\r\n\t {}",
]
# What mutations put in: what means something in JSON, or in what is often taken for JSON.
PIECES = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"0", b"1", b"-", b"+", b".", b"e", b"E", b" ",
    b"\n", b"\t", b"\x00", b"\x0b", b"\x0c", b"\x1f", b"\x7f", b"\xc2\xa0", b"\xef\xbb\xbf", b"\xff",
    b"\xed\xa0\x80", b"\xc0\x80", b"null", b"true", b"fals", b"NaN", b"Infinity", b"'", b"/", b"//",
    b"\\u0000", b"\\ud83d", b"\\ude00", b"\\u12", b"\\x", b"1e400", b'"a":1,', b'"\\u0061":2,', b"[]",
]


@pytest.fixture(scope="module")
def served(binary, tmp_path_factory):
    server = Server(binary, tmp_path_factory.mktemp("json"))
    yield server.start()
    server.kill()


@pytest.fixture
def post(served):
    """Sends a body, all on one connection."""
    connection = http.client.HTTPConnection(served.host, served.port, timeout=ANSWER_SECONDS)

    def post(path, body):
        connection.request("POST", path, body=body)
        return read_answer(connection)

    yield post
    connection.close()


def is_json(body):
    """Whether it is by Python's reader, made as strict as RFC 8259 and the contract."""

    def refuse(constant):
        raise ValueError(constant)

    def unique(pairs):
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key is there twice")
        return pairs

    try:
        value = json.loads(body.decode("utf-8"), parse_constant=refuse, parse_int=str,
                           parse_float=str, object_pairs_hook=unique)
        # A lone surrogate cannot be encoded.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, UnicodeError):
        return False
    return True


def mutated(chance, text):
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.choice([0, 0, 1, 1, 2, 5]))
        text = text[:start] + chance.choice([b"", *PIECES]) + text[end:]
    return text


def test_what_python_takes_is_taken_and_no_more(post):
    chance = random.Random(8259)
    taken = 0
    for _ in range(MUTATIONS):
        body = mutated(chance, chance.choice(TEXTS).encode())
        if not body:
            continue
        answer = post(UPDATE, body)
        assert answer.status in (400, 404), (body, answer)
        expected = is_json(body)
        taken += expected
        assert (answer.error["code"] != "invalid_json") == expected, (body, answer)
    assert taken > MUTATIONS / 20


def test_strings_are_what_python_reads(post):
    chance = random.Random(10646)
    pieces = ["a", "é", "e\u0301", "😀", "\uffff", "\x7f", " ", r"\ud83d\ude00", r"\u00e9", r"\"",
              r"\\", r"\/", r"\b\f\n\r\t", r"\uD7FF\ue000", r"\u001f", r"\uFFFF"]
    for _ in range(STRINGS):
        pairs = ",".join(
            f'"{i}{"".join(chance.choices(pieces, k=4))}":"{"".join(chance.choices(pieces, k=9))}"'
            for i in range(chance.randint(0, 16)))
        body = f'{{"metadata":{{{pairs}}}}}'
        answer = post("/v1/conversations", body.encode())
        assert answer.status == 200, (body, answer)
        assert answer.json()["metadata"] == json.loads(body)["metadata"], body


def test_values_are_counted_and_large_bodies_read(post):
    many = b'{"x":[' + b"[]," * 400_000 + b"0]}"
    answer = post(UPDATE, many)
    assert answer.status == 400
    assert answer.error == {
        "message": "Invalid body: too many JSON values. The limit is 262144 values.",
        "type": "invalid_request_error", "param": None, "code": "invalid_json"}
    large = b'{"x":"' + b"[]," * 4_000_000 + b'"}'
    assert post(UPDATE, large).error["code"] == "missing_required_parameter"
