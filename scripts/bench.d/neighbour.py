"""What others notice of a bad neighbour: point reads while one client walks the whole list over and
over, and another one loads conversations as quickly as it can.

The neighbours are this file, run as a program.
"""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time

from contest import BAR_CONNECTIONS, Cell
from measure import Failure, Run
from workloads import BY_NAME, Request, metadata

CONVERSATIONS = 100_000
LOADER_CONNECTIONS = 64
# How long the neighbours are at work before something is measured.
AHEAD_SECONDS = 0.5
QUIET = Cell("get, quiet")
LOUD = Cell("get, bad neighbours")


def measure(contest):
    """Measures the reads with and without neighbours in turn, and returns what these did."""
    options, get = contest.options, BY_NAME["get"]
    server = contest.conversationd(CONVERSATIONS, None)
    done = {"pages": 0, "creates": 0}
    try:
        with contest.processors.use(contest.processors.servers):
            server.start()
        number = -1
        while number < options.rounds or done["creates"] < options.loads:
            number += 1
            print(f"neighbours, round {number} of {options.rounds}, or until "
                  f"{done['creates']:,} are {options.loads:,} creates", file=sys.stderr)
            # A disturbance takes longer to show than the rest.
            run = Run(get, BAR_CONNECTIONS, 2 * options.seconds, number)
            quiet = server.measure(run, contest.processors)
            loud, did = among_neighbours(server, run, contest.processors)
            if number > 0:
                contest.results.add(QUIET, {"round": number, **quiet})
                contest.results.add(LOUD, {"round": number, **loud})
                done = {name: done[name] + did[name] for name in done}
        return done
    finally:
        server.stop()


def among_neighbours(server, run, processors):
    neighbours = {}
    try:
        with processors.use(processors.client):
            for task in ("pages", "creates"):
                neighbours[task] = subprocess.Popen(
                    [sys.executable, __file__, task, server.origin,
                     server.headers["Authorization"]], stdout=subprocess.PIPE, text=True)
        for process in neighbours.values():
            process.stdout.readline()  # It has begun.
        time.sleep(AHEAD_SECONDS)
        figures = server.measure(run, processors)
    finally:
        for process in neighbours.values():
            process.terminate()
        counts = {task: process.communicate()[0] for task, process in neighbours.items()}
    if ended := [task for task, count in counts.items() if not count]:
        raise Failure(f"the neighbour for {' and '.join(ended)} ended early")
    return figures, {task: int(count) for task, count in counts.items()}


class Enough(Exception):
    """The neighbour was told to end."""


def walk(host, authorization):
    """Counts the pages that it reads."""
    connection = http.client.HTTPConnection(host)
    after = ""
    while True:
        connection.request("GET", f"/v1/conversations?limit=100{after}",
                           headers={"Authorization": authorization})
        response = connection.getresponse()
        page = json.load(response)
        if response.status != 200:
            sys.exit(f"a page: {page}")
        after = f"&after={page['last_id']}" if page["has_more"] else ""
        yield


def load(host, authorization):
    """Counts the conversations that it creates."""
    class Origin:
        origin = f"http://{host}"
        headers = {"Authorization": authorization}

    request = Request("POST", "/v1/conversations", metadata(4, 0)).text(Origin).encode()
    address, _, port = host.partition(":")
    connections = [socket.create_connection((address, int(port)))
                   for _ in range(LOADER_CONNECTIONS)]
    while True:
        for connection in connections:
            connection.sendall(request)
        for connection in connections:
            # An answer is small, and so comes whole.
            answer = connection.recv(65536)
            if not answer.startswith(b"HTTP/1.1 200 "):
                sys.exit(f"a create: {answer}")
            yield


def main(task, origin, authorization):
    def end(*_):
        raise Enough

    count = 0
    try:
        signal.signal(signal.SIGTERM, end)
        print("begun", flush=True)
        for _ in {"pages": walk, "creates": load}[task](origin.removeprefix("http://"),
                                                        authorization):
            count += 1
    except Enough:
        print(count)


if __name__ == "__main__":
    main(*sys.argv[1:])
