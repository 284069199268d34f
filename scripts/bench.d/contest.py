"""Servers against each other: each in turn, round after round, so that what disturbs the machine
for a while disturbs all of them."""

import statistics
import sys
from pathlib import Path
from typing import NamedTuple

from build import ROOT, compile_baseline, newest_version
from measure import Failure, Run
from on_postgresql import OnPostgreSQL, TwoServers
from servers import (BareHTTP, BareSQLite, Conversationd, Elsewhere, TunedSQLite,
                     Unavailable)

OURS = "conversationd"
# From this part of its processor on, the load generator may be what is measured.
CLIENT_LOAD_MAX = 0.95
# The number of connections at which the bars stand.
BAR_CONNECTIONS = 64
PEERS_WORKLOADS = ["get", "update-4", "create", "items-append", "items-page", "items-get"]


class Commit(NamedTuple):
    """Another commit that is measured too."""

    name: str
    binary: str

    @property
    def server(self):
        """The name of its server."""
        return f"{OURS} {self.name}"


class Cell(NamedTuple):
    """One cell of the table."""

    workload: str
    connections: int = BAR_CONNECTIONS
    server: str = OURS


class Results:
    """The figures of each round of each cell."""

    def __init__(self):
        self.rounds = {}

    def add(self, cell, figures):
        self.rounds.setdefault(cell, []).append(figures)

    def values(self, cell, name):
        return [figures[name] for figures in self.rounds.get(cell, []) if name in figures]

    def median(self, cell, name):
        """None when it was not measured."""
        values = self.values(cell, name)
        return statistics.median(values) if values else None

    def ratios(self, cell, other, name="per_second"):
        """The cell's figure as a multiple of the other's, in each round."""
        pairs = zip(self.values(cell, name), self.values(other, name))
        return [value / against for value, against in pairs]

    def ratio(self, cell, other, name="per_second"):
        """Their median; None when one of the cells was not measured."""
        ratios = self.ratios(cell, other, name)
        return statistics.median(ratios) if ratios else None


class Contest:
    """Runs workloads against conversationd and whatever it is compared with."""

    def __init__(self, options, binary, processors, results, cluster=None):
        """`cluster` is the PostgreSQL that has the databases in the place of files."""
        self.options, self.binary, self.processors = options, binary, processors
        self.results, self.cluster = results, cluster
        # Of each server that was started, or why it was not.
        self.descriptions = {}
        # The peers that stopped answering as they should.
        self.failed = set()
        self.http = compile_baseline(options.folder, "bare_http", "microhttpd")
        self.sqlite = compile_baseline(options.folder, "bare_sqlite", "sqlite3",
                                       ROOT / "Sources/CLogVFS/log_vfs.c")

    def run(self, workload, peers):
        """Measures all cells of one workload."""
        options = self.options
        ours = self.conversationd(options.count, workload.pairs, bool(workload.items))
        started = []
        try:
            self.start(ours, started)
            body_bytes = self.check(ours, workload)
            if self.cluster:
                self.start(TwoServers(ours), started)
            elif workload.baseline == "bare_http":
                self.start(BareHTTP(self.http, ours, body_bytes), started)
            elif workload.baseline:
                self.start(BareSQLite(self.sqlite, ours), started)
                self.start(TunedSQLite(self.sqlite, ours), started)
            # Other commits may not know items.
            if options.against and not workload.items:
                self.start(self.against(options.count, workload.pairs), started)
            entries = [(server, number) for number in options.connections for server in started
                       if number >= server.connections_min]
            for name, items in workload.variants:
                variant = Elsewhere(ours, name, items)
                self.start(variant, started)
                entries += [(variant, number) for number in options.connections]
            entries += [(other, number) for other in self.others(workload, peers)
                        if self.start(other, started) for number in self.others_connections]
            # Those with as many connections one after the other: they are compared.
            self.rounds(workload, sorted(entries, key=lambda entry: entry[1]), tuple(peers))
        finally:
            for server in reversed(started):
                server.stop()

    @property
    def others_connections(self):
        """At how many connections the others are measured: with a PostgreSQL there are few."""
        return self.options.connections if self.cluster else [BAR_CONNECTIONS]

    def conversationd(self, count, pairs, has_items=False):
        if self.cluster:
            return OnPostgreSQL(self.cluster, self.binary, self.options.folder, count, pairs)
        return Conversationd(self.binary, self.options.folder, count, pairs, has_items)

    def against(self, count, pairs):
        """The program of another commit, which cannot read the databases of a newer schema."""
        commit, folder = self.options.against, self.options.folder
        own_folder = Path(commit.binary).parents[2]
        if newest_version(commit.binary, own_folder) != newest_version(self.binary, folder):
            folder = own_folder
        server = Conversationd(commit.binary, folder, count, pairs)
        server.name = commit.server
        server.description = "the same of another commit"
        return server

    def others(self, workload, peers):
        """Who is measured at one number of connections only."""
        if self.options.large and workload.name in self.large_workloads:
            server = self.conversationd(self.options.large, workload.pairs)
            server.name = large(self.options.large)
            server.description = "the same with so many conversations"
            yield server
            if workload.baseline == "update" and not self.cluster:
                # What a larger database costs SQLite by itself.
                for bare in (BareSQLite(self.sqlite, server), TunedSQLite(self.sqlite, server)):
                    bare.name = large(self.options.large, bare.name)
                    bare.description = server.description
                    yield bare
            if self.options.against:
                other = self.against(self.options.large, workload.pairs)
                other.name = large(self.options.large, other.name)
                yield other
        if workload.name in PEERS_WORKLOADS:
            for peer in peers:
                if peer.name not in self.failed:
                    yield peer(self.options.folder, self.cluster)

    @property
    def large_workloads(self):
        """What is measured in the large database too."""
        return ["list"] if self.cluster else ["get", "update-4"]

    def start(self, server, started):
        """Returns whether it runs."""
        started.append(server)
        try:
            with self.processors.use(self.processors.servers):
                server.start()
        except Unavailable as reason:
            started.remove(server)
            self.descriptions[server.name] = f"left out: {reason}"
            return False
        self.descriptions[server.name] = server.description
        return True

    def check(self, server, workload):
        """Sends each of the requests once, and returns the length of the first answer."""
        lengths = []
        line = server.lines(workload).read_text().split("\n", 1)[0]
        for request in workload.requests:
            status, body = server.ask(request.method, request.path.replace("{id}", line),
                                      request.body.replace("{value}", 20 * "x"))
            if not 200 <= status < 300:
                raise Failure(f"{server.name}, {workload.name}: {status} {body.decode()}")
            lengths.append(len(body))
        return lengths[0]

    def rounds(self, workload, entries, peers):
        options = self.options
        # The first round warms up.
        for number in range(options.rounds + 1):
            print(f"{workload.name}, round {number} of {options.rounds}", file=sys.stderr)
            # Each comes first as often as last.
            for server, connections in entries[::-1 if number % 2 else 1]:
                if server.name in self.failed:
                    continue
                run = Run(workload, connections, options.seconds, number)
                try:
                    figures = server.measure(run, self.processors)
                except Failure as failure:
                    if not isinstance(server, peers):
                        raise
                    self.failed.add(server.name)
                    self.descriptions[server.name] += f"; left out from here on: {failure}"
                    continue
                if number > 0:
                    cell = Cell(workload.name, connections, server.name)
                    self.results.add(cell, {"round": number, **figures})


def mark(client_load):
    """An asterisk where the load generator may be what was measured."""
    return "*" if (client_load or 0) > CLIENT_LOAD_MAX else " "


def large(count, server=OURS):
    """The name of a server with a larger database."""
    return f"{server}, {count:,}"
