"""Clients of two servers, what they saw while a node failed, and whether that can be true."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/sdk"))

from linearizability import violation
from register_load import CLIENTS, Client, History, Places, read_all

PLACES = 3
# Between two requests of a client, so that a history of minutes can be checked in seconds.
PAUSE_SECONDS = 0.02
READS = ("get", "find")


class PatientClient(Client):
    """A client that rests after each request."""

    def work(self, connection):
        super().work(connection)
        time.sleep(PAUSE_SECONDS)


class Both:
    """Two servers, of which each client has one."""

    def __init__(self, servers):
        self.servers, self.turn = servers, 0

    def next(self):
        self.turn += 1
        return self.servers[self.turn % len(self.servers)]

    def connection(self):
        return self.next().connection()

    def request(self, *arguments, **options):
        return self.next().request(*arguments, **options)


def record(servers, seed, disturb):
    """Returns what the clients saw while something was done, and of a last look at everything."""
    both, history = Both(servers), History()
    places = Places(both, history, PLACES)
    clients = [PatientClient(number, history, places, f"{seed} {number}")
               for number in range(CLIENTS)]
    over = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        runs = [pool.submit(client.run, over.is_set) for client in clients]
        try:
            disturb()
        finally:
            over.set()
    for run in runs:
        run.result()
    for server in servers:
        read_all(server, history)
    return history


@dataclass(frozen=True)
class Verdict:
    """What a history says."""

    # How long no write and no read was answered, in seconds, at the longest.
    write_gap: float
    read_gap: float
    operations: int
    # Answered 503, so not stored; and answered 500 `commit_unknown`, so stored or not.
    refused: int
    unknown: int
    # Of each conversation with an answer that no order of all operations explains.
    violations: dict

    @property
    def words(self):
        return f"{len(self.violations)} BROKEN" if self.violations else "explained"


def judge(history):
    """Looks whether each answer of a history can be true."""
    everything = [each for operations in history.operations.values() for each in operations]
    found = {id: violation(operations, history.initial[id])
             for id, operations in history.operations.items()}
    return Verdict(
        gap(each for each in everything if each.kind not in READS),
        gap(each for each in everything if each.kind in READS),
        len(everything), history.refused, sum(each.is_lost for each in everything),
        {id: broken for id, broken in found.items() if broken})


def gap(operations):
    """The longest time between two answers with success."""
    ends = sorted(each.end for each in operations if each.status in (200, 304, 412))
    return max((later - end for end, later in zip(ends, ends[1:])), default=0) / 1e9
