"""The checker itself: it finds what is broken, takes what is not, and agrees with brute force."""

import random
from itertools import permutations
from math import inf

import pytest
from linearizability import GONE, Operation, Search, outcome, violation

HISTORIES = 2000
FIRST = frozenset({("a", "0")})


def pairs(text):
    """`"a1 b2"` as a set; `"a-"` in a patch removes."""
    words = text.split()
    return frozenset((word[0], None if word[1:] == "-" else word[1:]) for word in words)


def did(kind, call, end, status=None, found=None, **more):
    """An operation in which sets are words."""
    sets = {name: pairs(text) for name, text in more.items()}
    return Operation(kind, call, end, status, None if found is None else pairs(found), **sets)


def get(call, end, found):
    return did("get", call, end, 200, found)


def update(call, end, sent):
    return did("update", call, end, 200, sent, sent=sent)


EXPLICABLE = {
    "nothing happened": [],
    "one after the other": [update(1, 2, "a1"), get(3, 4, "a1"), did("delete", 5, 6, 200),
                            did("get", 7, 8, 404)],
    "a read beside a write sees the older set": [update(1, 9, "a1"), get(2, 3, "a0")],
    "a read beside a write sees the newer set": [update(1, 9, "a1"), get(2, 3, "a1")],
    "a return and a call at the same time": [update(1, 2, "a1"), get(2, 3, "a0")],
    "two writes at once, the one called first last": [
        update(1, 9, "a1"), update(2, 8, "a2"), get(3, 4, "a2"), get(10, 11, "a1")],
    "patches at once, in the one order that fits": [
        did("patch", 1, 9, 200, "a0 b1 c2 d3", sent="b1"),
        did("patch", 1, 9, 200, "a0 c2 d3", sent="d3"),
        did("patch", 1, 9, 200, "a0 c2", sent="c2")],
    "one of two conditional patches": [
        did("patch", 1, 9, 200, "a0 b1", sent="b1", if_match="a0"),
        did("patch", 2, 8, 412, sent="c2", if_match="a0")],
    "a refused change beside the one that refuses it": [
        did("update", 1, 2, 412, sent="a2", if_match="a0"), update(1, 9, "a1")],
    "a conditional read": [
        did("get", 1, 2, 304, if_none_match="a0"), update(3, 4, "a1"),
        did("get", 5, 6, 200, "a1", if_none_match="a0")],
    "a look-up": [
        did("find", 1, 2, 200, "a0", sent="a0"), update(3, 4, "a1"),
        did("find", 5, 6, 200, sent="a0"), did("delete", 7, 8, 200),
        did("find", 9, 10, 200, sent="a1")],
    "a lost write that took effect late": [
        did("update", 1, inf, sent="a1"), get(2, 3, "a0"), update(4, 5, "a2"), get(6, 7, "a2"),
        get(8, 9, "a1")],
    "a lost write that never did": [did("update", 1, inf, sent="a1"), get(2, 3, "a0")],
    "a lost write that did and was not seen": [
        did("update", 1, 4, sent="a1"), update(2, 3, "a2"), get(5, 6, "a2")],
    "a lost delete that took effect": [did("delete", 1, 4), did("get", 5, 6, 404)],
    "a lost delete that did not": [did("delete", 1, 4), get(5, 6, "a0")],
    "a lost patch between two others": [
        did("patch", 1, 5, sent="b1"), update(2, 3, "a2"), get(6, 7, "a2 b1")],
}

BROKEN = {
    "a read of what was never written": [get(1, 2, "a7")],
    "a read of half a set": [update(1, 2, "a1 b1"), get(3, 4, "a1")],
    "a read of a mixture": [update(1, 2, "a1 b1"), update(3, 9, "a2 b2"), get(4, 5, "a2 b1")],
    "a stale read after the newer set was returned": [
        update(1, 9, "a1"), get(2, 3, "a1"), get(4, 5, "a0")],
    "a stale read after the write was answered": [update(1, 2, "a1"), get(3, 4, "a0")],
    "an answered write that is gone": [
        update(1, 2, "a1"), update(3, 4, "a2"), get(5, 6, "a1")],
    "a set from the future": [get(1, 2, "a1"), update(3, 4, "a1")],
    "both of two patches with the same If-Match": [
        did("patch", 1, 9, 200, "a0 b1", sent="b1", if_match="a0"),
        did("patch", 2, 8, 200, "a0 c2", sent="c2", if_match="a0")],
    "both, each of which saw the other": [
        did("patch", 1, 9, 200, "a0 b1", sent="b1", if_match="a0"),
        did("patch", 2, 8, 200, "a0 b1 c2", sent="c2", if_match="a0")],
    "a patch that loses another's": [
        did("patch", 1, 2, 200, "a0 b1", sent="b1"), did("patch", 3, 4, 200, "a0 c2", sent="c2")],
    "a patch that does not remove": [did("patch", 1, 2, 200, "a0 b1", sent="a- b1")],
    "a 412 though the set is the one that was named": [
        did("update", 1, 2, 412, sent="a1", if_match="a0")],
    "a write that was refused and is seen": [
        update(1, 2, "a1"), did("update", 3, 4, 412, sent="a2", if_match="a0"), get(5, 6, "a2")],
    "a 304 for a set that was replaced": [
        update(1, 2, "a1"), did("get", 3, 4, 304, if_none_match="a0")],
    "a set that was not asked for": [did("get", 1, 2, 200, "a0", if_none_match="a0")],
    "two readers who saw two writes in two orders": [
        update(1, 9, "a1"), update(1, 9, "a2"),
        get(2, 3, "a1"), get(4, 5, "a2"), get(6, 7, "a1")],
    "a read after the delete": [did("delete", 1, 2, 200), get(3, 4, "a0")],
    "a resurrection by an update": [did("delete", 1, 2, 200), update(3, 4, "a1")],
    "a resurrection after a 404": [did("delete", 1, 9), did("get", 2, 3, 404), get(4, 5, "a0")],
    "two deletes": [did("delete", 1, 9, 200), did("delete", 2, 8, 200)],
    "a 404 for what is there": [did("get", 1, 2, 404)],
    "a look-up that overlooks": [did("find", 1, 2, 200, sent="a0")],
    "a look-up that is stale": [update(1, 2, "a1"), did("find", 3, 4, 200, "a0", sent="a0")],
    "a lost write before its call": [get(1, 2, "a1"), did("update", 3, inf, sent="a1")],
    "a lost write after the end of the process": [
        did("update", 1, 4, sent="a1"), get(5, 6, "a0"), get(7, 8, "a1")],
    "a lost write that took effect twice": [
        did("update", 1, inf, sent="a1"), get(2, 3, "a1"), update(4, 5, "a2"), get(6, 7, "a1")],
    "a lost conditional write whose condition did not hold": [
        update(1, 2, "a1"), did("update", 3, inf, sent="a2", if_match="a0"), get(4, 5, "a2")],
}


# Of a list, which has the item `a` at first.


def append(call, end, ids):
    return Operation("append", call, end, 200, tuple(ids), sent=tuple(ids))


def listed(call, end, ids, order="asc", limit=100, has_more=False):
    return Operation("list", call, end, 200, (tuple(ids), has_more), sent=(order, limit))


def remove(call, end, id, is_there=True):
    status, found = (200, None) if is_there else (404, id)
    return Operation("remove", call, end, status, found, sent=id)


def item(call, end, id, is_there=True):
    return Operation("item", call, end, 200 if is_there else 404, id, sent=id)


EXPLICABLE_LISTS = {
    "one after the other": [
        append(1, 2, "bc"), listed(3, 4, "abc"), remove(5, 6, "b"), listed(7, 8, "ca", "desc"),
        item(9, 10, "c"), item(9, 10, "b", False), remove(11, 12, "b", False)],
    "two appends at once, in either order": [
        append(1, 9, "bc"), append(2, 8, "de"), listed(3, 4, "ade"), listed(10, 11, "adebc")],
    "a page of many": [append(1, 2, "bc"), listed(3, 4, "cb", "desc", 2, True)],
    "a removal beside a list": [remove(1, 9, "a"), listed(2, 3, "a"), listed(4, 5, "")],
    "a lost append that is seen late": [
        Operation("append", 1, inf, sent=("b",)), listed(2, 3, "a"), append(4, 5, "c"),
        listed(6, 7, "acb")],
    "two removals of one at once": [remove(1, 9, "a"), remove(2, 8, "a", False)],
    "a deleted conversation": [
        Operation("delete", 1, 2, 200), Operation("list", 3, 4, 404, sent=("asc", 9)),
        Operation("append", 3, 4, 404, sent=("b",))],
}

BROKEN_LISTS = {
    "an item that nobody added": [listed(1, 2, "ab")],
    "an append that is gone": [append(1, 2, "b"), listed(3, 4, "a")],
    "half a request": [append(1, 9, "bc"), listed(2, 3, "ab")],
    "two requests mixed": [append(1, 9, "bc"), append(1, 9, "de"), listed(10, 11, "abdce")],
    "another order of one request": [append(1, 2, "bc"), listed(3, 4, "acb")],
    "two orders of two requests": [
        append(1, 9, "b"), append(1, 9, "c"), listed(10, 11, "abc"), listed(12, 13, "acb")],
    "an append before one that was answered": [
        append(1, 2, "b"), append(3, 4, "c"), listed(5, 6, "acb")],
    "a removed item": [remove(1, 2, "a"), item(3, 4, "a")],
    "two removals of one": [remove(1, 9, "a"), remove(2, 8, "a")],
    "a 404 for what is there": [item(1, 2, "a", False)],
    "more than there is": [listed(1, 2, "a", has_more=True)],
    "less than there is": [append(1, 2, "b"), listed(3, 4, "a", limit=1)],
    "an append to a deleted conversation": [Operation("delete", 1, 2, 200), append(3, 4, "b")],
}


@pytest.mark.parametrize("history", EXPLICABLE_LISTS.values(), ids=EXPLICABLE_LISTS)
def test_a_list_with_an_order_is_taken(history):
    assert violation(history, ("a",)) is None


@pytest.mark.parametrize("history", BROKEN_LISTS.values(), ids=BROKEN_LISTS)
def test_a_broken_list_is_found(history):
    found = violation(history, ("a",))
    assert all(each.kind in str(found) for each in found.operations)
    assert Search(found.operations, found.states).run() is not None


@pytest.mark.parametrize("history", EXPLICABLE.values(), ids=EXPLICABLE)
def test_a_history_with_an_order_is_taken(history):
    assert violation(history, FIRST) is None


@pytest.mark.parametrize("history", BROKEN.values(), ids=BROKEN)
def test_a_broken_history_is_found(history):
    assert violation(history, FIRST) is not None
    # Also at the end of a long one, of which only the last part is told.
    before = [update(4 * number, 4 * number + 9, f"a{number}") for number in range(500)]
    before.append(update(3000, 3001, "a0"))
    later = [each._replace(call=each.call + 4000, end=each.end + 4000) for each in history]
    found = violation(before + later, FIRST)
    assert len(found.operations) <= 2 * len(history) + 2
    assert all(each.kind in str(found) for each in found.operations)
    # What is told is a violation by itself.
    assert Search(found.operations, found.states).run() is not None


def orders(history):
    """All orders that keep to the times, with and without each of the lost operations."""
    for order in permutations(history):
        if all(first.call <= second.end
               for place, first in enumerate(order) for second in order[place:]):
            yield order


def explained_by_trying(history):
    lost = [each for each in history if each.is_lost]
    for choice in range(1 << len(lost)):
        left_out = [each for place, each in enumerate(lost) if choice >> place & 1]
        for order in orders([each for each in history if each not in left_out]):
            if runs(order):
                return True
    return False


def runs(order):
    state = FIRST
    for operation in order:
        answer, state = outcome(operation, state)
        if not operation.is_lost and answer != (operation.status, operation.found):
            return False
    return True


def some_history(chance):
    """A history of which about half have an order."""
    state, moments = FIRST, sorted(chance.sample(range(100), 5))
    seen, history = [FIRST], []
    for number, moment in enumerate(moments):
        kind = chance.choices(["get", "find", "update", "patch", "delete"], [4, 1, 4, 4, 1])[0]
        known = chance.choice(seen)
        sent = {"find": known, "update": pairs(f"a{number} b1"),
                "patch": pairs(chance.choice([f"a{number}", f"a- b{number}"]))}.get(kind)
        condition = chance.random() < 0.4 and known
        operation = Operation(
            kind, moment - chance.randrange(40), moment + chance.randrange(40), sent=sent,
            if_match=(condition or None) if kind not in ("get", "find") else None,
            if_none_match=(condition or None) if kind == "get" else None, client=number)
        (status, found), state = outcome(operation, state)
        if state is not GONE:
            seen.append(state)
        if chance.random() < 0.15:
            # A client that was told something else.
            found = chance.choice(seen) if status == 200 and kind != "delete" else None
        elif kind not in ("get", "find") and chance.random() < 0.2:
            status, found = None, None
        history.append(operation._replace(status=status, found=found))
    return history


def test_it_agrees_with_trying_all_orders():
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    verdicts = []
    for _ in range(HISTORIES):
        history = some_history(chance)
        by_trying = explained_by_trying(history)
        verdicts.append(by_trying)
        found = violation(history, FIRST)
        assert (found is None) == by_trying, (seed, history)
        if found is not None:
            assert Search(found.operations, found.states).run() is not None, (seed, history)
    # Both were put to the test.
    assert min(verdicts.count(True), verdicts.count(False)) > HISTORIES / 10
