"""Other processes that read the database while the server writes to it."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from conftest import read_answer

WRITERS = 4
WRITES = 50


@pytest.mark.parametrize("synchronous", ["full", "normal"])
def test_whoever_reads_after_an_answer_sees_what_was_answered(start, synchronous):
    server = start(environment={"CONVERSATIOND_DATABASE_SYNCHRONOUS": synchronous})

    def write(writer):
        """Changes one conversation over and over, and reads it from here after each answer."""
        with closing(server.connection()) as connection, \
                closing(sqlite3.connect(server.database)) as database:
            path = "/v1/conversations"
            for number in range(WRITES):
                # From less than a page to more than the server writes at once.
                metadata = {f"{key} of {writer}": f"{number} ".ljust(512, "x")
                            for key in range(number % 16 + 1)}
                connection.request("POST", path, json.dumps({"metadata": metadata}))
                answer = read_answer(connection)
                assert answer.status == 200, answer
                id = answer.json()["id"]
                path = f"/v1/conversations/{id}"
                [found] = database.execute("SELECT metadata FROM overview WHERE id = ?", [id])
                assert json.loads(found[0]) == metadata

    with ThreadPoolExecutor(WRITERS) as pool:
        for finished in [pool.submit(write, writer) for writer in range(WRITERS)]:
            finished.result()
    with closing(sqlite3.connect(server.database)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert server.stop() == 0
