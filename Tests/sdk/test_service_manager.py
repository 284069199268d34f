"""What systemd hands to a service, and what it hears from it (sd_listen_fds(3), sd_notify(3))."""

import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import ANSWER_SECONDS, STOP_SECONDS, clean_environment, locked

FIRST_DESCRIPTOR = 3


# Sockets


def activated(binary, listeners, folder, *arguments, environment=None):
    """Begins a server with these sockets from descriptor 3 on, as systemd does."""
    descriptors = [listener.fileno() for listener in listeners]
    targets = range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + len(descriptors))
    # By way of numbers that are not among the targets. The shell's process becomes the server.
    moves = [f"{100 + target}>&{descriptor} " for target, descriptor in zip(targets, descriptors)]
    moves += [f"{target}>&{100 + target} {100 + target}>&- " for target in targets]
    script = (f"exec {''.join(moves)}; export LISTEN_PID=$$ LISTEN_FDS={len(descriptors)}; "
              'exec "$@"')
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            ["bash", "-c", script, "bash", binary, "serve", "--database", folder / "a.db",
             *arguments],
            env=clean_environment(environment), pass_fds=descriptors, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=log)


@pytest.fixture
def activate(binary, tmp_path):
    """Begins servers with sockets; every one is dead when the test is over."""
    processes = []

    def activate(*listeners, **options):
        processes.append(activated(binary, listeners, tmp_path, **options))
        return processes[-1]

    yield activate
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def address_lines(process, count):
    return [process.stdout.readline().decode() for _ in range(count)]


def get(port, path="/v1/conversations"):
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).split(b" ")[1]


def test_the_sockets_are_served_instead_of_the_settings(activate, tmp_path):
    with (socket.create_server(("127.0.0.1", 0)) as first,
          socket.socket(socket.AF_UNIX) as second, socket.socket(socket.AF_UNIX) as third):
        second.bind(str(tmp_path / "s"))
        third.bind(f"\0conversationd-{tmp_path.name}")
        second.listen()
        third.listen()
        port = first.getsockname()[1]
        # The port of the settings is taken by the test itself.
        process = activate(first, second, third, environment={"CONVERSATIOND_HTTP_PORT": str(port)})
        assert address_lines(process, 3) == [
            f"conversationd listening on http://127.0.0.1:{port}\n",
            f"conversationd listening on unix:{tmp_path}/s\n",
            f"conversationd listening on unix:@conversationd-{tmp_path.name}\n"]
        assert get(port) == b"200"
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0
        # They are systemd's, the file too.
        assert (tmp_path / "s").exists()


def test_no_connection_is_refused_over_a_restart(activate):
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        port = listener.getsockname()[1]
        is_over, refused, connected = threading.Event(), [], []

        def connect():
            while not is_over.is_set():
                try:
                    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS):
                        connected.append(1)
                except OSError as error:
                    refused.append(error)
                time.sleep(0.005)

        client = threading.Thread(target=connect)
        client.start()
        try:
            process = activate(listener)
            for _ in range(3):
                assert address_lines(process, 1)
                assert get(port) == b"200"
                process.terminate()
                assert process.wait(STOP_SECONDS) == 0
                with socket.create_connection(("127.0.0.1", port)) as waiting:
                    # Sent while nobody serves, and answered by the next.
                    waiting.settimeout(ANSWER_SECONDS)
                    waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    process = activate(listener)
                    assert waiting.recv(12) == b"HTTP/1.1 200"
        finally:
            is_over.set()
            client.join()
        assert connected and not refused


def test_a_socket_that_others_can_reach_needs_keys(activate, tmp_path):
    with socket.create_server(("0.0.0.0", 0)) as listener:
        process = activate(listener)
        assert process.wait(STOP_SECONDS) == 78
    log = (tmp_path / "server.log").read_text(encoding="utf-8")
    assert log.startswith(
        "Error: socket 3 of LISTEN_FDS: only loopback addresses are served, since there is no API "
        "key")
    assert not (tmp_path / "a.db").exists()


def test_what_does_not_listen_is_refused(activate, tmp_path):
    with socket.socket() as unbound, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        for wrong in (unbound, datagrams):
            assert activate(wrong).wait(STOP_SECONDS) == 78
    log = (tmp_path / "server.log").read_text(encoding="utf-8")
    assert log.count("socket 3 of LISTEN_FDS: it is no socket that listens for connections") == 2


def test_sockets_of_another_process_are_left_alone(start):
    server = start(environment={"LISTEN_PID": "1", "LISTEN_FDS": "1"})
    assert server.request("GET", "/healthz").status == 200


# Messages


class Manager:
    """What a service manager hears."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(ANSWER_SECONDS)

    def next(self):
        """The next message, as a dictionary, and WATCHDOG left out."""
        while True:
            lines = self.socket.recv(4096).decode().split("\n")
            message = dict(line.split("=", 1) for line in lines)
            if message != {"WATCHDOG": "1"}:
                return message


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """One that listens at a file, or at a name without one."""
    name = tmp_path / "n" if request.param == "path" else f"@conversationd-{tmp_path.name}"
    manager = Manager(str(name).replace("@", "\0", 1))
    manager.environment = {"NOTIFY_SOCKET": str(name)}
    yield manager
    manager.socket.close()


def test_it_hears_when_the_service_is_ready_reloads_and_stops(start, manager):
    server = start(environment=manager.environment)
    assert manager.next() == {"READY": "1"}
    assert server.request("GET", "/healthz").status == 200
    before = time.monotonic_ns() // 1000
    server.send(signal.SIGHUP)
    reloading = manager.next()
    assert reloading["RELOADING"] == "1"
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert manager.next() == {"READY": "1"}
    server.send()
    stopping = manager.next()
    assert stopping["STOPPING"] == "1"
    # systemd waits for as long as the slowest request may take.
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) >= 5_000_000
    assert server.wait() == 0


def test_it_is_not_told_ready_before_the_database_is(start, refused, manager, tmp_path):
    (tmp_path / "conversations.db").write_text("Dear diary\n" * 1000, encoding="utf-8")
    refused("serve", "--port", 0, environment=manager.environment)
    manager.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.next()


def test_the_time_to_drain_is_asked_for(start, manager):
    server = start(environment={**manager.environment, "CONVERSATIOND_HTTP_DRAIN_SECONDS": "60"})
    assert manager.next() == {"READY": "1"}
    server.send()
    assert int(manager.next()["EXTEND_TIMEOUT_USEC"]) >= 65_000_000
    server.send()
    # What comes after the drain has its own time.
    assert int(manager.next()["EXTEND_TIMEOUT_USEC"]) == 15_000_000
    assert server.wait() == 0


def test_signs_of_life_come_as_often_as_asked(start, manager):
    environment = {**manager.environment, "WATCHDOG_USEC": "300000"}
    start(environment=environment)
    signs = 0
    while signs < 5:
        signs += manager.socket.recv(4096) == b"WATCHDOG=1"


def test_signs_of_life_for_another_process_are_not_sent(start, manager):
    server = start(environment={
        **manager.environment, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"})
    assert manager.socket.recv(4096) == b"READY=1"
    with locked(server.database):
        server.request("GET", "/healthz")
    server.send()
    assert manager.socket.recv(4096).startswith(b"STOPPING=1")


@pytest.mark.parametrize("address", ["", "/nowhere/socket", "@nobody", "x" * 200])
def test_a_manager_that_does_not_listen_is_no_harm(start, address):
    server = start(environment={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000"})
    assert server.request("GET", "/healthz").status == 200
    assert server.stop() == 0


# Drain


def test_readiness_ends_before_the_service_does(start):
    server = start(environment={"CONVERSATIOND_HTTP_DRAIN_SECONDS": "3600"})
    server.send()
    deadline = time.monotonic() + STOP_SECONDS
    while server.request("GET", "/readyz").status == 200:
        assert time.monotonic() < deadline
    answer = server.request("GET", "/readyz")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.error["message"] == "Not ready: the server is about to stop."
    # All else goes on.
    assert server.request("GET", "/healthz").status == 200
    assert server.request("POST", "/v1/conversations", {}).status == 200
    assert "draining" in server.log()
    # A second signal ends it now.
    assert server.stop() == 0


def test_the_drain_ends_by_itself(start):
    server = start(environment={"CONVERSATIOND_HTTP_DRAIN_SECONDS": "1"})
    assert server.stop() == 0
    lines = [line for line in server.log().splitlines() if "draining" in line or "stop" in line]
    assert ["draining" in line for line in lines] == [True, False, False]
