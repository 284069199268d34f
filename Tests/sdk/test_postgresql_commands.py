"""The commands on a PostgreSQL, and what they tell of its URL."""

import json
import re
import signal

import pytest

PASSWORD = "sEcret-42"


@pytest.fixture
def url(postgresql):
    """With a password, which this server does not ask for."""
    plain = postgresql.make_database()
    return plain.replace("postgresql:///", f"postgresql://postgres:{PASSWORD}@/").replace(
        "&user=postgres", "")


@pytest.fixture
def environment(url):
    return {"CONVERSATIOND_DATABASE_URL": url}


def test_each_command_works_on_the_database(run, environment):
    first, second = [run("migrate", environment=environment) for _ in range(2)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert "applied 0001_" in first.stdout and first.stdout.endswith(" is now up to date\n")
    assert second.stdout.endswith(" is up to date\n")
    made = run("keys", "create", "--name=one", "--project=a", environment=environment)
    assert made.returncode == 0 and made.stdout.startswith("sk-")
    again = run("keys", "create", "--name=one", "--project=a", environment=environment)
    assert again.returncode == 65 and "a key named 'one' exists in project 'a'" in again.stderr
    assert run("keys", "revoke", "one", environment=environment).returncode == 0
    assert run("keys", "revoke", "one", environment=environment).returncode == 65
    secret = "a" * 40 + "\n"
    imported = [run("keys", "import", f"--name={name}", environment=environment, input=secret)
                for name in ["two", "three"]]
    assert [result.returncode for result in imported] == [0, 65]
    assert "stored already" in imported[1].stderr
    assert run("keys", "revoke", "two", environment=environment).returncode == 0
    listed = json.loads(run("keys", "list", "--json", environment=environment).stdout)
    assert [(key["name"], key["project"], key["state"]) for key in listed] == [
        ("one", "a", "revoked"), ("two", "default", "revoked")]
    checked = run("check", environment=environment)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.endswith(": 0 conversations, 0 metadata pairs, 0 items, all is well\n")


def test_check_finds_what_somebody_has_changed_by_force(run, start, url, environment, postgresql):
    server = start(database=url)
    assert server.request("POST", "/v1/conversations", {"metadata": {"a": "1"}}).status == 200
    name = re.search(r"/(test_\d+)", url)[1]
    postgresql.psql(name, "SET session_replication_role = replica; DELETE FROM pairs")
    result = run("check", "--json", environment=environment)
    assert result.returncode == 65
    assert len(json.loads(result.stdout)["findings"]) == 1


@pytest.mark.parametrize("command, program", [("backup", "pg_dump"), ("restore", "pg_restore")])
def test_backups_are_made_by_programs_of_postgresql(refused, environment, tmp_path, command, program):
    line = refused(command, "file.db", environment=environment, status=64)
    assert f"use {program}, or pgBackRest" in line
    assert PASSWORD not in line
    assert list(tmp_path.iterdir()) == []


def test_a_password_is_told_nowhere(run, start, url, environment, tmp_path, wait_until):
    file = tmp_path / "conversationd.yaml"
    file.write_text(f"database:\n  url: {url}\n")
    server = start("--config", file, database=False)
    file.write_text(f"database:\n  url: {url}&connect_timeout=9\n")
    server.send(signal.SIGHUP)
    wait_until(lambda: "database.url" in server.log())
    told = [server.address_line, server.log()]
    for command in [("config",), ("config", "--json"), ("migrate",), ("migrate", "--json"),
                    ("check",), ("check", "--json"), ("keys", "list")]:
        result = run(*command, environment=environment)
        assert result.returncode == 0, result
        told += [result.stdout, result.stderr]
    assert server.stop() == 0
    assert "database=postgresql://postgres:***@" in server.log()
    assert not [text for text in [*told, server.log()] if PASSWORD in text]
    # Other users can read the command line of a process, and nobody is led to put it there.
    assert "--database-url" not in run("serve", "--help").stdout


@pytest.mark.parametrize("change, status, words", [
    (lambda url: url.replace("/test_", "/none_"), 69, "does not exist"),
    (lambda url: url.replace("?host=", "?host=/nowhere"), 69, "/nowhere"),
    (lambda url: url.replace("postgresql:", "mysql:"), 78, "'database.url' in the environment"),
    (lambda url: f"{url}&no=1", 78, "'database.url'"),
])
@pytest.mark.parametrize("command", [
    ("serve", "--port=0"), ("migrate",), ("check",), ("keys", "list"),
    ("keys", "create", "--name=a")])
def test_a_database_that_cannot_be_used_is_refused_with_one_line(
        refused, url, command, change, status, words):
    environment = {"CONVERSATIOND_DATABASE_URL": change(url)}
    line = refused(*command, environment=environment, status=status)
    assert words in line
    assert PASSWORD not in line


def test_a_file_and_a_url_in_one_place_are_refused(refused, url, tmp_path):
    line = refused("check", status=78, environment={
        "CONVERSATIOND_DATABASE_URL": url, "CONVERSATIOND_DATABASE_PATH": "a.db"})
    assert "'database.url' in the environment stands beside 'database.path'" in line


def test_a_flag_hides_the_url_of_the_environment(run, environment, tmp_path):
    assert run("migrate", "--database", "a.db", environment=environment).returncode == 0
    assert (tmp_path / "a.db").exists()
