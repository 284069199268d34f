"""`scripts/release` and docs/releasing.md are about the same steps."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import REPOSITORY

SCRIPT = REPOSITORY / "scripts/release"
PAGE = (REPOSITORY / "docs/releasing.md").read_text(encoding="utf-8")


def release(*arguments, **options):
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, **options)


def test_every_step_of_the_page_is_one_of_the_script():
    steps = re.findall(r"^## (\d\. .+)$", PAGE, re.MULTILINE)
    assert release("--list").stdout.splitlines() == steps
    functions = re.findall(r"^step_(\d)\(\)", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)
    assert functions == [step[0] for step in steps]


def test_a_step_that_nobody_confirms_ends_it():
    result = release("--from", "5")
    assert result.returncode == 1
    assert result.stdout.startswith("5. A person has read it\n") and "6." not in result.stdout


def test_a_tree_of_which_git_tells_nothing_is_not_released(tmp_path):
    for name in ("scripts/release", "docs/releasing.md", "Sources/conversationd/Version.swift"):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    result = subprocess.run(
        [tmp_path / "scripts/release"], capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})
    assert result.returncode == 1
    assert result.stderr.endswith("release: git does not tell what changed\n")


@pytest.mark.parametrize("arguments", [["--from"], ["--from", "0"], ["--from", "8"], ["--all"]])
def test_a_wrong_option_is_a_usage_error(arguments):
    assert release(*arguments).returncode == 64


def test_the_version_is_the_same_everywhere(run):
    version = run("--version").stdout.split()[0]
    changes = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (.+),", changes, re.MULTILINE)[1] == version
    operation = (REPOSITORY / "docs/operation.md").read_text(encoding="utf-8")
    assert f"conversationd_{version}_" in operation
