"""Concurrent clients see each conversation as one register, also across `kill -9`."""

from collections import Counter

import pytest
from linearizability import outcome
from register_load import checked_operations, find_altered, load_test_seed, overlapping, record

OPERATIONS = 21_000
# The number of conversations in each round; all rounds but the last end with a kill.
ROUNDS = [2, 4, 2, 4]
# What must have happened to speak of a test.
ANSWERS = {
    "get": [200, 304, 404], "find": [200], "update": [200, 404, 412], "patch": [200, 404, 412],
    "delete": [200, 412]}
ALTERED = 10


@pytest.fixture(scope="module")
def seed():
    return load_test_seed()


@pytest.fixture(scope="module")
def history(binary, tmp_path_factory, seed):
    return record(binary, tmp_path_factory.mktemp("load"), seed, OPERATIONS, ROUNDS)


def test_each_conversation_is_a_register(history, seed):
    assert checked_operations(history, seed) > 20_000


def test_the_clients_were_in_each_others_way(history):
    seen = Counter((each.kind, each.status)
                   for operations in history.operations.values() for each in operations)
    print(seen, "refused", history.refused)
    assert all(seen[kind, status] for kind in ANSWERS for status in ANSWERS[kind]), seen
    assert any(status is None for _, status in seen)
    assert seen["patch", 412] > OPERATIONS / 50
    assert sum(map(overlapping, history.operations.values())) > OPERATIONS / 2


# One answer altered, each time so that no order can explain it. A set holds a value that no other
# ever had, so it has one span of time, and `was_replaced` tells of some that it is over.


def shows(operation):
    return operation.found is not None


def writes(operation):
    return operation.kind in ("update", "patch") and operation.status == 200


def latest(operations, before, which):
    """The latest of some kind that ended before a time."""
    ended = [each for each in operations if which(each) and each.end < before]
    return max(ended, key=lambda each: each.end, default=None)


def was_replaced(operations, found, before):
    """Whether a set was seen, and then another was written, all before a time."""
    return any(writes(each) and each.found != found and each.end < before
               and any(other.found == found and other.end < each.call for other in operations)
               for each in operations)


def invented(operation, operations):
    if operation.kind == "get" and shows(operation):
        return operation._replace(found=frozenset({("a", "never written")}))


def stale(operation, operations):
    if operation.kind == "get" and shows(operation):
        write = latest(operations, operation.call, writes)
        older = write and latest(operations, write.call, shows)
        if older:
            return operation._replace(found=older.found)


def from_the_future(operation, operations):
    if operation.kind == "get" and shows(operation):
        later = [each for each in operations if writes(each) and each.call > operation.end]
        if later:
            return operation._replace(found=min(later, key=lambda each: each.call).found)


def overwriting(operation, operations):
    """An If-Match that did not hold, answered as if it did."""
    if (operation.kind == "patch" and operation.status == 412
            and was_replaced(operations, operation.if_match, operation.call)):
        (status, found), _ = outcome(operation, operation.if_match)
        return operation._replace(status=status, found=found)


def stored_though_refused(operation, operations):
    if writes(operation) and operation.if_match and any(
            each.found == operation.found for each in operations if each is not operation):
        return operation._replace(status=412, found=None)


def not_modified(operation, operations):
    if (operation.kind == "get" and operation.status == 200 and operation.if_none_match
            and was_replaced(operations, operation.if_none_match, operation.call)):
        return operation._replace(status=304, found=None)


def overlooked(operation, operations):
    if operation.kind == "get" and shows(operation) and any(
            each.call > operation.end and shows(each) for each in operations):
        return operation._replace(status=404, found=None)


def risen(operation, operations):
    last = latest(operations, operation.call, shows)
    if operation.kind == "get" and operation.status == 404 and last and any(
            each.kind == "delete" and each.status == 200 and each.end < operation.call
            for each in operations):
        return operation._replace(status=200, found=last.found)


@pytest.mark.parametrize("alter", [
    invented, stale, from_the_future, overwriting, stored_though_refused, not_modified, overlooked,
    risen])
def test_one_altered_answer_is_found(history, seed, alter):
    find_altered(history, seed, alter, ALTERED)
