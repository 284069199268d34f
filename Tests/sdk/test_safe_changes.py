"""Changes that lose nobody's keys: entity tags, preconditions and merge patches, with the SDK."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from openai import APIStatusError, BadRequestError, NotFoundError
from openai.types.conversations import Conversation

CLIENTS = 8
ROUNDS = 10
UNKNOWN_ID = "conv_" + 48 * "0"


def path(id):
    return f"/conversations/{id}"


def patch(client, id, body, **headers):
    return client.patch(path(id), cast_to=Conversation, body=body, options={"headers": headers})


def etag(client, id):
    return client.conversations.with_raw_response.retrieve(id).headers["etag"]


# Entity tags


def test_every_answer_that_is_a_conversation_has_the_etag_of_its_content(server, client):
    created = client.conversations.with_raw_response.create(metadata={"a": "1"})
    id = created.parse().id
    first = created.headers["etag"]
    assert first[0] == first[-1] == '"' and len(first) > 2
    assert etag(client, id) == first
    assert server.request("HEAD", f"/v1/conversations/{id}").headers["etag"] == first
    updated = client.conversations.with_raw_response.update(id, metadata={"a": "2"})
    patched = server.request("PATCH", f"/v1/conversations/{id}", {"metadata": {"b": "1"}})
    tags = [first, updated.headers["etag"], patched.headers["etag"]]
    assert len(set(tags)) == len(tags)
    assert etag(client, id) == tags[-1]
    server.restart()
    assert etag(client, id) == tags[-1]
    # The same content has the same tag, whichever way it came about.
    client.conversations.update(id, metadata={"a": "1"})
    assert etag(client, id) == first


def test_two_conversations_of_the_same_metadata_have_two_etags(client):
    one, other = (client.conversations.create(metadata={"a": "1"}).id for _ in range(2))
    assert etag(client, one) != etag(client, other)


@pytest.mark.parametrize("sql", [
    "UPDATE metadata SET value = '2'", "UPDATE metadata SET key = 'b'",
    "INSERT INTO metadata (conversation, key, value) VALUES (1, 'b', '1')",
    "DELETE FROM metadata"], ids=["a value", "a key", "one more", "one less"])
def test_the_etag_changes_with_a_row_that_is_changed_by_hand(server, client, sqlite, sql):
    id = client.conversations.create(metadata={"a": "1"}).id
    before = etag(client, id)
    assert sqlite(server.database, sql).stderr == ""
    assert etag(client, id) != before
    with pytest.raises(APIStatusError) as caught:
        patch(client, id, {"metadata": {"c": "1"}}, **{"If-Match": before})
    assert caught.value.status_code == 412
    sqlite(server.database, "DELETE FROM metadata; "
           "INSERT INTO metadata (conversation, key, value) VALUES (1, 'a', '1')")
    assert etag(client, id) == before


# Preconditions


# What a client does, and the metadata afterwards.
CHANGES = {
    "update": (lambda client, id, headers: client.conversations.update(
        id, metadata={"b": "2"}, extra_headers=headers), {"b": "2"}),
    "patch": (lambda client, id, headers: patch(
        client, id, {"metadata": {"b": "2"}}, **headers), {"a": "1", "b": "2"}),
    "delete": (lambda client, id, headers: client.conversations.delete(
        id, extra_headers=headers), None),
}
each_change = pytest.mark.parametrize("change, after", CHANGES.values(), ids=CHANGES)


@each_change
def test_a_change_of_what_somebody_else_changed_is_refused_once_and_stores_nothing(
        server, client, change, after):
    id = client.conversations.create(metadata={"a": "1"}).id
    seen = etag(client, id)
    theirs = client.conversations.update(id, metadata={"a": "2"})
    for tags in (seen, f'"x", {seen}', f"W/{etag(client, id)}", "unquoted"):
        before = server.log().count("status=412")
        with pytest.raises(APIStatusError) as caught:
            change(client, id, {"If-Match": tags})
        error = caught.value
        assert (error.status_code, error.code) == (412, "precondition_failed")
        assert (error.type, error.param) == ("invalid_request_error", None)
        assert "If-Match" in error.message
        assert server.log().count("status=412") == before + 1
    assert client.conversations.retrieve(id) == theirs


@each_change
@pytest.mark.parametrize("form", ["{}", "*", '"x",  {} ,W/"y"', '"x","y",{}'])
def test_a_change_of_what_was_read_is_made(server, client, change, after, form):
    id = client.conversations.create(metadata={"a": "1"}).id
    change(client, id, {"If-Match": form.format(etag(client, id))})
    answer = server.request("GET", f"/v1/conversations/{id}")
    assert answer.status == (404 if after is None else 200)
    assert answer.json().get("metadata") == after


@each_change
def test_existence_comes_before_a_precondition(client, change, after):
    for tag in ("*", '"x"'):
        with pytest.raises(NotFoundError):
            change(client, UNKNOWN_ID, {"If-Match": tag})


def test_what_is_known_already_is_not_sent_again(server, client):
    id = client.conversations.create(metadata={"a": "1"}).id
    tag = etag(client, id)
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        with pytest.raises(APIStatusError) as caught:
            client.conversations.retrieve(id, extra_headers={"If-None-Match": known})
        assert caught.value.status_code == 304
        for method in ("GET", "HEAD"):
            answer = server.request(
                method, f"/v1/conversations/{id}", headers={"If-None-Match": known})
            assert (answer.status, answer.body) == (304, b"")
            assert answer.headers["etag"] == tag
    assert server.log().count("status=304") == 12
    client.conversations.update(id, metadata={"a": "2"})
    seen = client.conversations.retrieve(id, extra_headers={"If-None-Match": tag})
    assert seen.metadata == {"a": "2"}


# Merge patches


FIFTEEN = {f"k{n}": "v" for n in range(15)}
SIXTEEN = {**FIFTEEN, "k15": "v"}
PATCHES = [
    ({"a": "1", "b": "2"}, {"metadata": {"b": None, "c": "3"}}, {"a": "1", "c": "3"}),
    ({"a": "1"}, {"metadata": {"a": "2"}}, {"a": "2"}),
    ({"a": "1"}, {"metadata": {"a": ""}}, {"a": ""}),
    ({"a": "1"}, {"metadata": {"b": None}}, {"a": "1"}),
    ({"a": "1"}, {"metadata": {}}, {"a": "1"}),
    ({"a": "1"}, {}, {"a": "1"}),
    ({"a": "1"}, {"metadata": None}, {}),
    ({}, {"metadata": {"": "v", "💬": "a\nb"}}, {"": "v", "💬": "a\nb"}),
    ({"\u00e9": "1", "e\u0301": "2"}, {"metadata": {"\u00e9": None}}, {"e\u0301": "2"}),
    (SIXTEEN, {"metadata": {"k15": None, "new": "v"}}, {**FIFTEEN, "new": "v"}),
    (SIXTEEN, {"metadata": {**dict.fromkeys(SIXTEEN), "n": "v"}}, {"n": "v"}),
]


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/merge-patch+json"}],
                         ids=["json", "merge-patch+json"])
def test_a_patch_changes_what_it_names_and_keeps_the_rest(client, headers):
    for stored, body, expected in PATCHES:
        created = client.conversations.create(metadata=stored)
        patched = patch(client, created.id, body, **headers)
        assert patched.metadata == expected, body
        assert (patched.id, patched.created_at) == (created.id, created.created_at)
        assert client.conversations.retrieve(created.id) == patched


REFUSED = [
    ({"metadata": {"one more": "v"}}, "object_above_max_properties", "metadata"),
    ({"metadata": {"k0": 513 * "v"}}, "string_above_max_length", "metadata.k0"),
    ({"metadata": {"k0": None, 65 * "k": "v"}}, "property_name_above_max_length",
     f"metadata.{65 * 'k'}"),
    ({"metadata": {"k0": None, "k1": 1}}, "invalid_type", "metadata.k1"),
    ({"metadata": "text"}, "invalid_type", "metadata"),
    ({"metadata": {"k0": None}, "colour": "red"}, "unknown_parameter", "colour"),
    (["metadata"], "invalid_type", None),
]


def test_a_refused_patch_changes_nothing(client):
    created = client.conversations.create(metadata=SIXTEEN)
    for body, code, param in REFUSED:
        with pytest.raises(BadRequestError) as caught:
            patch(client, created.id, body)
        assert (caught.value.code, caught.value.param) == (code, param), body
    assert client.conversations.retrieve(created.id) == created


def test_a_patch_of_an_unknown_conversation_is_a_not_found_error(client):
    with pytest.raises(NotFoundError) as caught:
        patch(client, UNKNOWN_ID, {"metadata": {"a": "1"}})
    assert caught.value.body["message"] == f"Conversation with id '{UNKNOWN_ID}' not found."


def test_a_wrong_method_is_told_with_those_that_are_right(client):
    for where, allowed in [("/conversations", "GET, HEAD, POST"),
                           (path(UNKNOWN_ID), "GET, HEAD, POST, PATCH, DELETE")]:
        with pytest.raises(APIStatusError) as caught:
            client.put(where, cast_to=object, body={})
        assert (caught.value.status_code, caught.value.code) == (405, "method_not_supported")
        assert caught.value.response.headers["allow"] == allowed


# Many at once


def add_by_patch(client, id, key, together):
    together.wait()
    patch(client, id, {"metadata": {key: "yes"}})


def add_by_replacing(client, id, key, together):
    """Reads, changes and writes the whole set, until nobody else was quicker."""
    for attempt in range(CLIENTS):
        read = client.conversations.with_raw_response.retrieve(id)
        if attempt == 0:
            # Everybody has read before anybody writes.
            together.wait()
        try:
            client.conversations.update(
                id, metadata={**read.parse().metadata, key: "yes"},
                extra_headers={"If-Match": read.headers["etag"]})
            return
        except APIStatusError as error:
            assert error.status_code == 412
    raise AssertionError("each attempt that fails is one of another client that does not")


@pytest.mark.parametrize("add, refused_min", [(add_by_patch, 0), (add_by_replacing, CLIENTS - 1)],
                         ids=["by patch", "by If-Match"])
def test_clients_that_each_add_a_key_at_once_leave_all_keys(server, client, add, refused_min):
    keys = {f"key {number}" for number in range(CLIENTS)}
    kept = 0
    together = threading.Barrier(CLIENTS)
    clients = [server.client() for _ in keys]
    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in range(ROUNDS):
            id = client.conversations.create().id
            calls = [pool.submit(add, each, id, key, together)
                     for each, key in zip(clients, sorted(keys), strict=True)]
            for call in calls:
                call.result()
            kept += len(keys & client.conversations.retrieve(id).metadata.keys())
    for each in clients:
        each.close()
    assert kept == CLIENTS * ROUNDS
    assert server.log().count("status=412") >= refused_min * ROUNDS
