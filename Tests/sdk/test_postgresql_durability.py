"""What a server says at its start of a PostgreSQL that can lose what it has answered."""

import subprocess

import pytest
from postgresql import NOBODY

UNSYNCED = ("a crash of the database's machine can lose answered writes and damage the database",
            "fsync is off", "error")
UNWAITED = ("a crash of the database can lose answered writes", "synchronous_commit is off",
            "error")
LATER = ("a failover can lose answered writes",
         "there is a standby, and no commit waits for it: synchronous_standby_names is empty",
         "warning")


@pytest.fixture
def url(postgresql):
    return postgresql.make_database()


@pytest.fixture
def require_told(start, url, wait_until):
    """Waits until a new server has given these warnings, and demands that it gives no other."""

    def require_told(*expected):
        server = start(database=url)

        def told():
            lines = server.log().splitlines()
            return {problem for problem in (UNSYNCED, UNWAITED, LATER)
                    if any(f"level={problem[2]}" in line and problem[0] in line
                           and problem[1] in line for line in lines)}

        wait_until(lambda: told() >= set(expected))
        assert told() == set(expected)
        server.kill()
        server.log_file.unlink()

    return require_told


@pytest.fixture
def standby(postgresql, tmp_path, wait_until):
    """What PostgreSQL takes for a standby: it receives the log, and no commit waits for it."""
    folder = postgresql.folder / "received"
    folder.mkdir()
    if NOBODY:
        folder.chmod(0o777)
    receiver = subprocess.Popen(
        [postgresql.programs / "pg_receivewal", "-h", postgresql.folder, "-U", "postgres",
         "-D", folder], cwd="/", stderr=subprocess.DEVNULL, **NOBODY)
    wait_until(lambda: postgresql.psql("postgres", "SELECT 1 FROM pg_stat_replication"))
    yield
    receiver.kill()
    receiver.wait()
    wait_until(lambda: not postgresql.psql("postgres", "SELECT 1 FROM pg_stat_replication"))


# PostgreSQL does not sync in these tests, so each server says so.


def test_a_commit_that_is_not_waited_for_is_told(require_told, url, postgresql):
    require_told(UNSYNCED)
    database = url.removeprefix("postgresql:///").partition("?")[0]
    postgresql.psql("postgres", f"ALTER DATABASE {database} SET synchronous_commit = off")
    require_told(UNSYNCED, UNWAITED)


def test_a_standby_that_no_commit_waits_for_is_told(require_told, standby):
    require_told(UNSYNCED, LATER)
