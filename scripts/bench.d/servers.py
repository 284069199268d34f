"""What is measured: conversationd, and the bare programs that it is compared with."""

import http.client
import json
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

from build import generate, with_items, with_pairs
from measure import Clock, Failure, load
from workloads import FEW_ITEMS, MANY_ITEMS

# How many changes the bare SQLite program commits at a time, if as many connections wait.
GROUP = 64
# The folders of the copies; those that a bench left behind are removed by the next.
COPY_PREFIX = "conversationd-bench-"


class Unavailable(Exception):
    """A server cannot run on this machine."""


class Server:
    """One server, from `start` to `stop`."""

    name = ""
    # Its version and configuration in a line.
    description = ""
    process = None
    origin = ""
    headers = {}
    # How many conversations are asked for.
    count = 0
    # Below which number of connections it is not measured.
    connections_min = 1

    def start(self):
        """Returns when it answers.

        Raises Unavailable when it cannot run here.
        """
        raise NotImplementedError

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def pids(self):
        """All its processes."""
        return [self.process.pid]

    def ids(self, pairs, count):
        """A file with a line for each of `count` conversations of `pairs` pairs that it has."""
        raise NotImplementedError

    def lines(self, workload):
        """A file with a line for each thing that a workload's requests can name."""
        return self.ids(workload.pairs, self.count)

    def parts(self, run):
        """Which servers get which part of the load, all at once."""
        return [(self, run)]

    def measure(self, run, processors):
        """Loads it, and returns the figures."""
        return load(self, run, processors)

    def ask(self, method, path, body=None):
        """Sends one request on a connection of its own, and returns the status and the body."""
        with closing(http.client.HTTPConnection(self.origin.removeprefix("http://"))) as connection:
            fields = {**self.headers, **({"Content-Type": "application/json"} if body else {})}
            connection.request(method, path, body=body, headers=fields)
            response = connection.getresponse()
            return response.status, response.read()

    def spawn(self, command, log=None, **options):
        """Starts a program whose first line ends in its address."""
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        text=True, **options)
        line = self.process.stdout.readline()
        if "http://" not in line:
            words = log.read_text() if log else ""
            raise Failure(f"{self.name} ended with status {self.process.wait()}: {words}")
        self.origin = line.split()[-1]


class Conversationd(Server):
    """conversationd with an API key, on a fresh copy of a database."""

    name = "conversationd"
    description = ("one API key, which every request shows; synchronous=FULL, no access log, all "
                   "else as by default")
    # Without the settings of whoever calls the bench.
    environment = {**{name: value for name, value in os.environ.items()
                      if not name.startswith("CONVERSATIOND_")},
                   "CONVERSATIOND_LOG_REQUESTS": "false"}

    def __init__(self, binary, folder, count, pairs, has_items=False):
        self.binary, self.folder, self.count, self.pairs = binary, folder, count, pairs
        self.has_items = has_items
        self.copy = None

    def origin_of_copy(self):
        """The database that it has a copy of."""
        numbers = self.binary, self.folder, self.count
        if self.has_items:
            return with_items(*numbers, FEW_ITEMS, MANY_ITEMS)
        return generate(*numbers) if self.pairs is None else with_pairs(*numbers, self.pairs)

    def start(self):
        self.prepare()
        with self.log().open("w") as output:
            self.spawn([self.binary, "serve", "--port", "0", *self.place()], stderr=output,
                       log=self.log(), env=self.environment)

    def prepare(self):
        """Makes the copy and the key."""
        self.copy = fresh_copy(self)
        self.make_key()

    def make_key(self):
        key = subprocess.run(
            [self.binary, "keys", "create", "--name", "bench", *self.place()],
            check=True, capture_output=True, text=True, env=self.environment).stdout.strip()
        self.headers = {"Authorization": f"Bearer {key}"}

    def place(self):
        """The options that say where its database is."""
        return ["--database", self.copy]

    def log(self):
        return self.copy.with_name("log")

    def stop(self):
        super().stop()
        remove(self.copy)

    def ids(self, pairs, count):
        return ids_file(self.folder, generate(self.binary, self.folder, self.count), count)

    def lines(self, workload):
        if workload.items:
            return items_file(self.folder, self.origin_of_copy(), workload.items)
        if workload.pairs is None:
            return users_file(self.folder, self.count)
        return super().lines(workload)


class Elsewhere(Server):
    """A server that runs already, which is asked for other things than by the workload itself."""

    def __init__(self, server, name, items):
        self.server, self.items = server, items
        self.name = f"{server.name}, {name}"
        self.description = "the same server"

    def start(self):
        self.origin, self.headers = self.server.origin, self.server.headers

    def stop(self):
        pass

    def pids(self):
        return self.server.pids()

    def lines(self, workload):
        return items_file(self.server.folder, self.server.origin_of_copy(), self.items)


class BareHTTP(Server):
    """The bare libmicrohttpd program, which is asked for the same as another server."""

    name = "bare_http"
    description = ("libmicrohttpd alone, in C: a constant as long as conversationd's answer, by as "
                   "many event loops")

    def __init__(self, program, other, body_bytes):
        self.program, self.other, self.body_bytes = program, other, body_bytes

    def start(self):
        # As many event loops as conversationd starts by itself.
        loops = len(os.sched_getaffinity(0))
        self.spawn([self.program, "0", str(loops), str(self.body_bytes)])

    def lines(self, workload):
        return self.other.lines(workload)


class BareSQLite(Server):
    """The bare SQLite program, on a fresh copy of the database that another server has."""

    name = "bare_sqlite"
    description = (f"SQLite alone, in C: the same changes in a loop, each in a savepoint and by "
                   f"UPSERT, as many to a commit as there are connections, but at most {GROUP}")
    form = "plain"

    def __init__(self, program, other):
        self.program, self.other = program, other
        self.copy = None

    def start(self):
        self.copy = fresh_copy(self.other)

    def stop(self):
        remove(self.copy)

    def measure(self, run, processors):
        workload = run.workload
        clock = Clock()
        with processors.use(processors.servers):
            done = subprocess.run(
                [self.program, workload.baseline, self.copy, self.other.lines(workload),
                 str(workload.pairs), str(workload.changed), str(min(GROUP, run.connections)),
                 str(run.seconds), run.seed, run.ending, self.form],
                capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(done.stderr.strip())
        figures = json.loads(done.stdout)
        _, _, other_seconds = clock.spent()
        return {**figures, "per_second": figures["requests"] / figures["seconds"],
                "other_load": other_seconds / figures["seconds"]}


class TunedSQLite(BareSQLite):
    """The bare SQLite program in the form that is fastest."""

    name = "tuned_sqlite"
    description = ("the same as conversationd does it: no savepoints, UPDATE and INSERT, and the "
                   "log written in large pieces")
    form = "tuned"


def fresh_copy(server):
    """Returns a copy of the database that a server is to have, alone in a new folder."""
    origin = server.origin_of_copy()
    copy = Path(tempfile.mkdtemp(prefix=COPY_PREFIX, dir=server.folder)) / "conversations.db"
    shutil.copyfile(origin, copy)
    # Not to be written to the disk while something is measured.
    os.sync()
    return copy


def remove(copy):
    if copy:
        shutil.rmtree(copy.parent, ignore_errors=True)


def free_ports(count):
    """Ports that nobody uses.

    They are below those that the kernel gives to clients: one that tries to connect before the
    server listens could be given the very same port, and would meet itself.
    """
    with ExitStack() as held:
        ports = []
        while len(ports) < count:
            candidate = held.enter_context(socket.socket())
            try:
                candidate.bind(("127.0.0.1", random.randrange(20000, 32768)))
                ports.append(candidate.getsockname()[1])
            except OSError:
                continue
    return ports


def ids_file(folder, database, count):
    """A file with the ids of that many conversations of a database, spread over all of it."""
    file = folder / f"{database.stem}-{count}.ids"
    if not file.exists() or file.stat().st_mtime < database.stat().st_mtime:
        with closing(sqlite3.connect(database)) as connection:
            rows = connection.execute("SELECT id FROM conversations ORDER BY number").fetchall()
        chosen = (rows[place * len(rows) // count][0] for place in range(count))
        file.write_text("".join(f"{id}\n" for id in chosen))
    return file


# The lines of equal length under the path of the conversations: what is read of the items of the
# first conversation, which has many, of the second, which has few, and of others.
PAGES = """
    SELECT conversations.id || '/items?order=asc&limit=20&after=' || items.id
    FROM items JOIN conversations ON conversations.number = items.conversation
    WHERE conversation = (SELECT number FROM conversations ORDER BY number LIMIT 1 OFFSET {})
    ORDER BY items.number LIMIT 50 OFFSET {}
    """
ITEM_LINES = {
    "few": PAGES.format(1, 25),
    "first": PAGES.format(0, 0),
    "middle": PAGES.format(0, MANY_ITEMS // 2),
    "last": PAGES.format(0, MANY_ITEMS - 71),
    "item": """
        SELECT conversations.id || '/items/' || items.id
        FROM items JOIN conversations ON conversations.number = items.conversation
        WHERE items.number % 3 = 0 AND items.number > {} LIMIT 10000
        """.format(MANY_ITEMS + FEW_ITEMS),
    "conversation": "SELECT id FROM conversations ORDER BY number LIMIT 10000",
}


def items_file(folder, database, name):
    """A file with the lines of that name."""
    file = folder / f"{database.stem}-{name}.lines"
    if not file.exists() or file.stat().st_mtime < database.stat().st_mtime:
        with closing(sqlite3.connect(database)) as connection:
            rows = connection.execute(ITEM_LINES[name]).fetchall()
        file.write_text("".join(f"{line}\n" for line, in rows))
    return file


def users_file(folder, count):
    """A file with users of a database by scripts/generate: those whose names are longest, since
    load.lua needs lines of equal length."""
    users = [f"u{number}" for number in range(1, count // 50 + 2)]
    file = folder / f"conversationd-{count}.users"
    # Others may be reading it.
    if not file.exists():
        file.write_text("".join(f"{user}\n" for user in users if len(user) == len(users[-1])))
    return file
