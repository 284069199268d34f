"""`conversationd backup` and `restore`: copies of a database, and their way back."""

import fcntl
import os
import pty
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from conftest import REPOSITORY, START_SECONDS, bearer, clean_environment

KILLS = 15


def rows(path):
    """What a file says that is stored in it: all pairs, by the ids of their conversations."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute("""
            SELECT id, key, value FROM conversations LEFT JOIN metadata ON conversation = number
            ORDER BY id, key""").fetchall()


def fill(path, count, name="n"):
    """Inserts conversations by hand; the schema gives each its place."""
    with closing(sqlite3.connect(path)) as connection, connection:
        [(last,)] = connection.execute("SELECT coalesce(max(number), 0) FROM conversations")
        for number in range(last + 1, last + count + 1):
            connection.execute("INSERT INTO conversations (id, created_at) VALUES (?, ?)",
                               (f"conv_{number:08x}{40 * '0'}", number))
            connection.execute("INSERT INTO metadata (conversation, key, value) VALUES (?, ?, ?)",
                               (number, name, str(number)))


def damage(path):
    """Writes over the middle of a file."""
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        file.write(b"damage" * 2000)


@pytest.fixture
def database(run, tmp_path):
    path = tmp_path / "conversations.db"
    assert run("migrate", "--database", path).returncode == 0
    fill(path, 300)
    return path


@pytest.fixture
def backup(run, database):
    """A backup of it."""
    path = database.with_name("backup.db")
    assert run("backup", path, "--database", database).returncode == 0
    return path


def names(folder):
    """The files in a folder; readers may leave an empty log beside a database that nobody serves."""
    return {path.name for path in folder.iterdir()
            if not path.name.endswith("-shm")
            and not (path.name.endswith("-wal") and path.stat().st_size == 0)}


def test_a_backup_is_one_whole_file_that_is_served_at_once(run, start, database, tmp_path):
    result = run("backup", "copy.db", "--database", "conversations.db")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "backed up 'conversations.db' to 'copy.db', and checked it\n"
    copy = tmp_path / "copy.db"
    assert names(tmp_path) == {"conversations.db", "copy.db"}
    assert copy.stat().st_mode & 0o777 == 0o600
    # https://www.sqlite.org/fileformat2.html, section 1.3.3: it needs no log beside it.
    assert copy.read_bytes()[18:20] == b"\x01\x01"
    assert rows(copy) == rows(database)

    server = start("--database", copy, database=False)
    with server.client() as client:
        created = client.conversations.create(metadata={"k": "v"})
        assert client.conversations.retrieve(created.id).metadata == {"k": "v"}
    assert server.stop() == 0
    assert run("check", "--database", copy).stdout.endswith("all is well\n")


def test_beside_a_server_a_backup_is_one_moment(server, run, tmp_path):
    """Each writer updates two conversations by turns, so that one is never two ahead."""
    stops = []

    def write():
        with server.client() as client:
            pair = [client.conversations.create(metadata={"n": "0"}).id for _ in range(2)]
            number = 0
            while not stops:
                number += 1
                for id in pair:
                    client.conversations.update(id, metadata={"n": str(number), "same": str(number)})
        return pair, number

    with ThreadPoolExecutor() as pool:
        writers = [pool.submit(write) for _ in range(4)]
        counts = []
        for copy in range(5):
            time.sleep(0.1)
            assert run("backup", f"copy{copy}.db", "--database", server.database).returncode == 0
            stored = {}
            for id, key, value in rows(tmp_path / f"copy{copy}.db"):
                stored.setdefault(id, {})[key] = int(value)
            counts.append(sum(pairs["n"] for pairs in stored.values()))
            assert run("check", "--database", f"copy{copy}.db").returncode == 0
            assert all(pairs.get("same", pairs["n"]) == pairs["n"] for pairs in stored.values())
        stops.append(True)
        pairs = [writer.result()[0] for writer in writers]
    for copy in range(5):
        stored = {id: int(value) for id, key, value in rows(tmp_path / f"copy{copy}.db")
                  if key == "n"}
        for first, second in pairs:
            assert stored.get(first, 0) - stored.get(second, 0) in (0, 1)
    assert counts == sorted(counts) and counts[-1] > counts[0]


def test_what_was_answered_before_a_backup_is_in_it(server, client, run, tmp_path):
    for number in range(5):
        conversation = client.conversations.create(metadata={"n": str(number)})
        copy = tmp_path / f"{number}.db"
        assert run("backup", copy, "--database", server.database).returncode == 0
        assert (conversation.id, "n", str(number)) in rows(copy)


@pytest.mark.parametrize("remains", ["", "-wal", "-journal"])
def test_a_backup_replaces_nothing(refused, database, tmp_path, remains):
    there = tmp_path / f"copy.db{remains}"
    there.write_text("dear diary")
    line = refused("backup", "copy.db", "--database", database)
    assert line == f"Error: '{there}' exists; nothing was written"
    assert there.read_text() == "dear diary"
    assert names(tmp_path) == {"conversations.db", there.name}


def test_what_appears_meanwhile_is_not_replaced(binary, database, tmp_path, wait_until):
    fill(database, 20000)
    process = subprocess.Popen(
        [binary, "backup", "copy.db"], cwd=tmp_path, env=clean_environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until((tmp_path / "copy.db.partial").exists)
    with open(tmp_path / "copy.db", "x", encoding="utf-8") as file:
        file.write("dear diary")
    errors = process.communicate(timeout=START_SECONDS)[1]
    assert errors == f"Error: '{tmp_path / 'copy.db'}' exists; nothing was written\n"
    assert (tmp_path / "copy.db").read_text() == "dear diary"
    assert not (tmp_path / "copy.db.partial").exists()


def test_what_a_crash_has_left_is_taken_over(run, database, tmp_path):
    for suffix in ["", "-journal", "-wal"]:
        (tmp_path / f"copy.db.partial{suffix}").write_bytes(b"half a copy" * 1000)
    assert run("backup", "copy.db", "--database", database).returncode == 0
    assert names(tmp_path) == {"conversations.db", "copy.db"}
    assert rows(tmp_path / "copy.db") == rows(database)


def test_two_backups_do_not_write_the_same_file(refused, run, database, tmp_path):
    with open(tmp_path / "copy.db.partial", "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert (refused("backup", "copy.db", "--database", database)
                == "Error: another process writes 'copy.db' at this moment")
    assert run("backup", "copy.db", "--database", database).returncode == 0


def foreign(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")


UNUSABLE = {
    "missing": (lambda path: None, "no such file or folder"),
    "empty": (lambda path: path.touch(), "there is nothing in it"),
    "foreign": (foreign, "belongs to another program"),
    "text": (lambda path: path.write_text("dear diary\n" * 100), "not a database"),
}


@pytest.mark.parametrize("make, words", UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_database_is_not_backed_up(refused, tmp_path, make, words):
    make(tmp_path / "source.db")
    before = names(tmp_path)
    line = refused("backup", "copy.db", "--database", "source.db")
    assert line.startswith(f"Error: database 'source.db': {words}")
    assert line.endswith("; nothing was written")
    assert names(tmp_path) == before


@pytest.mark.parametrize("make, words", UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize("has_database", [True, False])
def test_what_is_no_backup_is_not_restored(
        refused, run, tmp_path, make, words, has_database):
    database = tmp_path / "conversations.db"
    if has_database:
        assert run("migrate", "--database", database).returncode == 0
        fill(database, 1)
    make(tmp_path / "backup.db")
    before = names(tmp_path)
    stored = rows(database) if has_database else None
    line = refused("restore", "backup.db", "--overwrite")
    assert line.startswith(f"Error: database 'backup.db': {words}")
    assert names(tmp_path) == before
    assert (rows(database) if has_database else None) == stored


def test_a_damaged_database_is_not_backed_up(refused, database, tmp_path):
    damage(database)
    line = refused("backup", "copy.db", "--database", database)
    assert line.startswith(f"Error: database '{database}': ")
    assert not (tmp_path / "copy.db").exists()
    assert not (tmp_path / "copy.db.partial").exists()


def test_a_damaged_backup_is_not_restored(refused, database, backup):
    stored = rows(database)
    damage(backup)
    line = refused("restore", backup, "--overwrite")
    assert line.startswith(f"Error: database '{backup}': ")
    assert rows(database) == stored


@pytest.mark.parametrize("harm", [damage, UNUSABLE["text"][0], lambda path: os.truncate(path, 0)],
                         ids=["damage", "text", "nothing"])
def test_a_damaged_database_is_replaced_by_a_good_backup(run, database, backup, harm):
    stored = rows(database)
    harm(database)
    assert run("restore", backup, "--overwrite").returncode == 0
    assert rows(database) == stored


def test_a_row_that_was_broken_by_hand_is_copied_and_named(run, sqlite, database):
    assert sqlite(database, "PRAGMA ignore_check_constraints = ON;"
                  "UPDATE metadata SET value = CAST(x'ff' AS TEXT) WHERE conversation = 7"
                  ).returncode == 0
    for command in [["backup", "copy.db"], ["restore", "copy.db", "--database", "new.db"]]:
        result = run(*command)
        assert result.returncode == 0
        source = "copy.db" if command[0] == "restore" else "conversations.db"
        assert result.stderr == (
            f"warning: '{source}' has rows that are not as they should be, and so has the copy; "
            "'conversationd check' names them\n")
    assert run("check", "--database", "new.db").returncode == 65


def test_a_damaged_database_of_an_older_version_is_named_by_check(refused, run, tmp_path):
    older(tmp_path / "conversations.db", 2)
    fill(tmp_path / "conversations.db", 300)
    damage(tmp_path / "conversations.db")
    line = refused("migrate")
    assert "it is damaged; 'conversationd check' says where; " in line
    assert line.endswith("'conversationd migrate --without-backup' goes on without a copy")
    result = run("check")
    assert result.returncode == 65 and "integrity: " in result.stdout


@pytest.mark.parametrize("statement", [None, "BEGIN IMMEDIATE"], ids=["reads", "writes"])
def test_while_another_program_has_it_open_nothing_is_restored(
        run, refused, start, database, backup, statement):
    """The sqlite3 CLI, or a program that replicates: it would go on to write a log of the old file."""
    server = start()
    with server.client() as client:
        created = client.conversations.create(metadata={"only": "in the log"})
    server.kill()
    stored = rows(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute(statement or "BEGIN")
        other.execute("SELECT count(*) FROM conversations").fetchone()
        line = refused("restore", backup, "--overwrite")
        assert line.startswith("Error: database 'conversations.db': another program has it open")
        assert rows(database) == stored
    assert created.id in {id for id, _, _ in stored}
    assert run("restore", backup, "--overwrite").returncode == 0
    assert rows(database) == rows(backup)


def test_a_copy_that_was_not_finished_is_not_emptied_to_copy_it(refused, run, backup):
    partial = backup.with_name("other.db.partial")
    shutil.copy(backup, partial)
    before = partial.read_bytes()
    for command in [["restore", partial, "--database", "other.db"],
                    ["backup", "other.db", "--database", partial]]:
        assert refused(*command).startswith(f"Error: '{partial}' exists; nothing was written")
        assert partial.read_bytes() == before


@pytest.mark.parametrize("spoil", [
    lambda path: os.link(path, path.with_name("second")),
    lambda path: path.unlink() or os.mkfifo(path)], ids=["second name", "pipe"])
def test_what_may_be_another_s_is_not_emptied(refused, database, tmp_path, spoil):
    partial = tmp_path / "copy.db.partial"
    partial.write_text("dear diary")
    spoil(partial)
    line = refused("backup", "copy.db", "--database", database)
    assert line == f"Error: '{partial}' exists; nothing was written"


def test_what_a_crash_has_left_readable_is_not_readable_afterwards(run, database, tmp_path):
    partial = tmp_path / "copy.db.partial"
    partial.touch()
    partial.chmod(0o666)
    assert run("backup", "copy.db", "--database", database).returncode == 0
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_a_link_leads_to_the_file_that_is_replaced(run, backup, tmp_path):
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "conversations.db", tmp_path / "link.db"
    shutil.copy(backup, real)
    fill(real, 2)
    link.symlink_to(real)
    assert run("restore", backup, "--database", link, "--overwrite").returncode == 0
    assert link.is_symlink()
    assert rows(real) == rows(backup)


def test_an_empty_file_is_no_database_to_ask_about(run, backup, tmp_path):
    """As a restore under a new name leaves it that was killed."""
    (tmp_path / "new.db").touch()
    assert run("restore", backup, "--database", "new.db").returncode == 0
    assert rows(tmp_path / "new.db") == rows(backup)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("folder", [".", "link"])
def test_who_gives_up_leaves_nothing(binary, database, tmp_path, wait_until, number, folder):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    fill(database, 20000)
    process = subprocess.Popen(
        [binary, "backup", f"{folder}/copy.db"], cwd=tmp_path, env=clean_environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    partial = tmp_path / folder / "copy.db.partial"
    wait_until(lambda: partial.exists() and partial.stat().st_size > 0 or process.poll() is not None)
    process.send_signal(number)
    assert process.wait(timeout=START_SECONDS) in (128 + number, 0)
    assert not partial.exists()
    assert process.returncode == 0 or not (tmp_path / folder / "copy.db").exists()


def test_a_restore_brings_back_what_was(run, start, database, backup, tmp_path):
    stored = rows(database)
    fill(database, 5)
    result = run("restore", backup, "--overwrite")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"restored 'conversations.db' from '{backup}', and checked it\n"
    assert rows(database) == stored == rows(backup)
    assert names(tmp_path) == {"conversations.db", "backup.db"}
    with start().client() as client:
        created = client.conversations.create(metadata={})
    assert created.id > max(id for id, _, _ in stored)


@pytest.mark.parametrize("remains", ["", "-wal", "-journal"])
def test_a_restore_replaces_only_what_it_is_told_to(refused, run, backup, remains):
    there = backup.with_name(f"other.db{remains}")
    shutil.copy(backup, there)
    before = there.read_bytes()
    line = refused("restore", backup, "--database", "other.db")
    assert line == f"Error: '{there}' exists; nothing was written; --overwrite replaces it"
    assert there.read_bytes() == before
    assert run("restore", backup, "--database", "other.db", "--overwrite").returncode == 0
    assert names(backup.parent) == {"conversations.db", "backup.db", "other.db"}
    assert rows(backup.with_name("other.db")) == rows(backup)


def test_a_file_of_another_program_is_never_replaced(refused, backup):
    other = backup.with_name("other.db")
    foreign(other)
    before = other.read_bytes()
    line = refused("restore", backup, "--database", "other.db", "--overwrite")
    assert line.startswith("Error: database 'other.db': belongs to another program")
    assert other.read_bytes() == before


def test_beside_a_server_nothing_is_restored(refused, start, database, backup):
    fill(database, 3)
    server = start()
    stored = rows(database)
    line = refused("restore", backup, "--overwrite")
    assert line == "Error: database 'conversations.db': a server uses it; stop that first"
    with server.client() as client:
        client.conversations.create(metadata={"after": "it"})
    assert server.stop() == 0
    assert len(rows(database)) == len(stored) + 1


def test_a_log_that_a_crash_has_left_is_not_read_with_the_backup(run, start, database, backup):
    stored = rows(database)
    server = start()
    with server.client() as client:
        client.conversations.create(metadata={"only": "in the log"})
    server.kill()
    assert database.with_name("conversations.db-wal").stat().st_size > 0
    assert run("restore", backup, "--overwrite").returncode == 0
    assert rows(database) == stored


def test_a_backup_with_its_log_is_restored_whole(run, start, database):
    server = start()
    with server.client() as client:
        created = client.conversations.create(metadata={"only": "in the log"})
    server.kill()
    assert run("restore", database, "--database", "new.db").returncode == 0
    assert (created.id, "only", "in the log") in rows(database.with_name("new.db"))


def test_the_new_file_has_the_mode_and_the_owner_of_the_old(run, database, backup):
    database.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(database, 65534, 65534)
    before = database.stat()
    assert run("restore", backup, "--overwrite").returncode == 0
    after = database.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode, before.st_uid, before.st_gid)


def test_a_restore_says_that_revoked_keys_count_again(run, start, keys, make_key, tmp_path):
    key = make_key("gone")
    assert run("backup", "backup.db").returncode == 0
    assert keys("revoke", "gone").returncode == 0
    server = start()
    assert server.request("GET", "/v1/conversations", headers=bearer(key)).status == 401
    assert server.stop() == 0
    result = run("restore", "backup.db", "--overwrite")
    assert "keys that were revoked after that backup count again" in result.stdout
    server.start()
    assert server.request("GET", "/v1/conversations", headers=bearer(key)).status == 200
    # And it says so before, too.
    assert "API keys that were revoked since" in " ".join(run("restore", "--help").stdout.split())


def test_a_restore_that_is_killed_leaves_the_old_database_or_the_new_one(
        binary, run, start, database, tmp_path):
    """At the latest the next one succeeds."""
    seed = random.randrange(1 << 32)
    generator = random.Random(seed)
    assert run("backup", "backup.db").returncode == 0
    old_backup = rows(tmp_path / "backup.db")
    outcomes = set()
    for _ in range(KILLS):
        # The newest conversation is in the log only.
        server = start()
        with server.client() as client:
            client.conversations.create(metadata={"newest": "yes"})
        server.kill()
        before = rows(database)
        process = subprocess.Popen(
            [binary, "restore", "backup.db", "--overwrite"], cwd=tmp_path,
            env=clean_environment(), stdout=subprocess.DEVNULL)
        time.sleep(generator.uniform(0, 0.12))
        process.kill()
        process.wait()
        with closing(sqlite3.connect(database)) as connection:
            # Takes back what a rollback journal says, which a reader may not.
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        after = rows(database)
        assert after in (before, old_backup), f"seed {seed}"
        outcomes.add(after == before)
        assert run("check").returncode == 0
    assert run("restore", "backup.db", "--overwrite").returncode == 0
    assert rows(database) == old_backup
    assert names(tmp_path) - {"server.log"} == {"conversations.db", "backup.db"}


def on_terminal(binary, folder, *arguments):
    """Runs a command whose errors go to a terminal, and returns what that shows."""
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [binary, *arguments], cwd=folder, env=clean_environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=end)
    os.close(end)
    shown = b""
    try:
        while piece := os.read(terminal, 1 << 16):
            shown += piece
    except OSError:
        # Linux: nobody has the other end any more.
        pass
    os.close(terminal)
    assert process.wait(timeout=START_SECONDS) == 0
    return shown.decode()


def test_a_terminal_shows_a_bar(binary, database, tmp_path):
    copied, checked = [f"\r{title} [{40 * '='}] 100 %" for title in ("copying ", "checking")]
    for command in [["backup", "copy.db"], ["restore", "copy.db", "--database", "new.db"]]:
        shown = on_terminal(binary, tmp_path, *command)
        assert copied in shown and shown.endswith(f"{checked}\r\n")
    shown = on_terminal(binary, tmp_path, "check", "--database", "copy.db")
    assert f"{checked}\r\n" in shown


def older(path, version):
    """A database as an older version of the program has made it, with something in it."""
    steps = sorted((REPOSITORY / "migrations").glob("*.sql"))[:version]
    with closing(sqlite3.connect(path)) as connection:
        for step in steps:
            connection.executescript(step.read_text(encoding="utf-8"))
        connection.executescript(
            f"PRAGMA application_id = {0x636F6E76}; PRAGMA user_version = {version};"
            "PRAGMA journal_mode = WAL")
    fill(path, 10)


def version_of(path):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


NEWEST = len(list((REPOSITORY / "migrations").glob("*.sql")))


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_a_migration_copies_the_database_before(run, tmp_path, version):
    database = tmp_path / "conversations.db"
    older(database, version)
    stored = rows(database)
    result = run("migrate")
    copy = tmp_path / f"conversations.db.version-{version}.backup"
    assert result.stdout.startswith(f"copied it to {copy} before\napplied ")
    assert (version_of(database), version_of(copy)) == (NEWEST, version)
    assert rows(database) == rows(copy) == stored
    assert names(tmp_path) == {database.name, copy.name}
    # Back, and on again: the copy is replaced.
    assert run("restore", copy, "--overwrite").returncode == 0
    assert version_of(database) == version
    fill(database, 1)
    assert run("migrate").returncode == 0
    assert len(rows(copy)) == len(rows(database)) == 11


def test_serving_copies_it_too_and_says_so(start, tmp_path):
    older(tmp_path / "conversations.db", 1)
    server = start()
    copy = tmp_path / "conversations.db.version-1.backup"
    assert f"backup={copy}" in server.log()
    assert version_of(copy) == 1


def test_a_new_or_a_current_database_is_not_copied(run, tmp_path):
    (tmp_path / "conversations.db").touch()
    for _ in range(2):
        assert run("migrate").returncode == 0
        assert names(tmp_path) == {"conversations.db"}


def test_without_a_copy_nothing_is_migrated_unless_told(run, refused, tmp_path):
    database = tmp_path / "conversations.db"
    older(database, 2)
    (tmp_path / "conversations.db.version-2.backup.partial").mkdir()
    copy = tmp_path / "conversations.db.version-2.backup"
    for command in ["migrate", "serve"]:
        line = refused(command, *(["--port", "0"] if command == "serve" else []))
        assert line == (
            f"Error: database 'conversations.db': it must be copied to '{copy}' before it is "
            "migrated, and nothing was changed: is a directory; "
            "'conversationd migrate --without-backup' goes on without a copy")
        assert version_of(database) == 2
    assert run("migrate", "--without-backup").returncode == 0
    assert version_of(database) == NEWEST


def test_two_that_migrate_at_once_make_one_good_copy(binary, tmp_path):
    older(tmp_path / "conversations.db", 1)
    processes = [
        subprocess.Popen([binary, "migrate"], cwd=tmp_path, env=clean_environment(),
                         stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [process.communicate(timeout=START_SECONDS)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert sum("applied 0002" in output for output in outputs) == 1
    assert version_of(tmp_path / "conversations.db") == NEWEST
    assert version_of(tmp_path / "conversations.db.version-1.backup") == 1
