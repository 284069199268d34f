"""What the tests share: servers and commands of the real binary, with a clean environment."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import pytest
import trustme
from certificates import TLSFiles
from postgresql import PostgreSQL
from server import (
    ANSWER_SECONDS, SANITIZER, START_SECONDS, STOP_SECONDS, Server, bearer, clean_environment,
    read_answer)

REPOSITORY = Path(__file__).resolve().parents[2]
LOCK_MILLISECONDS = 5000

# What the developer keeps for the real service stays out of these tests.
for name in list(os.environ):
    if name.startswith("OPENAI_") or name.lower().endswith("_proxy"):
        del os.environ[name]

# What a shell in the background ignores would be ignored by the servers here too.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def locked(database):
    """Holds the database's write lock, as another process would."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


# Tests that mount something, each in a mount namespace of its own.
needs_mounts = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")


# With `--engine=postgresql`, what these say is asked of servers on PostgreSQL.
MODULES_OF_BOTH_ENGINES = {
    f"test_{name}" for name in [
        "admin_keys", "facets", "idempotency", "items", "items_sdk", "key_rotation", "keys_in_use",
        "list", "list_activity", "metadata_history", "projects", "projects_command", "retention", "safe_changes",
        "sdk", "sdk_async", "transfer"]}
# What only a file has.
FIXTURES_OF_SQLITE = {"sqlite", "generated"}


def pytest_addoption(parser):
    parser.addoption("--engine", choices=["sqlite", "postgresql"], default="sqlite",
                     help="what the servers under test keep their conversations in; with postgresql "
                          "only the tests run that are of both engines")


def pytest_collection_modifyitems(config, items):
    if config.getoption("engine") == "sqlite":
        return
    chosen = [item for item in items
              if item.module.__name__ in MODULES_OF_BOTH_ENGINES
              and not FIXTURES_OF_SQLITE & set(item.fixturenames)
              and not item.get_closest_marker("sqlite_only")]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def pytest_configure(config):
    config.addinivalue_line("markers", "sqlite_only: says something of the database's file, or nothing of "
                            "the database")
    if not os.access(os.environ.get("CONVERSATIOND_BINARY", ""), os.X_OK):
        raise pytest.UsageError("CONVERSATIOND_BINARY must name the binary under test")


# What commands exit with when they fail; test_exit_codes.py says which means what.
EXIT_CODES = (64, 65, 69, 70, 74, 78)


@pytest.fixture(scope="session")
def binary():
    return str(Path(os.environ["CONVERSATIOND_BINARY"]).resolve())


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL of the run."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        Path(folder).chmod(0o755)
        server = PostgreSQL(Path(folder))
        try:
            yield server.start()
        finally:
            server.kill()


@pytest.fixture
def database_of(request):
    """What `Server` takes as the database of a folder."""
    if request.config.getoption("engine") == "sqlite":
        return lambda folder: True
    return cache(lambda folder: request.getfixturevalue("postgresql").make_database())


@pytest.fixture
def start(binary, tmp_path, database_of):
    """Starts servers, each in `folder`; every one is dead when the test is over."""
    servers = []

    def start(*arguments, folder=tmp_path, **options):
        if options.get("database", True) is True:
            options["database"] = database_of(folder)
        server = Server(binary, folder, arguments, **options)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def server(start):
    return start()


@pytest.fixture(scope="session")
def authority():
    """A certificate authority that only these tests trust."""
    return trustme.CA()


@pytest.fixture
def tls(tmp_path, authority):
    """The files of a server that serves TLS, with a certificate in them."""
    (tmp_path / "tls").mkdir()
    files = TLSFiles(tmp_path / "tls", authority)
    files.write()
    return files


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


@pytest.fixture
def run(binary, tmp_path):
    """Runs a command that ends by itself."""

    def run(*arguments, environment=None, program=binary, **options):
        stdin = {} if "input" in options else {"stdin": subprocess.DEVNULL}
        return subprocess.run(
            [program, *map(str, arguments)], env=clean_environment(environment),
            timeout=START_SECONDS,
            **{"cwd": tmp_path, "text": True, "capture_output": True, **stdin, **options})

    return run


@pytest.fixture
def refused(run):
    """Runs a command that must fail with one clear line, which is returned."""

    def refused(*arguments, status=EXIT_CODES, **options):
        result = run(*arguments, **options)
        assert result.returncode in ([status] if isinstance(status, int) else status), result
        assert result.stdout == ""
        lines = result.stderr.splitlines()
        assert len(lines) == 1, result.stderr
        assert lines[0].startswith("Error: ")
        return lines[0]

    return refused


@pytest.fixture
def keys(run, tmp_path, database_of):
    """Runs a command on the API keys of the database that servers have here by default."""
    url = database_of(tmp_path)
    database = tmp_path / "conversations.db"
    if url is True:
        flags, environment = ["--database", database], {}
    else:
        flags, environment = [], {"CONVERSATIOND_DATABASE_URL": url}

    def keys(command, *arguments, **options):
        options["environment"] = {**environment, **(options.get("environment") or {})}
        if command in ("create", "import") and not database.exists():
            assert run("migrate", *flags, environment=environment).returncode == 0
        return run("keys", command, *flags, *arguments, **options)

    return keys


@pytest.fixture
def make_key(keys):
    """Makes an API key, also beside a server, and returns it."""

    def make_key(name="key", *options):
        result = keys("create", f"--name={name}", *options)
        assert result.returncode == 0, result
        return result.stdout.removesuffix("\n")

    return make_key


@pytest.fixture
def list_keys(keys, tmp_path, database_of):
    """The rows that `keys list` shows, by the names of the columns."""

    def list_keys():
        result = keys("list")
        assert result.returncode == 0
        if database_of(tmp_path) is True:
            assert result.stderr == f"Keys in {tmp_path}/conversations.db:\n"
        heading, *rows = [re.split("  +", line) for line in result.stdout.splitlines()]
        return [dict(zip(heading, row, strict=True)) for row in rows]

    return list_keys


@pytest.fixture
def sqlite(tmp_path):
    """Runs SQL in the sqlite3 command-line program, as a person would who waits for a lock: a
    server holds it for a moment now and then, also when nobody writes."""

    def sqlite(database, sql, *options):
        return subprocess.run(
            ["sqlite3", "-batch", "-cmd", f".timeout {LOCK_MILLISECONDS}", *options,
             str(database), sql], cwd=tmp_path,
            env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=START_SECONDS)

    return sqlite


@pytest.fixture
def ordinary_user(binary):
    """What makes `run` go as a user whom permission bits bind: a folder, options, the program."""
    folder = Path(tempfile.mkdtemp(prefix="conversationd-"))
    options = {"program": binary}
    if os.geteuid() == 0:
        # The user cannot enter the folders in which root builds.
        options = {"program": shutil.copy(binary, folder / "conversationd"),
                   "user": 65534, "group": 65534, "extra_groups": []}
        os.chown(folder, 65534, 65534)
    yield folder, {**options, "cwd": "/"}
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o700)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def preloaded(tmp_path_factory):
    """Compiles a source beside the tests into a library for LD_PRELOAD."""
    folder = tmp_path_factory.mktemp("preloaded")

    @cache
    def compile_library(name):
        library = folder / f"{name}.so"
        # The toolchain that builds conversationd has clang.
        compiler = shutil.which("clang") or shutil.which("cc")
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-o", library,
             Path(__file__).with_name(name), "-ldl"], check=True)
        return library

    return compile_library


@pytest.fixture
def wait_until():
    def wait_until(condition, seconds=START_SECONDS):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.005)

    return wait_until
