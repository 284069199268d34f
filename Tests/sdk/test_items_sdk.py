"""The items of a conversation, as the official SDKs send, read and delete them."""

import asyncio
import json

import pytest
from openai import BadRequestError, NotFoundError

LIST = "/v1/conversations"


def text(item):
    return item.content[0].text


def say(*texts, **members):
    return [{"role": "user", "content": each, **members} for each in texts]


def test_items_are_created_added_listed_read_and_deleted(client):
    conversation = client.conversations.create(items=say("a"), metadata={"topic": "demo"})
    added = client.conversations.items.create(conversation.id, items=[
        {"type": "message", "role": "assistant", "content": "b"}, *say("c")],
        include=["message.output_text.logprobs"])
    assert [text(item) for item in added.data] == ["b", "c"]
    assert (added.first_id, added.last_id, added.has_more) == (
        added.data[0].id, added.data[1].id, False)
    assert [item.status for item in added.data] == ["completed", "completed"]
    assert added.data[0].content[0].type == "output_text"
    assert added.data[0].content[0].annotations == []

    listed = list(client.conversations.items.list(conversation.id))
    assert [text(item) for item in listed] == ["c", "b", "a"]
    item = listed[1]
    assert client.conversations.items.retrieve(item.id, conversation_id=conversation.id) == item
    left = client.conversations.items.delete(item.id, conversation_id=conversation.id)
    assert left == client.conversations.retrieve(conversation.id)
    assert [text(item) for item in client.conversations.items.list(conversation.id)] == ["c", "a"]
    with pytest.raises(NotFoundError) as caught:
        client.conversations.items.delete(item.id, conversation_id=conversation.id)
    assert caught.value.body["message"] == f"Item with id '{item.id}' not found in conversation."


def test_the_sdk_walks_from_page_to_page(client):
    id = client.conversations.create(items=say(*"abcde")).id
    client.conversations.items.create(id, items=say(*"fg"))
    walk = client.conversations.items.list(
        id, limit=2, order="asc",
        include=["file_search_call.results", "reasoning.encrypted_content"])
    assert [text(item) for item in walk] == list("abcdefg")


def test_the_asynchronous_sdk_adds_at_once(server):
    async def add_all():
        async with server.async_client() as client:
            id = (await client.conversations.create()).id
            await asyncio.gather(*(
                client.conversations.items.create(id, items=say(*[f"{number}"] * 3))
                for number in range(20)))
            return [text(item) async for item in
                    client.conversations.items.list(id, limit=7, order="asc")]

    seen = asyncio.run(add_all())
    # The items of two requests never mix.
    assert seen == [each for each in seen[::3] for _ in range(3)]
    assert sorted(seen[::3], key=int) == [str(number) for number in range(20)]


def test_a_call_its_output_and_reasoning_come_back_as_sent(client):
    sent = [
        {"type": "reasoning", "id": "rs_68", "summary": [], "encrypted_content": "x"},
        {"type": "function_call", "call_id": "c" * 4000, "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c" * 4000, "output": "1.0"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "s", "tools": []}]
    id = client.conversations.create(items=sent).id
    read = [item.to_dict() for item in client.conversations.items.list(id, order="asc")]
    for before, after in zip(sent, read, strict=True):
        assert before.items() <= after.items()


def test_numbers_escapes_and_unknown_members_come_back_byte_for_byte(server, client):
    id = client.conversations.create().id
    item = (b'"content":[{"type":"later","n":[1.0,1e400,18446744073709551616],'
            b'"s":"\\u0000\\u00fc"}],"phase":"commentary"}')
    added = server.request("POST", f"{LIST}/{id}/items", b'{"items":[{"role":"user",' + item + b"]}")
    assert added.status == 200, added
    item_id = added.json()["first_id"]
    expected = (f'{{"id":"{item_id}","type":"message","status":"completed","role":"user",'
                .encode() + item)
    assert server.request("GET", f"{LIST}/{id}/items/{item_id}").body == expected
    assert server.request("GET", f"{LIST}/{id}/items").body == (
        b'{"object":"list","data":[' + expected + f'],"first_id":"{item_id}","has_more":false,'
        f'"last_id":"{item_id}"}}'.encode())


def test_a_reference_copies_an_item(client):
    first = client.conversations.create(items=say("a")).id
    (item,) = client.conversations.items.list(first)
    second = client.conversations.create(items=[{"type": "item_reference", "id": item.id}]).id
    client.conversations.delete(first)
    assert list(client.conversations.items.list(second)) == [item]
    with pytest.raises(BadRequestError) as caught:
        client.conversations.items.create(second, items=[{"type": "item_reference", "id": item.id}])
    assert caught.value.code == "item_already_in_conversation"


def test_an_append_that_is_repeated_adds_nothing(server, client):
    id, other = (client.conversations.create().id for _ in range(2))
    answers = [client.conversations.items.with_raw_response.create(
        id, items=say("a", "b"), extra_headers={"Idempotency-Key": "turn-1"})
        for _ in range(2)]
    assert answers[0].text == answers[1].text
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true"]
    assert len(list(client.conversations.items.list(id))) == 2
    for path, items in [(id, say("a")), (other, say("a", "b"))]:
        refused = server.request("POST", f"{LIST}/{path}/items", {"items": items},
                                 {"Idempotency-Key": "turn-1"})
        assert (refused.status, refused.error["code"]) == (422, "idempotency_key_reused")
    # Keys of creates and of appends are apart.
    created = server.request("POST", LIST, {}, {"Idempotency-Key": "turn-1"})
    assert created.status == 200 and created.headers["idempotent-replayed"] is None


def test_an_append_leaves_the_conversation_as_it_is(server, client):
    conversation = client.conversations.with_raw_response.create(metadata={"a": "1"})
    id = conversation.parse().id
    client.conversations.items.create(id, items=say("a"))
    read = client.conversations.with_raw_response.retrieve(id)
    assert (read.text, read.headers["etag"]) == (conversation.text, conversation.headers["etag"])


@pytest.mark.parametrize("setting, status", [(None, 400), ("web_fetch_call later", 200)])
def test_a_setting_adds_types(start, setting, status):
    server = start(environment={"CONVERSATIOND_ITEMS_MORE_TYPES": setting} if setting else {})
    answer = server.request("POST", LIST, {"items": [{"type": "web_fetch_call", "url": "x"}]})
    assert answer.status == status
    if status == 200:
        (item,) = server.request("GET", f"{LIST}/{answer.json()['id']}/items").json()["data"]
        assert item == {"id": item["id"], "type": "web_fetch_call", "url": "x"}
        assert item["id"].startswith("item_")
    else:
        assert answer.error["param"] == "items[0].type"


def test_readers_may_read_items_and_nothing_else(server, client, make_key):
    id = client.conversations.create(items=say("a")).id
    item = client.conversations.items.list(id).data[0].id
    headers = {"Authorization": f"Bearer {make_key('reader', '--read-only')}"}
    one = f"{LIST}/{id}/items/{item}"
    for method, path, status in [
            ("GET", one, 200), ("HEAD", one, 200), ("GET", f"{LIST}/{id}/items", 200),
            ("DELETE", one, 403), ("POST", f"{LIST}/{id}/items", 403)]:
        body = {"items": say("b")} if method == "POST" else None
        assert server.request(method, path, body, headers).status == status
        assert server.request(method, path, body).status == 401


def test_items_are_counted_by_route(start):
    server = start(environment={"CONVERSATIOND_HTTP_OPEN_METRICS": "true"})
    id = server.request("POST", LIST, {}).json()["id"]
    server.request("GET", f"{LIST}/{id}/items")
    server.request("GET", f"{LIST}/{id}/items/secret")
    metrics = server.request("GET", "/metrics").body.decode()
    for route, status in [("items", 200), ("items/{item_id}", 404)]:
        assert f'route="/v1/conversations/{{conversation_id}}/{route}",' in metrics
    assert "secret" not in metrics


# What openai-agents-js sends.


def test_the_agents_sdk_for_javascript(server):
    headers = {"Content-Type": "application/json"}
    id = server.request("POST", LIST, {"items": []}, headers).json()["id"]
    path = f"{LIST}/{id}/items"
    turn = [{"type": "message", "role": "user", "content": "hi"},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "web_search_call", "status": "completed"},
            {"type": "mcp_approval_request", "server_label": "s", "name": "n", "arguments": "{}"},
            {"type": "program", "id": "prog_1", "call_id": "c", "code": "x", "fingerprint": "f"},
            {"type": "message", "role": "assistant", "status": "completed",
             "content": [{"type": "output_text", "text": "hello"}]}]
    added = server.request("POST", path, {"items": turn}, headers)
    assert added.status == 200, added
    newest = server.request("GET", f"{path}?limit=2&order=desc").json()
    assert newest["has_more"] is True
    message, program = newest["data"]
    assert message["content"] == [
        {"type": "output_text", "text": "hello", "annotations": [], "logprobs": []}]
    assert program["id"] == "prog_1"
    assert server.request("GET", f"{path}?limit=101&order=desc").status == 400
    deleted = server.request("DELETE", f"{path}/{message['id']}", headers=headers)
    assert deleted.json() == server.request("GET", f"{LIST}/{id}").json()
    assert server.request("POST", path, {"items": turn[:1] * 21}, headers).status == 400


# The Agents SDK, with a model of ours.


def test_two_turns_of_an_agent(server):
    from agents import (Agent, Model, ModelResponse, OpenAIConversationsSession, Runner, Usage,
                        set_tracing_disabled)
    from openai.types.responses import ResponseOutputMessage, ResponseOutputText

    class Counting(Model):
        """Answers with how many items it was given."""

        async def get_response(self, system_instructions, input, *rest, **options):
            content = ResponseOutputText(
                type="output_text", text=f"{len(input)} items", annotations=[])
            return ModelResponse(
                output=[ResponseOutputMessage(id="msg_of_the_model", type="message",
                                              role="assistant", status="completed",
                                              content=[content])],
                usage=Usage(), response_id=None)

        def stream_response(self, *rest, **options):
            raise NotImplementedError

    set_tracing_disabled(True)

    async def talk():
        async with server.async_client() as client:
            session = OpenAIConversationsSession(openai_client=client)
            agent = Agent(name="counter", model=Counting())
            outputs = [(await Runner.run(agent, each, session=session)).final_output
                       for each in ("one", "two")]
            popped = await session.pop_item()
            return outputs, popped, await session.get_items(), await session.get_items(limit=1)

    outputs, popped, items, newest = asyncio.run(talk())
    assert outputs == ["1 items", "3 items"]
    assert popped["content"][0]["text"] == "3 items"
    assert [item["role"] for item in items] == ["user", "assistant", "user"]
    assert newest == items[-1:]
    assert json.dumps(items[0]["content"]) == '[{"text": "one", "type": "input_text"}]'
