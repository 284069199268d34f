"""`conversationd status` and `conversationd healthcheck` ask a server that runs."""

import json
import re
import socket
import threading
from contextlib import contextmanager, suppress

import pytest

ADDRESS = "CONVERSATIOND_MANAGEMENT_ADDRESS"
INTERVAL_SECONDS = 1


@pytest.fixture
def management(tmp_path):
    """The environment of a server with a management listener, and of the commands that ask it."""
    return {ADDRESS: f"unix:{tmp_path}/m.sock"}


@pytest.fixture
def broken(start, management, tmp_path):
    """A server whose database is gone, so that it is not ready."""
    server = start(environment=management)
    server.database.unlink()
    return server


def status(run, environment, *arguments):
    result = run("status", "--json", *arguments, environment=environment)
    return result.returncode, json.loads(result.stdout)


def test_status_agrees_with_the_server(start, run, management):
    server = start(environment=management)
    id = server.request("POST", "/v1/conversations", {}).json()["id"]
    for _ in range(5):
        server.request("GET", f"/v1/conversations/{id}")
    code, shown = status(run, management)
    assert (code, shown["ready"], shown["reason"]) == (0, True, None)
    version = run("--version").stdout.split()[0]
    assert shown["version"] == version and re.fullmatch(r"3\.\d+\.\d+", shown["sqlite"])
    assert shown["database_bytes"] + shown["wal_bytes"] > 4096
    assert shown["resident_bytes"] > 1 << 20 and shown["descriptors"] > 3
    assert shown["certificate_expires_at"] is None
    routes = {route["route"]: route for route in shown["routes"]}
    assert routes["/v1/conversations/{conversation_id}"]["requests"] == 5
    assert routes["/v1/conversations"]["requests"] == 1
    for route in routes.values():
        assert 0 < route["mean_seconds"]
    bounds = [route["p99_seconds"] or float("inf") for route in shown["routes"]]
    assert bounds == sorted(bounds, reverse=True)


def test_rates_are_those_of_the_time_that_is_counted(start, run, management):
    server = start(environment=management)
    is_over = threading.Event()

    def write():
        while not is_over.is_set():
            server.request("POST", "/v1/conversations", {})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        _, shown = status(run, management, "--seconds", INTERVAL_SECONDS)
    finally:
        is_over.set()
        writer.join()
    assert shown["writes_per_second"] > 0
    assert shown["requests_per_second"] > shown["writes_per_second"] / 2
    assert shown["server_errors_per_second"] == 0
    # It asks for /metrics itself, once in that time.
    _, quiet = status(run, management)
    assert quiet["writes_per_second"] == 0 and quiet["requests_per_second"] <= 1


def test_a_person_reads_lines_and_a_table(start, run, management):
    server = start(environment=management)
    server.request("GET", "/v1/conversations")
    text = run("status", environment=management).stdout
    assert re.search(r"^ready: +yes$", text, re.MULTILINE)
    assert re.search(r"^memory: +\d+\.\d MiB$", text, re.MULTILINE)
    assert re.search(r"^requests: +\d+\.\d a second$", text, re.MULTILINE)
    assert re.search(r"^SLOWEST ROUTES +REQUESTS +MEAN +99 % WITHIN$", text, re.MULTILINE)
    assert re.search(r"^/v1/conversations +1 +\d+\.\d\d ms +\d+\.\d\d ms$", text, re.MULTILINE)


def test_a_server_that_is_not_ready_has_its_reason_and_status_69(broken, run, management):
    code, shown = status(run, management)
    assert (code, shown["ready"]) == (69, False)
    assert shown["reason"].startswith("Not ready: ")
    result = run("status", environment=management)
    assert result.returncode == 69
    assert result.stdout.splitlines()[0].split(maxsplit=1) == ["ready:", f"no: {shown['reason']}"]


def test_without_a_management_listener_the_service_is_asked(server, run):
    code, shown = status(run, {}, "--port", server.port)
    assert (code, shown["ready"]) == (0, True)


def test_metrics_that_need_a_key_are_told_of(server, make_key, refused):
    make_key()
    line = refused("status", "--port", server.port, status=69)
    assert "does not show its metrics" in line and "'management.address'" in line


@pytest.mark.parametrize("seconds", ["0", "3601", "x"])
def test_a_time_out_of_range_is_a_usage_error(run, seconds):
    assert run("status", "--seconds", seconds).returncode == 64


# healthcheck


def test_a_ready_server_is_healthy(start, run, management):
    server = start(environment=management)
    for options in ({"environment": management}, {}):
        arguments = [] if options else ["--port", server.port]
        result = run("healthcheck", *arguments, **options)
        assert (result.returncode, result.stdout, result.stderr) == (0, "ready\n", "")
        result = run("healthcheck", "--live", *arguments, **options)
        assert (result.returncode, result.stdout) == (0, "alive\n")


def test_a_server_that_is_not_ready_lives_all_the_same(broken, run, refused, management):
    line = refused("healthcheck", environment=management, status=69)
    assert line.startswith(f"Error: the server at {management[ADDRESS]}: Not ready: ")
    assert run("healthcheck", "--live", environment=management).returncode == 0


@pytest.mark.parametrize("command", ["status", "healthcheck"])
def test_nobody_who_answers_is_an_error(refused, command, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    line = refused(command, "--port", port, status=69)
    assert line == f"Error: no server answers at 127.0.0.1:{port}: connection refused"
    line = refused(command, environment={ADDRESS: f"unix:{tmp_path}/none"}, status=69)
    assert line == f"Error: no server answers at unix:{tmp_path}/none: no such file or directory"


@contextmanager
def answering(*answers):
    """A server of something else: says the pieces of one answer to each request, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            for pieces in answers:
                connection, _ = listener.accept()
                with connection, suppress(ConnectionError):
                    connection.recv(4096)
                    for piece in pieces:
                        connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("text", [
    b"", b"\r\n\r\n", b"220 mail ready\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"status\":"])
def test_what_is_not_a_whole_answer_is_an_error(refused, text):
    with answering([text]) as port:
        line = refused("healthcheck", "--port", port, status=69)
    assert line == (
        f"Error: what listens at 127.0.0.1:{port} did not answer in HTTP, or not in time")


def test_an_answer_that_drips_ends_in_time(refused):
    is_over = threading.Event()

    def drips():
        while not is_over.wait(0.1):
            yield b"H"

    with answering(drips()) as port:
        try:
            line = refused("healthcheck", "--port", port, status=69)
        finally:
            is_over.set()
    assert "did not answer in HTTP, or not in time" in line


def test_numbers_out_of_all_proportion_are_shown_as_unknown(run):
    name = "conversationd_http_request_duration_seconds"
    odd = (f'{name}_bucket{{route="/a",le="+Inf"}} 1e300\n{name}_count{{route="/a"}} 1e300\n'
           "conversationd_connections NaN\nconversationd_http_requests_total 1e300\n")
    # As after a restart, it counts less than before.
    restarted = "conversationd_http_requests_total 0\n" + odd.replace(
        "requests_total 1e300", "requests_total 3")
    with answering([whole(odd)], [whole(restarted)], [whole("{}")]) as port:
        result = run("status", "--port", port)
    assert result.returncode == 0 and "a second" in result.stdout
    assert "-" not in re.search("^requests:.*", result.stdout, re.MULTILINE)[0]
    with answering([whole("")], [whole(odd)], [whole("{}")]) as port:
        result = run("status", "--port", port)
    assert re.search(r"^requests: +unknown a second$", result.stdout, re.MULTILINE)


def whole(body):
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_with_tls_the_management_listener_is_needed(refused, tls):
    line = refused("healthcheck", environment=tls.environment, status=78)
    assert "'management.address'" in line


def test_a_free_port_cannot_be_asked(refused):
    assert "the settings say 0" in refused("healthcheck", "--port", "0", status=78)


# JSON of the other commands


def test_migrate_tells_what_it_did(run, tmp_path):
    first = json.loads(run("migrate", "--database", "a.db", "--json").stdout)
    assert first["database"] == "a.db" and first["backup"] is None
    assert first["applied"][0] == "0001_create_conversations"
    again = json.loads(run("migrate", "--database", "a.db", "--json").stdout)
    assert again == {"database": "a.db", "backup": None, "applied": []}


def test_check_tells_counts_and_findings(server, run, sqlite):
    server.request("POST", "/v1/conversations", {
        "metadata": {"a": "1", "b": "2"}, "items": [{"role": "user", "content": "x"}]})
    report = json.loads(run("check", "--database", server.database, "--json").stdout)
    assert report == {"database": str(server.database), "conversations": 1, "metadata_pairs": 2,
                      "items": 1, "findings": []}
    sqlite(server.database, "UPDATE metadata SET value = CAST(x'ff' AS TEXT) WHERE key = 'a'")
    result = run("check", "--database", server.database, "--json")
    finding, = json.loads(result.stdout)["findings"]
    assert result.returncode == 65 and "not UTF-8" in finding


def test_keys_list_tells_each_key(keys, make_key):
    key = make_key("app", "--read-only", "--expires", "90d")
    make_key("ops", "--admin", "--project", "sales")
    keys("revoke", "ops")
    result = keys("list", "--json")
    assert result.stderr == ""
    app, ops = json.loads(result.stdout)
    assert app.pop("created_at") + 90 * 86400 == app.pop("expires_at")
    assert app == {"name": "app", "project": "default", "rights": "read_only", "admin": False,
                   "state": "active", "last_used_at": None, "requests_per_minute": None,
                   "redacted_value": f"{key[:7]}..."}
    assert (ops["project"], ops["rights"], ops["admin"], ops["state"], ops["expires_at"]) == (
        "sales", "read_write", True, "revoked", None)
