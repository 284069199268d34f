"""Litestream replicates the database of a server under load: what it says it has is there after the
server and its files are gone."""

import http.client
import json
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

import pytest

from conftest import START_SECONDS, clean_environment, read_answer

LITESTREAM = Path(sys.executable).with_name("litestream")
WRITERS = 4
# The server writes its log back each 4,000 pages of 4 KiB: the load passes that more than once.
LOG_BYTES = 2 * 4000 * 4096
VALUE = 512 * "x"
# What README shows, and a socket on which to ask for the end of a synchronisation.
CONFIGURATION = """\
dbs:
  - path: {database}
    replica:
      type: file
      path: {replica}
      sync-interval: 100ms
socket:
  enabled: true
  path: {socket}
"""


class Replication:
    """One `litestream replicate` of one server's database, to a folder."""

    def __init__(self, server, wait_until):
        self.server = server
        self.wait_until = wait_until
        self.folder = server.folder
        self.configuration = self.folder / "litestream.yml"
        # The path of a socket is short: unix(7).
        self.socket = Path("litestream.sock")
        self.configuration.write_text(CONFIGURATION.format(
            database=server.database, replica=self.folder / "replica", socket=self.socket),
            encoding="utf-8")
        self.process = None

    def start(self):
        socket = self.folder / self.socket
        socket.unlink(missing_ok=True)
        with (self.folder / "litestream.log").open("ab") as log:
            self.process = subprocess.Popen(
                [LITESTREAM, "replicate", "-config", self.configuration], cwd=self.folder,
                env=clean_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_until(socket.exists)
        return self

    def log(self):
        return (self.folder / "litestream.log").read_text(encoding="utf-8")

    def sync(self):
        """Returns when the replica has what was committed before."""
        first = self.positions()
        # More may have been committed while it waited.
        self.wait_until(lambda: self.positions()["replica_txid"] >= first["txid"] > 0)

    def positions(self):
        """Where the database and the replica are, after what was committed before was sent."""
        results = []

        def is_over():
            results.append(self.run(
                "sync", "-wait", "-json", "-socket", self.socket, self.server.database))
            # Under load it may find no gap between two commits before it gives up.
            return "database is locked" not in results[-1].stderr

        self.wait_until(is_over)
        assert results[-1].returncode == 0, (results, self.log())
        return json.loads(results[-1].stdout)

    def run(self, command, *arguments):
        return subprocess.run(
            [LITESTREAM, command, *map(str, arguments)], cwd=self.folder, env=clean_environment(),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_SECONDS)

    def restore(self):
        result = self.run("restore", "-config", self.configuration, self.server.database)
        assert result.returncode == 0, (result, self.log())

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def replication(server, wait_until):
    replication = Replication(server, wait_until)
    yield replication.start()
    replication.kill()


class Load:
    """Clients that create and update until the server is gone."""

    def __init__(self, server):
        self.server = server
        # The metadata that was answered last, by id, and what may have come to it since.
        self.answered = {}
        self.in_flight = {}

    def write(self, writer):
        with closing(self.server.connection()) as connection, suppress(
                OSError, http.client.HTTPException):
            for number in count():
                id = self.send(connection, "", {"writer": str(writer), "n": str(number)})
                self.send(connection, f"/{id}", {"n": str(-number), "value": VALUE}, id)

    def send(self, connection, path, metadata, id=None):
        if id:
            self.in_flight[id] = metadata
        connection.request("POST", f"/v1/conversations{path}", json.dumps({"metadata": metadata}))
        answer = read_answer(connection)
        assert answer.status == 200, answer
        id = answer.json()["id"]
        self.answered[id] = metadata
        self.in_flight.pop(id, None)
        return id

    def run_until_killed(self, body):
        """Calls `body` while the clients write, and then kills the server."""
        with ThreadPoolExecutor(WRITERS) as pool:
            runs = [pool.submit(self.write, writer) for writer in range(WRITERS)]
            try:
                result = body()
            finally:
                self.server.kill()
        for finished in runs:
            finished.result()
        return result


def stored(database):
    with closing(sqlite3.connect(database)) as connection:
        return {id: json.loads(metadata) for id, metadata in connection.execute(
            "SELECT id, metadata FROM overview")}


def lose(server):
    """The machine is gone, with all that was on it but the replica."""
    server.kill()
    for path in [*server.folder.glob("conversations.db*"), *server.folder.glob(".conv*")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def written_bytes(server):
    """Of the write-ahead log and of what was written back from it, by all checkpoints."""
    status = Path(f"/proc/{server.process.pid}/io").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("wchar")))


def test_what_was_synced_under_load_is_restored(server, replication, run, wait_until):
    load = Load(server)

    def write_and_sync():
        wait_until(lambda: written_bytes(server) > LOG_BYTES)
        answered, in_flight = dict(load.answered), dict(load.in_flight)
        replication.sync()
        return answered, in_flight

    answered, in_flight = load.run_until_killed(write_and_sync)
    assert len(answered) > 100
    replication.kill()
    lose(server)

    replication.restore()
    found = stored(server.database)
    for id, metadata in answered.items():
        # What came after the synchronisation may be there or not.
        later = [in_flight.get(id), load.answered[id], load.in_flight.get(id)]
        assert found[id] in [metadata, *later]
    check = run("check", "--database", server.database)
    assert (check.returncode, check.stderr) == (0, "")

    server.start()
    id, metadata = next(iter(answered.items()))
    assert server.request("GET", f"/v1/conversations/{id}").json()["metadata"] == found[id]
    created = server.request("POST", "/v1/conversations", {"metadata": metadata}).json()
    assert created["id"] > max(found)
    assert server.stop() == 0


def test_replication_outlives_restarts_of_either_side(server, replication, run):
    def create(name):
        return server.request("POST", "/v1/conversations", {"metadata": {"name": name}}).json()

    created = [create("while both run")]
    replication.sync()
    server.restart()
    created.append(create("after the server was stopped and started"))
    server.kill()
    server.start()
    created.append(create("after it was killed"))
    replication.sync()
    replication.kill()
    # Meanwhile the server writes its log back and begins it anew, twice.
    with closing(server.connection()) as connection:
        before = written_bytes(server)
        while written_bytes(server) - before < LOG_BYTES:
            connection.request("POST", "/v1/conversations", json.dumps(
                {"metadata": {f"{number}": VALUE for number in range(16)}}))
            created.append(read_answer(connection).json())
    server.restart()
    replication.start()
    created.append(create("after Litestream was away"))
    replication.sync()
    replication.kill()
    lose(server)

    replication.restore()
    assert stored(server.database) == {
        conversation["id"]: conversation["metadata"] for conversation in created}
    assert run("check", "--database", server.database).returncode == 0
