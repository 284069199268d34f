"""The systemd unit is accepted by systemd, and keeps what the service may do small. (No systemd runs
where the tests do, so the unit itself is not started.)"""

import re

import pytest
from conftest import REPOSITORY

UNIT = REPOSITORY / "config/conversationd.service"
# Of 10 for a service that may do everything (systemd-analyze(1), "security").
EXPOSURE_MAX = 1.5


@pytest.fixture
def unit(tmp_path, binary):
    """The unit with the program and the files where they are here."""
    copy = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    assert "/usr/local/bin/conversationd serve" in text
    copy.write_text(text.replace("/usr/local/bin/conversationd", binary), encoding="utf-8")
    return copy


def test_the_unit_is_well_formed(run, unit):
    result = run("verify", "--man=no", unit, program="systemd-analyze")
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_what_the_service_may_do_is_small(run, unit):
    result = run("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_MAX * 10:.0f}",
                 unit, program="systemd-analyze")
    assert result.returncode == 0, result.stdout + result.stderr
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", result.stdout)
    assert float(level[1]) <= EXPOSURE_MAX


def test_the_commands_of_the_unit_are_those_of_the_program(run, unit):
    command = re.search(r"^ExecStart=(.+?[^\\])$", unit.read_text(encoding="utf-8"),
                        re.MULTILINE | re.DOTALL)[1].replace("\\\n", " ").split()
    options = {word for word in command if word.startswith("--")}
    help_text = run(*command[1:2], "--help", program=command[0]).stdout
    assert options and all(option in help_text for option in options), command
