"""What conversationd takes before and beside its work: memory, and time to start."""

import socket
import subprocess
import sys
import time

from contest import BAR_CONNECTIONS
from measure import Failure, Run
from servers import free_ports
from workloads import BY_NAME

STARTS = 10
START_SECONDS = 20
PROBE = b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def memory(contest):
    """The memory after reading and writing over 64 connections, at its largest, in MB."""
    print("memory", file=sys.stderr)
    workload = BY_NAME["mixed"]
    server = contest.conversationd(contest.options.count, workload.pairs)
    try:
        with contest.processors.use(contest.processors.servers):
            server.start()
        run = Run(workload, BAR_CONNECTIONS, max(2, contest.options.seconds), 0)
        return server.measure(run, contest.processors)["resident_max_mb"]
    finally:
        server.stop()


def start_times(contest):
    """How long it took from the start of the process to the first answer, in milliseconds."""
    print("start", file=sys.stderr)
    server = contest.conversationd(contest.options.count, 4)
    try:
        server.prepare()
        return [start_time(server, contest.processors) for _ in range(STARTS)]
    finally:
        server.stop()


def start_time(server, processors):
    [port] = free_ports(1)
    command = [server.binary, "serve", "--port", str(port), "--database", server.copy]
    began = time.perf_counter()
    with processors.use(processors.servers):
        process = subprocess.Popen(command, env=server.environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with processors.use(processors.client):
            while not is_ready(port):
                if process.poll() is not None or time.perf_counter() - began > START_SECONDS:
                    raise Failure("conversationd did not start")
                time.sleep(0.0002)
        return 1000 * (time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait()


def is_ready(port):
    with socket.socket() as connection:
        connection.settimeout(START_SECONDS)
        if connection.connect_ex(("127.0.0.1", port)) != 0:
            return False
        connection.sendall(PROBE)
        return connection.recv(4096).startswith(b"HTTP/1.1 200 ")
