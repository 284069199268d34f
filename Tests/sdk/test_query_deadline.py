"""Queries that cannot be quick: they end at their deadline, and hold nobody up."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from openai import InternalServerError

from conftest import clean_environment, read_answer

CONVERSATIONS = 300_000
QUERIES = 100
# Every conversation has one of two pairs in turn, and none has both: the two meet nowhere.
SLOW = {"metadata": {"odd": "yes", "even": "yes"}}
SLOW_PATH = "/v1/conversations?metadata[odd]=yes&metadata[even]=yes"
FILL = f"""
    BEGIN;
    WITH RECURSIVE numbers (n) AS (
      SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {CONVERSATIONS})
    INSERT INTO conversations (id, created_at)
    SELECT printf('conv_%08x%040x', 1, n), 1 FROM numbers;
    INSERT INTO metadata (conversation, key, value)
    SELECT number, CASE number % 2 WHEN 0 THEN 'even' ELSE 'odd' END, 'yes' FROM conversations;
    COMMIT;
    """


@pytest.fixture(scope="module")
def large_database(binary, tmp_path_factory):
    """The file is made once: each test may add to it."""
    path = tmp_path_factory.mktemp("large") / "conversations.db"
    for command in ([binary, "migrate", "--database", path], ["sqlite3", "-bail", path, FILL]):
        subprocess.run(command, env=clean_environment(), check=True, capture_output=True)
    return path


@pytest.fixture
def start_large(start, large_database):
    """Starts a server on the large database, with a query timeout."""

    def start_large(timeout_milliseconds, threads=2):
        return start("--database", str(large_database), database=False, environment={
            "CONVERSATIOND_DATABASE_QUERY_TIMEOUT_MILLISECONDS": str(timeout_milliseconds),
            "CONVERSATIOND_DATABASE_QUERY_THREADS": str(threads)})

    return start_large


def test_a_query_that_takes_too_long_is_ended_and_told_once(start_large, wait_until):
    server = start_large(10)
    with server.client() as client, closing(server.connection()) as connection:
        with pytest.raises(InternalServerError) as caught:
            client.get("/conversations", cast_to=object, options={"params": SLOW})
        error = caught.value
        assert (error.status_code, error.code) == (503, "query_timeout")
        assert (error.type, error.param) == ("server_error", None)
        assert error.response.headers["x-should-retry"] == "false"
        assert "retry-after" not in error.response.headers
        assert "Narrow it" in error.message
        assert server.log().count("path=") == 1, server.log()

        # The same connection, and the same threads, go on.
        connection.request("GET", SLOW_PATH)
        assert read_answer(connection).status == 503
        socket = connection.sock

        def is_answered():
            connection.request("GET", "/v1/conversations?metadata[odd]=yes&limit=1")
            return read_answer(connection).status == 200

        wait_until(is_answered)
        connection.request("GET", f"/v1/conversations/conv_{1:08x}{CONVERSATIONS:040x}")
        assert read_answer(connection).json()["metadata"] == {"even": "yes"}
        assert connection.sock is socket


def test_a_query_that_has_the_time_ends_with_its_answer(start_large):
    server = start_large(60_000)
    assert server.request("GET", SLOW_PATH).json()["data"] == []


COUNT = "/v1/conversations/count"
FACETS = "/v1/conversations/metadata_keys?up_to=10000"


def test_a_count_at_its_deadline_is_what_was_counted_so_far(start_large):
    server = start_large(10)
    answer = server.request("GET", f"{COUNT}?metadata[odd]=yes&metadata[even]=yes")
    assert answer.status == 200
    assert answer.json() == {"object": "conversation.count", "count": 0, "is_exact": False}
    answer = server.request("GET", f"{COUNT}?up_to=1000000").json()
    assert answer["count"] < CONVERSATIONS and not answer["is_exact"]


def test_a_count_that_has_the_time_is_exact(start_large):
    server = start_large(60_000)
    for query, count, is_exact in [
            ("?up_to=1000000", CONVERSATIONS, True), ("", 10_000, False),
            ("?metadata[odd]=yes&up_to=1000000", CONVERSATIONS // 2, True),
            ("?metadata[odd]=yes&metadata[even]=yes", 0, True)]:
        assert server.request("GET", COUNT + query).json() == {
            "object": "conversation.count", "count": count, "is_exact": is_exact}


def test_keys_are_found_at_once_and_counted_as_far_as_asked(start_large):
    keys = start_large(60_000).request("GET", FACETS).json()
    assert keys == {"object": "list", "has_more": False, "data": [
        {"object": "conversation.metadata_key", "key": key, "count": 10_000, "is_exact": False}
        for key in ("even", "odd")]}


def test_slow_queries_hold_up_neither_reads_nor_writes(start_large):
    server = start_large(2_000)
    with ThreadPoolExecutor(QUERIES) as pool, server.client() as client:
        id = client.conversations.create(metadata={"n": "0"}).id
        slow = [pool.submit(server.request, "GET", SLOW_PATH) for _ in range(QUERIES)]
        for number in range(10):
            assert client.conversations.update(id, metadata={"n": str(number)}).id == id
            assert client.conversations.retrieve(id).metadata == {"n": str(number)}
        # Most of them still wait: nothing had to wait for them.
        assert sum(each.done() for each in slow) < QUERIES / 2
        answers = [each.result() for each in slow]
    # Those that waited for a thread until their deadline are told so.
    assert {answer.status for answer in answers} <= {200, 503}
    for answer in answers:
        if answer.status == 503:
            assert answer.error["code"] == "query_timeout"


def test_a_server_that_stops_ends_its_queries(start_large, wait_until):
    server = start_large(60_000, threads=1)
    with ThreadPoolExecutor(QUERIES) as pool:
        slow = [pool.submit(server.request, "GET", SLOW_PATH) for _ in range(QUERIES)]
        wait_until(lambda: "path=/v1/conversations " in server.log())
        server.send()
        assert server.wait() == 0
    for each in slow:
        # What had not arrived yet finds the connection closed.
        if each.exception() is None:
            assert each.result().status in (200, 503)
    assert "Fatal error" not in server.log()
    assert "status=503" in server.log()
