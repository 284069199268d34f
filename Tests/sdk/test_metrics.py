"""`/metrics` agrees with what was sent, whoever sent it."""

import json
import random
import re
import socket
import sqlite3
import string
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from conftest import bearer, read_answer
from metrics import PREFIX, Metrics, scrape

LIST, ONE = "/v1/conversations", "/v1/conversations/{conversation_id}"
UNKNOWN = LIST + "/conv_" + 48 * "0"
WRITERS = 20
BODY_BYTES = 1024


@pytest.fixture
def start_with(start):
    """Starts a server with settings of its section `http`."""

    def start_with(*arguments, **settings):
        environment = {f"CONVERSATIOND_HTTP_{name.upper()}": str(value)
                       for name, value in settings.items()}
        return start(*arguments, environment=environment)

    return start_with


def send_all(server, requests):
    """Sends requests one after the other, and returns their statuses."""
    return [server.request(method, path, body, headers).status
            for method, path, body, headers in requests]


# The format

LINE = re.compile(
    r'[a-z_]+(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? (\+Inf|[0-9.]+(e[-+]?[0-9]+)?)')
METRICS = {
    "http_requests": "counter", "http_request_duration_seconds": "histogram",
    "rejected": "counter", "connections": "gauge", "connections_accepted": "counter",
    "retention_deleted": "counter",
    "write_group_size": "histogram", "write_wait_seconds": "histogram",
    "write_commit_seconds": "histogram", "write_groups_failed": "counter",
    "writes_waiting": "gauge", "database_bytes": "gauge", "database_wal_bytes": "gauge",
    "database_wal_stuck": "gauge", "log_lines_dropped": "counter", "build_info": "gauge",
    "process_start_time_seconds": "gauge", "process_resident_memory_bytes": "gauge",
    "process_open_fds": "gauge", "process_max_fds": "gauge"}


def test_every_metric_is_documented_and_stands_once(server):
    send_all(server, [("GET", "/healthz", None, ()), ("POST", LIST, {}, ())])
    metrics = scrape(server)
    assert {family.name.removeprefix(PREFIX): family.type for family in metrics.families} == (
        METRICS)
    assert len(metrics.families) == len(METRICS)
    assert all(family.documentation.endswith(".") for family in metrics.families)
    names = [(sample.name, *sorted(sample.labels.items())) for sample in metrics.samples]
    assert len(names) == len(set(names))


def test_the_program_and_its_process_are_described(start, run):
    before = time.time()
    server = start()
    metrics = scrape(server)
    build, = [sample.labels for sample in metrics.samples if sample.name == PREFIX + "build_info"]
    version, _, commit = run("--version").stdout.strip().partition(" (commit ")
    assert (build["version"], build["commit"]) == (version, commit.rstrip(")"))
    assert re.fullmatch(r"3\.\d+\.\d+", build["sqlite"])
    process = {sample.name: sample.value for sample in metrics.samples
               if sample.name.startswith("process_")}
    assert before - 1 <= process["process_start_time_seconds"] <= time.time()
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10
    # The kernel counts both only now and then.
    assert peak / 4 < process["process_resident_memory_bytes"] < 2 * peak
    with ExitStack() as stack:
        for _ in range(10):
            connection = stack.enter_context(closing(server.connection()))
            connection.request("GET", "/healthz")
            read_answer(connection)
        more = {sample.name: sample.value for sample in scrape(server).samples}
    assert more["process_open_fds"] >= process["process_open_fds"] + 10
    limits = Path(f"/proc/{server.process.pid}/limits").read_text(encoding="ascii")
    assert process["process_max_fds"] == int(re.search(r"Max open files +(\d+)", limits)[1])


def test_the_text_is_of_the_format_to_the_letter(server):
    # The parser is laxer than Prometheus.
    send_all(server, [("GET", '/no"pe\\n', None, ()), ("POST", LIST, {}, ())])
    answer = server.request("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.body.decode("ascii").split("\n")
    assert lines.pop() == ""
    names = []
    for line in lines:
        if line.startswith("# HELP "):
            names.append(line.split()[2])
        elif line.startswith("# TYPE "):
            assert line.split()[2] == names[-1]
        else:
            assert LINE.fullmatch(line), line
            assert line.startswith(names[-1])


def test_head_is_answered_without_the_text(server):
    answer = server.request("HEAD", "/metrics")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 1000


# Requests


def test_requests_are_counted_by_route_method_and_status(server):
    conversation = server.request("POST", LIST, {}).json()["id"]
    path = f"{LIST}/{conversation}"
    # What is sent, how often, and where it is counted.
    table = [
        ("GET", LIST, None, 3, LIST, "GET", 200),
        ("GET", f"{LIST}?limit=x", None, 2, LIST, "GET", 400),
        ("POST", LIST, b"{", 4, LIST, "POST", 400),
        ("PUT", LIST, None, 2, LIST, "PUT", 405),
        ("OPTIONS", LIST, None, 1, LIST, "OPTIONS", 405),
        ("GET", path, None, 5, ONE, "GET", 200),
        ("HEAD", path, None, 2, ONE, "HEAD", 200),
        ("POST", path, {"metadata": {"a": "1"}}, 3, ONE, "POST", 200),
        ("PATCH", path, {"metadata": {"b": "1"}}, 2, ONE, "PATCH", 200),
        ("GET", UNKNOWN, None, 2, ONE, "GET", 404),
        ("DELETE", path, None, 1, ONE, "DELETE", 200),
        ("DELETE", path, None, 1, ONE, "DELETE", 404),
        ("GET", "/healthz", None, 2, "/healthz", "GET", 200),
        ("GET", "/readyz", None, 2, "/readyz", "GET", 200),
        ("GET", "/openapi.json", None, 1, "/openapi.json", "GET", 200),
        ("GET", "/nope", None, 3, "none", "GET", 404),
        ("BREW", "/nope", None, 2, "none", "other", 404),
        ("get", "/healthz", None, 1, "/healthz", "other", 405),
    ]
    expected = {(LIST, "POST", "200"): 1}
    for method, target, body, times, route, counted_method, status in table:
        assert send_all(server, times * [(method, target, body, ())]) == times * [status]
        expected[route, counted_method, str(status)] = times
    metrics = scrape(server)
    assert metrics.counts("http_requests_total", "route", "method", "status") == expected
    # A scrape is counted too, once it is answered.
    assert scrape(server).value(
        "http_requests_total", route="/metrics", method="GET", status="200") == 1


def test_durations_are_as_many_as_requests(server):
    start = time.monotonic()
    send_all(server, 20 * [("POST", LIST, {}, ())] + 10 * [("GET", LIST, None, ())]
             + 5 * [("GET", "/nope", None, ())])
    elapsed = time.monotonic() - start
    metrics = scrape(server)
    for route, times in [(LIST, 30), ("none", 5)]:
        buckets = metrics.buckets("http_request_duration_seconds", route=route)
        assert list(buckets) == sorted(buckets)
        assert list(buckets.values()) == sorted(buckets.values())
        assert buckets[float("inf")] == times
        assert metrics.value("http_request_duration_seconds_count", route=route) == times
        # They came one after the other.
        assert 0 < metrics.value("http_request_duration_seconds_sum", route=route) < elapsed


def test_a_request_that_waits_is_in_a_high_bucket(server):
    with closing(sqlite3.connect(server.database, isolation_level=None)) as other, closing(
            server.connection()) as connection:
        other.execute("BEGIN IMMEDIATE")
        connection.request("POST", LIST, "{}")
        time.sleep(0.6)  # What is measured.
        other.execute("ROLLBACK")
        assert read_answer(connection).status == 200
    metrics = scrape(server)
    for name, labels in [("http_request_duration_seconds", {"route": LIST}),
                         ("write_commit_seconds", {})]:
        assert metrics.buckets(name, **labels)[0.25] == 0
        assert metrics.value(f"{name}_sum", **labels) > 0.25


def test_inventions_of_clients_make_no_series(server):
    random_text = random.Random(4)
    before = len(scrape(server).samples)
    for _ in range(300):
        word = "".join(random_text.choices(string.ascii_uppercase, k=12))
        server.request(word, f"/{word}")
        server.request("GET", f"{LIST}/{word}?{word}={word}")
        server.request("GET", f"{LIST}/{word}", headers={word: word, "Origin": f"http://{word}"})
    metrics = scrape(server)
    assert metrics.value("http_requests_total", route="none", method="other", status="404") == 300
    # Two routes with their 18 lines of durations each, that of `/metrics`, and some counts.
    assert len(metrics.samples) < before + 80
    assert max(map(len, metrics.text.splitlines())) < 150


# What was refused


def test_refusals_are_counted_by_reason(start_with):
    server = start_with(body_bytes_max=BODY_BYTES)
    table = [
        ("not_found", 2, ("GET", "/nope", None, ())),
        ("not_found", 3, ("GET", UNKNOWN, None, ())),
        ("method_not_supported", 2, ("PUT", LIST, None, ())),
        ("request_too_large", 3, ("POST", LIST, 2000 * b" ", ())),
        ("invalid_json", 2, ("POST", LIST, b"{", ())),
        ("unknown_parameter", 1, ("GET", f"{LIST}?a=b", None, ())),
        ("host_not_allowed", 2, ("GET", LIST, None, {"Host": "example.com"})),
        ("origin_not_allowed", 1, ("GET", LIST, None, {"Origin": "https://example.com"})),
        ("invalid_header", 1, (
            "POST", LIST, b"{}", {"Transfer-Encoding": "gzip", "Content-Length": "2"})),
    ]
    expected = {}
    for reason, times, request in table:
        assert min(send_all(server, times * [request])) >= 400
        expected[reason,] = expected.get((reason,), 0) + times
    assert scrape(server).counts("rejected_total", "reason") == expected
    assert send_all(server, [("POST", LIST, {}, ()), ("GET", LIST, None, ())]) == [200, 200]
    assert scrape(server).counts("rejected_total", "reason") == expected


def test_refusals_of_keys_are_counted_by_reason(server, make_key):
    key, reader = bearer(make_key("a", "--admin")), bearer(make_key("b", "--read-only"))
    wrong = bearer("sk-wrong")
    requests = [
        ("GET", LIST, None, ()), ("GET", LIST, None, ()), ("GET", LIST, None, wrong),
        ("GET", LIST, None, wrong), ("GET", "/nope", None, wrong), ("POST", LIST, {}, reader),
        ("GET", LIST, None, {**key, "OpenAI-Project": "other"})]
    assert send_all(server, requests) == [401, 401, 401, 401, 401, 403, 401]
    assert scrape(server, **key).counts("rejected_total", "reason") == {
        ("missing_api_key",): 2, ("invalid_api_key",): 3, ("insufficient_permissions",): 1,
        ("invalid_project",): 1}


def test_refusals_over_the_rate_are_counted(start_with):
    server = start_with(requests_per_minute_max=1, open_metrics="true")
    assert send_all(server, 4 * [("GET", LIST, None, ())]) == [200, 429, 429, 429]
    metrics = scrape(server)
    assert metrics.counts("rejected_total", "reason") == {("rate_limit_exceeded",): 3}
    assert metrics.value(
        "http_requests_total", route=LIST, method="GET", status="429") == 3


def test_a_failure_of_the_server_has_a_reason(server):
    with closing(sqlite3.connect(server.database)) as connection:
        connection.execute("CREATE TRIGGER no BEFORE INSERT ON conversations "
                           "BEGIN SELECT RAISE(ABORT, 'no'); END")
    assert send_all(server, [("POST", LIST, {}, ())]) == [500]
    assert scrape(server).counts("rejected_total", "reason") == {("internal_error",): 1}


# Connections


def test_connections_are_counted(server, wait_until):
    with closing(server.connection()) as operator, ExitStack() as clients:
        def count(name):
            # On one connection: another one would be counted too.
            operator.request("GET", "/metrics")
            return Metrics(read_answer(operator).body.decode()).value(name)

        assert count("connections") == 1
        for _ in range(10):
            clients.enter_context(socket.create_connection((server.host, server.port)))
        wait_until(lambda: count("connections") == 11)
        assert count("connections_accepted_total") == 11
        clients.close()
        wait_until(lambda: count("connections") == 1)
        assert count("connections_accepted_total") == 11


def test_connections_past_the_limit_are_counted(start_with, wait_until):
    server = start_with(connections_max=2)
    with closing(server.connection()) as first, socket.create_connection(
            (server.host, server.port)):
        first.request("GET", "/healthz")
        read_answer(first)
        for _ in range(3):
            with socket.create_connection((server.host, server.port), timeout=10) as refused:
                assert refused.recv(1) == b""
        first.request("GET", "/metrics")
        text = read_answer(first).body.decode()
    assert f'{PREFIX}rejected_total{{reason="connections_max"}} 3\n' in text
    assert f"{PREFIX}connections 2\n" in text


def test_connections_past_the_limit_of_an_address_are_counted(start_with):
    server = start_with(connections_per_address_max=1)
    with closing(server.connection()) as first:
        first.request("GET", "/healthz")
        read_answer(first)
        with socket.create_connection((server.host, server.port), timeout=10) as refused:
            assert refused.recv(1) == b""
        first.request("GET", "/metrics")
        text = read_answer(first).body.decode()
    assert f'{PREFIX}rejected_total{{reason="connections_per_address_max"}} 1\n' in text


def test_connections_that_are_cut_off_are_counted(start_with, wait_until):
    server = start_with(request_timeout_seconds=1)
    with socket.create_connection((server.host, server.port), timeout=30) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
        assert slow.recv(1) == b""
    # It is counted a moment later.
    wait_until(lambda: scrape(server).counts("rejected_total", "reason"))
    assert scrape(server).counts("rejected_total", "reason") == {("request_timeout",): 1}


# Writes and the disk


def test_groups_of_writes_are_measured(server, wait_until):
    with closing(sqlite3.connect(server.database, isolation_level=None)) as other, ExitStack() as (
            clients):
        other.execute("BEGIN IMMEDIATE")
        connections = [clients.enter_context(closing(server.connection()))
                       for _ in range(WRITERS)]
        for connection in connections:
            connection.request("POST", LIST, json.dumps({"metadata": {"a": "1"}}))
        # At most one group runs, and waits for the lock; the writes that came later are the next.
        wait_until(lambda: scrape(server).value("writes_waiting") > 0
                   and server.has_read_all(WRITERS))
        waiting = scrape(server).value("writes_waiting")
        other.execute("ROLLBACK")
        assert [read_answer(connection).status for connection in connections] == WRITERS * [200]
    metrics = scrape(server)
    assert metrics.value("writes_waiting") == 0
    assert metrics.value("write_group_size_sum") == WRITERS
    groups = metrics.value("write_group_size_count")
    assert groups < WRITERS
    assert metrics.value("write_commit_seconds_count") == groups
    assert metrics.value("write_wait_seconds_count") == WRITERS
    buckets = metrics.buckets("write_group_size")
    assert buckets[float("inf")] == groups and buckets[4096] == groups
    largest = min(bound for bound, count in buckets.items() if count == groups)
    assert largest >= waiting
    assert metrics.value("write_groups_failed_total") == 0


def test_a_group_of_which_nothing_was_stored_is_counted(start):
    server = start(environment={"CONVERSATIOND_DATABASE_BUSY_TIMEOUT_MILLISECONDS": "20"})
    with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert send_all(server, 2 * [("POST", LIST, {}, ())]) == [503, 503]
        other.execute("ROLLBACK")
    metrics = scrape(server)
    assert metrics.value("write_groups_failed_total") == 2
    assert metrics.counts("rejected_total", "reason") == {("unavailable",): 2}


def test_sizes_are_those_of_the_files(server):
    log = server.database.with_name(server.database.name + "-wal")
    before = scrape(server)
    assert before.value("database_bytes") == server.database.stat().st_size > 0
    assert before.value("database_wal_bytes") == log.stat().st_size
    send_all(server, 20 * [("POST", LIST, {"metadata": {"a": 500 * "x"}}, ())])
    after = scrape(server)
    assert after.value("database_bytes") == server.database.stat().st_size
    assert after.value("database_wal_bytes") == log.stat().st_size
    assert after.value("database_wal_bytes") > before.value("database_wal_bytes")


# Who may read it


def test_metrics_need_an_admin_key_of_the_default_project_once_there_is_a_key(server, make_key):
    assert server.request("GET", "/metrics").status == 200
    writer, reader = bearer(make_key("a")), bearer(make_key("b", "--read-only"))
    admin = bearer(make_key("c", "--admin"))
    others = bearer(make_key("c", "--admin", "--project", "others"))
    wrong = bearer("sk-wrong")
    assert send_all(server, [("GET", "/metrics", None, headers) for headers in (
        (), wrong, writer, reader, others, admin)]) == [401, 401, 403, 403, 403, 200]
    answer = server.request("GET", "/metrics", headers=writer)
    assert answer.error["code"] == "insufficient_permissions"
    assert "only an admin key of the project 'default'" in answer.error["message"]


def test_a_setting_opens_metrics_to_all_and_nothing_else(start_with, make_key):
    key = bearer(make_key())
    server = start_with(open_metrics="true")
    assert send_all(server, [
        ("GET", "/metrics", None, ()), ("GET", "/metrics", None, key),
        ("GET", LIST, None, ()), ("GET", "/nope", None, ()), ("POST", "/metrics", {}, ()),
    ]) == [200, 200, 401, 401, 405]
