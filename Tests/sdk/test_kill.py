"""kill -9 in the middle of load: no answered write is lost, and no set is ever a mixture."""

import http.client
import json
import os
import random
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count

from conftest import read_answer

ROUNDS = 5
WRITERS = 6
LOAD_SECONDS_MAX = 1
GONE = None


class Story:
    """What one conversation may be: the last answered state, and the one in flight, if any."""

    def __init__(self, state):
        self.answered = state
        self.in_flight = []

    @property
    def states(self):
        return [self.answered, *self.in_flight]


def metadata_of(number):
    """A set of 1 to 16 pairs, all of which tell which write it is."""
    size = number % 16 + 1
    pairs = {f"{key} of {size}": str(number) for key in range(size - 1)}
    return {"number": str(number), **pairs}


class Writer:
    """One client: creates, updates and deletes conversations of its own on one connection."""

    def __init__(self, server, seed, numbers, stories):
        self.server = server
        self.random = random.Random(seed)
        self.numbers = numbers
        self.stories = stories
        self.creating = None
        self.mine = []
        self.answers = 0

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
        action = self.random.choices(["create", "update", "delete"], [3, 6, 1])[0]
        metadata = metadata_of(next(self.numbers))
        if action == "create" or not self.mine:
            self.creating = metadata
            answer = self.send(connection, "POST", "", metadata)
            self.stories[answer["id"]] = Story(answer["metadata"])
            self.mine.append(answer["id"])
            self.creating = None
            assert answer["metadata"] == metadata
            return
        id = self.random.choice(self.mine)
        story = self.stories[id]
        story.in_flight = [metadata if action == "update" else GONE]
        if action == "update":
            assert self.send(connection, "POST", f"/{id}", metadata)["metadata"] == metadata
        else:
            assert self.send(connection, "DELETE", f"/{id}")["deleted"]
            self.mine.remove(id)
        story.answered, story.in_flight = story.in_flight[0], []

    def send(self, connection, method, path, metadata=None):
        body = None if metadata is None else json.dumps({"metadata": metadata})
        connection.request(method, f"/v1/conversations{path}", body)
        answer = read_answer(connection)
        assert answer.status == 200
        self.answers += 1
        return answer.json()


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
    stories, numbers = {}, count()
    for _ in range(ROUNDS):
        writers = [Writer(server, chance.random(), numbers, stories) for _ in range(WRITERS)]
        # Conversations of earlier rounds go on, each in one writer's hands.
        for id, story in stories.items():
            if story.answered is not GONE:
                chance.choice(writers).mine.append(id)
        load_and_kill(server, writers, chance, wait_until)
        server.start()
        check_stories(server, stories, [writer.creating for writer in writers])
        check = run("check", "--database", server.database)
        assert check.returncode == 0, check


def load_and_kill(server, writers, chance, wait_until):
    with ThreadPoolExecutor(WRITERS) as pool:
        runs = [pool.submit(writer.run) for writer in writers]
        try:
            wait_until(lambda: all(writer.answers > 2 for writer in writers))
            time.sleep(chance.uniform(0, LOAD_SECONDS_MAX))
        finally:
            server.kill()
    for finished in runs:
        finished.result()


def check_stories(server, stories, created_in_flight):
    found = stored(server.database)
    for id, story in stories.items():
        state = found.pop(id, GONE)
        assert state in story.states, (id, state, story.states)
        story.answered, story.in_flight = state, []
        assert read(server, id) == state
    # What is left was created by requests that were never answered: whole sets, each once.
    for id, metadata in found.items():
        assert metadata in created_in_flight, (id, metadata)
        created_in_flight.remove(metadata)
        stories[id] = Story(metadata)


def read(server, id):
    answer = server.request("GET", f"/v1/conversations/{id}")
    if answer.status == 404:
        return GONE
    assert answer.status == 200
    return answer.json()["metadata"]
