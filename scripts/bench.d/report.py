"""The results, as text that can be pasted into a README and as JSON."""

import statistics
import textwrap

import neighbour
from contest import BAR_CONNECTIONS, CLIENT_LOAD_MAX, OURS, Cell, large, mark
from on_postgresql import TWO
from workloads import WORKLOADS

SQLITE = ["bare_sqlite", "tuned_sqlite"]
BASELINES = {"bare_http": ["bare_http"], "update": SQLITE, "create": SQLITE,
             "append": SQLITE}


def pairs(results, options, peers):
    """The cells that make a row of the table, each with the one that it is compared with."""
    for workload in WORKLOADS:
        others = [*([] if options.postgresql else BASELINES.get(workload.baseline, [])),
                  *([options.against.server]
                    if options.against and not workload.items else [])]
        for connections in options.connections:
            cell = Cell(workload.name, connections)
            for other in others or [None]:
                yield cell, cell._replace(server=other) if other else None
            yield Cell(workload.name, connections, f"{OURS}, {TWO}"), cell
            for name, _ in workload.variants:
                yield (Cell(workload.name, connections, f"{OURS}, {name}"),
                       Cell(workload.name, connections))
        for server in [OURS, *others]:
            for connections in all_connections(options):
                yield (Cell(workload.name, connections, large(options.large, server)),
                       Cell(workload.name, connections, server))
        if options.against and not workload.items:
            yield (Cell(workload.name, server=large(options.large)),
                   Cell(workload.name, server=large(options.large, options.against.server)))
    for peer in peers:
        for workload in WORKLOADS:
            for connections in all_connections(options):
                yield (Cell(workload.name, connections, peer), Cell(workload.name, connections))
    yield neighbour.QUIET, None
    yield neighbour.LOUD, None


def all_connections(options):
    return sorted({BAR_CONNECTIONS, *options.connections})


def rows(results, options, peers):
    """The rows as dictionaries; None is what was not measured."""
    for cell, against in pairs(results, options, peers):
        if cell not in results.rounds:
            continue
        row = cell._asdict() | {name: results.median(cell, name) for name in (
            "per_second", "p50_ms", "p99_ms", "cpu_us", "resident_mb", "client_load")}
        ratios = []
        if against:
            # How conversationd compares with the other one, or the large database with the small.
            both = (against, cell) if cell.server in peers else (cell, against)
            ratios = results.ratios(*both)
        if ratios:
            row |= {"against": against.server, "against_per_second":
                    results.median(against, "per_second"), "ratio": statistics.median(ratios),
                    "ratio_min": min(ratios), "ratio_max": max(ratios),
                    "against_client_load": results.median(against, "client_load")}
        yield row


def text(report):
    """The whole report."""
    own = (OURS, *(name for names in BASELINES.values() for name in names))
    ours = [row for row in report["rows"] if row["server"].startswith(own)]
    peers = [row for row in report["rows"] if not row["server"].startswith(own)]
    parts = [comparison(ours), legend(report)]
    if peers:
        parts.append(comparison(peers, "times"))
    parts += [single_figures(report), bars(report["bars"]), surroundings(report)]
    return "\n\n".join(part for part in parts if part)


def comparison(rows, ratio="ratio"):
    lines = [("workload", "conn.", "req/s", "p50 ms", "p99 ms", "CPU µs", "MB", "compared with",
              "req/s", ratio, "from-to")]
    for row in rows:
        against = row.get("against")
        name = row["workload"] if row["server"] == OURS else f"{row['workload']}, {short(row)}"
        lines.append((
            name, f"{row['connections']:,}", rate(row["per_second"], row["client_load"]),
            number(row["p50_ms"], 2), number(row["p99_ms"], 2), number(row["cpu_us"], 1),
            number(row["resident_mb"], 0), against or "",
            rate(row["against_per_second"], row["against_client_load"]) if against else "",
            number(row.get("ratio"), 2),
            f"{row['ratio_min']:.2f}-{row['ratio_max']:.2f}" if against else ""))
    return table(lines, words={0, 7})


def short(row):
    return row["server"].removeprefix(f"{OURS}, ")


def rate(value, client_load):
    """Requests a second, with a mark where the load generator had no time left."""
    return f"{value:,.0f}{mark(client_load)}"


def number(value, digits):
    return "" if value is None else f"{value:,.{digits}f}"


def table(lines, words):
    """Columns, of which some are words and the others numbers."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(
        text.ljust(width) if column in words else text.rjust(width)
        for column, (text, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def legend(report):
    """What the names in the table mean."""
    measured = {row["workload"] for row in report["rows"]}
    words = {workload.name: workload.title for workload in WORKLOADS if workload.name in measured}
    words |= report["descriptions"]
    width = 2 + max(map(len, words), default=0)
    lines = [textwrap.fill(meaning, 100, initial_indent=name.ljust(width),
                           subsequent_indent=" " * width) for name, meaning in words.items()]
    loads = [row.get(name) or 0 for row in report["rows"]
             for name in ("client_load", "against_client_load")]
    if max(loads, default=0) > CLIENT_LOAD_MAX:
        lines.append("*".ljust(width) + "the load generator had no time left: it could be more")
    return "\n".join(lines)


def single_figures(report):
    lines = []
    if report["memory_mb"]:
        lines.append(f"memory at {BAR_CONNECTIONS} connections: {report['memory_mb']:.1f} MB at "
                     "its largest")
    if report["start_ms"]:
        times = report["start_ms"]
        lines.append(f"start to first answer: {statistics.median(times):.1f} ms, "
                     f"{min(times):.1f} to {max(times):.1f} ms in {len(times)} starts")
    if report["neighbours"]:
        lines.append("bad neighbours: one read {pages:,} pages of 100, another one created "
                     "{creates:,} conversations meanwhile".format(**report["neighbours"]))
    return "\n".join(lines)


def bars(found):
    return table([("to be reached", "", "measured", ""),
                  *((bar["words"], bar["limit"], number(bar["value"], 2) + bar["mark"],
                     bar["verdict"]) for bar in found)], words={0, 1, 3})


def surroundings(report):
    others = report["other_load"]
    lines = [f"{name}: {value}" for name, value in report["machine"].items()]
    if others:
        lines.append(f"what else ran: {statistics.median(others):.2f} processors in the median, "
                     f"{max(others):.2f} at most")
    return "\n".join([*lines, f"command: {report['command']}"])
