"""The Debian package: every file in its place, and dpkg-deb to pack them."""

import email.utils
import gzip
import os
import re
import shutil
import subprocess
from pathlib import Path

import manual

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = Path(__file__).with_name("debian")
DESCRIPTION = """\
 conversationd answers OpenAI's Conversations API from your own machine. It
 keeps conversations, their items and their metadata in one SQLite file, and
 finds them by their metadata.
 .
 A request that was answered is on disk. API keys, projects, TLS, metrics,
 backups and a dashboard are built in. It runs no model.
"""
# The first is started when it is installed; the others are for whoever enables them.
UNITS = ["conversationd.service", "conversationd.socket", "conversationd-backup.service",
         "conversationd-backup.timer"]
EXAMPLES = ["config/conversationd.yaml", "config/port-443.conf", "deploy/Caddyfile",
            "deploy/alerts.yml", "deploy/compose.yaml", "deploy/container.yaml",
            "deploy/grafana.json", "deploy/nginx.conf"]
# Either systemd itself, or the two programs of it alone, as in a container.
SYSTEMD = ["systemd | systemd-standalone-sysusers | systemd-sysusers",
           "systemd | systemd-standalone-tmpfiles | systemd-tmpfiles"]


def output(*command, **options):
    return subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout.strip()


def version_of(binary):
    return output(binary, "--version").split()[0]


def architecture():
    return output("dpkg", "--print-architecture")


def build(binary, folder, maintainer, epoch):
    """Packs a binary, and returns the package's path.

    `epoch` is the time of every file, in Unix seconds: of the same commit comes the same package.
    """
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    place_program(binary, tree, epoch)
    place_service(tree)
    place_documents(tree, version_of(binary), maintainer, epoch)
    place_control(tree, version_of(binary), maintainer)
    for path in [tree, *tree.rglob("*")]:
        is_executable = path.is_dir() or os.access(path, os.X_OK)
        path.chmod(0o755 if is_executable else 0o644)
    package = folder / f"conversationd_{version_of(binary)}_{architecture()}.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", "-Zxz", tree, package], check=True,
        stdout=subprocess.DEVNULL, env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)})
    shutil.rmtree(tree)
    return package


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def write_compressed(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def place_program(binary, tree, epoch):
    """The program, its man pages and what completes its options in shells."""
    copy(binary, tree / "usr/bin/conversationd")
    subprocess.run(["strip", tree / "usr/bin/conversationd"], check=True)
    date = email.utils.formatdate(epoch)  # For people: the day is enough.
    day = f"\"{' '.join(date.split()[1:4])}\""
    share = tree / "usr/share"
    example = (ROOT / "config/conversationd.yaml").read_text(encoding="utf-8")
    write_compressed(share / "man/man1/conversationd.1.gz", manual.program_page(binary, day))
    write_compressed(share / "man/man5/conversationd.yaml.5.gz", manual.settings_page(example, day))
    for shell, path in [("bash", "bash-completion/completions/conversationd"),
                        ("zsh", "zsh/vendor-completions/_conversationd"),
                        ("fish", "fish/vendor_completions.d/conversationd.fish")]:
        script = output(binary, "--generate-completion-script", shell) + "\n"
        # It is read by a shell that runs, and is no program.
        write(share / path, script.removeprefix("#!/bin/bash\n"))


def place_service(tree):
    """The units, the user, the folder, and the configuration that they use."""
    for name in UNITS:
        unit = (ROOT / "config" / name).read_text(encoding="utf-8")
        # What comes before is for those who install it by hand.
        unit = unit[unit.index("[Unit]"):].replace("/usr/local/bin/", "/usr/bin/")
        unit = unit.replace("[Unit]\n", "[Unit]\nDocumentation=man:conversationd(1)\n")
        write(tree / "lib/systemd/system" / name, unit)
    copy(DEBIAN / "conversationd.sysusers", tree / "usr/lib/sysusers.d/conversationd.conf")
    copy(DEBIAN / "conversationd.tmpfiles", tree / "usr/lib/tmpfiles.d/conversationd.conf")
    production = (ROOT / "config/production.yaml").read_text(encoding="utf-8")
    settings = production[production.index("\nhttp:"):]
    heading = "# What differs from the defaults; conversationd.yaml(5) explains every setting.\n"
    write(tree / "etc/conversationd/conversationd.yaml", heading + settings)


def place_documents(tree, version, maintainer, epoch):
    folder = tree / "usr/share/doc/conversationd"
    copy(DEBIAN / "copyright", folder / "copyright")
    write_compressed(
        folder / "changelog.gz",
        f"conversationd ({version}) unstable; urgency=medium\n\n"
        "  * What is new is in /usr/share/doc/conversationd/NEWS.gz.\n\n"
        f" -- {maintainer}  {email.utils.formatdate(epoch)}\n")
    write_compressed(folder / "NEWS.gz", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    for name in EXAMPLES:
        copy(ROOT / name, folder / "examples" / Path(name).name)


def place_control(tree, version, maintainer):
    control = tree / "DEBIAN"
    for script in ("postinst", "prerm", "postrm"):
        copy(DEBIAN / script, control / script)
        (control / script).chmod(0o755)
    write(control / "conffiles", "/etc/conversationd/conversationd.yaml\n")
    files = [path for path in tree.rglob("*")
             if path.is_file() and not path.is_relative_to(control)]
    kilobytes = sum(-(-path.stat().st_size // 1024) for path in files)
    fields = {
        "Package": "conversationd", "Version": version, "Architecture": architecture(),
        "Maintainer": maintainer, "Installed-Size": str(kilobytes),
        "Depends": ", ".join([*libraries(tree / "usr/bin/conversationd"), *SYSTEMD]),
        "Suggests": "libpq5, sqlite3", "Section": "net", "Priority": "optional",
        "Description": "OpenAI's Conversations API from one SQLite file\n" + DESCRIPTION.rstrip()}
    write(control / "control", "".join(f"{name}: {value}\n" for name, value in fields.items()))


def libraries(binary):
    """What the binary is linked with, in the versions that have what it uses."""
    work = binary.parents[2] / "debian"
    # What dpkg-shlibdeps reads beside the binary.
    write(work / "control", "Source: conversationd\n\nPackage: conversationd\nArchitecture: any\n")
    line = output("dpkg-shlibdeps", "-O", "-e", binary, cwd=work.parent, stderr=subprocess.DEVNULL)
    shutil.rmtree(work)
    return re.sub(r"^shlibs:Depends=", "", line).split(", ")
