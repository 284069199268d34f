"""Concurrent clients see the items of each conversation as one list, also across `kill -9`."""

from collections import Counter

import pytest
from item_load import ItemClient, ItemPlaces
from register_load import checked_operations, find_altered, load_test_seed, overlapping, record

OPERATIONS = 8_000
# The number of conversations in each round; all rounds but the last end with a kill.
ROUNDS = [2, 4, 2]
CLIENT = {"meeting": ItemPlaces, "client": ItemClient}
# What must have happened to speak of a test.
ANSWERS = {"append": [200, 404], "remove": [200, 404], "list": [200, 404], "item": [200, 404],
           "delete": [200]}
ALTERED = 10


@pytest.fixture(scope="module")
def seed():
    return load_test_seed()


@pytest.fixture(scope="module")
def history(binary, tmp_path_factory, seed):
    return record(binary, tmp_path_factory.mktemp("load"), seed, OPERATIONS, ROUNDS, kind="list",
                  **CLIENT)


def test_the_items_of_each_conversation_are_a_list(history, seed):
    assert checked_operations(history, seed) > OPERATIONS * 0.9


def test_the_clients_were_in_each_others_way(history):
    seen = Counter((each.kind, each.status)
                   for operations in history.operations.values() for each in operations)
    print(seen, "refused", history.refused)
    assert all(seen[kind, status] for kind in ANSWERS for status in ANSWERS[kind]), seen
    assert sum(map(overlapping, history.operations.values())) > OPERATIONS / 2


# One answer altered, each time so that no order can explain it. An id is added once, so it has one
# span of time.


def is_whole(operation):
    return operation.kind == "list" and operation.status == 200 and not operation.found[1]


def in_order(operation):
    ids = operation.found[0]
    return ids if operation.sent[0] == "asc" else ids[::-1]


def with_ids(operation, ids):
    shown = ids if operation.sent[0] == "asc" else ids[::-1]
    return operation._replace(found=(tuple(shown), operation.found[1]))


def invented(operation, operations):
    if is_whole(operation) and len(operation.found[0]) < operation.sent[1]:
        return with_ids(operation, (*in_order(operation), "msg_of_nobody"))


def lost(operation, operations):
    """An item that was there before and after."""
    if not is_whole(operation):
        return None
    before = {id for each in operations if is_whole(each) and each.end < operation.call
              for id in each.found[0]}
    after = {id for each in operations if is_whole(each) and each.call > operation.end
             for id in each.found[0]}
    for id in operation.found[0]:
        if id in before and id in after:
            return with_ids(operation, [each for each in in_order(operation) if each != id])


def exchanged(operation, operations):
    """Two items in another order than somebody else saw."""
    if not is_whole(operation) or len(operation.found[0]) < 2:
        return None
    ids = list(in_order(operation))
    for each in operations:
        if is_whole(each) and each is not operation:
            others = in_order(each)
            for place, (first, second) in enumerate(zip(ids, ids[1:])):
                if first in others and second in others:
                    ids[place:place + 2] = second, first
                    return with_ids(operation, ids)


def torn(operation, operations):
    """One of two items of a request without the other, though nobody removed that ever."""
    removed = {each.sent for each in operations if each.kind == "remove"}
    requests = [each.sent for each in operations
                if each.kind == "append" and len(each.sent) == 2 and each.sent[1] not in removed]
    if is_whole(operation):
        for first, second in requests:
            if first in operation.found[0] and second in operation.found[0]:
                return with_ids(
                    operation, [each for each in in_order(operation) if each != second])


def removed_twice(operation, operations):
    if operation.kind == "remove" and operation.status == 404 and operation.found and any(
            each.kind == "remove" and each.status == 200 and each.sent == operation.sent
            for each in operations):
        return operation._replace(status=200, found=None)


def risen(operation, operations):
    if operation.kind == "item" and operation.status == 404 and operation.found and any(
            each.kind == "remove" and each.status == 200 and each.sent == operation.sent
            and each.end < operation.call for each in operations):
        return operation._replace(status=200, found=operation.sent)


def more(operation, operations):
    """There is no more, and yet it is said."""
    if is_whole(operation) and operation.sent[1] == 100:
        return operation._replace(found=(operation.found[0], True))


@pytest.mark.parametrize("alter", [invented, lost, exchanged, torn, removed_twice, risen, more])
def test_one_altered_answer_is_found(history, seed, alter):
    find_altered(history, seed, alter, ALTERED)
