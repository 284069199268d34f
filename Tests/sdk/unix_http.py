"""HTTP over a Unix socket."""

import http.client
import socket
from contextlib import closing

from server import ANSWER_SECONDS, read_answer


class UnixConnection(http.client.HTTPConnection):
    """A connection to the socket at a path."""

    def __init__(self, path):
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def ask(connection, method, path, headers=(), body=None):
    """Sends one request on a connection that is closed then."""
    with closing(connection):
        connection.request(method, path, body=body, headers=dict(headers))
        return read_answer(connection)
