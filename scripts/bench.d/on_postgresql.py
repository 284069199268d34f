"""conversationd on a PostgreSQL, alone and as one of two servers, and their databases there."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache

from build import ROOT
from servers import Conversationd, Server, users_file

TWO = "two servers"


class OnPostgreSQL(Conversationd):
    """conversationd with an API key, on a fresh copy of a database of a cluster."""

    description = ("on PostgreSQL with default settings (each commit is synced), over TCP; one API "
                   "key, which every request shows; no access log, all else as by default")

    def __init__(self, cluster, binary, folder, count, pairs):
        super().__init__(binary, folder, count, pairs)
        self.cluster = cluster
        self.database = f"copy_{count}_{pairs or 'generated'}"

    def prepare(self):
        self.cluster.create(self.database, self.origin_of_copy())
        # The copy is of files, whose pages are to be on the disk before something is measured.
        self.cluster.psql("postgres", "CHECKPOINT")
        os.sync()
        self.environment = {**Conversationd.environment,
                            "CONVERSATIOND_DATABASE_URL": self.cluster.url(self.database)}
        self.make_key()
        if self.pairs is not None:
            self.write_ids()

    def place(self):
        return []

    def log(self):
        return self.folder / f"{self.database}.log"

    def origin_of_copy(self):
        if self.pairs is None:
            return generated(self.cluster, self.binary, self.count)
        return with_pairs(self.cluster, self.binary, self.count, self.pairs)

    def stop(self):
        Server.stop(self)
        self.cluster.drop(self.database)
        for file in (self.log(), self.ids_file()):
            file.unlink(missing_ok=True)

    def pids(self):
        return [*super().pids(), *self.cluster.pids()]

    def lines(self, workload):
        if workload.pairs is None:
            return users_file(self.folder, self.count)
        return self.ids_file()

    def ids_file(self):
        return self.folder / f"{self.database}.ids"

    def write_ids(self):
        ids = self.cluster.psql(self.database, "SELECT 'conv_' || encode(id, 'hex') "
                                               "FROM conversations ORDER BY id")
        self.ids_file().write_text("".join(f"{id}\n" for id in ids))


class TwoServers(Server):
    """A second server on the same database, and half of the connections to each of the two."""

    description = "two of them on one database, with half of the connections each"
    connections_min = 2

    def __init__(self, first):
        self.first = first
        self.name = f"{first.name}, {TWO}"

    def start(self):
        log = self.first.log().with_suffix(".second")
        with log.open("w") as output:
            self.spawn([self.first.binary, "serve", "--port", "0"], stderr=output, log=log,
                       env=self.first.environment)
        self.headers = self.first.headers

    def stop(self):
        super().stop()
        self.first.log().with_suffix(".second").unlink(missing_ok=True)

    def pids(self):
        return [self.process.pid, *self.first.pids()]

    def lines(self, workload):
        return self.first.lines(workload)

    def parts(self, run):
        half = run.connections // 2
        return [(self.first, replace(run, connections=run.connections - half)),
                (self, replace(run, connections=half, part=1))]


def version():
    """The newest version of the schema."""
    return max(path.name[:4] for path in (ROOT / "migrations/postgresql").glob("*.sql"))


@cache
def generated(cluster, binary, count):
    """Returns the name of a database of that many conversations, made now or in an earlier run."""
    def make(name):
        cluster.create(name)
        subprocess.run([ROOT / "scripts/generate", "--count", str(count), "--postgresql",
                        "--binary", binary], check=True, stdout=sys.stderr,
                       env={**Conversationd.environment,
                            "CONVERSATIOND_DATABASE_URL": cluster.url(name)})

    return kept(cluster, f"generated_{count}_{version()}", make)


@cache
def with_pairs(cluster, binary, count, pairs):
    """Returns the name of one with the same conversations, which have so many pairs; as
    `build.with_pairs` makes them."""
    origin = generated(cluster, binary, count)
    value = ("substr(md5(random()::text), 1, 20)" if pairs < 16
             else "'stored-value-of-' || lpad(n::text, 4, '0')")

    def make(name):
        cluster.create(name, origin)
        cluster.psql(
            name, "SET conversationd.lane = 'on'",
            f"""
            UPDATE conversations SET metadata = made.metadata
            FROM (SELECT id, jsonb_object_agg(key, value) AS metadata
              FROM (SELECT id, 'key' || lpad(n::text, 2, '0') AS key, {value} AS value
                FROM conversations CROSS JOIN generate_series(1, {pairs}) AS n) AS pair
              GROUP BY id) AS made
            WHERE made.id = conversations.id
            """,
            "TRUNCATE pairs, keys",
            """
            INSERT INTO pairs (project, key, value, conversation)
            SELECT project, key, value, id FROM conversations CROSS JOIN jsonb_each_text(metadata)
            """,
            """
            INSERT INTO keys (project, key, conversation)
            SELECT project, key, id FROM conversations CROSS JOIN jsonb_object_keys(metadata) AS key
            """,
            "VACUUM FULL conversations", "VACUUM ANALYZE")

    return kept(cluster, f"pairs_{pairs}_{count}_{version()}", make)


def kept(cluster, name, make):
    """Returns the name of a database, which is made when there is none."""
    if not cluster.has(name):
        print(f"making the database {name}", file=sys.stderr)
        make("making")
        cluster.psql("postgres", f"ALTER DATABASE making RENAME TO {name}")
    return name
