"""The exit codes of the commands (sysexits.h), as --help lists them."""

import os
import subprocess

import pytest
from conftest import needs_mounts

BINARY = os.path.realpath(os.environ.get("CONVERSATIOND_BINARY", ""))
USAGE, DATA, UNAVAILABLE, IO, CONFIGURATION = 64, 65, 69, 74, 78
COMMANDS = ["serve", "migrate", "check", "backup out.db", "keys list", "keys create --name a",
            "keys revoke a", "export", "import"]


@pytest.fixture
def database(run, tmp_path):
    path = tmp_path / "conversations.db"
    assert run("migrate", "--database", path).returncode == 0
    return path


def test_help_lists_the_codes(run):
    text = " ".join(run("--help").stdout.split())
    for code in (USAGE, DATA, UNAVAILABLE, 70, IO, CONFIGURATION):
        assert f"{code} " in text[text.index("Exit codes:"):]


@pytest.mark.parametrize("arguments", ["", "keys"])
def test_a_missing_command_shows_what_there_is_and_is_wrong(run, arguments):
    result = run(*arguments.split())
    assert (result.returncode, result.stdout) == (USAGE, "")
    assert "USAGE: conversationd" in result.stderr and "SUBCOMMANDS:" in result.stderr


@pytest.mark.parametrize("arguments", [
    "serv", "serve --prot 1", "keys create", "backup", "migrate x", "keys create --name a --expires 1",
    "keys create --name a --admin --read-only"])
def test_a_wrong_command_line(run, arguments):
    result = run(*arguments.split())
    assert (result.returncode, result.stdout) == (USAGE, "")
    assert "Error: " in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_configuration(refused, command):
    refused(*command.split(), environment={"CONVERSATIOND_HTTP_PORT": "x"}, status=CONFIGURATION)
    refused(*command.split(), "--config", "missing.yaml", status=CONFIGURATION)


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_data(refused, tmp_path, command):
    (tmp_path / "text.db").write_text(1000 * "no database ")
    refused(*command.split(), "--database", "text.db", status=DATA)


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in ("serve", "migrate")])
def test_no_command_but_serve_and_migrate_creates_a_database(refused, tmp_path, command):
    line = refused(*command.split(), "--database", "conversatoins.db", status=UNAVAILABLE)
    assert "conversatoins.db" in line
    assert list(tmp_path.iterdir()) == []


def test_create_says_what_creates_a_database(refused):
    line = refused("keys", "create", "--name", "a", "--database", "b.db", status=UNAVAILABLE)
    assert "'conversationd migrate' creates it" in line


def test_serve_existing_refuses_to_create(refused, run, start, tmp_path):
    line = refused("serve", "--existing", "--port", 0, "--database", "a.db", status=UNAVAILABLE)
    assert "a.db" in line and not list(tmp_path.iterdir())
    (tmp_path / "a.db").touch()
    refused("serve", "--existing", "--port", 0, "--database", "a.db", status=UNAVAILABLE)
    assert (tmp_path / "a.db").stat().st_size == 0
    assert run("migrate", "--database", "conversations.db").returncode == 0
    assert start("--existing").request("GET", "/healthz").status == 200


def test_a_server_in_the_way_is_something_unavailable(refused, server):
    refused("serve", "--port", 0, "--database", server.database, status=UNAVAILABLE)
    refused("serve", "--port", server.port, "--database", "other.db", status=UNAVAILABLE)


FULL = ["keys list", "check", "migrate", "--help", "--version", "backup out.db"]


@pytest.mark.parametrize("command", FULL)
def test_a_full_standard_output_is_an_error(database, tmp_path, command):
    options = [] if command.startswith("--") else ["--database", database]
    with open("/dev/full", "wb") as full:
        result = subprocess.run([BINARY, *command.split(), *options], cwd=tmp_path, stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == IO
    assert "standard output: no space left on device" in result.stderr


def test_backup_streams_to_standard_output(run, database, tmp_path):
    with open(tmp_path / "copy.db", "wb") as copy:
        result = subprocess.run([BINARY, "backup", "-", "--database", database], stdout=copy,
                                stderr=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == 0, result
    assert str(database) in result.stderr
    assert run("check", "--database", tmp_path / "copy.db").returncode == 0


def test_a_backup_that_nobody_takes_is_an_error(database, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with open("/dev/full", "wb") as full:
        result = subprocess.run([BINARY, "backup", "-", "--database", database], stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=60,
                                env={**os.environ, "TMPDIR": str(temporary)})
    assert result.returncode == IO
    assert "standard output" in result.stderr
    assert list(temporary.iterdir()) == []


def test_a_backup_into_a_missing_folder_names_the_folder(refused, database):
    line = refused("backup", "no/such/out.db", "--database", database, status=IO)
    assert "folder" in line and "no/such" in line


def test_a_database_is_not_restored_over_itself(refused, database, tmp_path):
    before = database.read_bytes()
    for name in ("conversations.db", "./conversations.db"):
        line = refused("restore", name, "--database", database, "--overwrite", status=USAGE)
        assert "the same file" in line
    (tmp_path / "link.db").symlink_to(database)
    refused("restore", "link.db", "--database", database, "--overwrite", status=USAGE)
    assert database.read_bytes() == before


def test_a_backup_without_keys_replaces_no_database_with_keys(run, refused, keys, database):
    assert run("backup", "old.db", "--database", database).returncode == 0
    assert keys("create", "--name=a").returncode == 0
    restore = ["restore", "old.db", "--database", database, "--overwrite"]
    line = refused(*restore, status=DATA)
    assert "--allow-no-keys" in line
    assert "a " in keys("list").stdout
    assert run(*restore, "--allow-no-keys").returncode == 0
    assert "a " not in keys("list").stdout


def test_each_command_names_the_database_that_it_used(run, keys, database):
    created = keys("create", "--name=a")
    assert str(database) in created.stderr and str(database) not in created.stdout
    for command in ("keys list", "keys revoke a", "check", "backup out.db", "migrate"):
        result = run(*command.split(), "--database", database)
        assert result.returncode == 0 and str(database) in result.stdout + result.stderr


def test_create_warns_of_conversations_that_the_key_cannot_see(keys, server, run):
    server.request("POST", "/v1/conversations", {"metadata": {"a": "1"}})
    server.request("POST", "/v1/conversations")
    other = keys("create", "--name=a", "--project=sales")
    assert other.returncode == 0
    assert "project 'default' holds 2 conversations" in other.stderr
    assert "holds" not in keys("create", "--name=b").stderr


def test_the_environment_names_the_configuration_file_for_every_command(run, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/settings.yaml").write_text("database:\n  path: my.db\n")
    environment = {"CONVERSATIOND_CONFIG": str(tmp_path / "folder/settings.yaml")}
    for command in ("migrate", "keys create --name a", "keys list", "check", "backup out.db",
                    "keys revoke a", "restore out.db --overwrite"):
        result = run(*command.split(), environment=environment)
        assert result.returncode == 0, result
        assert "warning" not in result.stderr.lower()
    assert (tmp_path / "folder/my.db").exists() and not list(tmp_path.glob("*.db-*"))


def test_keys_can_be_required_before_there_are_any(start, keys):
    server = start(environment={"CONVERSATIOND_HTTP_REQUIRE_KEYS": "true"})
    answer = server.request("POST", "/v1/conversations")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert server.request("GET", "/healthz").status == 200
    key = keys("create", "--name=a").stdout.strip()
    headers = {"Authorization": f"Bearer {key}"}
    assert server.request("POST", "/v1/conversations", headers=headers).status == 200


@needs_mounts
def test_without_proc_the_arguments_are_known_all_the_same(tmp_path):
    result = subprocess.run(
        ["unshare", "--mount", "sh", "-c",
         f"mount -t tmpfs none /proc && exec {BINARY} migrate --database {tmp_path}/a.db"],
        capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result
    assert "is now up to date" in result.stdout
