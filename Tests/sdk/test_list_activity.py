"""The list of conversations in the order of their last activity, with the official SDK."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from openai import NotFoundError
from test_list import ask, create, ids, listed


def test_the_newest_activity_comes_first(server, client):
    first, second, third = ids(create(server, [{"n": str(n)} for n in range(3)]))
    client.conversations.items.create(first, items=[{"role": "user", "content": "a"}])
    answer = ask(client, order_by="last_activity", include=["item_count", "last_activity_at"])
    assert listed(answer) == [first, third, second]
    assert [each["item_count"] for each in answer["data"]] == [1, 0, 0]
    newest = answer["data"][0]
    assert newest["last_activity_at"] >= newest["created_at"]
    assert list(newest) == [
        "id", "object", "created_at", "metadata", "item_count", "last_activity_at"]
    assert re.fullmatch(rf"{first}\.[0-9a-f]{{13}}", answer["first_id"])
    assert re.fullmatch(rf"{second}\.[0-9a-f]{{13}}", answer["last_id"])
    assert listed(ask(client, order_by="last_activity", order="asc")) == [second, third, first]
    found = ask(client, order_by="last_activity", metadata={"n": ["0", "1"]})
    assert listed(found) == [first, second]
    # Not without being asked, and not in what is no list.
    assert list(ask(client)["data"][0]) == ["id", "object", "created_at", "metadata"]
    assert client.conversations.retrieve(first).to_dict().keys() == {
        "id", "object", "created_at", "metadata"}


def test_a_place_outlives_its_conversation_and_an_id_does_not(server, client):
    created = ids(create(server, [{} for _ in range(4)]))
    page = ask(client, order_by="last_activity", limit=2)
    assert listed(page) == created[:1:-1]
    # What was seen moves, and then goes.
    client.conversations.items.create(created[2], items=[{"role": "user", "content": "a"}])
    assert listed(ask(client, order_by="last_activity", after=created[2], limit=1)) == [created[3]]
    client.conversations.delete(created[2])
    rest = ask(client, order_by="last_activity", after=page["last_id"])
    assert (listed(rest), rest["has_more"]) == (created[1::-1], False)
    before = ask(client, order_by="last_activity", before=rest["first_id"])
    assert listed(before) == [created[3]]
    with pytest.raises(NotFoundError) as caught:
        ask(client, order_by="last_activity", after=created[2])
    assert caught.value.param == "after"


def test_a_walk_towards_the_newest_misses_nothing_while_others_append(server):
    created = ids(create(server, [{} for _ in range(60)]))
    over = threading.Event()

    def append():
        with server.client() as client:
            for place in count():
                if over.is_set():
                    return
                client.conversations.items.create(
                    created[place * 7 % 60], items=[{"role": "user", "content": "a"}])

    with ThreadPoolExecutor(2) as pool, server.client() as client:
        runs = [pool.submit(append) for _ in range(2)]
        try:
            for _ in range(5):
                # Until everything was seen: what moves comes again.
                seen, after = set(), {}
                for _ in range(200):
                    page = ask(client, order_by="last_activity", order="asc", limit=10, **after)
                    seen.update(listed(page))
                    if len(seen) == 60 or not page["has_more"]:
                        break
                    after = {"after": page["last_id"]}
                assert seen == set(created)
        finally:
            over.set()
    for run in runs:
        run.result()
