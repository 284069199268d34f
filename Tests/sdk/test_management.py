"""The management listener: health, readiness and metrics, on connections of its own."""

import http.client
import os
import signal
import socket
import stat
from contextlib import ExitStack, closing, contextmanager

import pytest
from conftest import ANSWER_SECONDS, bearer, read_answer
from metrics import Metrics
from unix_http import UnixConnection, ask

ADDRESS = "CONVERSATIOND_MANAGEMENT_ADDRESS"
PATHS = ["/healthz", "/readyz", "/metrics"]


class Management:
    """How to ask a server that listens on a path, or on a port of 127.0.0.1."""

    def __init__(self, server, path=None, port=None):
        self.server, self.path, self.port = server, path, port

    def connection(self):
        if self.path:
            return UnixConnection(self.path)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)

    def get(self, path, headers=(), method="GET"):
        return ask(self.connection(), method, path, headers)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.sock"


@pytest.fixture
def on_socket(start, path):
    """Starts a server with its management listener on a Unix socket."""

    def on_socket(**settings):
        environment = {f"CONVERSATIOND_HTTP_{name.upper()}": str(value)
                       for name, value in settings.items()}
        return Management(start(environment={ADDRESS: f"unix:{path}", **environment}), path)

    return on_socket


@pytest.fixture
def on_port(start):
    """Starts a server with its management listener on a port of an address."""

    def on_port(host):
        server = start(environment={ADDRESS: f"{host}:0"})
        line = next(line for line in server.log().splitlines() if "management listening" in line)
        return Management(server, port=int(line.rpartition(":")[2].split('"')[0]))

    return on_port


def test_it_answers_three_routes_and_no_others_without_a_key(on_socket, make_key):
    make_key()
    management = on_socket(require_keys="true")
    for route in PATHS:
        assert management.get(route).status == 200
        assert management.get(route, method="HEAD").body == b""
    assert b"conversationd_http_requests_total" in management.get("/metrics").body
    for route in ("/v1/conversations", "/openapi.json", "/", "/v1/conversations/x", "/nope%"):
        assert management.get(route).status in (400, 404)
        assert management.get(route, method="POST").status in (400, 404)
    assert management.get("/healthz", method="POST").status == 405
    assert management.get("/metrics?a=1").error["code"] == "unknown_parameter"
    # The service itself asks for a key as before.
    assert management.server.request("GET", "/metrics").status == 401


def test_it_alone_names_keys_and_projects(on_socket, make_key):
    odd = 'quote" and \\ backslash'
    headers = [bearer(make_key(*options)) for options in [
        ("app", "--admin"), (odd, "--project=sales"), ("app", "--project=sales")]]
    management = on_socket()
    for times, header in enumerate(headers, start=1):
        for _ in range(times):
            management.server.request("GET", "/v1/conversations", headers=header)
    # One that is refused was of no key.
    assert management.server.request("GET", "/v1/conversations").status == 401
    metrics = Metrics(management.get("/metrics").body.decode())
    assert metrics.counts("key_requests_total", "project", "key") == {
        ("default", "app"): 1, ("sales", odd): 2, ("sales", "app"): 3}
    answer = management.server.request("GET", "/metrics", headers=headers[0])
    assert answer.status == 200 and b"key_requests" not in answer.body
    assert "project_conversations" not in metrics.text


def test_it_alone_tells_what_is_in_each_project_where_asked(
        start, path, make_key, wait_until):
    keys = [make_key("a", "--project=sales"), make_key("b", "--admin")]
    server = start()
    body = {"items": 2 * [{"type": "message", "role": "user", "content": "x"}]}
    for key in [keys[0], *keys]:
        assert server.request("POST", "/v1/conversations", body, bearer(key)).status == 200
    server.stop()
    management = Management(start(environment={
        ADDRESS: f"unix:{path}", "CONVERSATIOND_MANAGEMENT_PROJECT_COUNTS": "true"}), path)
    # They are counted once the server has begun.
    wait_until(lambda: b"project_items" in management.get("/metrics").body)
    metrics = Metrics(management.get("/metrics").body.decode())
    assert metrics.counts("project_conversations", "project") == {("default",): 1, ("sales",): 2}
    assert metrics.counts("project_items", "project") == {("default",): 2, ("sales",): 4}
    answer = management.server.request("GET", "/metrics", headers=bearer(keys[1]))
    assert answer.status == 200 and b"conversationd_project" not in answer.body


def test_the_socket_is_for_its_user_alone_and_goes_with_the_server(on_socket, path):
    before = os.umask(0)
    try:
        management = on_socket()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert management.server.stop() == 0
    assert not path.exists()


def test_the_log_names_the_socket_as_the_address(on_socket):
    management = on_socket()
    management.get("/healthz")
    assert "path=/healthz status=200 address=unix " in management.server.log()


def test_the_socket_of_a_dead_server_is_replaced(on_socket, path):
    management = on_socket()
    management.server.kill()
    assert path.exists()
    management.server.start()
    assert management.get("/readyz").status == 200


def test_the_socket_of_a_live_server_is_an_error(on_socket, refused, path):
    management = on_socket()
    line = refused("serve", "--port", 0, "--database", "other.db", status=69,
                   environment={ADDRESS: f"unix:{path}"})
    assert line == f"Error: management address unix:{path}: another program listens there"
    assert not (management.server.folder / "other.db").exists()
    assert management.get("/readyz").status == 200


def test_another_file_is_never_replaced(refused, path):
    path.write_text("mine", encoding="utf-8")
    line = refused("serve", "--port", 0, "--database", "other.db", status=69,
                   environment={ADDRESS: f"unix:{path}"})
    assert line == f"Error: management address unix:{path}: this file exists, and is no socket"
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_port_that_is_taken_is_an_error(server, refused):
    line = refused("serve", "--port", 0, "--database", "other.db", status=69,
                   environment={ADDRESS: f"127.0.0.1:{server.port}"})
    assert line.startswith(f"Error: management address 127.0.0.1:{server.port}: ")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_on_loopback_the_host_must_be_loopback(on_port, host):
    management = on_port(host)
    for route in PATHS:
        for name in ("localhost", "127.0.0.1:80", "[::1]"):
            assert management.get(route, {"Host": name}).status == 200
        for name in ("example.com", "localhost.example.com", "10.0.0.1"):
            answer = management.get(route, {"Host": name})
            assert (answer.status, answer.error["code"]) == (403, "host_not_allowed")


def test_on_another_address_metrics_are_refused(on_port):
    management = on_port("0.0.0.0")
    for route in PATHS[:2]:
        assert management.get(route, {"Host": "example.com"}).status == 200
    answer = management.get("/metrics")
    assert (answer.status, answer.error["code"]) == (403, "insufficient_permissions")


def test_it_has_no_tls(start, tls, path):
    server = start(tls=tls, environment={ADDRESS: f"unix:{path}"})
    assert Management(server, path).get("/readyz").status == 200


@contextmanager
def all_taken(server, count):
    """Has so many connections, each of which was served."""
    with ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(closing(server.connection()))
            connection.request("GET", "/healthz")
            assert read_answer(connection).status == 200
        yield


def refuse(server):
    with socket.create_connection((server.host, server.port), timeout=ANSWER_SECONDS) as refused:
        assert refused.recv(1) == b""


def test_it_answers_when_all_other_connections_are_taken(on_socket, wait_until):
    management = on_socket(connections_max=5)
    server = management.server

    def refusals():
        return [line for line in server.log().splitlines() if "connections were refused" in line]

    with all_taken(server, 5):
        for _ in range(7):
            refuse(server)
        for route in PATHS:
            assert management.get(route).status == 200
        assert b'reason="connections_max"} 7' in management.get("/metrics").body
        wait_until(refusals)
        # Those of the next minute are told of when it is over.
        for _ in range(3):
            refuse(server)
        assert len(refusals()) == 1
        assert "level=warning" in refusals()[0] and "refused=" in refusals()[0]


def test_it_has_a_few_connections_and_no_more(on_socket):
    management = on_socket()
    with ExitStack() as stack:
        for _ in range(16):
            connection = stack.enter_context(closing(management.connection()))
            connection.request("GET", "/healthz")
            assert read_answer(connection).status == 200
        with socket.socket(socket.AF_UNIX) as refused:
            refused.settimeout(ANSWER_SECONDS)
            refused.connect(str(management.path))
            assert refused.recv(1) == b""
        # They are not those of the service.
        assert management.server.request("GET", "/healthz").status == 200
    assert management.server.stop(signal.SIGTERM) == 0
