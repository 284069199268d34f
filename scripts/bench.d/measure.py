"""One measurement: wrk against a server for some seconds, and what both cost meanwhile."""

import json
import os
import resource
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workloads import Workload

LUA = Path(__file__).with_name("load.lua")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """Nothing was measured, or what was answered is not what was asked for."""


@dataclass(frozen=True)
class Run:
    """What is to be measured, in which round."""

    workload: Workload
    connections: int
    seconds: int
    round: int
    # Of several that load a server at once.
    part: int = 0

    @property
    def seed(self):
        """The same for all servers of a round: they are asked for the same."""
        return str(10000 * self.connections + self.number)

    @property
    def number(self):
        return 5000 * self.part + self.round

    @property
    def ending(self):
        """The end of each value, 11 characters that no other run on the same database has."""
        return f"-{self.connections:05}{self.number:05}"


class Processors:
    """Which processors the servers run on, and which the clients."""

    def __init__(self, pins):
        self.all = os.sched_getaffinity(0)
        self.client = {max(self.all)} if pins and len(self.all) > 1 else self.all
        self.servers = self.all - self.client or self.all

    @contextmanager
    def use(self, processors):
        """What is started meanwhile runs on these, and its children too."""
        os.sched_setaffinity(0, processors)
        try:
            yield
        finally:
            os.sched_setaffinity(0, self.all)


class Clock:
    """The processors' time since it was made: of a server, of the children that have ended (the
    client), and of whatever else ran."""

    def __init__(self, pids=()):
        self.pids = pids
        self.before = self.now()

    def now(self):
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        # proc(5): user, nice, system, idle, iowait, irq, softirq, steal.
        ticks = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        busy = sum(map(int, ticks)) - int(ticks[3]) - int(ticks[4])
        return (processor_seconds(self.pids), children.ru_utime + children.ru_stime,
                busy / TICKS_PER_SECOND)

    def spent(self):
        """The seconds of the server, of the client, and of all others."""
        server, client, busy = (now - then for now, then in zip(self.now(), self.before))
        return server, client, max(0, busy - server - client)


def load(server, run, processors):
    """Loads a server with wrk, and returns the figures.

    Latencies are wrk's: for each request that a stall kept it from sending it counts one that would
    have waited for the stall's end. Of several parts those of the slowest count.
    """
    clock, parts = Clock(server.pids()), server.parts(run)
    with processors.use(processors.client), ThreadPoolExecutor(len(parts)) as clients:
        outputs = list(clients.map(lambda part: wrk(*part), parts))
    server_seconds, client_seconds, other_seconds = clock.spent()
    each = [json.loads(output[-1]) for output in outputs]
    for part, figures in zip(parts, each):
        errors = figures.pop("errors")
        if figures["requests"] == 0 or any(errors.values()):
            raise Failure(f"{server.name}, {run.workload.name}, {run.connections} connections: "
                          f"{figures['requests']} answers, {explain(errors, *part)}")
    figures = {name: max(figures[name] for figures in each) for name in each[0]}
    figures["requests"] = requests = sum(figures["requests"] for figures in each)
    seconds = figures["seconds"]
    return {**figures, "per_second": requests / seconds, "cpu_us": server_seconds / requests * 1e6,
            "client_load": client_seconds / seconds / len(parts),
            "other_load": other_seconds / seconds, **memory(server.pids())}


def wrk(server, run, **environment):
    """Returns the lines that wrk and load.lua print."""
    templates = [part for request in run.workload.requests
                 for part in (str(request.share), request.text(server))]
    # One thread: there is one processor for it, and so an order in which the values are sent.
    done = subprocess.run(
        ["wrk", "--threads", "1", "--connections", str(run.connections), "--duration",
         f"{run.seconds}s", "--timeout", "10s", "--script", LUA, server.origin, "--",
         run.seed, server.lines(run.workload), run.ending, *templates],
        capture_output=True, text=True, env={"PATH": os.environ["PATH"], **environment})
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines or not lines[-1].startswith("{"):
        raise Failure(f"wrk against {server.name}: {done.stdout}{done.stderr}")
    return lines


def explain(errors, server, run):
    """Says what went wrong; of answers without success also which, by a second run."""
    words = [f"{number} {name}" for name, number in errors.items() if number]
    if errors["without success"]:
        statuses = [line for line in wrk(server, run, BENCH_STATUSES="1")
                    if line.startswith("status ")]
        words.append(f"when sent again {', '.join(statuses)}")
    return "; ".join(words) or "which is nothing to measure"


def processor_seconds(pids):
    """The processors' time of processes, in steps of 10 ms."""
    ticks = 0
    for stat in proc_files(pids, "stat"):
        # proc(5): the name, in parentheses, may have spaces; utime and stime are fields 14 and 15.
        fields = stat.rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_SECOND


def memory(pids):
    """The memory of processes, now and at its largest, in MB."""
    sums = {"VmRSS": 0, "VmHWM": 0}
    for status in proc_files(pids, "status"):
        for line in status.splitlines():
            name, _, value = line.partition(":")
            if name in sums:
                sums[name] += int(value.split()[0]) * 1024 / 1e6
    return {"resident_mb": sums["VmRSS"], "resident_max_mb": sums["VmHWM"]}


def proc_files(pids, name):
    """What /proc tells of those processes that are still there: some of a database come and go."""
    for pid in pids:
        try:
            yield Path(f"/proc/{pid}/{name}").read_text()
        except (FileNotFoundError, ProcessLookupError):
            pass
