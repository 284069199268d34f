"""A PostgreSQL of the tests' own, with one socket in a folder of the run."""

import os
import subprocess
import time
from itertools import count
from pathlib import Path

START_SECONDS = 30
# PostgreSQL refuses to run as root.
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
# A crash of the machine is not tested, so nothing waits for the disk.
OPTIONS = ["listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=200"]


class PostgreSQL:
    """One server, which can be killed and started again."""

    def __init__(self, folder):
        """`folder` is short, since the path of a socket has 107 bytes at most."""
        self.folder = folder
        self.programs = max(Path("/usr/lib/postgresql").glob("*/bin"),
                            key=lambda path: int(path.parent.name))
        self.numbers = count(1)
        self.process = None
        if NOBODY:
            os.chown(folder, NOBODY["user"], NOBODY["group"])
        self._run("initdb", f"--pgdata={folder}/data", "--username=postgres", "--auth=trust",
                  "--no-sync", "--encoding=UTF8", "--locale=C", **NOBODY)

    def start(self):
        command = [self.programs / "postgres", "-D", f"{self.folder}/data", "-k", self.folder]
        deadline = time.monotonic() + START_SECONDS
        while True:
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    [*command, *sum((["-c", option] for option in OPTIONS), [])],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, **NOBODY)
            # What is left of a server that was killed may still hold its memory.
            while self.process.poll() is None:
                if self._is_ready():
                    return self
                assert time.monotonic() < deadline, "PostgreSQL does not start"
                time.sleep(0.02)
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.1)

    def _is_ready(self):
        return subprocess.run([self.programs / "pg_isready", "-q", "-h", self.folder]).returncode == 0

    def kill(self):
        """Ends it at once, as a crash would; its other processes follow."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def make_database(self):
        """Makes an empty database, and returns its URL."""
        name = f"test_{next(self.numbers)}"
        self.psql("postgres", f"CREATE DATABASE {name} TEMPLATE template0")
        return f"postgresql:///{name}?host={self.folder}&user=postgres"

    def psql(self, database, sql):
        """Runs SQL as a person would, and returns what psql prints, without a frame."""
        return self._run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h",
                         str(self.folder), "-U", "postgres", "-d", database, "-c", sql).stdout

    def _run(self, program, *arguments, **options):
        result = subprocess.run([self.programs / program, *arguments], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, cwd="/", **options)
        assert result.returncode == 0, result
        return result
