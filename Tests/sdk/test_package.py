"""The Debian package has everything in its place. (`scripts/package --test` installs one.)"""

import gzip
import re
import subprocess

import pytest

from conftest import REPOSITORY, clean_environment
from test_settings import documented

MAINTAINER = "A Person <person@example.com>"
FILES = """\
./etc/conversationd/conversationd.yaml
./lib/systemd/system/conversationd-backup.service
./lib/systemd/system/conversationd-backup.timer
./lib/systemd/system/conversationd.service
./lib/systemd/system/conversationd.socket
./usr/bin/conversationd
./usr/lib/sysusers.d/conversationd.conf
./usr/lib/tmpfiles.d/conversationd.conf
./usr/share/bash-completion/completions/conversationd
./usr/share/doc/conversationd/NEWS.gz
./usr/share/doc/conversationd/changelog.gz
./usr/share/doc/conversationd/copyright
./usr/share/doc/conversationd/examples/Caddyfile
./usr/share/doc/conversationd/examples/alerts.yml
./usr/share/doc/conversationd/examples/compose.yaml
./usr/share/doc/conversationd/examples/container.yaml
./usr/share/doc/conversationd/examples/conversationd.yaml
./usr/share/doc/conversationd/examples/grafana.json
./usr/share/doc/conversationd/examples/nginx.conf
./usr/share/doc/conversationd/examples/port-443.conf
./usr/share/fish/vendor_completions.d/conversationd.fish
./usr/share/man/man1/conversationd.1.gz
./usr/share/man/man5/conversationd.yaml.5.gz
./usr/share/zsh/vendor-completions/_conversationd
""".splitlines()


def make(binary, folder):
    """Packs the binary, and returns the package."""
    result = subprocess.run(
        [REPOSITORY / "scripts/package", "--binary", binary, "--output", folder,
         f"--maintainer={MAINTAINER}"], capture_output=True, text=True, check=True,
        env={**clean_environment(), "SOURCE_DATE_EPOCH": "1700000000"})
    path, = folder.glob("*.deb")
    assert result.stdout == f"{path}\n"
    return path


@pytest.fixture(scope="module")
def package(binary, tmp_path_factory):
    return make(binary, tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def tree(package, tmp_path_factory):
    """What is in the package; the scripts are in DEBIAN."""
    folder = tmp_path_factory.mktemp("tree")
    subprocess.run(["dpkg-deb", "--raw-extract", package, folder], check=True)
    return folder


def field(package, name):
    return subprocess.run(["dpkg-deb", "--field", package, name], capture_output=True, text=True,
                          check=True).stdout.strip()


def page(tree, name):
    packed = (tree / "usr/share/man" / name).read_bytes()
    return gzip.decompress(packed).decode().replace("\\-", "-")


def test_every_file_is_in_its_place_and_belongs_to_root(package):
    listing = subprocess.run(["dpkg-deb", "--contents", package], capture_output=True, text=True,
                             check=True).stdout.splitlines()
    rows = [line.split(maxsplit=5) for line in listing]
    assert sorted(row[5] for row in rows if not row[5].endswith("/")) == sorted(FILES)
    assert {row[1] for row in rows} == {"root/root"}
    programs = [row[5] for row in rows if row[0] == "-rwxr-xr-x"]
    assert programs == ["./usr/bin/conversationd"]


def test_its_fields_say_what_it_is_and_needs(package, run, binary):
    version = run("--version").stdout.split()[0]
    architecture = field(package, "Architecture")
    assert package.name == f"conversationd_{version}_{architecture}.deb"
    assert field(package, "Version") == version
    assert field(package, "Maintainer") == MAINTAINER
    needed = subprocess.run(["readelf", "--dynamic", binary], capture_output=True, text=True,
                            check=True).stdout
    depends = field(package, "Depends")
    for library, name in [
            ("libsqlite3.so.0", "libsqlite3-0"), ("libgnutls.so.30", "libgnutls30"),
            ("libmicrohttpd.so.12", "libmicrohttpd12"), ("libyaml-0.so.2", "libyaml-0-2")]:
        assert f"[{library}]" in needed and re.search(rf"(^|, ){name}( |,|$)", depends), depends
    assert re.search(r"libc6 \(>= 2\.\d+\)", depends)
    assert "systemd | systemd-standalone-sysusers" in depends


def test_the_configuration_is_kept_by_upgrades(tree, run):
    assert (tree / "DEBIAN/conffiles").read_text() == "/etc/conversationd/conversationd.yaml\n"
    file = tree / "etc/conversationd/conversationd.yaml"
    shown = run("config", "--json", "--config", file).stdout
    assert '"name":"http.require_keys","value":true' in shown
    assert '"value":"/var/lib/conversationd/conversations.db"' in shown


def test_the_units_are_those_of_the_repository_with_another_path(tree):
    for path in (tree / "lib/systemd/system").iterdir():
        original = (REPOSITORY / "config" / path.name).read_text(encoding="utf-8")
        original = original[original.index("[Unit]"):]
        packed = path.read_text(encoding="utf-8").replace("/usr/bin/conv", "/usr/local/bin/conv")
        assert packed.replace("Documentation=man:conversationd(1)\n", "") == original
    unit = (tree / "lib/systemd/system/conversationd.service").read_text(encoding="utf-8")
    assert "ExecStart=/usr/bin/conversationd serve --existing\n" in unit
    # The user and the folder that the unit names.
    assert "User=conversationd\n" in unit and "StateDirectory=conversationd\n" in unit
    user = (tree / "usr/lib/sysusers.d/conversationd.conf").read_text().split()
    assert user[:2] == ["u", "conversationd"]
    folder = (tree / "usr/lib/tmpfiles.d/conversationd.conf").read_text().split()
    assert folder[:5] == ["d", "/var/lib/conversationd", "0700", "conversationd", "conversationd"]


def test_the_units_start_only_what_every_debian_has(tree):
    programs = {program for unit in (tree / "lib/systemd/system").glob("*.service")
                for program in re.findall(r"^Exec\w+=(\S+)", unit.read_text(), re.MULTILINE)}
    for program in programs - {"/usr/bin/conversationd"}:
        owner = subprocess.run(["dpkg", "-S", program], capture_output=True, text=True, check=True)
        # The last line: those before may tell of diversions.
        name = owner.stdout.splitlines()[-1].split(":")[0]
        essential = subprocess.run(["dpkg-query", "--show", "--showformat=${Essential}", name],
                                   capture_output=True, text=True, check=True)
        assert essential.stdout == "yes", (program, name)


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_its_scripts_are_of_the_plain_shell_and_do_nothing_for_other_words(tree, script):
    path = tree / "DEBIAN" / script
    assert path.read_text().startswith("#!/bin/sh\nset -e\n")
    for arguments in (["-n", path], [path, "failed-upgrade"]):
        result = subprocess.run(["/bin/sh", *arguments], env={"PATH": "/nowhere"})
        assert result.returncode == 0


def test_a_purge_empties_a_mount_point_and_succeeds(tree, tmp_path):
    data, programs = tmp_path / "data", tmp_path / "programs"
    (data / "folder").mkdir(parents=True)
    (data / "folder" / "file").touch()
    programs.mkdir()
    (programs / "find").symlink_to("/usr/bin/find")
    # As it fails for a folder that something is mounted on.
    (programs / "rmdir").write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    (programs / "rmdir").chmod(0o755)
    script = (tree / "DEBIAN/postrm").read_text(encoding="ascii")
    script = script.replace("/var/lib/conversationd", str(data))
    result = subprocess.run(["/bin/sh", "-c", script, "postrm", "purge"],
                            env={"PATH": str(programs)})
    assert result.returncode == 0 and list(data.iterdir()) == []


def test_the_manual_names_every_command_and_every_option(tree, run):
    manual = page(tree, "man1/conversationd.1.gz")
    commands = re.findall(r"^  ([a-z]+) {2,}", run("--help").stdout, re.MULTILINE)
    assert "serve" in commands and "healthcheck" in commands
    for command in commands:
        assert re.search(rf"^\.SS {command}\b", manual, re.MULTILINE), command
    for option in ("--insecure-http", "--without-backup", "--allow-no-keys", "--seconds"):
        assert re.search(rf"^\.BI? {option}\b", manual, re.MULTILINE), option
    assert ".SS keys create" in manual


def test_the_manual_explains_every_setting_with_its_default(tree):
    manual = page(tree, "man5/conversationd.yaml.5.gz")
    for name, value in documented().items():
        default = "none" if value == '""' else value
        heading = rf'^\.BR {re.escape(name)} " \(default: (.*)\)"\n(.+)$'
        entry = re.search(heading, manual, re.MULTILINE)
        assert entry[1] == default and len(entry[2]) > 20, name


def test_shells_complete_the_commands(tree):
    share = tree / "usr/share"
    of_bash = share / "bash-completion/completions/conversationd"
    for path in (of_bash, share / "zsh/vendor-completions/_conversationd",
                 share / "fish/vendor_completions.d/conversationd.fish"):
        text = path.read_text(encoding="utf-8")
        assert "healthcheck" in text and "insecure-http" in text
    assert subprocess.run(["bash", "-n", of_bash]).returncode == 0


def test_of_the_same_program_comes_the_same_package(binary, package, tmp_path):
    assert make(binary, tmp_path).read_bytes() == package.read_bytes()
