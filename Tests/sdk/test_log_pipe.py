"""A log that nobody reads: nothing waits for it."""

import fcntl
import os
import signal
import subprocess
import threading

import pytest
from metrics import scrape

REQUESTS = 1000
LONG = {"X-Client-Request-Id": 512 * "x", "User-Agent": 256 * "y"}


@pytest.fixture
def pipe():
    """A pipe with room for a page: its end to read and its end to write."""
    ends = os.pipe()
    fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, 4096)
    yield ends
    for end in ends:
        os.close(end)


def send(server, count, headers=LONG):
    """Sends requests on one connection."""
    connection = server.connection()
    try:
        for _ in range(count):
            connection.request("GET", f"/v1/{250 * 'z'}", headers=headers)
            assert connection.getresponse().read()
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_log_that_nobody_reads_stops_neither_requests_nor_the_end(start, pipe, number):
    server = start(stderr=pipe[1])
    send(server, 500)
    assert server.request("POST", "/v1/conversations", {"metadata": {"a": "1"}}).status == 200
    assert server.request("GET", "/readyz").status == 200
    assert server.stop(number) == 0


def test_an_error_at_the_end_does_not_wait_for_a_reader(start, pipe, binary, tmp_path):
    os.write(pipe[1], 4096 * b"x")
    server = start()
    process = subprocess.Popen(
        [binary, "serve", "--port", str(server.port), "--database", tmp_path / "other.db"],
        stderr=pipe[1], stdout=subprocess.PIPE, env=server.environment)
    assert process.wait(timeout=20) == 69
    process.stdout.close()


def test_standard_output_that_nobody_reads_does_not_stop_the_start(binary, tmp_path, wait_until):
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    os.write(write, 4096 * b"x")
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [binary, "serve", "--port", "0", "--database", tmp_path / "a.db"],
            stdout=write, stderr=file)
    try:
        wait_until(lambda: b"listening on http://" in log.read_bytes())
        process.terminate()
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        os.close(read)
        os.close(write)


def test_lines_that_find_no_room_are_counted_and_told_of_once_there_is_room(
        start, pipe, wait_until):
    server = start(stderr=pipe[1])
    dropped = 0
    while not dropped:
        send(server, REQUESTS)
        dropped = scrape(server).value("log_lines_dropped_total")

    lines = []

    def read():
        with os.fdopen(os.dup(pipe[0]), encoding="utf-8") as file:
            for line in file:
                lines.append(line)
                if "lines were dropped" in line:
                    return

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(60)
    assert not reader.is_alive()
    # The line of the request that asked for the count is among them; from then on there was room.
    dropped = int(scrape(server).value("log_lines_dropped_total"))
    assert "level=warning" in lines[-1] and f"lines={dropped}\n" in lines[-1]
    # What was written is whole.
    assert all(line.startswith("time=") for line in lines)
    server.kill()
