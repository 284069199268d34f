"""What is to be reached, all of it at 64 connections unless it says otherwise."""

from dataclasses import dataclass

import neighbour
from contest import OURS, Cell, large, mark
from workloads import WORKLOADS


@dataclass(frozen=True)
class Bar:
    words: str
    # The measured value; None when it was not measured.
    value: float | None
    least: float | None = None
    most: float | None = None
    unit: str = ""
    # An asterisk when what it is compared with was held up by the load generator.
    mark: str = " "

    @property
    def verdict(self):
        if self.value is None:
            return "not measured"
        is_met = ((self.least is None or self.value >= self.least)
                  and (self.most is None or self.value <= self.most))
        return "met" if is_met else "MISSED"

    @property
    def limit(self):
        words = f"at least {self.least:g}" if self.most is None else f"at most {self.most:g}"
        return f"{words}{self.unit}"


# Each ratio of requests a second: the workload, and how much of which server's it is to be.
AGAINST_SERVERS = [
    ("get", 0.6, "bare_http"),
    ("update-4", 0.6, "bare_sqlite"),
    ("items-append", 0.6, "bare_sqlite"),
    ("items-get", 0.9, "conversationd, conversation"),
    ("get", 3, "smg memory"),
    ("get", 100, "ogx"),
    ("update-4", 0.7, "smg memory"),
    ("update-4", 2, "smg postgresql"),
    ("update-4", 100, "ogx"),
]
# On one PostgreSQL.
AGAINST_SMG = [("get", 3), ("update-4", 2.5), ("create", 2)]
# A page of 20 from the large database, and a read, of one client that is alone.
LIST_MS = 5
ALONE_MS = 0.3
AGAINST_ITSELF = 0.8
AGAINST_COMMIT = 0.97
# A page within 1.5 times of the time.
PAGE_ELSEWHERE = 1 / 1.5
MEMORY_MB = 64
START_MS = 100
NEIGHBOUR = 3


def bars(results, options, memory_mb, start_ms):
    """All of them, with what was measured."""
    if options.postgresql:
        return list(on_postgresql(results, options))
    found = [Bar(f"{workload} of {server}",
                 results.ratio(Cell(workload), Cell(workload, server=server)), least=least,
                 mark=mark(results.median(Cell(workload, server=server), "client_load")))
             for workload, least, server in AGAINST_SERVERS]
    found += [Bar(f"items-page, {place} of many items of the same with few",
                  results.ratio(Cell("items-page", server=f"conversationd, {place}"),
                                Cell("items-page")), least=PAGE_ELSEWHERE)
              for place in ("start", "middle", "end")]
    for workload in ("get", "update-4"):
        here, many = Cell(workload), Cell(workload, 1000)
        million = Cell(workload, server=large(options.large))
        found += [
            Bar(f"{workload} with {options.large or 1_000_000:,} conversations of the same with "
                f"{options.count:,}", results.ratio(million, here), least=AGAINST_ITSELF),
            Bar(f"{workload} over 1,000 connections of the same over 64",
                results.ratio(many, here), least=AGAINST_ITSELF)]
    if options.against:
        found += against_commit(results, options)
    return [*found,
            Bar("memory", memory_mb, most=MEMORY_MB, unit=" MB"),
            Bar("start to first answer", start_ms, most=START_MS, unit=" ms"),
            Bar("p99 of get among bad neighbours of the quiet p99",
                results.ratio(neighbour.LOUD, neighbour.QUIET, "p99_ms"), most=NEIGHBOUR)]


def on_postgresql(results, options):
    """What is to be reached with a PostgreSQL."""
    for workload, least in AGAINST_SMG:
        for connections in options.connections:
            if connections > 1:
                peer = Cell(workload, connections, "smg postgresql")
                yield Bar(f"{workload} of smg postgresql over {connections} connections",
                          results.ratio(Cell(workload, connections), peer), least=least,
                          mark=mark(results.median(peer, "client_load")))
    yield Bar(f"list by a pair in {options.large:,} conversations, one client, p50",
              results.median(Cell("list", 1, large(options.large)), "p50_ms"), most=LIST_MS,
              unit=" ms")
    yield Bar("get, one client, p50", results.median(Cell("get", 1), "p50_ms"), most=ALONE_MS,
              unit=" ms")


def against_commit(results, options):
    """Nothing that was measured is to be slower than with the other commit."""
    for workload in WORKLOADS:
        for count in dict.fromkeys([None, options.large or None]):
            server, other = [large(count, name) if count else name
                             for name in (OURS, options.against.server)]
            ratio = results.ratio(Cell(workload.name, server=server),
                                  Cell(workload.name, server=other))
            if ratio is not None:
                yield Bar(f"{workload.name} of {other}", ratio, least=AGAINST_COMMIT)
