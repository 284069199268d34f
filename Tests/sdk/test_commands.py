"""The commands as a person runs them: help, exit codes, one clear line when something is wrong."""

import os
import re
import socket
import sqlite3
import stat
from contextlib import closing

import pytest

from conftest import REPOSITORY

COMMANDS = {
    "serve": ["--config", "--host", "--port", "--listen", "--database", "--log-level",
              "--insecure-http"],
    "keys create": [
        "--config", "--database", "--name", "--project", "--read-only", "--expires"],
    "keys list": ["--config", "--database", "--json"],
    "keys revoke": ["--config", "--database"],
    "keys rotate": ["--config", "--database", "--project", "--grace"],
    "keys import": ["--config", "--database", "--name", "--project", "--read-only", "--expires"],
    "migrate": ["--config", "--database", "--json"],
    "check": ["--config", "--database", "--json"],
    "export": ["--config", "--database", "--project", "--metadata", "--since"],
    "copy": ["--config", "--from", "--to"],
    "import": ["--config", "--database", "--project", "--new-ids", "--json"],
    "config": ["--config", "--database", "--host", "--port", "--json"],
    "status": ["--config", "--host", "--port", "--json", "--seconds"],
    "healthcheck": ["--config", "--host", "--port", "--live"],
}
SWITCHES = ["--insecure-http", "--json", "--live", "--read-only"]
MIGRATIONS = sorted(path.stem for path in (REPOSITORY / "migrations").glob("*.sql"))
# Each opens a database; those that may create it come first.
CREATING = [["serve", "--port", "0"], ["migrate"]]
OPENING = [*CREATING, ["keys", "create", "--name", "a"], ["keys", "rotate", "a"], ["keys", "list"],
           ["keys", "revoke", "a"], ["check"], ["export"], ["import"]]
each_command = pytest.mark.parametrize("command", OPENING, ids=" ".join)
each_creating_command = pytest.mark.parametrize("command", CREATING, ids=" ".join)


def snapshot(folder):
    """Every file of a folder with its bytes and mode."""
    return {path.name: (path.read_bytes(), path.stat().st_mode) for path in folder.iterdir()}


def execute(path, sql):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)


# Help and usage


def test_help_names_the_commands(run):
    result = run("--help")
    assert result.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command.split()[0]}\b", result.stdout, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_names_its_options(run, command):
    result = run(*command.split(), "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert f"USAGE: conversationd {command}" in result.stdout
    for option in COMMANDS[command]:
        value = "" if option in SWITCHES else " <"
        assert re.search(rf"^  {option}{value}", result.stdout, re.MULTILINE)


@pytest.mark.parametrize("default", ["conversations.db", "127.0.0.1", "8080", "info"])
def test_help_of_serve_names_the_defaults(run, default):
    text = " ".join(run("serve", "--help").stdout.split())
    assert f"(default: {default})" in text


def test_version_is_printed(run):
    result = run("--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(r"\d+\.\d+\.\d+( \(commit [0-9a-f]{7,}(-dirty)?\))?\n", result.stdout)


@pytest.mark.parametrize("arguments", [
    ["--colour"], ["colour"], ["serve", "--colour"], ["serve", "colour"], ["serve", "--port"],
    ["migrate", "--port", "0"], ["check", "--host", "localhost"], ["keys", "colour"],
    ["keys", "create"], ["keys", "create", "a"], ["keys", "list", "a"], ["keys", "revoke"],
    ["keys", "revoke", "a", "b"]])
def test_what_is_no_option_is_a_usage_error(run, tmp_path, arguments):
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr.startswith("Error: ") and "Usage: conversationd" in result.stderr
    assert snapshot(tmp_path) == {}


# Files that cannot be used


@each_command
def test_a_missing_folder_is_named(refused, tmp_path, command):
    line = refused(*command, "--database", "missing/conversations.db")
    assert line.startswith("Error: database 'missing/conversations.db'")
    assert "no such file or folder" in line or "does not exist" in line
    assert snapshot(tmp_path) == {}


@each_command
def test_a_folder_in_place_of_the_file_is_refused(refused, tmp_path, command):
    (tmp_path / "folder").mkdir()
    line = refused(*command, "--database", "folder")
    assert line.startswith("Error: database 'folder': ")
    assert list((tmp_path / "folder").iterdir()) == []


@each_command
@pytest.mark.parametrize("content", [
    b"key,value\n", b"\0\0", b"SQLite format 3", bytes(range(256)) * 64])
def test_a_file_that_is_no_database_is_refused_and_untouched(refused, tmp_path, command, content):
    (tmp_path / "data").write_bytes(content)
    before = snapshot(tmp_path)
    assert refused(*command, "--database", "data") == "Error: database 'data': not a database"
    assert snapshot(tmp_path) == before


FOREIGN = {
    "with tables": ("CREATE TABLE notes (text)", "belongs to another program"),
    "with an application_id": (
        "PRAGMA application_id = 252006673; CREATE TABLE notes (text)",
        "belongs to another program (its application_id is 252006673)"),
    "with an application_id alone": (
        "PRAGMA application_id = 252006673", "belongs to another program"),
    "with a user_version alone": ("PRAGMA user_version = 1", "belongs to another program"),
    "with tables of the same names": (
        "CREATE TABLE conversations (id); CREATE TABLE metadata (key); PRAGMA user_version = 1",
        "belongs to another program"),
}


@each_command
@pytest.mark.parametrize("sql, words", FOREIGN.values(), ids=FOREIGN)
def test_a_database_of_another_program_is_refused_and_untouched(
        refused, tmp_path, command, sql, words):
    execute(tmp_path / "theirs.db", sql)
    before = snapshot(tmp_path)
    line = refused(*command, "--database", "theirs.db")
    assert line.startswith(f"Error: database 'theirs.db': {words}")
    assert snapshot(tmp_path) == before


@each_command
def test_a_database_of_a_newer_version_is_refused_and_untouched(run, refused, tmp_path, command):
    assert run("migrate", "--database", "newer.db").returncode == 0
    execute(tmp_path / "newer.db", "PRAGMA user_version = 99")
    before = snapshot(tmp_path)
    line = refused(*command, "--database", "newer.db")
    assert "newer" in line and "99" in line
    assert snapshot(tmp_path)["newer.db"] == before["newer.db"]


@each_command
@pytest.mark.parametrize("sql", [
    "PRAGMA user_version = 99", "PRAGMA application_id = 7", "CREATE TABLE notes (text)"])
def test_a_refused_database_keeps_a_log_that_a_crash_has_left(
        run, refused, tmp_path, command, sql):
    # Closing a database writes its log back, unless the closing connection can only read.
    if sql.startswith("PRAGMA user_version"):
        assert run("migrate", "--database", "source.db").returncode == 0
    folder = tmp_path / "crashed"
    folder.mkdir()
    with closing(sqlite3.connect(tmp_path / "source.db")) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.executescript(sql)
        for suffix in ("", "-wal"):
            (folder / f"theirs.db{suffix}").write_bytes(
                (tmp_path / f"source.db{suffix}").read_bytes())
    before = snapshot(folder)
    assert len(before["theirs.db-wal"][0]) > 0
    refused(*command, "--database", "crashed/theirs.db")
    after = snapshot(folder)
    assert {name: after.get(name) for name in before} == before


@each_command
def test_a_file_of_somebody_else_is_refused(refused, ordinary_user, command):
    folder, options = ordinary_user
    (folder / "locked").mkdir()
    database = folder / "locked" / "conversations.db"
    database.write_bytes(b"")
    (folder / "locked").chmod(0)
    line = refused(*command, "--database", database, **options)
    assert line == f"Error: database '{database}': permission denied"


@each_creating_command
def test_a_folder_without_write_permission_is_refused(refused, ordinary_user, command):
    folder, options = ordinary_user
    (folder / "fixed").mkdir(mode=0o555)
    database = folder / "fixed" / "conversations.db"
    line = refused(*command, "--database", database, **options)
    assert line == f"Error: database '{database}': permission denied"
    assert list((folder / "fixed").iterdir()) == []


@each_creating_command
def test_a_file_that_may_only_be_read_is_refused(run, refused, ordinary_user, command):
    folder, options = ordinary_user
    database = folder / "conversations.db"
    assert run("migrate", "--database", database, **options).returncode == 0
    database.chmod(0o444)
    line = refused(*command, "--database", database, **options)
    assert line == f"Error: database '{database}': permission denied"


# Addresses that cannot be served


def test_a_port_in_use_is_refused_and_no_database_is_created(refused, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = refused("serve", "--port", port, "--database", "conversations.db")
    assert line == f"Error: address 127.0.0.1 port {port}: another program uses this port"
    assert snapshot(tmp_path) == {}


def test_the_port_of_another_conversationd_is_refused(server, refused, tmp_path):
    line = refused("serve", "--port", server.port, "--database", "other.db")
    assert str(server.port) in line and "another program uses this port" in line
    assert not (tmp_path / "other.db").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_address_that_others_can_reach_is_refused_with_the_reason(refused, tmp_path, host):
    line = refused("serve", "--host", host, "--port", 0, "--database", "conversations.db")
    assert host in line and "loopback" in line and "'conversationd keys create'" in line
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize("host", ["no.such.host.invalid", "127.0.0.1:80", "256.256.256.256"])
def test_an_unknown_host_is_refused(refused, tmp_path, host):
    line = refused("serve", "--host", host, "--port", 0, "--database", "conversations.db")
    assert line.startswith(f"Error: address {host} port 0: ")
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9"])
def test_loopback_names_and_addresses_are_served(start, host):
    server = start("--host", host)
    assert server.request("GET", "/healthz").json() == {"status": "ok"}


# What serve leaves on disk


@pytest.mark.parametrize("has_dashboard", [True, False])
def test_the_addresses_are_all_that_serve_prints(start, has_dashboard):
    server = start(environment={} if has_dashboard else {"CONVERSATIOND_HTTP_DASHBOARD": "false"})
    assert re.fullmatch(
        rf"conversationd listening on http://127\.0\.0\.1:{server.port}\n", server.address_line)
    server.request("POST", "/v1/conversations")
    assert server.stop() == 0
    dashboard = f"dashboard at {server.url}/dashboard\n" if has_dashboard else ""
    assert server.process.stdout.read() == dashboard.encode()


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_the_database_and_its_companions_are_the_owner_s_alone(start, umask):
    server = start(umask=umask)
    server.request("POST", "/v1/conversations")
    for suffix in ("", "-wal", "-shm"):
        path = server.database.with_name(server.database.name + suffix)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.parametrize("name", ["conversations.db", "link.db"])
def test_a_second_serve_on_the_same_file_is_refused(server, refused, run, sqlite, tmp_path, name):
    os.symlink("conversations.db", tmp_path / "link.db")
    server.request("POST", "/v1/conversations", {"metadata": {"a": "1"}})
    line = refused("serve", "--port", 0, "--database", name)
    assert line == f"Error: database '{name}': another conversationd uses this file"
    # The first one goes on, and others than servers may use the file.
    assert server.request("POST", "/v1/conversations").status == 200
    assert sqlite(name, "SELECT count(*) FROM overview").stdout == "2\n"
    assert sqlite(name, "UPDATE metadata SET value = '2'").returncode == 0
    assert run("check", "--database", name).returncode == 0
    assert run("migrate", "--database", name).returncode == 0
    assert run("keys", "create", "--name", "a", "--database", name).returncode == 0


def test_a_killed_server_does_not_hold_its_file(start, server):
    server.kill()
    assert start().request("GET", "/readyz").status == 200


# migrate


def test_migrate_creates_the_file_and_is_content_with_it(run, tmp_path):
    first = run("migrate", "--database", "new.db")
    assert (first.returncode, first.stderr) == (0, "")
    applied = [f"applied {name}" for name in MIGRATIONS]
    assert first.stdout.splitlines() == [*applied, "new.db is now up to date"]
    assert stat.S_IMODE((tmp_path / "new.db").stat().st_mode) == 0o600
    before = snapshot(tmp_path)
    second = run("migrate", "--database", "new.db")
    assert (second.returncode, second.stdout) == (0, "new.db is up to date\n")
    assert snapshot(tmp_path) == before


def test_migrate_takes_an_empty_file(run, tmp_path):
    (tmp_path / "empty.db").touch()
    assert "applied 0001_" in run("migrate", "--database", "empty.db").stdout


def test_migrate_beside_a_running_server_has_nothing_to_do(server, run):
    result = run("migrate", "--database", server.database)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{server.database} is up to date\n"


def test_serve_migrates_and_says_so_once(server):
    for _ in range(2):
        for name in MIGRATIONS:
            assert server.log().count(name) == 1
        server.restart()


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_database_of_an_older_version_is_brought_up_to_date(start, run, tmp_path, version):
    assert run("migrate", "--database", "new.db").returncode == 0
    with closing(sqlite3.connect(tmp_path / "new.db")) as new:
        [application] = new.execute("PRAGMA application_id").fetchone()
    older = [(REPOSITORY / "migrations" / f"{name}.sql").read_text(encoding="utf-8")
             for name in MIGRATIONS[:version]]
    ids = [f"conv_{n:08x}{40 * 'a'}" for n in (1, 2)]
    execute(tmp_path / "conversations.db", f"""
        PRAGMA application_id = {application};
        PRAGMA journal_mode = WAL;
        {"".join(older)}
        PRAGMA user_version = {version};
        INSERT INTO conversations (id, created_at) VALUES ('{ids[0]}', 1), ('{ids[1]}', 2);
        INSERT INTO metadata (conversation, key, value) VALUES (1, 'a', '1'), (2, 'a', '2');
        """)
    server = start()
    assert [name in server.log() for name in MIGRATIONS] == [
        number >= version for number in range(len(MIGRATIONS))]
    for query, expected in [("", ids[::-1]), ("?metadata[a]=1", ids[:1]),
                            ("?metadata_exists[]=a", ids[::-1]), ("?created_at[gt]=1", ids[1:])]:
        answer = server.request("GET", f"/v1/conversations{query}").json()
        assert [conversation["id"] for conversation in answer["data"]] == expected
    key = {"Idempotency-Key": "key"}
    assert server.request("POST", "/v1/conversations", headers=key).status == 200
    assert run("check", "--database", server.database).returncode == 0
