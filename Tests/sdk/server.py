"""One `conversationd serve`, started with a clean environment, and ways to talk to it."""

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from openai import AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI

START_SECONDS = 20
STOP_SECONDS = 20
ANSWER_SECONDS = 30
# What a binary that is built with a sanitizer reads; such a one takes much more memory and time.
SANITIZER = {name: os.environ[name] for name in ["TSAN_OPTIONS", "ASAN_OPTIONS", "LSAN_OPTIONS"]
             if name in os.environ}
# The default deadline of a query is for a release build on a machine that does little else.
PATIENCE = {"CONVERSATIOND_DATABASE_QUERY_TIMEOUT_MILLISECONDS": "30000"}


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json()["error"]


def read_answer(connection):
    """Reads the next answer of an `http.client` connection."""
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


class Server:
    """One `conversationd serve`, which can be stopped and started again on its port and file."""

    def __init__(self, binary, folder, arguments=(), environment=None, port=0, database=True,
                 tls=None, **popen):
        """`database` is whether there is one in `folder`, or the URL of one."""
        self.binary = binary
        self.folder = folder
        self.database = folder / "conversations.db"
        self.arguments = list(arguments)
        if isinstance(database, str):
            environment = {"CONVERSATIOND_DATABASE_URL": database, **(environment or {})}
        elif database:
            self.arguments += ["--database", str(self.database)]
        # A file's settings are under the environment's, and are what its test is about.
        patience = {} if "--config" in self.arguments else PATIENCE
        self.environment = clean_environment({
            **patience, **(tls.environment if tls else {}), **(environment or {})})
        self.trust = tls.client_context() if tls else None
        self.port = port
        self.popen = popen
        self.log_file = folder / "server.log"
        self.process = None
        self.address_line = None

    def start(self):
        """Returns once the server has printed its address."""
        port = [] if self.port is None else ["--port", str(self.port)]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", *port, *self.arguments], cwd=self.folder,
                env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                **{"stderr": log, **self.popen})
        self.address_line = self._first_line()
        scheme = "https" if self.trust else "http"
        assert self.address_line.startswith(f"conversationd listening on {scheme}://"), (
            f"printed {self.address_line!r}, logged {self.log()}")
        self.url = self.address_line.split()[-1]
        host, _, port = self.url.removeprefix(f"{scheme}://").rpartition(":")
        # A machine need not know the name: RFC 6761, section 6.3.
        self.host = "127.0.0.1" if host == "localhost" else host.strip("[]")
        self.port = int(port)
        return self

    def _first_line(self):
        output = self.process.stdout
        deadline = time.monotonic() + START_SECONDS
        line = b""
        while not line.endswith(b"\n"):
            left = max(0, deadline - time.monotonic())
            assert select.select([output], [], [], left)[0], f"no address line: {self.log()}"
            byte = os.read(output.fileno(), 1)
            if not byte:
                break
            line += byte
        return line.decode()

    def send(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_SECONDS):
        """Waits for the end, and returns the exit code."""
        return self.process.wait(timeout=seconds)

    def stop(self, number=signal.SIGTERM):
        """Ends the server as a person would, and returns the exit code."""
        self.send(number)
        return self.wait()

    def kill(self):
        """Ends the server at once, if it still runs, as a crash would."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def restart(self):
        assert self.stop() == 0
        return self.start()

    def log(self):
        """What it has logged: all of what came before the answers that were read so far."""
        if self.process:
            self._wait_for_the_log()
        return self.log_file.read_text(encoding="utf-8")

    def _wait_for_the_log(self):
        """Waits until the thread that writes the log sleeps for longer than lines may gather."""
        before, now = None, self._log_thread()
        deadline = time.monotonic() + ANSWER_SECONDS
        while now and (now != before or now[0] != "S"):
            assert time.monotonic() < deadline, "the log is not written"
            time.sleep(0.005)
            before, now = now, self._log_thread()

    def _log_thread(self):
        """The state of the thread that writes the log, and how often it slept; None without one."""
        try:
            for task in Path(f"/proc/{self.process.pid}/task").iterdir():
                if task.joinpath("comm").read_text() == "log\n":
                    status = dict(line.split(":\t", 1) for line in
                                  task.joinpath("status").read_text().splitlines())
                    return status["State"][0], status["voluntary_ctxt_switches"]
        except OSError:
            pass  # The process or a thread has just ended.
        return None

    def client(self, **options):
        return OpenAI(**self._client_options(options, DefaultHttpxClient))

    def async_client(self, **options):
        return AsyncOpenAI(**self._client_options(options, DefaultAsyncHttpxClient))

    def _client_options(self, options, http_client):
        # Over plain HTTP, the SDK's own client.
        trust = {"http_client": http_client(verify=self.trust)} if self.trust else {}
        return {"base_url": f"{self.url}/v1", "api_key": "sk-none", "timeout": ANSWER_SECONDS,
                **trust, **options}

    def connection(self):
        if self.trust:
            return http.client.HTTPSConnection(
                self.host, self.port, timeout=ANSWER_SECONDS, context=self.trust)
        return http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_SECONDS)

    def request(self, method, path, body=None, headers=()):
        """Sends one request on a connection of its own; a body that is not bytes goes as JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection = self.connection()
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            return read_answer(connection)
        finally:
            connection.close()

    def has_read_all(self, connections):
        """Whether it has taken so many connections, and nothing sent on them waits to be read."""
        # Linux: proc(5), /proc/net/tcp; the addresses are in hexadecimal, 01 is ESTABLISHED, and
        # the queues are of bytes to send and of bytes to be read.
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        taken = [row for row in rows if row[1].endswith(f":{self.port:04X}") and row[3] == "01"]
        # One that waits to be accepted has no inode yet.
        return (len(taken) >= connections
                and all(row[4].endswith(":00000000") and row[9] != "0" for row in taken))

    def refuses_connections(self):
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) != 0


def bearer(key):
    """The header field that shows an API key."""
    return {"Authorization": f"Bearer {key}"}


def clean_environment(more=None):
    return {"HOME": "/", "PATH": os.environ["PATH"], **SANITIZER, **(more or {})}
