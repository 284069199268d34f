"""Concurrent clients on few conversations, who write down when they asked and what they heard."""

import http.client
import json
import os
import random
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import count
from math import inf
from urllib.parse import urlencode

from conftest import Server, read_answer
from linearizability import Operation, violation

PATH = "/v1/conversations"
CLIENTS = 8
KEYS = "abcd"
# How often a client does what, of a thousand.
KINDS = {"get": 300, "find": 50, "update": 266, "patch": 380, "delete": 4}
CONDITIONAL = 0.5
# How often it asks for a conversation that was deleted.
DELETED = 0.02
# Between two looks at how far they are.
PAUSE_SECONDS = 0.02


def set_of(metadata):
    return frozenset(metadata.items())


class History:
    """What all clients saw, by conversation."""

    def __init__(self):
        self.initial = {}
        self.operations = {}
        self.numbers = count()
        self.refused = 0
        self.tags = {}
        self.lock = threading.Lock()

    def __len__(self):
        return sum(map(len, self.operations.values()))

    def note_tag(self, id, tag, found):
        """A tag is one set's, and a set has one tag."""
        assert self.tags.setdefault((id, tag), found) == found, (id, tag)
        assert self.tags.setdefault((id, found), tag) == tag, (id, tag)

    def close_open(self, moment):
        """The server is dead: what was lost has taken effect by now or never will."""
        for operations in self.operations.values():
            for place, each in enumerate(operations):
                if each.is_lost:
                    operations[place] = each._replace(end=min(each.end, moment))


class Places:
    """The few conversations that the clients meet at; each is replaced when it is deleted."""

    def __init__(self, server, history, number):
        self.server = server
        self.history = history
        self.lock = threading.Lock()
        self.ids = [self.create() for _ in range(number)]

    def create(self):
        metadata = {"a": str(next(self.history.numbers))}
        answer = self.server.request("POST", PATH, {"metadata": metadata})
        assert answer.status == 200
        id = answer.json()["id"]
        self.history.initial[id] = set_of(answer.json()["metadata"])
        self.history.operations[id] = []
        self.history.note_tag(id, answer.headers["etag"], self.history.initial[id])
        return id

    def replace(self, id):
        with self.lock:
            if id in self.ids:
                self.ids[self.ids.index(id)] = self.create()


class Client:
    """One client, with a connection and a memory of its own."""

    kinds = KINDS

    def __init__(self, number, history, places, seed):
        self.number = number
        self.history = history
        self.places = places
        self.random = random.Random(seed)
        # By conversation, the last set that it saw, and its tag.
        self.known = {}

    def run(self, is_over):
        """Works until it is told to end, or the server is gone."""
        connection = self.places.server.connection()
        try:
            while not is_over():
                self.work(connection)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def work(self, connection):
        id = self.random.choice(self.places.ids)
        if self.random.random() < DELETED:
            id = self.random.choice(list(self.history.initial))
        kind, = self.random.choices(list(self.kinds), self.kinds.values())
        self.do(connection, id, kind)

    def do(self, connection, id, kind):
        operation, request = self.operation(id, kind)
        operation = operation._replace(client=self.number, call=time.monotonic_ns())
        try:
            connection.request(*request)
            answer = read_answer(connection)
        except (OSError, http.client.HTTPException):
            self.lost(id, operation)
            raise
        self.heard(id, operation._replace(end=time.monotonic_ns()), answer)

    def operation(self, id, kind):
        """What to do to a conversation: for the history, and for the server."""
        tag, known = self.known.get(id, (None, None))
        value = str(next(self.history.numbers))
        if kind == "find":
            pair = self.random.choice(sorted(known)) if known else ("a", value)
            query = urlencode({f"metadata[{pair[0]}]": pair[1]})
            return Operation(kind, 0, sent=frozenset({pair})), ("GET", f"{PATH}?{query}")
        sent = self.sent(kind, value)
        body = json.dumps({"metadata": dict(sent)}) if sent else None
        method = {"get": "GET", "update": "POST", "patch": "PATCH", "delete": "DELETE"}[kind]
        headers = {}
        condition = known if tag and self.random.random() < CONDITIONAL else None
        field = "if_none_match" if kind == "get" else "if_match"
        if condition is not None:
            headers[field.replace("_", "-")] = tag
        return (Operation(kind, 0, sent=sent, **{field: condition}),
                (method, f"{PATH}/{id}", body, headers))

    def sent(self, kind, value):
        # Each set has a value that no other ever had: once it is replaced, it is gone for ever.
        if kind == "update":
            keys = self.random.sample(KEYS, self.random.randint(1, len(KEYS)))
            return frozenset((key, value) for key in keys)
        if kind == "patch":
            key, other = self.random.sample(KEYS, 2)
            return frozenset({(key, value), (other, self.random.choice([value, None]))})
        return None

    def heard(self, id, operation, answer):
        if answer.status == 503:
            # Nothing was stored, says the contract: then the history says so too.
            assert answer.error["code"] in ("unavailable", "storage_full"), answer
            self.history.refused += 1
            return
        if answer.status == 500:
            assert answer.error["code"] == "commit_unknown", answer
            self.lost(id, operation._replace(end=inf))
            return
        assert answer.status in (200, 304, 404, 412), answer
        found = self.found(id, operation, answer)
        self.history.operations[id].append(operation._replace(status=answer.status, found=found))
        if operation.kind == "delete" and answer.status == 200 or answer.status == 404:
            self.places.replace(id)

    def found(self, id, operation, answer):
        if answer.status != 200 or operation.kind == "delete":
            return None
        if operation.kind == "find":
            return next((set_of(each["metadata"]) for each in answer.json()["data"]
                         if each["id"] == id), None)
        assert answer.json()["id"] == id
        found = set_of(answer.json()["metadata"])
        self.history.note_tag(id, answer.headers["etag"], found)
        self.known[id] = answer.headers["etag"], found
        return found

    def lost(self, id, operation):
        # Of a read that was not answered there is nothing to say.
        if not operation.observes:
            self.history.operations[id].append(operation)


def load(server, history, chance, places, until, kill, meeting=Places, client=Client):
    """Lets the clients work on so many conversations until the history has so many operations; then
    kills the server under them, or lets them come to their end."""
    places = meeting(server, history, places)
    clients = [client(number, history, places, chance.random()) for number in range(CLIENTS)]
    over = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        runs = [pool.submit(client.run, over.is_set) for client in clients]
        try:
            while len(history) < until and not wait(runs, PAUSE_SECONDS, FIRST_COMPLETED).done:
                pass
            if kill:
                server.kill()
        finally:
            over.set()
    for run in runs:
        run.result()
    if kill:
        history.close_open(time.monotonic_ns())


def read_all(server, history, meeting=Places, client=Client, kind="get"):
    """Reads every conversation that ever was, also those that are deleted."""
    places = meeting(server, history, 0)
    reader = client(CLIENTS, history, places, 0)
    connection = server.connection()
    for id in list(history.initial):
        reader.do(connection, id, kind)
    connection.close()


def overlapping(operations):
    """How many were called while another on the same conversation ran."""
    latest_end = number = 0
    for each in sorted(operations, key=lambda each: each.call):
        number += each.call < latest_end
        latest_end = max(latest_end, each.end)
    return number


def find_altered(history, seed, alter, number):
    """Alters so many answers, one at a time, and demands that no order explains what then is left."""
    chance, altered = random.Random(seed), 0
    everything = [(id, each) for id in history.operations for each in history.operations[id]]
    chance.shuffle(everything)
    for id, operation in everything:
        operations = history.operations[id]
        other = alter(operation, operations)
        if other is not None:
            changed = [other if each is operation else each for each in operations]
            found = violation(changed, history.initial[id])
            assert found is not None, f"LOAD_TEST_SEED={seed} {id} {operation} {other}"
            altered += 1
            if altered == number:
                return
    raise AssertionError(f"LOAD_TEST_SEED={seed} only {altered} could be altered")


def load_test_seed():
    """A new seed, or the one to repeat a run with."""
    return int(os.environ.get("LOAD_TEST_SEED") or random.SystemRandom().randrange(1 << 32))


def record(binary, folder, seed, operations, rounds, kind="get", **client):
    """What clients saw of one file in the lives of several servers. All lives but the last end with a
    kill.

    `rounds` has the number of conversations in each; `kind` is how all of them are read."""
    print(f"repeat with LOAD_TEST_SEED={seed}")
    server = Server(binary, folder)
    chance, history = random.Random(seed), History()
    try:
        for number, places in enumerate(rounds, 1):
            server.start()
            read_all(server, history, kind=kind, **client)
            load(server, history, chance, places, until=operations * number // len(rounds),
                 kill=number < len(rounds), **client)
        read_all(server, history, kind=kind, **client)
        assert server.stop() == 0
    finally:
        server.kill()
    return history


def checked_operations(history, seed):
    """How many operations there were; each conversation's can be put in an order that explains them."""
    checked = 0
    for id, operations in history.operations.items():
        found = violation(operations, history.initial[id])
        assert found is None, f"LOAD_TEST_SEED={seed} {id} {found}"
        checked += len(operations)
    print(f"{checked} operations on {len(history.operations)} conversations")
    return checked
