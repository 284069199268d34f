"""Whether what clients saw of a conversation can be explained by one order of their operations.

A history is linearizable when each operation took effect at one moment between its call and its
return, as if it were alone (Herlihy and Wing, 1990). Conversations are independent of each other,
so the history of each is checked by itself. The model of one is a register, whose state is a set of
pairs, or a list, whose state is a tuple of the items' ids; or it is `GONE`.

The search is that of Wing and Gong (1993), with Lowe's memory (2017) of what was reached before: a
configuration is a state and which of the running operations have taken effect. It goes along time
with all configurations that are possible, so that it needs no way back, and never has to remember
more than what runs at one moment can give.
"""

from math import inf
from typing import NamedTuple

GONE = None


# What leaves every state as it is.
LOOKS = ("get", "find", "list", "item")


class Operation(NamedTuple):
    """A request and its answer. Sets are frozensets of pairs.

    Of a register: "get", "find", "update", "patch", "delete". Of a list: "append" (sent: the ids),
    "remove" and "item" (sent: the id), "list" (sent: the order and the limit; found: the ids, and
    whether there are more), "delete". A 404 that is the item's has found its id.
    """

    kind: str
    call: float
    # By when it has taken effect, if ever: `inf` when that is not known.
    end: float = inf
    # None when the answer was lost: it may have taken effect or not.
    status: int | None = None
    # The set in the answer, None when there is none.
    found: frozenset | tuple | str | None = None
    # The new set; for a patch the pairs, where a value of None removes; for a find the pair.
    sent: frozenset | tuple | str | None = None
    # The sets whose tags the header fields named.
    if_match: frozenset | None = None
    if_none_match: frozenset | None = None
    client: int = 0

    @property
    def is_lost(self):
        return self.status is None

    @property
    def observes(self):
        """Whether it leaves every state as it is, going by its answer."""
        return self.kind in LOOKS or self.status in (404, 412)


def merged(state, patch):
    """The set after a merge patch (RFC 7396)."""
    pairs = dict(state)
    for key, value in patch:
        if value is None:
            pairs.pop(key, None)
        else:
            pairs[key] = value
    return frozenset(pairs.items())


def page(state, order, limit):
    """What a list in this state answers to a list: the ids, and whether there are more."""
    ids = state if order == "asc" else state[::-1]
    return ids[:limit], len(ids) > limit


def outcome(operation, state):
    """What a register or a list in this state answers, status and what is found, and its state
    afterwards."""
    if operation.kind == "find":
        holds = state is not GONE and operation.sent <= state
        return (200, state if holds else None), state
    if state is GONE:
        return (404, None), state
    if operation.if_match not in (None, state):
        return (412, None), state
    match operation.kind:
        case "get" if operation.if_none_match == state:
            return (304, None), state
        case "get":
            return (200, state), state
        case "update":
            return (200, operation.sent), operation.sent
        case "patch":
            result = merged(state, operation.sent)
            return (200, result), result
        case "delete":
            return (200, None), GONE
        case "append":
            return (200, operation.sent), state + operation.sent
        case "list":
            return (200, page(state, *operation.sent)), state
        case "remove" | "item" if operation.sent not in state:
            return (404, operation.sent), state
        case "item":
            return (200, operation.sent), state
        case "remove":
            return (200, None), tuple(each for each in state if each != operation.sent)


def explains(state, operation):
    """Whether the operation's answer, if there was one, is what this state gives."""
    return operation.is_lost or outcome(operation, state)[0] == (operation.status, operation.found)


class Violation(NamedTuple):
    """A part of a history that no order explains, whatever of `states` it began with."""

    states: set
    operations: list

    def __str__(self):
        start = min(operation.call for operation in self.operations)
        lines = ["began as one of", *map(repr, map(plain, self.states)),
                 "call, return, client, operation -> answer (None: lost, or of the time before)"]
        for each in self.operations:
            details = {"sent": each.sent, "if_match": each.if_match,
                       "if_none_match": each.if_none_match}
            details = {name: plain(value) for name, value in details.items() if value is not None}
            lines.append(f"{each.call - start} {each.end - start} {each.client} {each.kind} "
                         f"{details} -> {each.status} {plain(each.found)}")
        return "\n".join(lines)


def plain(state):
    return dict(sorted(state)) if isinstance(state, frozenset) else state


def violation(operations, initial):
    """The part of the history that cannot be explained, made small; None when there is none."""
    search = Search(operations, {initial})
    end = search.run()
    if end is None:
        return None
    moments = [(-inf, {initial}), *search.moments]
    back = 1
    while True:
        start, states = moments[-min(back, len(moments))]
        part = between(start, end, search.operations)
        if back >= len(moments) or Search(part, states).run() is not None:
            return Violation(states, without_looks(part, states))
        back *= 2


def between(start, end, operations):
    """What happened between two moments. What ran at the first one may have taken effect before it,
    so that its answer says nothing of what came then."""
    return [each if each.call > start else each._replace(status=None, found=None)
            for each in operations if each.call <= end and each.end >= start
            and not (each.observes and each.call <= start)]


def without_looks(operations, states):
    """A violation without those that only look and are not needed for it: what is left is no harder
    to explain without them."""
    looks = [each for each in operations if each.observes]
    size = len(looks)
    while size:
        for start in reversed(range(0, len(looks), size)):
            part = looks[start:start + size]
            fewer = [each for each in operations if not any(each is other for other in part)]
            if Search(fewer, states).run() is not None:
                operations = fewer
                del looks[start:start + size]
        size //= 2
    return operations


class Search:
    """Goes along the calls and returns of a history with all configurations that are possible."""

    def __init__(self, operations, states):
        self.operations = sorted(operations, key=lambda operation: operation.call)
        self.configurations = {(state, 0) for state in states}
        # What runs, each with a bit of its own; those that may change the state, those that look.
        self.writes, self.looks = {}, {}
        # After each return, the time and the states that were possible then.
        self.moments = []

    def run(self):
        """The time of the first return that nothing explains; None when there is an explanation."""
        # Of a call and a return at the same time the call counts as the earlier, so that both run
        # at once: what is uncertain must not be called a violation.
        events = sorted(
            (time, is_end, index) for index, operation in enumerate(self.operations)
            for is_end, time in enumerate((operation.call, operation.end)) if time != inf)
        bits = {}
        for time, is_end, index in events:
            operation = self.operations[index]
            if not is_end:
                bits[index] = self.begin(operation)
            elif not self.finish(operation, bits.pop(index)):
                return time
            else:
                self.moments.append((time, {state for state, _ in self.configurations}))
        return None

    def begin(self, operation):
        used = sum(self.writes) + sum(self.looks)
        bit = ~used & (used + 1)  # the lowest that is free
        if operation.observes:
            self.looks[bit] = operation
            self.configurations = {self.settled(*each) for each in self.configurations}
        else:
            self.writes[bit] = operation
        return bit

    def finish(self, operation, bit):
        """Keeps the configurations in which the operation took effect; tells if any is left."""
        kept = self.reached(bit)
        if operation.is_lost:
            kept |= self.configurations
        (self.looks if operation.observes else self.writes).pop(bit)
        self.configurations = {(state, done & ~bit) for state, done in kept}
        return bool(kept)

    def reached(self, bit):
        """All configurations with this operation, after any of the running ones in any order."""
        seen, reached = set(self.configurations), set()
        rest = list(seen)
        while rest:
            state, done = rest.pop()
            if done & bit:
                reached.add((state, done))
                continue
            for other, operation in self.writes.items():
                if not done & other and explains(state, operation):
                    after = self.settled(outcome(operation, state)[1], done | other)
                    if after not in seen:
                        seen.add(after)
                        rest.append(after)
        return reached

    def settled(self, state, done):
        """Lets those look whom this state answers as they were: that forecloses nothing."""
        for bit, operation in self.looks.items():
            if not done & bit and explains(state, operation):
                done |= bit
        return state, done
