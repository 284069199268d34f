"""Walks through the items of one conversation, both ways, while 64 clients append and delete."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from conftest import read_answer

WRITERS = 64
# What each of them does.
APPENDS = 12
JSON = {"Content-Type": "application/json"}


class Living:
    """The ids that surely are there: from an append's answer to the request of their deletion."""

    def __init__(self):
        self.lock = threading.Lock()
        self.ids = set()
        # Those that may be there: from the request of their append on.
        self.sent = set()

    def snapshot(self):
        with self.lock:
            return set(self.ids), set(self.sent)


@pytest.fixture
def conversation(server):
    return f"/v1/conversations/{server.request('POST', '/v1/conversations').json()['id']}/items"


def write(server, path, living, numbers):
    """Appends two or three at a time, and deletes one of them now and then."""
    connection = server.connection()
    try:
        for turn in range(APPENDS):
            ids = [f"msg_{next(numbers)}" for _ in range(2 + turn % 2)]
            items = [{"id": id, "role": "user", "content": id} for id in ids]
            with living.lock:
                living.sent.update(ids)
            connection.request("POST", path, json.dumps({"items": items}), JSON)
            answer = read_answer(connection)
            assert answer.status == 200
            assert [each["id"] for each in answer.json()["data"]] == ids
            with living.lock:
                living.ids.update(ids)
            if turn % 2:
                gone = ids[turn % 3]
                with living.lock:
                    living.ids.discard(gone)
                connection.request("DELETE", f"{path}/{gone}")
                assert read_answer(connection).status == 200
    finally:
        connection.close()


def walk(server, path, living, order, cursor):
    """Walks from the beginning by `after`, or from the end of what there is by `before`."""
    connection = server.connection()

    def ask(query):
        connection.request("GET", f"{path}?{query}")
        return read_answer(connection)

    try:
        there, _ = living.snapshot()
        sent = None
        if cursor == "before":
            # The last item in the order: from there one walks backwards.
            other = "asc" if order == "desc" else "desc"
            newest = ask(f"order={other}&limit=1").json()["data"]
            if not newest:
                return []
            seen = [newest[0]["id"]]
            _, sent = living.snapshot()
        else:
            seen = []
        while True:
            place = (seen[-1] if cursor == "after" else seen[0]) if seen else None
            answer = ask(f"order={order}&limit=7" + (f"&{cursor}={place}" if place else ""))
            if answer.status == 404:
                # The place was deleted meanwhile, which ends a walk (contract, section 8.5).
                assert answer.error["param"] == cursor
                return []
            ids = [each["id"] for each in answer.json()["data"]]
            if sent is None:
                _, sent = living.snapshot()
            seen = seen + ids if cursor == "after" else ids + seen
            if not answer.json()["has_more"]:
                break
        still, _ = living.snapshot()
        assert len(seen) == len(set(seen)), "each once"
        assert there & still <= set(seen), "what exists all the while is seen"
        if (order, cursor) in [("desc", "after"), ("asc", "before")]:
            # What was sent after the first answer is at the new end, which this walk has left.
            assert set(seen) <= sent
        return seen if order == "asc" else seen[::-1]
    finally:
        connection.close()


def test_walks_see_what_is_there_once_and_in_order(server, conversation):
    living, numbers = Living(), count()
    walks = []
    with ThreadPoolExecutor(WRITERS + 4) as pool:
        writers = [pool.submit(write, server, conversation, living, numbers)
                   for _ in range(WRITERS)]

        def keep_walking(order, cursor):
            while not all(each.done() for each in writers):
                walks.append(walk(server, conversation, living, order, cursor))
            walks.append(walk(server, conversation, living, order, cursor))

        walkers = [pool.submit(keep_walking, order, cursor)
                   for order in ("asc", "desc") for cursor in ("after", "before")]
        for each in writers + walkers:
            each.result()
    final = walk(server, conversation, living, "asc", "after")
    assert set(final) == living.ids
    assert len(final) == WRITERS * APPENDS * 5 // 2 - WRITERS * APPENDS // 2
    # All saw what is left in the same order.
    rank = {id: place for place, id in enumerate(final)}
    for seen in walks:
        places = [rank[id] for id in seen if id in rank]
        assert places == sorted(places)
    # The last one of each walker had the conversation to itself; some others came to their end too.
    assert sum(map(bool, walks)) > len(walkers)
    answer = server.request("GET", f"{conversation.removesuffix('/items')}")
    listed = server.request("GET", "/v1/conversations?include[]=item_count").json()["data"][0]
    assert listed["item_count"] == len(final) and listed["id"] == answer.json()["id"]
