"""The systemd unit is accepted by systemd, keeps what the service may do small, and serves only what
is there. (No systemd runs where the tests do, so the unit itself is not started.)"""

import json
import os
import re
import shlex
import shutil

import pytest
from conftest import REPOSITORY, bearer

CONFIG = REPOSITORY / "config"
UNIT = CONFIG / "conversationd.service"
# Of 10 for a service that may do everything (systemd-analyze(1), "security").
EXPOSURE_MAX = 1.5
EXPOSURE_WITH_PORT_443_MAX = 2.0


@pytest.fixture
def unit(tmp_path, binary):
    """The unit with the program and the files where they are here."""
    copy = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    assert "/usr/local/bin/conversationd serve" in text
    copy.write_text(text.replace("/usr/local/bin/conversationd", binary), encoding="utf-8")
    return copy


@pytest.fixture
def production(tmp_path):
    """The configuration of the unit, with the database where it can be here."""
    text = (CONFIG / "production.yaml").read_text(encoding="utf-8")
    assert "path: /var/lib/conversationd/conversations.db" in text
    copy = tmp_path / "etc.yaml"
    copy.write_text(text.replace("/var/lib/conversationd", str(tmp_path)), encoding="utf-8")
    return copy


def settings(unit, name):
    """The values of a setting that may be there several times."""
    return re.findall(rf"^{name}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)


def environment(unit, configuration):
    """What the unit sets, with the configuration file where it is here."""
    values = dict(pair.split("=", 1) for pair in settings(unit, "Environment"))
    assert values["CONVERSATIOND_CONFIG"] == "/etc/conversationd/conversationd.yaml"
    return {**values, "CONVERSATIOND_CONFIG": str(configuration)}


def add_port_443(unit):
    """Puts the drop-in beside it."""
    folder = unit.with_name(f"{unit.name}.d")
    folder.mkdir()
    shutil.copy(CONFIG / "port-443.conf", folder)


def verify(run, unit):
    """It is not well-formed either where a program that it names is missing."""
    result = run("verify", "--man=no", unit, program="systemd-analyze")
    words = result.stdout + result.stderr
    assert (result.returncode, words) == (0, ""), f"systemd-analyze verify says:\n{words}"


def security(run, unit, exposure_max):
    """The findings of systemd-analyze, by name, once it finds the exposure small."""
    options = ("security", "--offline=true", "--no-pager", f"--threshold={exposure_max * 10:.0f}")
    result = run(*options, unit, program="systemd-analyze")
    assert result.returncode == 0, result.stdout + result.stderr
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", result.stdout)
    assert float(level[1]) <= exposure_max, result.stdout
    result = run(*options, "--json=short", unit, program="systemd-analyze")
    return {finding["json_field"]: finding["set"] for finding in json.loads(result.stdout)}


def test_the_unit_is_well_formed(run, unit):
    verify(run, unit)
    add_port_443(unit)
    verify(run, unit)


def test_the_units_for_backups_are_well_formed(run, tmp_path, binary):
    for name in ("conversationd-backup.service", "conversationd-backup.timer",
                 "conversationd.socket", "conversationd.service"):
        text = (CONFIG / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(
            text.replace("/usr/local/bin/conversationd", binary), encoding="utf-8")
    for name in ("conversationd-backup.timer", "conversationd.socket"):
        verify(run, tmp_path / name)


def test_a_backup_is_made_as_its_unit_says(run, tmp_path, binary):
    assert run("migrate", "--database", "conversations.db").returncode == 0
    (tmp_path / "backups").mkdir()
    old = tmp_path / "backups/conversations-20200101T000000Z.db"
    old.touch()
    os.utime(old, (0, 0))
    unit = CONFIG / "conversationd-backup.service"
    commands = settings(unit, "ExecStart") + settings(unit, "ExecStartPost")
    for command in commands:
        command = command.replace("/usr/local/bin/conversationd", binary)
        command = command.replace("/var/backups/conversationd", str(tmp_path / "backups"))
        # As systemd reads it.
        words = shlex.split(command.replace("%%", "%").replace("$$", "$"))
        environment = {"CONVERSATIOND_DATABASE_PATH": str(tmp_path / "conversations.db")}
        assert run(*words[1:], program=words[0], environment=environment).returncode == 0
    copy, = (tmp_path / "backups").iterdir()
    assert re.fullmatch(r"conversations-\d{8}T\d{6}Z\.db", copy.name)
    assert run("check", "--database", copy).returncode == 0


def test_what_the_service_may_do_is_small(run, unit):
    security(run, unit, EXPOSURE_MAX)


def test_the_drop_in_for_port_443_allows_no_more_than_that(run, unit):
    before = security(run, unit, EXPOSURE_MAX)
    add_port_443(unit)
    after = security(run, unit, EXPOSURE_WITH_PORT_443_MAX)
    assert {name.partition("_CAP_NET_BIND_SERVICE")[0] for name, is_safe in after.items()
            if is_safe != before[name]} == {
        "AmbientCapabilities", "CapabilityBoundingSet", "PrivateUsers"}


def test_the_commands_of_the_unit_are_those_of_the_program(run, unit):
    command = settings(unit, "ExecStart")[0].split()
    options = {word for word in command if word.startswith("--")}
    help_text = run(*command[1:2], "--help", program=command[0]).stdout
    assert options and all(option in help_text for option in options), command


def test_the_user_is_there_for_the_commands_too(unit):
    assert settings(unit, "User") == ["conversationd"]
    assert settings(unit, "DynamicUser") == settings(unit, "ExecStartPre") == []
    text = unit.read_text(encoding="utf-8")
    assert re.search("^#   useradd --system .* conversationd$", text, re.MULTILINE)
    assert "#   runuser -u conversationd -- conversationd migrate\n" in text


def test_the_unit_serves_only_a_database_that_is_there_and_only_with_keys(
        run, refused, start, unit, production, tmp_path):
    set_by_unit = environment(unit, production)
    options = settings(unit, "ExecStart")[0].split()[2:]
    assert "conversations.db" in refused("serve", *options, environment=set_by_unit)

    # A person has only the configuration.
    by_hand = {"CONVERSATIOND_CONFIG": str(production)}
    assert run("migrate", environment=by_hand, cwd="/").returncode == 0
    assert (tmp_path / "conversations.db").exists()

    def serve(environment):
        server = start(*options, environment=environment, database=False)
        status = server.request("GET", "/v1/conversations").status
        return server, status

    # Each of the two is enough.
    for key in (None, "CONVERSATIOND_HTTP_REQUIRE_KEYS"):
        server, status = serve({name: value for name, value in set_by_unit.items() if name != key})
        assert status == 401
        assert server.stop() == 0
    production.write_text(
        production.read_text(encoding="utf-8").replace("require_keys: true", "require_keys: false"),
        encoding="utf-8")
    server, status = serve(set_by_unit)
    assert status == 401
    key = run("keys", "create", "--name", "a", environment=by_hand, cwd="/").stdout.strip()
    assert server.request("GET", "/v1/conversations", headers=bearer(key)).status == 200
