"""How much clients may take: connections, time, memory and requests."""

import re
import resource
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from openai import RateLimitError

from conftest import ANSWER_SECONDS, SANITIZER, read_answer

IDLE = 2000
SLOW = 200
OTHERS = 500
OTHER_CLIENTS = 4
REQUEST_SECONDS = 10
# A connection that was used keeps the memory for its header fields, by default 32 KiB, and has some
# more for its socket and its state. Measured: 30 KiB in all, and 43 with TLS.
CONNECTION_KIB_MAX = 32 + 8
# Of the whole process meanwhile. Measured: 100 MiB.
PROCESS_KIB_MAX = 160 * 1024
SLOW_STARTS = [
    b"GET /", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    b"POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"]
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def many_descriptors():
    """Room for the clients' ends of all connections in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * (IDLE + SLOW)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def limited(start):
    """Starts a server with settings of the section `http`."""

    def limited(**settings):
        options = {name: settings.pop(name) for name in ["preexec_fn"] if name in settings}
        environment = {
            f"CONVERSATIOND_HTTP_{name.upper()}": str(value) for name, value in settings.items()}
        return start(environment=environment, **options)

    return limited


def connect(server, source="127.0.0.1"):
    return socket.create_connection(
        (server.host, server.port), timeout=ANSWER_SECONDS, source_address=(source, 0))


def is_closed(client):
    """Waits until the server has closed a connection without an answer."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def is_served(client):
    """Whether a request on the connection is answered."""
    try:
        client.sendall(HEALTH)
        return client.recv(4096).startswith(b"HTTP/1.1 200 ")
    except (BrokenPipeError, ConnectionResetError):
        return False


def memory(server, name):
    """A line of /proc/PID/status, in KiB: proc(5)."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(re.search(rf"^{name}:\s+([0-9]+) kB$", status, re.MULTILINE)[1])


@contextmanager
def a_byte_a_second(clients):
    """Meanwhile each client sends a byte a second, until the server ends its connection. Yields the
    list of those that it ended."""
    ended, stop = [], threading.Event()

    def send():
        while not stop.wait(1):
            for client in set(clients) - set(ended):
                try:
                    client.sendall(b"a")
                except (BrokenPipeError, ConnectionResetError):
                    ended.append(client)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield ended
    finally:
        stop.set()
        thread.join()


def create_and_retrieve(server, count):
    with server.client(max_retries=0) as client:
        for number in range(count // 2):
            created = client.conversations.create(metadata={"number": str(number)})
            assert client.conversations.retrieve(created.id) == created


def test_others_are_answered_beside_idle_and_slow_clients(
        limited, many_descriptors, wait_until):
    server = limited(connections_max=4096, request_timeout_seconds=REQUEST_SECONDS,
                     idle_timeout_seconds=3600)
    create_and_retrieve(server, 20)
    before = memory(server, "VmRSS")
    with ExitStack() as stack:
        idle = [stack.enter_context(connect(server)) for _ in range(IDLE)]
        assert all(is_served(client) for client in idle)
        slow = [stack.enter_context(connect(server)) for _ in range(SLOW)]
        for number, client in enumerate(slow):
            client.sendall(SLOW_STARTS[number % len(SLOW_STARTS)])
        with a_byte_a_second(slow) as ended:
            with ThreadPoolExecutor(OTHER_CLIENTS) as pool:
                others = [pool.submit(create_and_retrieve, server, OTHERS // OTHER_CLIENTS)
                          for _ in range(OTHER_CLIENTS)]
            for other in others:
                other.result()
            during = memory(server, "VmRSS")
            wait_until(lambda: len(ended) == SLOW, seconds=6 * REQUEST_SECONDS)
        # Nobody else was.
        assert all(is_served(client) for client in idle)
    if not SANITIZER:
        assert during - before < (IDLE + SLOW) * CONNECTION_KIB_MAX
        assert memory(server, "VmHWM") < PROCESS_KIB_MAX
    assert server.stop() == 0


# Connections


def test_a_low_soft_limit_of_open_files_is_raised(limited):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    server = limited(
        connections_max=1000,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard)))
    soft, same = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    assert soft > 1000
    assert same == hard
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(200)]
        assert all(is_served(client) for client in clients)
    assert "limit of open files" not in server.log()


@pytest.mark.parametrize("hard", [400, 64], ids=lambda hard: f"{hard} files")
def test_a_low_hard_limit_of_open_files_is_warned_of_and_refuses_the_rest(
        limited, wait_until, hard):
    server = limited(
        connections_max=2048, event_loops=2,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (32, hard)))
    warning = re.compile("the limit of open files.*connections_max=([0-9]+)")
    wait_until(lambda: warning.search(server.log()))
    fit = int(warning.search(server.log())[1])
    assert 0 < fit < hard
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(fit + 50)]
        assert all(is_served(client) for client in clients[:fit])
        assert all(is_closed(client) for client in clients[fit:])
        # The database's files have theirs too.
        clients[0].sendall(b"POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\n"
                           b"Content-Length: 0\r\n\r\n")
        assert clients[0].recv(4096).startswith(b"HTTP/1.1 200 ")
    assert server.stop() == 0


def test_past_the_limit_a_client_is_refused_until_another_leaves(limited, wait_until):
    server = limited(connections_max=2)
    with connect(server) as first, connect(server) as second:
        assert is_served(first) and is_served(second)
        with connect(server) as third:
            assert is_closed(third)
        assert is_served(first) and is_served(second)

    def a_new_one_is_served():
        with connect(server) as client:
            return is_served(client)

    wait_until(a_new_one_is_served)


def test_each_address_has_its_own_limit(limited):
    server = limited(connections_per_address_max=2)
    with ExitStack() as stack:
        for source in ["127.0.0.1", "127.0.0.2", "127.255.0.1"]:
            for _ in range(2):
                assert is_served(stack.enter_context(connect(server, source)))
            for _ in range(3):
                assert is_closed(stack.enter_context(connect(server, source)))


def test_clients_of_one_ipv6_network_share_a_limit(limited):
    server = limited(host="::1", connections_per_address_max=1)
    with closing(server.connection()) as first, closing(server.connection()) as second:
        first.request("GET", "/healthz")
        assert read_answer(first).status == 200
        second.connect()
        assert is_closed(second.sock)


# Time


def test_a_silent_connection_is_closed(limited):
    server = limited(idle_timeout_seconds=1, request_timeout_seconds=3600)
    with connect(server) as silent, connect(server) as used:
        assert is_served(used)
        assert is_closed(used)
        assert is_closed(silent)


def test_a_slow_request_is_cut_off(limited):
    server = limited(idle_timeout_seconds=3600, request_timeout_seconds=1)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in SLOW_STARTS]
        for client, text in zip(clients, SLOW_STARTS, strict=True):
            client.sendall(text)
        with a_byte_a_second(clients):
            assert all(is_closed(client) for client in clients)


# Sizes


def refuses_header(server, size):
    """Whether a request with a header field of that size is refused rather than answered."""
    with connect(server) as client:
        try:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: "
                           + size * b"a" + b"\r\n\r\n")
            status = client.recv(4096)[:13]
        except (BrokenPipeError, ConnectionResetError):
            return True
    assert status in [b"", b"HTTP/1.1 200 ", b"HTTP/1.1 431 ", b"HTTP/1.1 413 "]
    return status != b"HTTP/1.1 200 "


@pytest.mark.parametrize("limit", [4096, 32_768, 131_072])
def test_a_header_past_the_limit_is_refused(limited, limit):
    server = limited(header_bytes_max=limit)
    assert not refuses_header(server, limit // 2)
    for size in [limit, limit + 1000, 10 * limit]:
        assert refuses_header(server, size)
    assert not refuses_header(server, limit // 2)


@pytest.mark.parametrize("limit", [1024, 1_048_576])
def test_a_body_past_the_limit_is_refused(limited, limit):
    server = limited(body_bytes_max=limit)
    for size, status in [(limit, 200), (limit + 1, 413), (limit, 200)]:
        answer = server.request("POST", "/v1/conversations", b"{}".ljust(size))
        assert answer.status == status


# Requests


def use_up(client):
    """Creates until the limit is reached; a few come back meanwhile."""
    with pytest.raises(RateLimitError) as refused:
        for _ in range(1000):
            client.conversations.create()
    return refused.value


def test_past_the_rate_the_sdk_reports_it(limited):
    server = limited(requests_per_minute_max=60)
    with server.client(max_retries=0) as client:
        first = client.conversations.with_raw_response.create()
        assert first.headers["x-ratelimit-limit-requests"] == "60"
        assert first.headers["x-ratelimit-remaining-requests"] == "59"
        assert first.headers["x-ratelimit-reset-requests"] == "1s"
        error = use_up(client)
    assert (error.status_code, error.type, error.code) == (429, "requests", "rate_limit_exceeded")
    assert error.message.startswith("Error code: 429")
    assert "Rate limit reached for requests per min (RPM): Limit 60" in error.message
    headers = error.response.headers
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert 0 < int(headers["retry-after-ms"]) <= 1000
    assert headers["retry-after"] == "1"
    assert error.request_id == headers["x-request-id"]
    # Whoever watches the server is none of those who are limited.
    assert server.request("GET", "/healthz").status == 200


def test_past_the_rate_the_sdk_waits_as_told_and_succeeds(limited):
    server = limited(requests_per_minute_max=60)
    with server.client(max_retries=0) as client:
        use_up(client)
        created = client.with_options(max_retries=3).conversations.with_raw_response.create(
            metadata={"a": "1"})
    assert created.retries_taken > 0
    assert created.parse().metadata == {"a": "1"}


def test_each_key_has_its_own_rate(limited, run):
    server = limited(requests_per_minute_max=60)
    keys = [run("keys", "create", "--name", name, "--database", server.database).stdout.strip()
            for name in ["one", "other"]]
    with server.client(api_key=keys[0], max_retries=0) as one:
        use_up(one)
        with server.client(api_key=keys[1], max_retries=0) as other:
            raw = other.conversations.with_raw_response.create()
    assert raw.headers["x-ratelimit-remaining-requests"] == "59"
