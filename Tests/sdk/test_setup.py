"""`scripts/setup` installs what the build, the tests and the unit use, or says what to do."""

import ast
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from conftest import REPOSITORY

SCRIPTS = REPOSITORY / "scripts"
SETUP = SCRIPTS / "setup"
TOOLCHAIN = Path(shutil.which("clang")).resolve().parents[1]
# Where the packages and the toolchain have their programs.
DEBIAN = f"{TOOLCHAIN}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What is used only where it is there.
OPTIONAL = {"apt-get", "haproxy", "sudo"}
# What `scripts/setup --release` brings, which the tests do without.
RELEASE = {"buildah", "caddy", "lintian", "mmdebstrap", "nginx", "promtool"}
# `scripts/bench --peers` brings what it needs from PyPI.
PEERS = SCRIPTS / "bench.d/peers.py"


def is_bash(path):
    return path.is_file() and path.read_bytes().splitlines()[:1] == [b"#!/usr/bin/env bash"]


BASH = [path for path in [*SCRIPTS.iterdir(), REPOSITORY / ".ci/run"] if is_bash(path)]
PYTHON = [path for path in [*SCRIPTS.iterdir(), *SCRIPTS.glob("bench.d/*.py"),
                            *SCRIPTS.glob("failover.d/*.py"), *SCRIPTS.glob("package.d/*.py"),
                            *(REPOSITORY / "Tests/sdk").glob("*.py"),
                            *(REPOSITORY / "Tests/browser").glob("*.py")]
          if path.is_file() and path not in BASH and path != PEERS]
C_SOURCES = [path for folder in ["Sources", "Tests", "scripts"]
             for path in (REPOSITORY / folder).rglob("*.[ch]")]
MODULE_MAPS = list((REPOSITORY / "Sources").rglob("module.modulemap"))


@pytest.fixture
def machine(tmp_path):
    """Runs a script where `programs` are what they are said to be, and few others are there."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ["bash", "cat", "dirname", "find", "fold", "install", "ldd", "mkdir", "readlink",
                 "rm", "sed", "stat", "strip"]:
        (folder / name).symlink_to(shutil.which(name))

    def machine(script, *arguments, **programs):
        for name, text in programs.items():
            program = folder / name.replace("_", "-")
            program.write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
            program.chmod(0o755)
        return subprocess.run([script, *map(str, arguments)], env={"PATH": str(folder)},
                              cwd=tmp_path, capture_output=True, text=True, timeout=60)

    return machine


def advice(result):
    """The packages of the command that it says to run as root."""
    assert (result.returncode, result.stdout) == (69, ""), result
    command = result.stderr.splitlines()[-1].removeprefix("setup:").strip()
    start = "apt-get update && apt-get install --yes --no-install-recommends "
    assert command.startswith(start), result.stderr
    return command.removeprefix(start).split()


@pytest.fixture
def all_packages(machine):
    return advice(machine(SETUP, "--tests", swift="", dpkg_query="exit 1", id="echo 1000"))


def test_without_swift_it_says_where_swift_is_and_does_nothing_else(machine):
    result = machine(SETUP, dpkg_query="exit 1", id="echo 0", sh="echo installs with apt-get >&2")
    assert result.returncode == 69
    assert "https://www.swift.org/install/linux/" in result.stderr
    assert "apt-get" not in result.stderr


def test_only_what_is_missing_is_installed(machine):
    has_all_but_git = '[ "${!#}" = git ] || echo -n installed'
    assert advice(machine(SETUP, swift="", dpkg_query=has_all_but_git, id="echo 1000")) == ["git"]
    assert machine(SETUP, dpkg_query="echo -n installed").returncode == 0


def test_where_sudo_refuses_it_says_what_to_run(machine):
    result = machine(SETUP, swift="", dpkg_query="exit 1", id="echo 1000", sudo="exit 1")
    assert "libsqlite3-dev" in advice(result)


def test_help_names_every_package(machine, all_packages):
    words = machine(SETUP, "--help").stdout.replace(",", " ").split()
    assert set(all_packages) <= set(words)


def test_serve_and_install_share_one_build(machine, tmp_path):
    (tmp_path / "conversationd").write_bytes(Path(shutil.which("true")).read_bytes())
    (tmp_path / "conversationd").chmod(0o755)
    swift = f'''echo "$TMPDIR $*" >> {tmp_path}/builds
        [ "${{!#}}" != --show-bin-path ] || echo {tmp_path}'''
    programs = {"swift": swift, "dpkg_query": "echo -n installed"}
    served = machine(SCRIPTS / "serve", **programs)
    assert served.returncode == 0, served
    installed = machine(SCRIPTS / "install", "--prefix", tmp_path, **programs)
    assert installed.returncode == 0, installed
    builds = (tmp_path / "builds").read_text(encoding="utf-8").splitlines()
    assert len(builds) == 4 and builds[:2] == builds[2:]
    # Where the compiler leaves folders behind.
    assert all(build.startswith(f"{REPOSITORY}/.build/") for build in builds)


def test_every_program_belongs_to_a_package(all_packages):
    names = {name for path in BASH for name in bash_programs(path)}
    names |= {name for path in PYTHON for name in python_programs(path)}
    names |= unit_programs(REPOSITORY / "config/conversationd.service")
    # What the search must not lose.
    assert {"apt-get", "gcc", "python3", "sqlite3", "swift", "systemd-analyze", "wrk", "openssl",
            "/bin/sh"} <= names
    found = {name: shutil.which(name, path=DEBIAN) or name for name in names - OPTIONAL - RELEASE}
    # A link in /usr/bin may lead through /etc/alternatives.
    assert strangers(map(os.path.realpath, found.values()), all_packages) == []


def test_every_header_belongs_to_a_package(all_packages):
    headers = set()
    for source in C_SOURCES:
        own = [f"-I{folder}" for room in ("Sources", "Tests")
               for folder in (REPOSITORY / room).glob("*/include")]
        result = subprocess.run(
            ["clang", "-std=gnu2x", "-M", *own, f"-I{source.parent}/include", source],
            capture_output=True, text=True, check=True, cwd=REPOSITORY)
        headers.update(result.stdout.replace("\\\n", " ").partition(":")[2].split())
    assert any(header.endswith("/sqlite3.h") for header in headers)
    assert strangers(headers, all_packages) == []


def test_everything_that_is_linked_belongs_to_a_package(all_packages):
    libraries = {name for path in MODULE_MAPS
                 for name in re.findall(r'^ *link "(.+)"', path.read_text(), re.MULTILINE)}
    assert "sqlite3" in libraries
    runtime = TOOLCHAIN / "lib/swift_static/linux/static-stdlib-args.lnk"
    libraries.update(re.findall(r"^-l(?!swift|dispatch)(\S+)", runtime.read_text(), re.MULTILINE))
    files = [library(name) for name in libraries]
    # The linker, and what it is given for every program.
    plan = output("clang", "-###", "-pie", "-x", "c", "/dev/null")
    files += [word for word in re.findall(r'"(/[^"]+)"', plan.splitlines()[-1])
              if re.search(r"crt\w+\.o$|/ld[^/]*$", word)]
    assert [name for name in files if not Path(name).is_absolute()] == []
    assert strangers(files, all_packages) == []


def output(*command):
    """What a program says, on whichever stream."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=True).stdout


def library(name):
    """The file that the linker takes for `-lNAME`; without its folder when there is none."""
    shared, static = (output("clang", f"-print-file-name=lib{name}.{end}").strip()
                      for end in ("so", "a"))
    return shared if Path(shared).is_absolute() else static


def bash_programs(path):
    """The names that stand where bash expects a command, without its own and the script's."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"<<-?'?END'?(.*)\n(?:.*\n)*?END\n", r"\1\n", text)
    text = re.sub(r"^ *#.*| #.*", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    text = re.sub(r"'[^']*'", "''", text)
    functions = set(re.findall(r"^(\w+)\(\)", text, re.MULTILINE))
    own = set(output("bash", "-c", "compgen -b -k").split())
    before = (r"(?:^|[|&;({\"]|\$\(|\b(?:then|do|else|if|while|until|exec|env|command -v)\b|!)"
              r"[ \t]*(?:\w+=\S*[ \t]+)*")
    found = re.findall(rf"{before}([a-z][\w.-]*)(?![\w.:=()/-])", text, re.MULTILINE)
    return {name for name in found
            if name not in own | functions and shutil.which(name, path=DEBIAN)}


def python_programs(path):
    """The names of the programs that it starts, by `subprocess` or `program=`, or looks for."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            words = [word.value for word in node.keywords if word.arg == "program"]
            if re.match(r"subprocess\.|shutil\.which$", ast.unparse(node.func)):
                words += [getattr(word, "elts", [word])[0] for word in node.args[:1]]
            names.update(word.value for word in words if isinstance(word, ast.Constant))
    return names


def unit_programs(path):
    """What the unit starts, without conversationd itself."""
    commands = re.findall(r"^Exec\w+=[-@:+!]*(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return set(commands) - {"/usr/local/bin/conversationd"}


def strangers(paths, packages):
    """Those that neither the packages bring, nor what these need, Debian's base or Swift."""
    # With its own name: libz.so leads to libz.so.1, which another package brings.
    paths = {str(Path(path).parent.resolve() / Path(path).name) for path in paths}
    paths = {path for path in paths if not Path(path).is_relative_to(TOOLCHAIN)
             and not Path(path).is_relative_to(REPOSITORY)}
    brought = with_dependencies(packages)
    # Debian 12 has /bin as a link to /usr/bin, and packages that still name the former.
    names = {path: [path, path.removeprefix("/usr"), f"/usr{path}"] for path in paths}
    result = subprocess.run(
        ["dpkg", "-S", *sum(names.values(), [])], capture_output=True, text=True)
    owners = {}
    for line in result.stdout.splitlines():
        owner, _, path = line.rpartition(": ")
        owners.setdefault(path, set()).update(
            name.partition(":")[0] for name in owner.split(", "))
    return [path for path, forms in names.items()
            if not any(owners.get(form, set()) & brought for form in forms)]


def with_dependencies(packages):
    """The packages, the essential ones of Debian, and all that they depend on."""
    needs, essential = installed_packages()
    waiting = {*packages, *essential}
    assert waiting <= set(needs), f"not installed: {waiting - set(needs)}"
    brought = set()
    while waiting:
        name = waiting.pop()
        brought.add(name)
        waiting |= needs.get(name, set()) - brought
    return brought


@cache
def installed_packages():
    """What each needs, what provides each name that is no package, and which are essential."""
    needs, essential = {}, set()
    rows = [line.split("\t") for line in output(
        "dpkg-query", "--show", "--showformat=${Package}\t${Essential}\t${Pre-Depends},${Depends}"
        "\t${Provides}\n").splitlines()]
    for name, is_essential, depends, provides in rows:
        needs.setdefault(name, set()).update(package_names(depends))
        for other in package_names(provides):
            needs.setdefault(other, set()).add(name)
        if is_essential == "yes":
            essential.add(name)
    return needs, essential


def package_names(field):
    """The names in a field such as `libc6 (>= 2.36), awk | mawk`."""
    return re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9.+-]+)", field)
