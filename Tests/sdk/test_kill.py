"""kill -9 in the middle of load: what was answered is there, what was refused is not, and no set is
ever a mixture."""

import http.client
import json
import os
import random
import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count

from conftest import read_answer
from creations import PATH, Creation, assert_in_order, walk

ROUNDS = 5
WRITERS = 6
LOAD_SECONDS_MAX = 1
ASKED_AGAIN = 40
ACTIONS = {"create": 3, "update": 4, "patch": 3, "delete": 1, "break a rule": 2}
GONE = None


class Story:
    """What one conversation may be: the last answered state, and the one in flight, if any; and how
    it was created, if that was answered."""

    def __init__(self, state, creation=None):
        self.answered = state
        self.in_flight = []
        self.creation = creation

    @property
    def states(self):
        return [self.answered, *self.in_flight]


class Request:
    """A creation: what is sent, and what came of it."""

    def __init__(self, metadata, key=None):
        self.metadata = metadata
        self.body = json.dumps({"metadata": metadata})
        self.headers = {"Idempotency-Key": key} if key else {}
        self.answer = None
        self.call = self.end = None


def metadata_of(number):
    """A set of 1 to 16 pairs, all of which tell which write it is."""
    size = number % 16 + 1
    pairs = {f"{key} of {size}": str(number) for key in range(size - 1)}
    return {"number": str(number), **pairs}


class Writer:
    """One client: changes conversations of its own on one connection."""

    def __init__(self, server, seed, numbers, stories):
        self.server = server
        self.random = random.Random(seed)
        self.numbers = numbers
        self.stories = stories
        self.creating = None
        self.mine = []
        self.answers = Counter()

    def run(self):
        connection = self.server.connection()
        try:
            while True:
                self.write(connection)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def write(self, connection):
        action, = self.random.choices(list(ACTIONS), ACTIONS.values())
        number = next(self.numbers)
        metadata = metadata_of(number)
        if action == "create" or not self.mine:
            key = self.random.choice([f"key-{number}", None])
            return self.create(connection, Request(metadata, key))
        id = self.random.choice(self.mine)
        if action == "break a rule":
            return self.break_a_rule(connection, id, metadata)
        self.change(connection, id, action, metadata)

    def create(self, connection, request):
        self.creating = request
        request.call = time.monotonic_ns()
        request.answer = self.send(connection, "POST", "", request.body, request.headers)
        request.end = time.monotonic_ns()
        created = request.answer.json()
        self.stories[created["id"]] = Story(request.metadata, request)
        self.mine.append(created["id"])
        self.creating = None
        assert created["metadata"] == request.metadata

    def change(self, connection, id, action, metadata):
        story = self.stories[id]
        if action == "delete":
            metadata = GONE
        elif action == "patch":
            # The whole set in the form of a patch: what the old one has beside it goes.
            metadata = {**dict.fromkeys(story.answered), **metadata}
        state = metadata and {key: value for key, value in metadata.items() if value is not None}
        story.in_flight = [state]
        method = {"update": "POST", "patch": "PATCH", "delete": "DELETE"}[action]
        body = metadata and json.dumps({"metadata": metadata})
        answer = self.send(connection, method, f"/{id}", body).json()
        if action == "delete":
            assert answer["deleted"]
            self.mine.remove(id)
        else:
            assert answer["metadata"] == state
        story.answered, story.in_flight = state, []

    def break_a_rule(self, connection, id, metadata):
        """Sends what must be refused, and so must never be seen."""
        other_tag = {"If-Match": '"another"'}
        too_long, body = [json.dumps({"metadata": each})
                          for each in ({**metadata, "long": 513 * "x"}, metadata)]
        known = self.stories[id].creation
        refusals = [
            (400, "POST", "", too_long, {}), (400, "POST", f"/{id}", too_long, {}),
            (400, "PATCH", f"/{id}", too_long, {}), (412, "POST", f"/{id}", body, other_tag),
            (412, "PATCH", f"/{id}", body, other_tag), (412, "DELETE", f"/{id}", None, other_tag),
            (404, "POST", f"/conv_{48 * '0'}", body, {})]
        if known and known.headers:
            refusals.append((422, "POST", "", body, known.headers))
        status, *request = self.random.choice(refusals)
        self.send(connection, *request, status=status)

    def send(self, connection, method, path, body=None, headers=(), status=200):
        connection.request(method, f"{PATH}{path}", body, dict(headers))
        answer = read_answer(connection)
        assert answer.status == status, answer
        self.answers[status] += 1
        return answer


def stored(database):
    """Every conversation in the file, by id."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute("SELECT id, metadata FROM overview")
        return {id: json.loads(metadata) for id, metadata in rows}


def test_kill_in_the_middle_of_load_loses_no_answered_write(server, run, wait_until):
    seed = int(os.environ.get("KILL_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"repeat with KILL_TEST_SEED={seed}")
    chance = random.Random(seed)
    stories, numbers, answers = {}, count(), Counter()
    for _ in range(ROUNDS):
        writers = [Writer(server, chance.random(), numbers, stories) for _ in range(WRITERS)]
        # Conversations of earlier rounds go on, each in one writer's hands.
        for id, story in stories.items():
            if story.answered is not GONE:
                chance.choice(writers).mine.append(id)
        load_and_kill(server, writers, chance, wait_until)
        server.start()
        check_stories(server, stories, [writer.creating for writer in writers], chance)
        check = run("check", "--database", server.database)
        assert check.returncode == 0, check
        for writer in writers:
            answers.update(writer.answers)
    print(f"{len(stories)} conversations, {answers}")
    assert all(answers[status] for status in (200, 400, 412)), answers


def load_and_kill(server, writers, chance, wait_until):
    with ThreadPoolExecutor(WRITERS) as pool:
        runs = [pool.submit(writer.run) for writer in writers]
        try:
            wait_until(lambda: all(writer.answers[200] > 2 for writer in writers)
                       or any(finished.done() for finished in runs))
            time.sleep(chance.uniform(0, LOAD_SECONDS_MAX))
        finally:
            server.kill()
    for finished in runs:
        finished.result()


def check_stories(server, stories, in_flight, chance):
    found = stored(server.database)
    assert [(each["id"], each["metadata"]) for each in walk(server)] == sorted(found.items())
    for id, story in stories.items():
        state = found.pop(id, GONE)
        assert state in story.states, (id, state, story.states)
        story.answered, story.in_flight = state, []
    # What is left was created by requests that were never answered: whole sets, each once.
    in_flight = {request.metadata["number"]: request for request in in_flight if request}
    for id, metadata in found.items():
        request = in_flight.pop(metadata["number"])
        assert metadata == request.metadata
        request.end = time.monotonic_ns()
        stories[id] = Story(metadata, request)
        repeat(server, stories, request, id)
    for request in in_flight.values():
        repeat(server, stories, request)
    # A server that starts knows nothing of those that are deleted: its first ids may sort before
    # one of them.
    assert_in_order([Creation(story.creation.call, story.creation.end, id)
                     for id, story in stories.items() if story.answered is not GONE])
    for id, story in chance.sample(sorted(stories.items()), min(ASKED_AGAIN, len(stories))):
        assert read(server, id) == story.answered
        if story.answered is not GONE:
            repeat(server, stories, story.creation, id)


def repeat(server, stories, request, id=None):
    """Sends a creation that carried an idempotency key again, as its client would. It was stored
    under that id, and so creates nothing; or under none, and then creates now."""
    if not request.headers:
        return
    call = time.monotonic_ns()
    answer = server.request("POST", PATH, request.body.encode(), request.headers)
    assert answer.status == 200, answer
    assert answer.headers["idempotent-replayed"] == ("true" if id else None)
    assert (id is None) == (answer.json()["id"] not in stories)
    if id is None:
        request.call, request.end = call, time.monotonic_ns()
        stories[answer.json()["id"]] = Story(request.metadata, request)
    else:
        assert answer.json()["id"] == id
        assert request.answer is None or request.answer.body == answer.body
    request.answer = answer


def read(server, id):
    answer = server.request("GET", f"{PATH}/{id}")
    if answer.status == 404:
        return GONE
    assert answer.status == 200
    return answer.json()["metadata"]
