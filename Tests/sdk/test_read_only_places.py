"""Reading commands where this user may not write: a folder, or a mount, without a server."""

import os
import shutil
import sqlite3
from contextlib import closing

import pytest
from conftest import needs_mounts

READING = [["check"], ["keys", "list"], ["projects", "list"], ["backup", "-"]]
each_command = pytest.mark.parametrize("command", READING, ids=" ".join)


@pytest.fixture
def place(run, ordinary_user):
    """A database in a folder of an ordinary user, and the options to run commands as that user."""
    folder, options = ordinary_user
    # A name that means something in a URI.
    database = folder / "fixed" / "100%25 ü?#.db"
    database.parent.mkdir(mode=0o777)
    database.parent.chmod(0o777)
    assert run("migrate", "--database", database, **options).returncode == 0
    result = run("keys", "create", "--name", "a", "--database", database, **options)
    assert result.returncode == 0
    return database, {**options, "environment": {"TMPDIR": str(folder)}}


def run_bytes(run, *arguments, **options):
    return run(*arguments, **{**options, "text": False})


@each_command
def test_they_work_in_a_folder_that_may_not_be_written(run, place, command):
    database, options = place
    database.parent.chmod(0o555)
    assert {path.name for path in database.parent.iterdir()} == {database.name}
    result = run_bytes(run, *command, "--database", database, **options)
    assert result.returncode == 0, result.stderr
    assert {path.name for path in database.parent.iterdir()} == {database.name}


@each_command
def test_they_refuse_where_a_log_would_be_overlooked(run, place, command):
    database, options = place
    # As a crash leaves it: the row is only in the log.
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("INSERT INTO projects (name) VALUES ('new')")
        copy = database.with_name("crashed.db")
        for suffix in ("", "-wal"):
            shutil.copy(f"{database}{suffix}", f"{copy}{suffix}")
            os.chmod(f"{copy}{suffix}", 0o444)
    assert copy.with_name("crashed.db-wal").stat().st_size > 0
    database.parent.chmod(0o555)
    result = run_bytes(run, *command, "--database", copy, **options)
    assert result.returncode == 74
    assert b"its write-ahead log has changes, and this user may not write its folder" in result.stderr
    # Where the folder may be written, the row is there.
    database.parent.chmod(0o777)
    for suffix in ("", "-wal"):
        os.chmod(f"{copy}{suffix}", 0o666)
    assert run_bytes(run, *command, "--database", copy, **options).returncode == 0


@needs_mounts
@each_command
def test_they_work_on_a_read_only_mount(run, binary, tmp_path, command):
    database = tmp_path / "conversations.db"
    assert run("migrate", "--database", database).returncode == 0
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && shift 0 && exec "$@"'
    result = run_bytes(
        run, "-m", "sh", "-c", script, tmp_path, binary, *command, "--database", database,
        program="unshare", environment={"TMPDIR": "/dev/shm"})
    assert result.returncode == 0, result.stderr
