"""Signals at the start of a server, and those that a program was started to ignore."""

import os
import signal
import subprocess
import time

import pytest
from conftest import STOP_SECONDS, clean_environment

# When the signal comes, in milliseconds after the dynamic linker has done its work.
DELAYS = [0, 1, 3, 6, 10, 15, 25, 40]
IGNORED = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]
ENDING = [signal.SIGTERM, signal.SIGINT]


def bits(process, name):
    """A set of signals of a process, as proc(5) shows it."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1], 16) for line in status if line.startswith(name))


def holds(process, number):
    """Whether the signal waits instead of ending the process."""
    return bits(process, "SigBlk:") >> (number - 1) & 1


@pytest.fixture
def begun(binary, tmp_path, wait_until):
    """Begins a server on a free port; returns as soon as it holds its signals."""
    processes = []

    def begun(*arguments, **options):
        process = subprocess.Popen(
            [binary, "serve", "--port", "0", "--database", tmp_path / "a.db", *arguments],
            env=clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, **options)
        processes.append(process)
        wait_until(lambda: holds(process, signal.SIGTERM))
        return process

    yield begun
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def is_serving(process):
    return process.stdout.readline().startswith(b"conversationd listening on ")


@pytest.mark.parametrize("number", IGNORED, ids=lambda number: number.name)
def test_a_server_that_starts_survives_signals(begun, number):
    for delay in DELAYS:
        process = begun()
        time.sleep(delay / 1000)
        process.send_signal(number)
        assert is_serving(process), (delay, process.wait())
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
def test_a_server_that_starts_ends_in_an_orderly_way(begun, number):
    for delay in DELAYS:
        process = begun()
        time.sleep(delay / 1000)
        process.send_signal(number)
        assert process.wait(STOP_SECONDS) == 0, delay


@pytest.mark.parametrize("number", IGNORED, ids=lambda number: number.name)
def test_a_server_survives_signals(server, number):
    for _ in range(3):
        server.send(number)
        assert server.request("GET", "/healthz").status == 200
    assert server.stop() == 0


# What was ignored stays ignored


def test_a_server_started_by_nohup_ignores_hang_ups_and_ends_by_sigterm(begun):
    process = begun(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    assert is_serving(process)
    process.send_signal(signal.SIGHUP)
    assert bits(process, "SigIgn:") >> (signal.SIGHUP - 1) & 1
    process.terminate()
    assert process.wait(STOP_SECONDS) == 0


def test_a_server_that_was_started_to_ignore_sigint_does(begun):
    process = begun(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    process.send_signal(signal.SIGINT)
    assert is_serving(process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.terminate()
    assert process.wait(STOP_SECONDS) == 0


@pytest.fixture
def slow_backup(binary, run, tmp_path, wait_until):
    """A backup that cannot end, since nobody reads its standard output."""
    database = tmp_path / "a.db"
    assert run("migrate", "--database", database).returncode == 0
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    read, write = os.pipe()

    def slow_backup(**options):
        process = subprocess.Popen(
            [binary, "backup", "-", "--database", database], stdout=write,
            stderr=subprocess.DEVNULL, env=clean_environment({"TMPDIR": str(temporary)}),
            **options)
        os.close(write)
        # It has begun to send the copy, which is larger than a pipe.
        assert os.read(read, 1)
        return process, read, temporary

    yield slow_backup
    os.close(read)


@pytest.mark.parametrize("number", [signal.SIGHUP, *ENDING], ids=lambda number: number.name)
def test_a_backup_that_streams_ends_by_a_signal_and_leaves_nothing(
        slow_backup, wait_until, number):
    process, _, temporary = slow_backup()
    process.send_signal(number)
    assert process.wait(STOP_SECONDS) == 128 + number
    assert list(temporary.iterdir()) == []


def test_a_backup_started_by_nohup_survives_a_hang_up(slow_backup):
    process, read, temporary = slow_backup(
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    while os.read(read, 1 << 20):
        pass
    assert process.wait(STOP_SECONDS) == 0
    assert list(temporary.iterdir()) == []
