"""`Idempotency-Key`: a creation that is repeated creates nothing, whatever came in between."""

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from httpx2 import ReadError  # what the SDK sends its requests with
from openai import BadRequestError, DefaultHttpxClient, UnprocessableEntityError

from conftest import read_answer

PATH = "/v1/conversations"
TOGETHER = 50
WRITERS = 6


def create(server, key, metadata=None):
    body = {"metadata": metadata or {"a": "1"}}
    return server.request("POST", PATH, body, {"Idempotency-Key": key})


def is_replay(answer):
    assert answer.status == 200, answer
    return answer.headers["idempotent-replayed"] == "true"


def rows(sqlite, server, table):
    result = sqlite(server.database, f"SELECT count(*) FROM {table}")
    assert result.stderr == ""
    return int(result.stdout)


def crash(server):
    server.kill()
    server.start()


@pytest.mark.parametrize("between", [
    lambda server: None, lambda server: server.restart(), crash],
    ids=["nothing", "a restart", "a crash"])
def test_a_repeat_gets_the_first_answer_byte_for_byte(server, sqlite, between):
    metadata = {"💬": "\u00e9 \"quoted\"\n", "z": "", "a": "1"}
    first = create(server, "key", metadata)
    assert not is_replay(first)
    assert "idempotent-replayed" not in first.headers
    id = first.json()["id"]
    assert server.request("POST", f"{PATH}/{id}", {"metadata": {"a": "2"}}).status == 200
    between(server)
    for _ in range(2):
        repeat = create(server, "key", metadata)
        assert is_replay(repeat)
        assert (repeat.status, repeat.body) == (first.status, first.body)
        for name in ("content-type", "etag", "content-length"):
            assert repeat.headers[name] == first.headers[name]
        assert repeat.headers["x-request-id"] != first.headers["x-request-id"]
    assert server.request("GET", f"{PATH}/{id}").json()["metadata"] == {"a": "2"}
    assert rows(sqlite, server, "conversations") == 1


def test_the_sdk_sends_a_key_and_tells_a_replay(server, client, sqlite):
    headers = {"Idempotency-Key": "order-17"}
    answers = [client.conversations.with_raw_response.create(
        metadata={"a": "1"}, extra_headers=headers) for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [
        None, "true", "true"]
    assert rows(sqlite, server, "conversations") == 1


def test_another_body_is_refused_once_and_creates_nothing(server, client, sqlite):
    first = create(server, "key", {"a": "1"})
    with pytest.raises(UnprocessableEntityError) as caught:
        client.conversations.create(
            metadata={"a": "2"}, extra_headers={"Idempotency-Key": "key"})
    assert (caught.value.code, caught.value.param) == ("idempotency_key_reused", None)
    assert server.log().count("status=422") == 1
    # A repeat has the same bytes, not the same meaning.
    answer = server.request(
        "POST", PATH, b'{ "metadata":{"a":"1"}}', {"Idempotency-Key": "key"})
    assert answer.status == 422
    assert create(server, "key", {"a": "1"}).body == first.body
    assert rows(sqlite, server, "conversations") == 1


def test_the_sdk_s_own_repeat_of_a_lost_answer_creates_nothing_twice(server, sqlite):
    lost = []

    def lose(response):
        if not lost:
            lost.append(response.headers["x-request-id"])
            raise ReadError("the answer is lost")

    http_client = DefaultHttpxClient(event_hooks={"response": [lose]})
    with server.client(http_client=http_client) as client:
        raw = client.conversations.with_raw_response.create(
            metadata={"a": "1"}, extra_headers={"Idempotency-Key": "key"})
    assert raw.headers["idempotent-replayed"] == "true"
    assert lost and raw.headers["x-request-id"] not in lost
    assert rows(sqlite, server, "conversations") == 1


def test_a_refused_creation_does_not_use_up_its_key(server, client, sqlite):
    headers = {"Idempotency-Key": "key"}
    for metadata in ({"a": 513 * "x"}, {"a": 1}):
        with pytest.raises(BadRequestError):
            client.conversations.create(metadata=metadata, extra_headers=headers)
    assert rows(sqlite, server, "idempotency_keys") == 0
    assert client.conversations.create(metadata={"a": "1"}, extra_headers=headers)
    assert rows(sqlite, server, "idempotency_keys") == 1


@pytest.mark.parametrize("key", ["", 256 * "k", "a b", "a\tb", "é", "a\x7fb"],
                         ids=["empty", "long", "blank", "tab", "é", "DEL"])
def test_a_key_that_is_none_is_refused(server, sqlite, key):
    answer = create(server, key)
    assert (answer.status, answer.error["code"]) == (400, "invalid_value")
    assert "Idempotency-Key" in answer.error["message"]
    assert rows(sqlite, server, "conversations") == 0


def test_keys_are_taken_verbatim(server, sqlite):
    keys = ["key", "KEY", '"key"', "key,", "%6Bey", "key;a=b", 255 * "k", 254 * "k", "!", "~", "'"]
    ids = [create(server, key).json()["id"] for key in keys]
    assert len(set(ids)) == len(keys)
    assert [create(server, key).json()["id"] for key in keys] == ids
    assert rows(sqlite, server, "conversations") == len(keys)


def test_other_requests_ignore_the_key(server, client):
    headers = {"Idempotency-Key": "key"}
    id = create(server, "key").json()["id"]
    for metadata in ({"a": "2"}, {"a": "3"}):
        updated = client.conversations.update(id, metadata=metadata, extra_headers=headers)
        assert updated.metadata == metadata
    assert client.conversations.retrieve(id, extra_headers=headers).metadata == {"a": "3"}
    assert client.conversations.delete(id, extra_headers=headers).deleted


def test_identical_creations_at_once_create_one_conversation(server, sqlite):
    together = threading.Barrier(TOGETHER)

    def send(_):
        together.wait()
        return create(server, "key")

    with ThreadPoolExecutor(TOGETHER) as pool:
        answers = list(pool.map(send, range(TOGETHER)))
    assert len({answer.body for answer in answers}) == 1
    assert sum(not is_replay(answer) for answer in answers) == 1
    assert rows(sqlite, server, "conversations") == 1


@pytest.mark.parametrize("by", ["the service", "hand"])
def test_a_deleted_conversation_takes_its_key_with_it(server, sqlite, by):
    kept = create(server, "kept").json()["id"]
    id = create(server, "key", {"secret": "hush"}).json()["id"]
    if by == "hand":
        sqlite(server.database, f"DELETE FROM conversations WHERE id = '{id}'")
    else:
        assert server.request("DELETE", f"{PATH}/{id}").status == 200
    assert sqlite(server.database, "SELECT key FROM idempotency_keys").stdout == "kept\n"
    again = create(server, "key", {"another": "body"})
    assert not is_replay(again)
    assert again.json()["id"] not in (id, kept)


def keep_creating(server, writer, keys, answers):
    """Creates with a new key each time, until the server is gone."""
    with closing(server.connection()) as connection:
        try:
            while True:
                key = f"{writer}-{len(keys[writer])}"
                keys[writer].append(key)
                connection.request("POST", PATH, body_of(key), {"Idempotency-Key": key})
                answer = read_answer(connection)
                assert not is_replay(answer)
                answers[key] = answer.body
        except (OSError, http.client.HTTPException):
            pass


def body_of(key):
    return json.dumps({"metadata": {"key": key}})


def test_kill_in_the_middle_of_creations_leaves_one_conversation_a_key(
        server, sqlite, run, wait_until):
    keys, answers = [[] for _ in range(WRITERS)], {}
    for _ in range(3):
        enough = len(answers) + 20 * WRITERS
        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [pool.submit(keep_creating, server, writer, keys, answers)
                       for writer in range(WRITERS)]
            try:
                wait_until(lambda enough=enough: len(answers) > enough)
            finally:
                server.kill()
        for writer in writers:
            writer.result()
        server.start()
        in_flight = [key for mine in keys for key in mine if key not in answers]
        assert len(in_flight) == WRITERS
        with closing(server.connection()) as connection:
            for key in [*answers, *in_flight, *in_flight]:
                connection.request("POST", PATH, body_of(key), {"Idempotency-Key": key})
                answer = read_answer(connection)
                assert is_replay(answer) or key not in answers
                assert answers.setdefault(key, answer.body) == answer.body
    for table in ("conversations", "idempotency_keys"):
        assert rows(sqlite, server, table) == len(answers)
    assert run("check", "--database", server.database).returncode == 0


def test_old_keys_go_away_by_themselves_while_requests_go_on(start, sqlite, wait_until):
    server = start(environment={"CONVERSATIOND_DATABASE_IDEMPOTENCY_SECONDS": "1"})
    # More than are forgotten in one step.
    count = 250
    with closing(server.connection()) as connection:
        for number in range(count):
            connection.request("POST", PATH, headers={"Idempotency-Key": str(number)})
            assert read_answer(connection).status == 200
        requests = 0

        def all_are_gone():
            nonlocal requests
            connection.request("POST", PATH)
            assert read_answer(connection).status == 200
            requests += 1
            return rows(sqlite, server, "idempotency_keys") == 0

        wait_until(all_are_gone)
    assert rows(sqlite, server, "conversations") == count + requests
    again = create(server, "0", {"another": "body"})
    assert not is_replay(again)
    assert rows(sqlite, server, "conversations") == count + requests + 1
    assert "warning" not in server.log()


def test_a_key_is_remembered_for_as_long_as_is_set(start, sqlite):
    server = start(environment={"CONVERSATIOND_DATABASE_IDEMPOTENCY_SECONDS": "3600"})
    new, old = create(server, "new"), create(server, "old")
    # Records never change, so an old one is written anew.
    sqlite(server.database, """
        CREATE TEMP TABLE record AS SELECT * FROM idempotency_keys WHERE key = 'old';
        DELETE FROM idempotency_keys WHERE key = 'old';
        UPDATE record SET created_at = created_at - 3600;
        INSERT INTO idempotency_keys SELECT * FROM record""")
    assert rows(sqlite, server, "idempotency_keys") == 2
    assert is_replay(create(server, "new"))
    again = create(server, "old")
    assert not is_replay(again)
    assert again.json()["id"] not in (old.json()["id"], new.json()["id"])
    assert create(server, "old").body == again.body
