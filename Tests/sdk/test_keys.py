"""`conversationd keys`: what a person types and sees."""

import os
import re
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime

import pytest

from conftest import START_SECONDS, clean_environment

KEY = re.compile("sk-[A-Za-z0-9_-]{43}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
FIRST = "It is the first key: from now on every request needs one."
HEADING = [
    "NAME", "PROJECT", "RIGHTS", "STATE", "CREATED", "LAST USED", "EXPIRES", "PER MINUTE", "KEY"]
DAY = 86_400
CREATORS = 8


@pytest.fixture
def database(tmp_path):
    """Where the fixtures have their database; there is none yet."""
    return tmp_path / "conversations.db"


@pytest.fixture
def migrated(run, database):
    """The database, without a key."""
    assert run("migrate", "--database", database).returncode == 0
    return database


def created(name, database):
    return (f"Created the key '{name}' for project 'default' in {database}. Keep it in a safe "
            "place: it is not shown again.")


@pytest.fixture
def refused_keys(refused, database):
    """Runs a command on the keys of the database that must fail with one clear line."""

    def refused_keys(command, *arguments, **options):
        return refused("keys", command, "--database", database, *arguments, **options)

    return refused_keys


# create


def test_create_prints_the_key_alone_and_speaks_to_the_person_beside_it(keys, database):
    first, second = [keys("create", "--name", name) for name in "ab"]
    for result in (first, second):
        assert result.returncode == 0
        assert KEY.fullmatch(result.stdout.removesuffix("\n"))
    assert first.stdout != second.stdout
    assert first.stderr.splitlines() == [created("a", database), FIRST]
    assert second.stderr.splitlines() == [created("b", database)]
    # A key that is revoked was the first one all the same.
    for name in "ab":
        assert keys("revoke", name).returncode == 0
    assert keys("create", "--name", "c").stderr.splitlines() == [created("c", database)]


def test_create_makes_no_database(refused_keys, database, tmp_path):
    assert refused_keys("create", "--name", "a", status=69) == (
        f"Error: database '{database}' does not exist; 'conversationd migrate' creates it, or name "
        "another one with --database")
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_could_not_be_printed_is_revoked(run, binary, migrated, list_keys):
    # As when it goes to a file on a disk that is full.
    result = run("-c", '"$@" > /dev/full', "sh", binary, "keys", "create", "--name", "a",
                 "--database", migrated, program="sh")
    assert result.returncode == 74
    assert result.stderr.startswith("Error: ") and "'a'" in result.stderr
    # Nobody knows it.
    assert [row["STATE"] for row in list_keys()] == ["revoked"]


def test_a_key_that_goes_to_nobody_is_revoked(binary, migrated, list_keys):
    # As `| true` does it, whose end of the pipe may be closed before anything is written.
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open(write_end, "wb") as pipe:
        result = subprocess.run(
            [binary, "keys", "create", "--name", "a", "--database", migrated],
            env=clean_environment(), stdin=subprocess.DEVNULL, stdout=pipe,
            stderr=subprocess.PIPE, text=True, timeout=START_SECONDS)
    # Not by a signal, which would leave the key as it is.
    assert result.returncode == 74
    line, = result.stderr.splitlines()
    assert line == "Error: the key 'a' could not be printed and was revoked; make another"
    assert [row["STATE"] for row in list_keys()] == ["revoked"]


@pytest.mark.parametrize("lifetime, seconds", [
    ("1s", 1), ("15m", 900), ("24h", DAY), ("90d", 90 * DAY), ("2w", 14 * DAY),
    ("36500d", 36500 * DAY)])
def test_a_lifetime_is_a_number_and_a_unit(make_key, list_keys, lifetime, seconds):
    make_key("a", "--expires", lifetime)
    [row] = list_keys()
    created, expires = [datetime.fromisoformat(row[name]) for name in ("CREATED", "EXPIRES")]
    assert (expires - created).total_seconds() == seconds


@pytest.mark.parametrize("lifetime", [
    "", "0d", "d", "5", "-1d", "+1d", "5y", "1D", "1.5d", "1 d", " 1d", "1d ", "1d1h", "0x1d",
    "\u0663d", "36501d", "9223372036854775807w", "9223372036854775808s", "99999999999999999999d"])
def test_what_is_no_lifetime_is_a_usage_error(keys, list_keys, lifetime):
    # What begins with a hyphen is another option, unless it is joined to the name of this one.
    option = [f"--expires={lifetime}"] if lifetime.startswith("-") else ["--expires", lifetime]
    result = keys("create", "--name", "a", *option)
    assert (result.returncode, result.stdout) == (64, "")
    first, *rest = result.stderr.splitlines()
    assert first.startswith("Error: ") and f"'{lifetime}'" in first and "--expires" in first
    assert "such as 90d" in " ".join(rest)
    assert list_keys() == []


@pytest.mark.parametrize("name", [64 * "n", 64 * "\U0001f511", "build server", "e\u0301", "-", "'"])
def test_a_name_is_for_people(make_key, keys, list_keys, database, name):
    make_key(name)
    assert [row["NAME"] for row in list_keys()] == [name]
    result = keys("revoke", "--", name)
    assert (result.returncode, result.stdout) == (0, f"revoked '{name}' in {database}\n")


BAD_NAMES = ["", 65 * "n", "a\n", "a\tb", "\x1b[2J", "\x7f", "\x85"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_malformed_name_is_refused(make_key, refused_keys, list_keys, name):
    make_key("good")
    line = refused_keys("create", "--name", name)
    assert line == (
        "Error: the name of a key is 1 to 64 characters, none of them a control character")
    assert [row["NAME"] for row in list_keys()] == ["good"]


BAD_PROJECTS = ["", 65 * "p", "a b", "a\tb", "caf\u00e9", " a"]


@pytest.mark.parametrize("project", BAD_PROJECTS)
def test_a_malformed_project_is_refused(make_key, refused_keys, list_keys, project):
    make_key("good")
    line = refused_keys("create", "--name", "a", "--project", project)
    assert line == (
        "Error: the name of a project is 1 to 64 visible ASCII characters, none of them a space")
    assert [row["NAME"] for row in list_keys()] == ["good"]


@pytest.mark.parametrize("name, project", [("", "default"), ("a", "")])
def test_malformed_words_create_no_database(refused_keys, tmp_path, name, project):
    refused_keys("create", "--name", name, "--project", project)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_is_refused(
        make_key, refused_keys, list_keys, sqlite, database):
    make_key("a")
    line = refused_keys("create", "--name", "a", "--admin")
    assert line == ("Error: a key named 'a' exists in project 'default'; revoke it first, or take "
                    "another name")
    assert len(list_keys()) == 1
    assert sqlite(database, "SELECT name FROM projects").stdout == "default\n"


def test_each_project_has_names_of_its_own(make_key, keys, refused_keys, list_keys):
    for project in ("red", "blue", "default"):
        make_key("a", "--project", project)
    assert refused_keys("revoke", "a", status=64) == (
        "Error: a key named 'a' exists in the projects 'blue', 'default', 'red'; name one with "
        "--project")
    assert refused_keys("revoke", "a", "--project", "green") == (
        "Error: no key named 'a' in project 'green'; 'conversationd keys list' shows them")
    assert keys("revoke", "a", "--project", "red").returncode == 0
    assert keys("revoke", "--project", "blue", "a").returncode == 0
    assert [row["STATE"] for row in list_keys()] == ["revoked", "revoked", "active"]
    # One is left: its name is enough.
    assert keys("revoke", "a").returncode == 0
    assert [row["STATE"] for row in list_keys()] == 3 * ["revoked"]


def test_an_admin_key_is_listed_as_one(make_key, list_keys):
    make_key("a", "--admin", "--project", "red")
    [row] = list_keys()
    assert (row["NAME"], row["PROJECT"], row["RIGHTS"]) == ("a", "red", "admin")


def test_an_admin_key_cannot_be_read_only(keys, list_keys):
    result = keys("create", "--name", "a", "--read-only", "--admin")
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr.startswith("Error: --read-only and --admin exclude each other\n")
    assert list_keys() == []


def test_keys_that_are_made_at_once_are_all_made(keys, list_keys, migrated):
    with ThreadPoolExecutor(CREATORS) as pool:
        names = [f"key {number}" for number in range(CREATORS)]
        results = list(pool.map(lambda name: keys("create", "--name", name), names))
    assert [result.returncode for result in results] == CREATORS * [0], results
    assert len({result.stdout for result in results}) == CREATORS
    assert sorted(row["NAME"] for row in list_keys()) == names


def test_of_those_who_want_a_name_at_once_one_gets_it(make_key, keys, list_keys):
    make_key("other")
    with ThreadPoolExecutor(CREATORS) as pool:
        results = list(pool.map(lambda _: keys("create", "--name", "a"), range(CREATORS)))
    assert sorted(result.returncode for result in results) == [0] + (CREATORS - 1) * [65], results
    assert len(list_keys()) == 2


# list and revoke


def test_list_shows_what_each_key_is(make_key, keys, list_keys):
    texts = [make_key("a"), make_key("b", "--read-only", "--project", "red", "--expires", "90d"),
             make_key("c", "--project", "red")]
    assert keys("revoke", "c").returncode == 0
    rows = list_keys()
    assert [list(row.values())[:4] for row in rows] == [
        ["a", "default", "read-write", "active"], ["b", "red", "read-only", "active"],
        ["c", "red", "read-write", "revoked"]]
    assert [row["LAST USED"] for row in rows] == 3 * ["never"]
    assert [bool(TIME.fullmatch(row["EXPIRES"])) for row in rows] == [False, True, False]
    assert all(TIME.fullmatch(row["CREATED"]) for row in rows)
    assert [row["KEY"] for row in rows] == [f"{text[:7]}..." for text in texts]


def test_the_columns_stand_below_their_headings(make_key, keys):
    make_key("a rather long name", "--project", "p")
    make_key("b", "--project", "quite-a-project", "--read-only")
    heading, *rows = keys("list").stdout.splitlines()
    for name in HEADING:
        start = heading.index(name)
        assert all(row[start] != " " and row[start - 2:start].strip() == "" for row in rows)


def test_a_list_without_keys_is_its_heading(keys, migrated):
    assert keys("list").stdout.split("  ") == [*HEADING[:-1], "KEY\n"]


def test_revoke_names_a_key_that_is_not_there(make_key, keys, refused_keys):
    make_key("a")
    assert keys("revoke", "a").returncode == 0
    for name in ("a", "A", "b", ""):
        assert refused_keys("revoke", name) == (
            f"Error: no key named '{name}'; 'conversationd keys list' shows them")


@pytest.mark.parametrize("command", [["list"], ["revoke", "a"]], ids=" ".join)
def test_where_no_database_is_none_is_created(refused_keys, database, tmp_path, command):
    line = refused_keys(*command)
    assert line == f"Error: database '{database}': no such file or folder"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["list"], ["revoke", "a"]], ids=" ".join)
def test_an_empty_file_is_refused_with_what_to_do(refused_keys, database, command):
    database.touch()
    assert "'conversationd migrate'" in refused_keys(*command)
    assert database.read_bytes() == b""


def test_the_database_comes_from_the_settings(run, tmp_path):
    (tmp_path / "settings.yaml").write_text("database:\n  path: 'a.db'\n", encoding="utf-8")
    options = [(["--config", "settings.yaml"], {}), ([], {"CONVERSATIOND_DATABASE_PATH": "b.db"})]
    for arguments, environment in options:
        assert run("migrate", *arguments, environment=environment).returncode == 0
        for command in (["create", "--name", "a"], ["list"], ["revoke", "a"]):
            result = run("keys", *command, *arguments, environment=environment)
            assert result.returncode == 0, result
    assert {path.name for path in tmp_path.glob("*.db")} == {"a.db", "b.db"}


@pytest.mark.parametrize("command", [["create", "--name", "b"], ["revoke", "a"]], ids=" ".join)
def test_a_lock_that_stays_held_is_an_error_and_changes_nothing(
        make_key, refused_keys, list_keys, database, command):
    make_key("a")
    before = list_keys()
    environment = {"CONVERSATIOND_DATABASE_BUSY_TIMEOUT_MILLISECONDS": "50"}
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        line = refused_keys(*command, environment=environment)
        assert line == f"Error: database '{database}': another process holds its lock"
        # Who only reads does not wait.
        assert list_keys() == before


@pytest.mark.parametrize("command", [["create", "--name", "b"], ["revoke", "a"]], ids=" ".join)
def test_a_database_that_may_only_be_read_is_refused(run, refused, ordinary_user, command):
    folder, options = ordinary_user
    database = folder / "conversations.db"
    assert run("migrate", "--database", database, **options).returncode == 0
    assert run("keys", "create", "--name", "a", "--database", database, **options).returncode == 0
    database.chmod(0o444)
    line = refused("keys", *command, "--database", database, status=74, **options)
    assert line == f"Error: database '{database}': this user may not write it or its folder"
