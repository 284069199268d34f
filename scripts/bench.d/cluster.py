"""A PostgreSQL of the bench's own, as PostgreSQL makes it by default: each commit is synced."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from servers import Unavailable, free_ports

START_SECONDS = 60


class Cluster:
    """A cluster in a folder of its own, which may be kept, and the server on it."""

    def __init__(self, folder):
        self.folder, self.data = folder, folder / "cluster"
        self.programs, self.process, self.port = None, None, None

    def start(self):
        """Makes the cluster unless it is there, starts the server, and waits until it answers.

        Raises Unavailable when it cannot run here.
        """
        self.programs = postgresql_programs()
        self.folder.mkdir(parents=True, exist_ok=True)
        options = {"cwd": "/", **unprivileged(self.folder)}
        if not (self.data / "PG_VERSION").exists() or self.is_of_another_version():
            self.make(options)
        [self.port] = free_ports(1)
        log = self.folder / "log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, "-p", str(self.port),
                 "-h", "127.0.0.1", "-c", "unix_socket_directories="],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                **options)
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run([self.programs / "pg_isready", "--quiet", *self.place]).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Unavailable(f"PostgreSQL does not start: {end_of(log.read_text())}")
            time.sleep(0.05)

    def is_of_another_version(self):
        return (self.data / "PG_VERSION").read_text().strip() != self.version.split(".")[0]

    def make(self, options):
        shutil.rmtree(self.data, ignore_errors=True)
        made = subprocess.run(
            [self.programs / "initdb", "--pgdata", self.data, "--username", "postgres", "--auth",
             "trust", "--encoding", "UTF8", "--no-locale"],
            capture_output=True, text=True, **options)
        if made.returncode != 0:
            raise Unavailable(f"no PostgreSQL cluster can be made: {end_of(made.stderr)}")

    @property
    def place(self):
        return ["--host", "127.0.0.1", "--port", str(self.port)]

    @property
    def version(self):
        answer = subprocess.run([self.programs / "postgres", "--version"], capture_output=True,
                                text=True)
        return re.search("[0-9.]+", answer.stdout)[0]

    def url(self, database):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def psql(self, database, *statements):
        """Runs each statement in a transaction of its own, and returns the lines of what they
        find."""
        commands = [part for statement in statements for part in ("--command", statement)]
        done = subprocess.run(
            [self.programs / "psql", *self.place, "--username", "postgres", "--no-psqlrc",
             "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", *commands,
             database],
            check=True, capture_output=True, text=True)
        return done.stdout.splitlines()

    def has(self, database):
        return bool(self.psql("postgres", "SELECT 1 FROM pg_database "
                                          f"WHERE datname = '{database}'"))

    def create(self, database, template="template0"):
        """Makes a database, in the place of one that an earlier run may have left."""
        self.drop(database)
        self.psql("postgres", f"CREATE DATABASE {database} TEMPLATE {template} STRATEGY file_copy")

    def drop(self, database):
        self.psql("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def pids(self):
        """The numbers of its processes, as far as they are known by now."""
        return descendants([self.process.pid])

    def stop(self):
        # Each of its processes is a group of its own; it ends them, and takes away its shared
        # memory, when it is asked.
        if self.process:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=START_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


def descendants(pids):
    """These processes, and all that they have started."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in parentheses, may have spaces and parentheses in it.
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found = list(pids)
    for pid in found:
        found += children.get(pid, [])
    return found


def postgresql_programs():
    """The folder of the newest PostgreSQL's programs; Debian has them outside the PATH."""
    folders = sorted({initdb.parent for initdb in Path("/usr/lib/postgresql").glob("*/bin/initdb")},
                     key=lambda folder: float(folder.parent.name))
    found = shutil.which("initdb")
    if not folders and not found:
        raise Unavailable("there is no PostgreSQL server here (Debian: apt install postgresql)")
    return folders[-1] if folders else Path(found).resolve().parent


def unprivileged(folder):
    """How to run a program that refuses to be root, and gives it the folder."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, user.pw_uid, user.pw_gid)
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise Unavailable("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def end_of(text):
    """As much as fits a reason, on one line."""
    return " ".join(text.split())[-300:]
