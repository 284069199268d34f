"""Projects are the tenants: with the official SDK, what a key may do, and see of other projects."""

import pytest
from openai import (
    APIStatusError, AuthenticationError, DefaultHttpxClient, NotFoundError, PermissionDeniedError)

from conftest import bearer

WRONG = "sk-" + 43 * "w"
UNKNOWN_ID = "conv_" + 48 * "0"


@pytest.fixture
def keys_of(server, make_key):
    """A key of each project: two tenants, and one that may only read the first one's."""
    return {"red": make_key("red", "--project", "red"),
            "blue": make_key("blue", "--project", "blue"),
            "reader": make_key("reader", "--project", "red", "--read-only")}


@pytest.fixture
def clients(server, keys_of):
    """A client with each of the keys."""
    clients = {name: server.client(api_key=key, max_retries=0) for name, key in keys_of.items()}
    yield clients
    for client in clients.values():
        client.close()


def ids(client, **parameters):
    """What the client's list has, the oldest first."""
    options = {"params": {"order": "asc", **parameters}}
    page = client.get("/conversations", cast_to=object, options=options)
    return [conversation["id"] for conversation in page["data"]]


def calls(client, id):
    """What the SDK can do with a conversation, by name; the list is beyond it."""
    return {
        "retrieve": lambda: client.conversations.retrieve(id),
        "update": lambda: client.conversations.update(id, metadata={"by": "somebody else"}),
        "patch": lambda: client.patch(
            f"/conversations/{id}", cast_to=object, body={"metadata": {"by": "somebody else"}}),
        "delete": lambda: client.conversations.delete(id),
        "create": lambda: client.conversations.create(metadata={"by": "somebody else"}),
        "list": lambda: ids(client),
    }


OF_ONE = ["retrieve", "update", "patch", "delete"]
EVERY_CALL = [*OF_ONE, "create", "list"]
WRITES = ["update", "patch", "delete", "create"]


# Who gets in


@pytest.mark.parametrize("name", EVERY_CALL)
def test_a_wrong_key_is_an_authentication_error(server, clients, name):
    created = clients["red"].conversations.create(metadata={"a": "1"})
    with server.client(api_key=WRONG) as client, pytest.raises(AuthenticationError) as caught:
        calls(client, created.id)[name]()
    error = caught.value
    assert (error.status_code, error.code, error.type, error.param) == (
        401, "invalid_api_key", "invalid_request_error", None)
    assert error.body["message"] == "Incorrect API key provided: sk-www***wwww."
    assert error.response.headers["www-authenticate"] == "Bearer"
    assert error.request_id.startswith("req_")
    assert clients["red"].conversations.retrieve(created.id) == created
    assert ids(clients["red"]) == [created.id]


@pytest.mark.parametrize("name", EVERY_CALL)
def test_no_key_is_an_authentication_error(server, clients, name):
    created = clients["red"].conversations.create(metadata={"a": "1"})
    # The SDK insists on a key, so it is taken away again on its way.
    hooks = {"request": [lambda request: request.headers.pop("Authorization")]}
    with server.client(http_client=DefaultHttpxClient(event_hooks=hooks)) as client:
        with pytest.raises(AuthenticationError) as caught:
            calls(client, created.id)[name]()
    assert caught.value.code is None
    assert caught.value.body["message"] == "Missing bearer authentication in header."
    assert caught.value.response.headers["www-authenticate"] == "Bearer"
    assert ids(clients["red"]) == [created.id]


@pytest.mark.parametrize("change", [
    lambda key: key[:-1], lambda key: key + "A", lambda key: key.swapcase(),
    lambda key: key.removeprefix("sk-"), lambda key: key[:7], lambda key: f'"{key}"'])
def test_what_is_nearly_a_key_is_none(server, keys_of, change):
    nearly = server.request(
        "GET", "/v1/conversations", headers=bearer(change(keys_of["red"])))
    assert (nearly.status, nearly.error["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("path", ["/v1/conversations", f"/v1/conversations/{UNKNOWN_ID}",
                                  "/v1/nothing", "/nothing", "/v1/%zz", "/v1/conversations?x=1"])
def test_without_a_key_no_path_says_what_there_is(server, keys_of, path):
    for method in ("GET", "POST", "PUT", "OPTIONS"):
        answer = server.request(method, path)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.error["message"] == "Missing bearer authentication in header."


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_what_monitors_ask_needs_no_key(server, keys_of, path):
    assert server.request("GET", path).status == 200
    # Nor do they look at one.
    assert server.request("GET", path, headers=bearer(WRONG)).status == 200


@pytest.mark.parametrize("name", WRITES)
def test_a_read_only_key_may_change_nothing(clients, name):
    created = clients["red"].conversations.create(metadata={"a": "1"})
    with pytest.raises(PermissionDeniedError) as caught:
        calls(clients["reader"], created.id)[name]()
    assert (caught.value.status_code, caught.value.code) == (403, "insufficient_permissions")
    assert clients["reader"].conversations.retrieve(created.id) == created
    assert ids(clients["reader"]) == [created.id]


def test_a_read_only_key_reads_what_is_its_project_s(server, clients, keys_of):
    conversation = clients["red"].conversations.create(metadata={"a": "1"})
    clients["blue"].conversations.create(metadata={"a": "1"})
    assert ids(clients["reader"]) == ids(clients["reader"], **{"metadata[a]": "1"}) == [
        conversation.id]
    for path in ("/v1/conversations", f"/v1/conversations/{conversation.id}"):
        head = server.request("HEAD", path, headers=bearer(keys_of["reader"]))
        assert (head.status, head.body) == (200, b"")


# The project that a client names


@pytest.mark.parametrize("key", ["red", "reader"])
@pytest.mark.parametrize("project", ["other", "blue", "default", "Red", "re", "red, red", ""])
def test_a_client_of_another_project_is_refused(server, keys_of, key, project):
    headers = {**bearer(keys_of[key]), "OpenAI-Project": project}
    answer = server.request("GET", "/v1/conversations", headers=headers)
    assert (answer.status, answer.error["code"]) == (401, "invalid_project")
    assert "OpenAI-Project" in answer.error["message"] and "'red'" in answer.error["message"]


@pytest.mark.parametrize("project", ["other", "blue"])
def test_the_sdk_with_another_project_is_refused_and_creates_nothing(
        server, clients, keys_of, project):
    with server.client(api_key=keys_of["red"], project=project) as client:
        with pytest.raises(AuthenticationError) as caught:
            client.conversations.create()
    assert caught.value.code == "invalid_project"
    assert [ids(client) for client in clients.values()] == [[], [], []]


def test_the_sdk_with_the_right_project_works(server, clients, keys_of):
    with server.client(api_key=keys_of["red"], project="red", organization="any") as client:
        conversation = client.conversations.create(metadata={"a": "1"})
        assert client.conversations.retrieve(conversation.id) == conversation
    assert ids(clients["red"]) == [conversation.id]


def test_before_the_first_key_a_project_is_not_looked_at(server):
    with server.client(project="any") as client:
        assert client.conversations.create().metadata == {}


# What projects see of each other


@pytest.mark.parametrize("name", OF_ONE)
def test_a_conversation_of_another_project_is_as_unknown_as_any(clients, name):
    mine = clients["red"].conversations.create(metadata={"a": "1"})
    answers = []
    for id in (mine.id, UNKNOWN_ID):
        with pytest.raises(NotFoundError) as caught:
            calls(clients["blue"], id)[name]()
        answers.append(caught.value.response.text.replace(id, "ID"))
    assert answers[0] == answers[1]
    assert clients["red"].conversations.retrieve(mine.id) == mine


@pytest.mark.parametrize("parameters", [
    {}, {"metadata[a]": "1"}, {"metadata_exists[]": "a"}, {"metadata_absent[]": "b"},
    {"created_at[gte]": "0"}, {"metadata[a]": "1", "metadata_absent[]": "b"}])
def test_lists_and_queries_do_not_see_other_projects(clients, parameters):
    red, blue = clients["red"], clients["blue"]
    made = [client.conversations.create(metadata={"a": "1"}).id
            for _ in range(3) for client in (red, blue)]
    for client, own in ((red, made[0::2]), (blue, made[1::2])):
        assert ids(client, **parameters) == own
        # A cursor is a place, whosever conversation stands there, or none at all.
        for id in [*made, UNKNOWN_ID, "conv_" + 48 * "f"]:
            assert ids(client, after=id, **parameters) == [each for each in own if each > id]
            assert ids(client, before=id, **parameters) == [each for each in own if each < id]


def test_a_page_ends_with_its_own_project(clients):
    red, blue = clients["red"], clients["blue"]
    mine = [red.conversations.create().id for _ in range(2)]
    for _ in range(2):
        blue.conversations.create()
    page = red.get("/conversations", cast_to=object, options={"params": {"limit": 2}})
    assert ([each["id"] for each in page["data"]], page["has_more"]) == (mine[::-1], False)
    assert (page["first_id"], page["last_id"]) == (mine[1], mine[0])


def test_what_one_project_does_leaves_the_other_as_it_is(clients):
    red, blue = clients["red"], clients["blue"]
    stays = red.conversations.create(metadata={"a": "1"})
    changes = blue.conversations.create(metadata={"a": "1"})
    updated = blue.conversations.update(changes.id, metadata={"a": "2", "b": "3"})
    assert updated.metadata == {"a": "2", "b": "3"}
    assert blue.conversations.retrieve(changes.id) == updated
    assert blue.conversations.delete(changes.id).deleted
    assert (ids(blue), ids(red)) == ([], [stays.id])
    assert red.conversations.retrieve(stays.id) == stays


def test_keys_of_one_project_share_it(server, clients, make_key):
    mine = clients["red"].conversations.create(metadata={"a": "1"})
    with server.client(api_key=make_key("another", "--project", "red")) as another:
        assert another.conversations.update(mine.id, metadata={"a": "2"}).metadata == {"a": "2"}
        assert another.conversations.delete(mine.id).deleted
    assert ids(clients["red"]) == []


def test_what_was_before_the_first_key_is_the_default_project_s(server, make_key):
    id = server.request("POST", "/v1/conversations").json()["id"]
    keys = {"default": make_key("a"), "red": make_key("b", "--project", "red")}
    found = {}
    for project, key in keys.items():
        with server.client(api_key=key, project=project) as client:
            found[project] = ids(client)
    assert found == {"default": [id], "red": []}


# Idempotency keys

ONCE = {"extra_headers": {"Idempotency-Key": "once"}}


def replays(answer):
    return answer.headers.get("idempotent-replayed") == "true"


def test_an_idempotency_key_belongs_to_its_project(clients):
    red, blue = [clients[name].conversations.with_raw_response for name in ("red", "blue")]
    first = red.create(metadata={"a": "1"}, **ONCE)
    other = blue.create(metadata={"a": "1"}, **ONCE)
    assert not replays(first) and not replays(other)
    assert first.parse().id != other.parse().id
    assert ids(clients["blue"]) == [other.parse().id]
    again = red.create(metadata={"a": "1"}, **ONCE)
    assert replays(again) and again.text == first.text
    assert ids(clients["red"]) == [first.parse().id]


def test_another_content_with_the_idempotency_key_of_another_project_is_no_error(clients):
    clients["red"].conversations.create(metadata={"a": "1"}, **ONCE)
    created = clients["blue"].conversations.create(metadata={"b": "2"}, **ONCE)
    assert created.metadata == {"b": "2"}
    with pytest.raises(APIStatusError) as caught:
        clients["blue"].conversations.create(metadata={"c": "3"}, **ONCE)
    assert caught.value.code == "idempotency_key_reused"


def test_keys_of_one_project_share_its_idempotency_keys(server, clients, make_key):
    first = clients["red"].conversations.create(metadata={"a": "1"}, **ONCE)
    with server.client(api_key=make_key("another", "--project", "red")) as another:
        again = another.conversations.with_raw_response.create(metadata={"a": "1"}, **ONCE)
    assert replays(again) and again.parse() == first


def test_a_read_only_key_gets_no_recorded_answer(clients):
    clients["red"].conversations.create(metadata={"a": "1"}, **ONCE)
    with pytest.raises(PermissionDeniedError):
        clients["reader"].conversations.create(metadata={"a": "1"}, **ONCE)
