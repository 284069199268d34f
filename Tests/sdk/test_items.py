"""Items: what is inside a conversation, with the official SDK and as other clients send it."""

import json
import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from openai import BadRequestError, NotFoundError

from conftest import bearer

PATH = "/v1/conversations"
MESSAGE = {"type": "message", "role": "user", "content": "Grüße"}
CLIENTS, APPENDS = 8, 25


@pytest.fixture
def conversation(client):
    return client.conversations.create()


def items_path(conversation):
    return f"{PATH}/{conversation.id}/items"


def texts(items):
    return [item["content"][0]["text"] for item in items]


def add(server, conversation, *contents, **headers):
    body = {"items": [{"role": "user", "content": content} for content in contents]}
    answer = server.request("POST", items_path(conversation), body, headers)
    assert answer.status == 200, answer
    return answer


def walk(server, conversation, **query):
    """All items, page by page, as SDKs follow `last_id`."""
    found, after = [], None
    while True:
        words = "&".join(f"{name}={value}" for name, value in
                         {**query, **({"after": after} if after else {})}.items())
        page = server.request("GET", f"{items_path(conversation)}?{words}").json()
        found += page["data"]
        assert page["first_id"] == (page["data"][0]["id"] if page["data"] else None)
        assert page["last_id"] == (page["data"][-1]["id"] if page["data"] else None)
        if not page["has_more"]:
            return found
        after = page["last_id"]


# The official SDK


def test_every_call_of_the_sdk(client):
    conversation = client.conversations.create(items=[MESSAGE], metadata={"topic": "demo"})
    added = client.conversations.items.create(
        conversation.id, include=["message.output_text.logprobs"], items=[
            {"type": "message", "role": "assistant", "content": "Hello"},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}])
    assert [item.type for item in added.data] == ["message", "function_call"]
    assert added.data[0].id.startswith("msg_") and added.data[1].id.startswith("fc_")
    assert added.data[0].content[0].text == "Hello"
    assert (added.first_id, added.last_id) == (added.data[0].id, added.data[1].id)

    listed = list(client.conversations.items.list(conversation.id, limit=1, order="asc"))
    assert [item.type for item in listed] == ["message", "message", "function_call"]
    assert listed[0].content[0].text == "Grüße"
    found = client.conversations.items.retrieve(added.data[1].id, conversation_id=conversation.id)
    assert found == added.data[1]
    left = client.conversations.items.delete(added.data[1].id, conversation_id=conversation.id)
    assert (left.id, left.metadata) == (conversation.id, {"topic": "demo"})
    with pytest.raises(NotFoundError):
        client.conversations.items.retrieve(added.data[1].id, conversation_id=conversation.id)
    assert len(list(client.conversations.items.list(conversation.id))) == 2


def test_the_sdk_shows_what_is_wrong(client, conversation):
    with pytest.raises(BadRequestError) as caught:
        client.conversations.items.create(conversation.id, items=[{"type": "mesage"}])
    assert caught.value.param == "items[0].type"
    assert caught.value.message.endswith("and 'web_search_call'.")


# What comes back


def test_what_was_sent_comes_back_byte_for_byte(server, conversation):
    sent = ('{"items":[ {"role":"user", "content":[{"type":"input_text","text":"\\u00e9\\u0000","n":'
            '1.0}],"big":18446744073709551616,"exp":1e400,"type":"message","phase":null}]}')
    answer = server.request("POST", items_path(conversation), sent.encode())
    assert answer.status == 200, answer
    item = json.loads(answer.body)["data"][0]
    expected = ('{"id":"%s","type":"message","status":"completed","role":"user","content":'
                '[{"type":"input_text","text":"\\u00e9\\u0000","n":1.0}],"big":18446744073709551616,'
                '"exp":1e400,"phase":null}' % item["id"]).encode()
    assert expected in answer.body
    path = f"{items_path(conversation)}/{item['id']}"
    assert server.request("GET", path).body == expected


def test_an_append_is_all_or_nothing(server, conversation):
    first = add(server, conversation, "a").json()["data"][0]
    body = {"items": [MESSAGE, {"type": "item_reference", "id": "msg_none"}]}
    answer = server.request("POST", items_path(conversation), body)
    assert (answer.status, answer.error["message"], answer.error["param"]) == (
        404, "Item with id 'msg_none' not found.", "items")
    body = {"items": [MESSAGE, {"type": "item_reference", "id": first["id"]}]}
    answer = server.request("POST", items_path(conversation), body)
    assert (answer.status, answer.error["code"]) == (400, "item_already_in_conversation")
    assert [item["id"] for item in walk(server, conversation)] == [first["id"]]
    other = {"items": [{**MESSAGE, "id": "msg_x"}, {**MESSAGE, "id": "msg_x"}]}
    assert server.request("POST", PATH, other).error["code"] == "item_already_in_conversation"


def test_a_copy_outlives_the_original(server, client, conversation):
    original = add(server, conversation, "a").json()["data"][0]
    other = client.conversations.create(
        items=[{"type": "item_reference", "id": original["id"]}])
    # An id that this service minted stands for the item, whatever is beside it.
    third = client.conversations.create(items=[{**MESSAGE, "id": original["id"]}])
    assert server.request("DELETE", f"{PATH}/{conversation.id}").status == 200
    for copy in (other, third):
        assert walk(server, copy) == [original]
    for copy in (other, third):
        assert server.request("DELETE", f"{items_path(copy)}/{original['id']}").status == 200
    answer = server.request("POST", PATH, {"items": [{"type": "item_reference",
                                                      "id": original["id"]}]})
    assert answer.status == 404


def test_another_id_of_a_client_is_kept(server, conversation, client):
    items = [{"type": "reasoning", "id": "rs_68af", "summary": []}]
    for each in (conversation, client.conversations.create()):
        answer = server.request("POST", items_path(each), {"items": items})
        assert answer.json()["data"] == [{"id": "rs_68af", "type": "reasoning", "summary": []}]


# Pages


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 3, 100])
def test_a_walk_sees_every_item_once(server, conversation, order, limit):
    contents = [str(number) for number in range(25)]
    for start in range(0, 25, 10):
        add(server, conversation, *contents[start:start + 10])
    found = texts(walk(server, conversation, order=order, limit=limit))
    assert found == (contents if order == "asc" else contents[::-1])


def test_before_and_after_enclose(server, conversation):
    ids = [item["id"] for item in add(server, conversation, *"abcdefgh").json()["data"]]

    def page(query):
        page = server.request("GET", f"{items_path(conversation)}?{query}").json()
        return "".join(texts(page["data"])), page["has_more"]

    assert page(f"order=asc&before={ids[5]}&limit=2") == ("de", True)
    assert page(f"order=desc&before={ids[5]}&limit=2") == ("hg", False)
    assert page(f"order=desc&before={ids[2]}&limit=2") == ("ed", True)
    assert page(f"order=asc&after={ids[1]}&before={ids[5]}&limit=2") == ("cd", True)
    assert page(f"order=desc&after={ids[5]}&before={ids[1]}") == ("edc", False)
    assert page(f"order=asc&after={ids[5]}&before={ids[1]}") == ("", False)
    for name in ("after", "before"):
        answer = server.request("GET", f"{items_path(conversation)}?{name}=msg_x")
        assert (answer.status, answer.error["message"], answer.error["param"]) == (
            404, "No item found with id 'msg_x'", name)


def test_a_page_ends_at_8_mebibytes(server, conversation):
    for number in range(3):
        add(server, conversation, 3_000_000 * str(number))
    page = server.request("GET", f"{items_path(conversation)}?order=asc").json()
    assert (len(page["data"]), page["has_more"]) == (2, True)
    assert len(walk(server, conversation, order="asc")) == 3


@pytest.mark.parametrize("query, status, code, param", [
    ("limit=0", 400, "integer_below_min_value", "limit"),
    ("limit=101", 400, "integer_above_max_value", "limit"),
    ("order=up", 400, "invalid_value", "order"),
    ("order=asc&order=asc", 400, "invalid_value", "order"),
    ("include=x", 400, "invalid_type", "include"),
    ("include[]=x", 400, "invalid_value", "include"),
    ("x=1", 400, "unknown_parameter", "x"),
    ("include[]=reasoning.encrypted_content&include%5B%5D=file_search_call.results", 200, None,
     None)])
def test_the_parameters_are_checked(server, conversation, query, status, code, param):
    answer = server.request("GET", f"{items_path(conversation)}?{query}")
    assert answer.status == status
    if status != 200:
        assert (answer.error["code"], answer.error["param"]) == (code, param)


# Requests


@pytest.mark.parametrize("body, status, code, param, words", [
    ({}, 400, "missing_required_parameter", "items", "Missing required parameter: 'items'."),
    ({"items": None}, 400, "invalid_type", "items", "expected an array of objects, but got null"),
    ({"items": []}, 400, "empty_array", "items", "Expected an array with minimum length 1"),
    ({"items": 21 * [MESSAGE]}, 400, "array_above_max_length", "items", "length 21 instead."),
    ({"items": ["x"]}, 400, "invalid_type", "items[0]", "expected an object, but got a string"),
    ({"items": [MESSAGE, {"type": "message", "content": ""}]}, 400, "missing_required_parameter",
     "items[1].role", "Missing required parameter: 'items[1].role'."),
    ({"items": [MESSAGE], "metadata": {}}, 400, "unknown_parameter", "metadata", "Unknown"),
])
def test_a_wrong_append_is_refused(server, conversation, body, status, code, param, words):
    answer = server.request("POST", items_path(conversation), body)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (status, code, param)
    assert words in answer.error["message"]
    assert walk(server, conversation) == []


def test_what_is_not_there_is_404(server, conversation):
    nowhere = f"{PATH}/conv_{48 * '0'}/items"
    for method, path, body in [
            ("GET", nowhere, None), ("POST", nowhere, {"items": [MESSAGE]}),
            ("GET", f"{nowhere}/msg_x", None), ("DELETE", f"{nowhere}/msg_x", None)]:
        answer = server.request(method, path, body)
        assert answer.status == 404
        assert answer.error["message"] == f"Conversation with id 'conv_{48 * '0'}' not found."
    for method in ("GET", "DELETE"):
        answer = server.request(method, f"{items_path(conversation)}/msg_x")
        assert (answer.status, answer.error["message"]) == (
            404, "Item with id 'msg_x' not found in conversation.")


def test_methods(server, conversation):
    answer = server.request("PUT", items_path(conversation))
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    answer = server.request("POST", f"{items_path(conversation)}/msg_x", {})
    assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET, HEAD")
    head = server.request("HEAD", items_path(conversation))
    assert (head.status, head.body) == (200, b"")


def test_a_repeat_with_the_same_key_adds_nothing(server, conversation, client):
    keyed = {"Idempotency-Key": "append-1"}
    first = add(server, conversation, "a", "b", **keyed)
    again = add(server, conversation, "a", "b", **keyed)
    assert again.body == first.body
    assert (first.headers["idempotent-replayed"], again.headers["idempotent-replayed"]) == (
        None, "true")
    gone = first.json()["data"][0]["id"]
    assert server.request("DELETE", f"{items_path(conversation)}/{gone}").status == 200
    assert texts(add(server, conversation, "a", "b", **keyed).json()["data"]) == ["b"]
    for path, body in [
            (items_path(conversation), {"items": [MESSAGE]}),
            (items_path(client.conversations.create()),
             {"items": [{"role": "user", "content": each} for each in "ab"]})]:
        answer = server.request("POST", path, body, keyed)
        assert (answer.status, answer.error["code"]) == (422, "idempotency_key_reused")
    # A create has its own keys.
    assert server.request("POST", PATH, {"items": [MESSAGE]}, keyed).status == 200


def test_projects_and_rights(server, make_key):
    red, blue = bearer(make_key("a", "--project", "red")), bearer(make_key("b", "--project", "blue"))
    reading = bearer(make_key("c", "--project", "red", "--read-only"))
    created = server.request("POST", PATH, {"items": [{**MESSAGE, "id": "msg_a"}]}, red).json()
    path = f"{PATH}/{created['id']}/items"
    assert server.request("GET", path, headers=reading).json()["data"][0]["id"] == "msg_a"
    for method, body in (("POST", {"items": [MESSAGE]}), ("GET", None)):
        assert server.request(method, path, body, blue).status == 404
    assert server.request("POST", path, {"items": [MESSAGE]}, reading).status == 403
    assert server.request("DELETE", f"{path}/msg_a", headers=reading).status == 403
    reference = {"items": [{"type": "item_reference", "id": "msg_a"}]}
    assert server.request("POST", PATH, reference, blue).status == 404
    assert server.request("POST", PATH, reference, red).status == 200


def test_types_that_the_operator_adds(start):
    server = start(environment={"CONVERSATIOND_ITEMS_MORE_TYPES": "new_call other"})
    answer = server.request("POST", PATH, {"items": [{"type": "new_call", "x": 1}]})
    assert answer.status == 200
    page = server.request("GET", f"{PATH}/{answer.json()['id']}/items").json()
    assert page["data"][0]["id"].startswith("item_")
    assert server.request("POST", PATH, {"items": [{"type": "newer"}]}).status == 400


# Beneath


def test_deleting_a_conversation_deletes_its_items(server, conversation, sqlite):
    add(server, conversation, "a", "b", **{"Idempotency-Key": "k"})
    assert server.request("DELETE", f"{PATH}/{conversation.id}").status == 200
    for table in ("items", "append_idempotency_keys"):
        assert sqlite(server.database, f"SELECT count(*) FROM {table}").stdout == "0\n"


def test_the_cli_reads_the_transcript_and_breaks_no_rule(server, conversation, sqlite, run):
    add(server, conversation, "Hello", "there")
    shown = sqlite(server.database, "SELECT role, text FROM transcript").stdout
    assert shown == "user|Hello\nuser|there\n"
    for statement in [
            "UPDATE items SET type = 'x'", "UPDATE items SET fields = '{}'",
            "INSERT OR REPLACE INTO items SELECT * FROM items LIMIT 1",
            "INSERT INTO items (conversation, id, type, created_at, fields) "
            "VALUES (77, 'a', 'message', 0, '{}')",
            "INSERT INTO items (conversation, id, type, created_at, fields) "
            "VALUES (1, 'a', 'message', 0, '{')",
            "INSERT INTO items (number, conversation, id, type, created_at, fields) "
            "VALUES (9000000000000, 1, 'a', 'message', 0, '{}')",
            "INSERT INTO items (conversation, project, id, type, created_at, fields) "
            "SELECT conversation, project, id, type, created_at, fields FROM items LIMIT 1"]:
        assert sqlite(server.database, statement).returncode != 0, statement
    assert len(walk(server, conversation)) == 2
    assert server.stop() == 0
    assert run("check", "--database", server.database).returncode == 0


@pytest.mark.sqlite_only
def test_check_finds_an_item_that_is_not_utf8(server, conversation, run):
    add(server, conversation, "a", "b")
    with closing(sqlite3.connect(server.database, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("DROP TRIGGER items_updated")
        connection.execute("UPDATE items SET fields = CAST(x'7bff7d' AS TEXT) WHERE number = 1")
    assert texts(walk(server, conversation)) == ["b"]
    result = run("check", "--database", server.database)
    assert result.returncode == 65
    assert "item" in result.stdout


def test_requests_at_once_do_not_mix(server, conversation):
    def work(number):
        chance = random.Random(number)
        for step in range(APPENDS):
            ids = [item["id"] for item in add(
                server, conversation, *[f"{number} {step} {place}" for place in range(3)],
            ).json()["data"]]
            if chance.random() < 0.3:
                path = f"{items_path(conversation)}/{chance.choice(ids)}"
                assert server.request("DELETE", path).status == 200

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(work, range(CLIENTS)))
    found = [text.rsplit(" ", 1)[0] for text in texts(walk(server, conversation, order="asc"))]
    runs = [name for place, name in enumerate(found) if place == 0 or found[place - 1] != name]
    assert len(runs) == len(set(runs)) == CLIENTS * APPENDS
    assert texts(walk(server, conversation, order="desc")) == texts(
        walk(server, conversation, order="asc"))[::-1]


def test_copies_are_no_larger_than_a_body(start):
    server = start(environment={"CONVERSATIOND_HTTP_BODY_BYTES_MAX": "65536"})
    items = [{**MESSAGE, "id": f"msg_{number}", "content": 40_000 * "x"} for number in range(2)]
    for item in items:
        assert server.request("POST", PATH, {"items": [item]}).status == 200
    references = [{"type": "item_reference", "id": item["id"]} for item in items]
    assert server.request("POST", PATH, {"items": references[:1]}).status == 200
    answer = server.request("POST", PATH, {"items": references})
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    assert "65536" in answer.error["message"]
