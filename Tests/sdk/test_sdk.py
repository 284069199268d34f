"""The official SDK, unchanged, against the real server."""

import re
import sqlite3
import time

import pytest
from openai import BadRequestError, DefaultHttpxClient, InternalServerError, NotFoundError

UNKNOWN_ID = "conv_" + 48 * "0"
ID = re.compile("conv_[0-9a-f]{48}")
REQUEST_ID = re.compile("req_[0-9a-f]{32}")


def test_create_answers_the_whole_conversation(client):
    before = int(time.time())
    conversation = client.conversations.create(metadata={"topic": "demo"})
    assert ID.fullmatch(conversation.id)
    assert conversation.object == "conversation"
    assert before <= conversation.created_at <= int(time.time())
    assert int(conversation.id[5:13], 16) == conversation.created_at
    assert conversation.metadata == {"topic": "demo"}


def test_create_without_arguments_answers_empty_metadata(client):
    assert client.conversations.create().metadata == {}


def test_retrieve_answers_what_create_answered(client):
    created = client.conversations.create(metadata={"topic": "demo"})
    assert client.conversations.retrieve(created.id) == created


def test_update_replaces_the_metadata_as_a_whole_set(client):
    created = client.conversations.create(metadata={"a": "1", "b": "2"})
    updated = client.conversations.update(created.id, metadata={"b": "3", "c": "4"})
    assert (updated.id, updated.created_at) == (created.id, created.created_at)
    assert updated.metadata == {"b": "3", "c": "4"}
    assert client.conversations.retrieve(created.id) == updated


@pytest.mark.parametrize("nothing", [{}, None])
def test_an_update_with_nothing_clears_the_set(client, nothing):
    created = client.conversations.create(metadata={"a": "1"})
    assert client.conversations.update(created.id, metadata=nothing).metadata == {}
    assert client.conversations.retrieve(created.id).metadata == {}


@pytest.mark.parametrize("nothing", [{}, None])
def test_create_with_nothing_answers_empty_metadata(client, nothing):
    assert client.conversations.create(metadata=nothing).metadata == {}


def test_sixteen_pairs_can_all_be_exchanged_at_once(client):
    created = client.conversations.create(metadata={f"old {n}": "1" for n in range(16)})
    new = {f"new {n}": "2" for n in range(16)}
    assert client.conversations.update(created.id, metadata=new).metadata == new


def test_a_refused_update_leaves_the_old_set(client):
    created = client.conversations.create(metadata={"a": "1"})
    with pytest.raises(BadRequestError):
        client.conversations.update(created.id, metadata={"a": "2", "b": 513 * "x"})
    assert client.conversations.retrieve(created.id) == created


def test_delete_answers_and_the_conversation_is_gone(client):
    created = client.conversations.create(metadata={"a": "1"})
    deleted = client.conversations.delete(created.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (
        created.id, "conversation.deleted", True)
    for call in (client.conversations.retrieve, client.conversations.delete):
        with pytest.raises(NotFoundError):
            call(created.id)


def test_conversations_outlive_a_restart(server, client):
    created = client.conversations.create(metadata={"a": "1"})
    server.restart()
    assert client.conversations.retrieve(created.id) == created


def test_ids_sort_in_the_order_of_creation(client):
    ids = [client.conversations.create().id for _ in range(50)]
    assert ids == sorted(ids) and len(set(ids)) == 50


@pytest.mark.parametrize("items", [[], None])
def test_creating_with_no_items_is_fine(client, items):
    assert client.conversations.create(items=items, metadata={"a": "1"}).metadata == {"a": "1"}


def test_a_raw_response_has_the_headers_and_the_request_id(server, client):
    raw = client.conversations.with_raw_response.create(metadata={"a": "1"})
    conversation = raw.parse()
    assert raw.status_code == 200
    assert raw.headers["content-type"] == "application/json"
    assert raw.headers["openai-version"] == "2020-10-01"
    assert raw.headers["openai-processing-ms"].isdigit()
    assert REQUEST_ID.fullmatch(raw.headers["x-request-id"])
    assert raw.request_id == conversation._request_id == raw.headers["x-request-id"]
    assert raw.text == (
        f'{{"id":"{conversation.id}","object":"conversation",'
        f'"created_at":{conversation.created_at},"metadata":{{"a":"1"}}}}')
    assert conversation._request_id in server.log()


def test_each_answer_has_its_own_request_id(client):
    created = client.conversations.create()
    answers = [
        created, client.conversations.retrieve(created.id),
        client.conversations.update(created.id, metadata={}),
        client.conversations.delete(created.id)]
    assert len({answer._request_id for answer in answers}) == 4


KEY_70 = 67 * "k" + "end"

REFUSALS = [
    ({f"k{n}": "" for n in range(17)}, "object_above_max_properties", "metadata",
     "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
     "but got an object with 17 properties instead."),
    ({KEY_70: "v"}, "property_name_above_max_length", f"metadata.{KEY_70}",
     "Invalid property name in 'metadata': 'kkk...end' is too long. Expected a string with "
     "maximum length 64, but got a string with length 70 instead."),
    ({"k": 600 * "v"}, "string_above_max_length", "metadata.k",
     "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, but got "
     "a string with length 600 instead."),
    ({"k": 1}, "invalid_type", "metadata.k",
     "Invalid type for 'metadata.k': expected a string, but got an integer instead."),
    ({"k": 1.5}, "invalid_type", "metadata.k",
     "Invalid type for 'metadata.k': expected a string, but got a decimal number instead."),
    ({"k": None}, "invalid_type", "metadata.k",
     "Invalid type for 'metadata.k': expected a string, but got null instead."),
    ({"k": ["v"]}, "invalid_type", "metadata.k",
     "Invalid type for 'metadata.k': expected a string, but got an array instead."),
    ("text", "invalid_type", "metadata",
     "Invalid type for 'metadata': expected a metadata object, but got a string instead."),
]


@pytest.mark.parametrize("metadata, code, param, message", REFUSALS)
def test_a_broken_rule_is_a_bad_request_error(client, metadata, code, param, message):
    conversation = client.conversations.create()
    calls = [
        lambda: client.conversations.create(metadata=metadata),
        lambda: client.conversations.update(conversation.id, metadata=metadata)]
    for call in calls:
        with pytest.raises(BadRequestError) as caught:
            call()
        error = caught.value
        assert (error.status_code, error.code, error.param) == (400, code, param)
        assert error.type == "invalid_request_error"
        assert error.message == f"Error code: 400 - {message}"
        assert error.body == {
            "message": message, "type": "invalid_request_error", "param": param, "code": code}
        assert REQUEST_ID.fullmatch(error.request_id)


@pytest.mark.parametrize("metadata, param", [
    ({"a\0b": "v"}, "metadata.a\0b"),
    ({"k": "a\0"}, "metadata.k"),
])
def test_nul_is_refused(client, metadata, param):
    with pytest.raises(BadRequestError) as caught:
        client.conversations.create(metadata=metadata)
    assert (caught.value.code, caught.value.param) == ("invalid_value", param)


def test_an_unknown_member_and_an_unknown_query_parameter_are_refused(client):
    for extra in ({"extra_body": {"colour": "red"}}, {"extra_query": {"colour": "red"}}):
        with pytest.raises(BadRequestError) as caught:
            client.conversations.create(**extra)
        assert (caught.value.code, caught.value.param) == ("unknown_parameter", "colour")


def test_an_update_without_metadata_is_refused(client):
    created = client.conversations.create(metadata={"a": "1"})
    with pytest.raises(BadRequestError) as caught:
        client.post(f"/conversations/{created.id}", cast_to=object, body={})
    assert caught.value.code == "missing_required_parameter"
    assert caught.value.body["message"] == "Missing required parameter: 'metadata'."
    assert client.conversations.retrieve(created.id) == created


@pytest.mark.parametrize("id", [
    UNKNOWN_ID, UNKNOWN_ID.upper(), "conv_é", "a/b", "a%2Fb", "conv_1?x=1", "#", "it's \"one\"",
    UNKNOWN_ID + "0", "💬", "\\", "conv_\u202e"])
def test_an_unknown_conversation_is_a_not_found_error(client, id):
    calls = [
        client.conversations.retrieve, client.conversations.delete,
        lambda id: client.conversations.update(id, metadata={})]
    message = f"Conversation with id '{id}' not found."
    for call in calls:
        with pytest.raises(NotFoundError) as caught:
            call(id)
        assert caught.value.message == f"Error code: 404 - {message}"
        assert (caught.value.code, caught.value.param) == (None, None)
        assert caught.value.body == {
            "message": message, "type": "invalid_request_error", "param": None, "code": None}


def test_an_unknown_route_is_a_not_found_error(client):
    with pytest.raises(NotFoundError) as caught:
        client.models.list()
    assert caught.value.body["message"] == "Invalid URL (GET /v1/models)"


def test_the_sdk_s_own_headers_and_extra_ones_are_no_hindrance(server):
    with server.client(organization="org-1", project="proj_1") as client:
        created = client.conversations.create(extra_headers={"X-Whatever": "1", "Cookie": "a=b"})
        assert client.conversations.retrieve(created.id) == created


def test_the_client_s_own_request_id_stands_in_the_log(server, client):
    created = client.conversations.create(extra_headers={"X-Client-Request-Id": "mine-42"})
    line = next(line for line in server.log().splitlines() if created._request_id in line)
    assert "mine-42" in line


def test_a_client_s_request_id_of_over_512_characters_stays_out_of_the_log(server, client):
    for length in (512, 513):
        client.conversations.create(extra_headers={"X-Client-Request-Id": length * "x"})
    lines = [line for line in server.log().splitlines() if "path=" in line]
    assert 512 * "x" in lines[0]
    assert "x" * 9 not in lines[1]


def waiting_client(server, when_sent):
    """A client and its attempts; `when_sent` runs when the first request is wholly sent."""
    attempts = []

    def trace(event, _):
        if event == "http11.receive_response_headers.started" and len(attempts) == 1:
            when_sent()

    def follow(request):
        attempts.append(request)
        request.extensions["trace"] = trace

    http_client = DefaultHttpxClient(event_hooks={"request": [follow]})
    return server.client(http_client=http_client), attempts


def test_a_call_survives_a_crash_and_a_restart_in_its_middle(server):
    with server.client() as client:
        id = client.conversations.create(metadata={"a": "1"}).id
    # Under the lock of another process the server cannot have answered before it is killed.
    other = sqlite3.connect(server.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def crash_and_restart():
        server.kill()
        other.close()
        server.start()

    client, attempts = waiting_client(server, crash_and_restart)
    with client:
        assert client.conversations.update(id, metadata={"a": "2"}).metadata == {"a": "2"}
        assert len(attempts) == 2
        assert client.conversations.retrieve(id).metadata == {"a": "2"}


@pytest.mark.sqlite_only
def test_a_call_that_finds_the_database_locked_is_repeated_by_the_sdk(start):
    server = start(environment={"CONVERSATIOND_DATABASE_BUSY_TIMEOUT_MILLISECONDS": "20"})
    other = sqlite3.connect(server.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers = []

    def unlock(response):
        answers.append(response.status_code)
        if other.in_transaction:
            other.execute("ROLLBACK")

    http_client = DefaultHttpxClient(event_hooks={"response": [unlock]})
    with server.client(http_client=http_client) as client:
        assert client.conversations.create(metadata={"a": "1"}).metadata == {"a": "1"}
    assert answers == [503, 200]
    assert other.execute("SELECT count(*) FROM conversations").fetchone() == (1,)
    other.close()


@pytest.mark.sqlite_only
def test_an_error_that_no_repeat_can_cure_is_not_repeated(server, client):
    id = client.conversations.create(metadata={"a": "1"}).id
    with sqlite3.connect(server.database) as other:
        other.execute("UPDATE metadata SET value = CAST(x'ff' AS TEXT)")
    other.close()
    with pytest.raises(InternalServerError) as caught:
        client.conversations.retrieve(id)
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert caught.value.type == "server_error"
    assert server.log().count(f"path=/v1/conversations/{id}") == 1
