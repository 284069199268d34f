"""API keys beside a running server: from when they count, how long, and where they can be seen."""

import hashlib
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import datetime

import pytest
from openai import AuthenticationError

from conftest import bearer, read_answer

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
CONNECTIONS = 8


def lists(server, key):
    """The status of a request with this key."""
    return server.request("GET", "/v1/conversations", headers=bearer(key)).status


def lists_on(connection, key=None):
    """The status of a request on this connection."""
    connection.request("GET", "/v1/conversations", headers=bearer(key) if key else {})
    return read_answer(connection).status


def test_the_first_key_locks_out_those_without_at_once(server, make_key):
    # Also those that are connected, whichever of the event loops they are with.
    with ExitStack() as stack:
        connections = [
            stack.enter_context(closing(server.connection())) for _ in range(CONNECTIONS)]
        assert [lists_on(connection) for connection in connections] == CONNECTIONS * [200]
        key = make_key()
        assert [lists_on(connection) for connection in connections] == CONNECTIONS * [401]
        assert [lists_on(connection, key) for connection in connections] == CONNECTIONS * [200]


def test_a_revoked_key_is_refused_from_the_next_request_on(server, make_key, keys):
    key = make_key("a")
    other = make_key("b")
    with server.client(api_key=key) as client:
        id = client.conversations.create(metadata={"a": "1"}).id
        assert keys("revoke", "a").returncode == 0
        for call in (client.conversations.retrieve, client.conversations.delete):
            with pytest.raises(AuthenticationError) as caught:
                call(id)
            assert caught.value.code == "invalid_api_key"
    with server.client(api_key=other) as client:
        assert client.conversations.retrieve(id).metadata == {"a": "1"}


def test_a_key_may_have_a_limit_of_its_own(server, start, make_key, list_keys, tmp_path):
    limited, free, admin, plain = [make_key(name, *options) for name, *options in [
        ("limited", "--requests-per-minute=2"), ("free", "--requests-per-minute=0"),
        ("admin", "--requests-per-minute=3", "--admin"), ("plain",)]]

    def limits(server):
        answers = [server.request("GET", "/v1/me", headers=bearer(key))
                   for key in (limited, free, plain)]
        return [answer.headers["x-ratelimit-limit-requests"] for answer in answers]

    assert limits(server) == ["2", None, None]
    assert [lists(server, limited) for _ in range(2)] == [200, 429]
    # A key that a limited key makes is limited too.
    made = server.request("POST", "/v1/api_keys", {"name": "made", "rights": "read_only"},
                          bearer(admin)).json()["value"]
    me = server.request("GET", "/v1/me", headers=bearer(made))
    assert me.headers["x-ratelimit-limit-requests"] == "3"
    assert {row["NAME"]: row["PER MINUTE"] for row in list_keys()} == {
        "limited": "2", "free": "any", "admin": "3", "plain": "setting", "made": "3"}
    server.stop()
    # It stands in the place of the setting, for more or for less.
    environment = {"CONVERSATIOND_HTTP_REQUESTS_PER_MINUTE_MAX": "5"}
    assert limits(start(environment=environment)) == ["2", None, "5"]


def test_a_name_can_be_used_again_once_its_key_is_revoked(server, make_key, keys, list_keys):
    old = make_key("a")
    assert keys("revoke", "a").returncode == 0
    new = make_key("a")
    assert [(row["NAME"], row["STATE"]) for row in list_keys()] == [
        ("a", "revoked"), ("a", "active")]
    assert (lists(server, old), lists(server, new)) == (401, 200)


def test_when_the_last_key_is_revoked_keys_are_needed_all_the_same(server, make_key, keys):
    make_key("a")
    assert keys("revoke", "a").returncode == 0
    for _ in range(2):
        assert server.request("GET", "/v1/conversations").status == 401
        server.restart()


def test_an_expired_key_is_refused_as_a_revoked_one_is(
        server, make_key, keys, list_keys, wait_until):
    revoked = make_key("revoked")
    assert keys("revoke", "revoked").returncode == 0
    expired = make_key("expired", "--expires", "1s")
    wait_until(lambda: lists(server, expired) == 401)
    assert [row["STATE"] for row in list_keys()] == ["revoked", "expired"]
    answers = [server.request("GET", "/v1/conversations", headers=bearer(key))
               for key in (revoked, expired)]
    masked = [answer.body.decode().replace(f"{key[:6]}***{key[-4:]}", "KEY")
              for answer, key in zip(answers, (revoked, expired), strict=True)]
    assert masked[0] == masked[1] and "KEY" in masked[0]
    # It has its name until it is revoked.
    assert "exists" in keys("create", "--name", "expired").stderr
    assert keys("revoke", "expired").returncode == 0
    assert [row["STATE"] for row in list_keys()] == ["revoked", "revoked"]


@pytest.mark.parametrize("is_killed", [False, True], ids=["a restart", "kill -9"])
def test_keys_outlive(server, make_key, keys, is_killed):
    def again():
        if is_killed:
            server.kill()
            server.start()
        else:
            server.restart()

    key, other = make_key("a"), make_key("b")
    id = server.request("POST", "/v1/conversations", headers=bearer(key)).json()["id"]
    again()
    path = f"/v1/conversations/{id}"
    assert server.request("GET", path).status == 401
    assert server.request("GET", path, headers=bearer(key)).status == 200
    assert keys("revoke", "a").returncode == 0
    again()
    assert [lists(server, text) for text in (key, other)] == [401, 200]


def test_keys_that_are_made_and_revoked_under_load_disturb_nobody(server, make_key, keys):
    worker = make_key("worker")
    with ThreadPoolExecutor(1) as pool, closing(server.connection()) as connection:
        changes = pool.submit(lambda: [
            (make_key(name), keys("revoke", name).returncode) for name in "abcd"])
        statuses = set()
        while not changes.done():
            connection.request("POST", "/v1/conversations", headers=bearer(worker))
            statuses.add(read_answer(connection).status)
    assert [code for _, code in changes.result()] == [0, 0, 0, 0]
    assert statuses == {200}


def test_the_last_use_is_written_down_at_the_end_at_the_latest(server, make_key, list_keys):
    used = make_key("used", "--expires", "90d")
    make_key("unused")
    before = server.request("POST", "/v1/conversations", headers=bearer(used)).json()["created_at"]
    # A key that is refused was not used.
    assert lists(server, "sk-" + 43 * "x") == 401
    assert server.stop() == 0
    use, never = [row["LAST USED"] for row in list_keys()]
    assert before <= datetime.fromisoformat(use).timestamp() <= time.time()
    assert never == "never"
    # An end without uses leaves what is known.
    server.start()
    assert server.stop() == 0
    assert list_keys()[0]["LAST USED"] == use


def test_the_last_use_is_written_down_while_the_server_runs(start, make_key, list_keys, wait_until):
    # It goes with what is done at intervals, and these are no longer than idempotency keys last.
    server = start(environment={"CONVERSATIOND_DATABASE_IDEMPOTENCY_SECONDS": "1"})
    key = make_key()
    assert lists(server, key) == 200
    wait_until(lambda: TIME.fullmatch(list_keys()[0]["LAST USED"]))


@pytest.mark.sqlite_only
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_key_is_shown_once_and_is_nowhere_else(
        start, make_key, keys, tmp_path, form):
    server = start("--log-level", "trace", environment={"CONVERSATIOND_LOG_FORMAT": form})
    key, wrong = make_key("a"), "sk-" + "WrOnG" + 38 * "w"
    headers = [bearer(key), bearer(wrong), {**bearer(key), "OpenAI-Project": "other"},
               {"Authorization": f"Basic {key}"}, {"Authorization": key}]
    for field in headers:
        server.request("POST", "/v1/conversations", {"metadata": {"a": "1"}}, field)
        server.request("GET", f"/v1/{form}", headers=field)
    output = keys("list").stdout + keys("revoke", "a").stdout
    assert lists(server, key) == 401

    digest = hashlib.sha256(key.encode())
    files = {path.name: path.read_bytes() for path in tmp_path.glob("conversations.db*")}
    assert any(digest.hexdigest().encode() in content for content in files.values())
    # More than its first characters is nowhere; nor is what an attempt has guessed.
    for name, content in [*files.items(), ("the log", server.log().encode()),
                          ("the output", output.encode())]:
        for secret in (key[3:15], key[-12:], wrong[3:15]):
            assert secret.encode() not in content, name
    for text in (output, server.log()):
        assert digest.hexdigest() not in text
