"""`scripts/bench`, on a database that is too small for its figures to mean anything."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from conftest import REPOSITORY, clean_environment

sys.path.insert(0, str(REPOSITORY / "scripts/bench.d"))

import report
from bars import bars
from build import build_commit, short_name
from contest import Cell, Commit, Contest, Results
from measure import Failure, Processors, Run, load
from workloads import BY_NAME

WORKLOADS = ["update-1-of-16", "list", "mixed", "items-append", "items-get"]
SECONDS = 300


def bench(*arguments):
    return subprocess.run([REPOSITORY / "scripts/bench", *map(str, arguments)],
                          env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=SECONDS)


def test_every_cell_has_its_figures(binary, tmp_path):
    result = bench("--binary", binary, "--workload", *WORKLOADS, "start", "--count", 200,
                   "--large", 0, "--rounds", 1, "--seconds", 1, "--connections", 64,
                   "--folder", tmp_path, "--json")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    rows = {(row["workload"], row.get("against")): row for row in answer["rows"]
            if row["server"] == "conversationd"}
    assert list(rows) == [
        ("update-1-of-16", "bare_sqlite"), ("update-1-of-16", "tuned_sqlite"),
        ("list", "bare_http"), ("mixed", None), ("items-append", "bare_sqlite"),
        ("items-append", "tuned_sqlite"), ("items-get", None)]
    for row in rows.values():
        assert all(row[name] > 0 for name in ("per_second", "p50_ms", "p99_ms", "cpu_us",
                                              "resident_mb")), row
    assert all(row["ratio"] > 0 for row in rows.values() if "against" in row)
    assert len(answer["start_ms"]) > 1 and min(answer["start_ms"]) > 0
    assert {round["server"] for round in answer["rounds"]} == {
        "conversationd", "bare_http", "bare_sqlite", "tuned_sqlite",
        "conversationd, conversation"}
    assert list(tmp_path.glob("conversationd-bench-*")) == []


def test_what_fails_does_not_take_the_other_figures_with_it(binary, tmp_path):
    # Only the time of a start is measured on a port that the bench chooses.
    cannot_start = tmp_path / "cannot-start"
    cannot_start.write_text(f'''#!/bin/sh
case "$*" in *"--port 0"*) ;; serve*) exit 1 ;; esac
exec {binary} "$@"
''')
    cannot_start.chmod(0o755)
    result = bench("--binary", cannot_start, "--workload", "mixed", "start", "--count", 200,
                   "--large", 0, "--rounds", 1, "--connections", 2, "--folder", tmp_path, "--json")
    assert result.returncode == 1
    assert result.stderr.endswith("\nbench: start: conversationd did not start\n")
    answer = json.loads(result.stdout)
    assert [row["workload"] for row in answer["rows"]] == ["mixed"]
    assert answer["start_ms"] == []


@pytest.fixture
def open_folder():
    """One that the user of a PostgreSQL may enter, who is not root."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_postgresql_has_its_figures_with_one_server_and_with_two(binary, open_folder):
    result = bench("--postgresql", "--binary", binary, "--workload", "update-1", "--count", 200,
                   "--large", 0, "--rounds", 1, "--connections", 2, "--folder", open_folder,
                   "--json")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    one, two = answer["rows"]
    assert (one["server"], two["server"], two["against"]) == (
        "conversationd", "conversationd, two servers", "conversationd")
    assert one["per_second"] > 0 and two["ratio"] > 0
    assert {path.name for path in open_folder.iterdir()} == {
        "bare_http", "bare_sqlite", "lock", "postgresql"}


def test_what_goes_with_sqlite_alone_is_refused():
    result = bench("--postgresql", "--workload", "get", "start")
    assert (result.returncode, result.stdout) == (2, "")
    assert "--postgresql does not measure start" in result.stderr


def repository(folder, binary):
    """A repository whose one commit installs this binary."""
    install = folder / "scripts/install"
    install.parent.mkdir(parents=True)
    install.write_text(f'#!/bin/sh\nmkdir -p "$2/bin" && cp {binary} "$2/bin/conversationd"\n')
    install.chmod(0o755)
    for arguments in (["init", "--quiet"], ["add", "."],
                      ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", "-C", folder, *arguments], check=True, env=clean_environment())
    return folder


def test_another_commit_is_built_once_and_measured_too(binary, tmp_path):
    root = repository(tmp_path / "repository", binary)
    name = short_name("HEAD", root)
    built = build_commit(tmp_path, name, root)
    assert subprocess.run([built, "--version"], capture_output=True).returncode == 0
    # Nothing is built again.
    shutil.rmtree(root)
    assert build_commit(tmp_path, name, root) == built

    options = Options()
    options.folder, options.against, options.count = tmp_path, Commit(name, built), 200
    options.rounds, options.seconds = 1, 1
    results = Results()
    contest = Contest(options, binary, Processors(pins=False), results)
    contest.run(BY_NAME["update-1"], [])
    [row] = [row for row in report.rows(results, options, [])
             if row.get("against") == f"conversationd {name}"]
    assert row["server"] == "conversationd" and row["ratio"] > 0
    [bar] = [bar for bar in bars(results, options, None, None) if name in bar.words]
    assert (bar.words, bar.least) == (f"update-1 of conversationd {name}", 0.97)
    assert bar.value == row["ratio"]


def test_unknown_commit_is_refused():
    result = bench("--against", "no-such-commit")
    assert (result.returncode, result.stdout) == (2, "")
    assert "no such commit: 'no-such-commit'" in result.stderr


def test_unknown_workload_is_refused():
    result = bench("--workload", "put")
    assert (result.returncode, result.stdout) == (2, "")
    assert "invalid choice: 'put'" in result.stderr


class Failing(BaseHTTPRequestHandler):
    """Fails every request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class FailingServer:
    """What `load` needs of a server."""

    name = "failing"
    headers = {}

    def __init__(self, folder):
        self.file = folder / "ids"
        self.file.write_text("conv_1\n")

    @contextmanager
    def running(self):
        with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
            self.origin = f"http://127.0.0.1:{server.server_port}"
            Thread(target=server.serve_forever).start()
            try:
                yield
            finally:
                server.shutdown()

    def pids(self):
        return [os.getpid()]

    def parts(self, run):
        return [(self, run)]

    def lines(self, workload):
        return self.file


def test_answers_without_success_are_a_failure(tmp_path):
    server = FailingServer(tmp_path)
    with server.running(), pytest.raises(Failure) as failure:
        load(server, Run(BY_NAME["get"], 1, 1, 0), Processors(pins=False))
    words = str(failure.value)
    assert words.startswith("failing, get, 1 connections: ")
    assert "without success; when sent again status 503: " in words


class Options:
    """What the report needs of the bench's options."""

    count, large, connections, against, postgresql = 10_000, 0, [64], None, False


def test_what_is_missed_is_shown_as_missed():
    results = Results()
    for ours, bare in [(50, 100), (70, 100), (58, 100)]:
        results.add(Cell("get"), {"per_second": ours})
        results.add(Cell("get", server="bare_http"), {"per_second": bare})
    found = bars(results, Options, memory_mb=63.9, start_ms=100.1)
    verdicts = {bar.words: (bar.value, bar.verdict) for bar in found if bar.value is not None}
    assert verdicts == {"get of bare_http": (0.58, "MISSED"), "memory": (63.9, "met"),
                        "start to first answer": (100.1, "MISSED")}
    lines = report.bars([{"words": bar.words, "limit": bar.limit, "value": bar.value,
                          "mark": bar.mark, "verdict": bar.verdict} for bar in found]).splitlines()
    assert lines[1].split() == ["get", "of", "bare_http", "at", "least", "0.6", "0.58", "MISSED"]
    assert [line.split()[-2:] for line in lines if "smg" in line] == [["not", "measured"]] * 3
