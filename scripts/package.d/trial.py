"""Tries the packages where people use them: on a bare Debian, and in a chroot."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tarfile
import time
from contextlib import closing, contextmanager
from pathlib import Path

import deb
import image

IMAGE_BYTES_MAX = 120_000_000
START_SECONDS = 60
STOP_SECONDS = 30
APPLICATION_ID = 0x636F6E76
DATA = "var/lib/conversationd"
CONFIG = "/etc/conversationd/conversationd.yaml"
NEXT_VERSION = "999.0.0"


class Failure(Exception):
    """What went wrong, for people."""


def check(condition, words):
    if not condition:
        raise Failure(words)


def say(words):
    print(f"tried: {words}", flush=True)


def run(*command, **options):
    """Runs a program that must succeed, and returns what it prints."""
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    check(result.returncode == 0, f"{' '.join(map(str, command))}\n{result.stdout}")
    return result.stdout


def package(path, folder):
    """Tries a Debian package: lintian, and a machine with only Debian's essential packages."""
    run("lintian", "--allow-root", "--fail-on=error", path)
    say("lintian finds no error")
    with machine(folder) as root:
        install(root, path)
        use(root)
        upgrade(root, path)
        remove(root)


@contextmanager
def machine(folder):
    """The root of a bare Debian, kept in an archive for the next time."""
    archive, root = folder / "bare.tar", folder / "bare"
    shutil.rmtree(root, ignore_errors=True)
    if not archive.exists():
        run("mmdebstrap", "--quiet", "--variant=minbase", image.SUITE, archive)
    root.mkdir()
    run("tar", "--extract", "--file", archive, "--directory", root, "--exclude=./dev/*")
    for name, number in [("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)]:
        os.mknod(root / "dev" / name, 0o666 | 0o020000, os.makedev(1, number))
        (root / "dev" / name).chmod(0o666)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    # No service starts in a chroot.
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def inside(root, *command):
    """What runs a command in a root of its own, with its own processes; and its environment."""
    words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--root={root}",
             "--mount-proc", *command]
    return words, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                   "DEBIAN_FRONTEND": "noninteractive"}


def chroot(root, *command, **options):
    words, variables = inside(root, *command)
    return run(*words, env=variables, **options)


def install(root, path):
    shutil.copy(path, root / "conversationd.deb")
    chroot(root, "apt-get", "-qq", "update")
    chroot(root, "apt-get", "install", "--yes", "--no-install-recommends", "/conversationd.deb")
    owner = (root / DATA).stat()
    account = re.search(r"^conversationd:[^:]*:(\d+):(\d+):",
                        (root / "etc/passwd").read_text(encoding="utf-8"), re.MULTILINE)
    check((owner.st_uid, owner.st_gid) == (int(account[1]), int(account[2]))
          and owner.st_mode & 0o777 == 0o700, "the folder is not the user's alone")
    database = (root / DATA / "conversations.db").stat()
    check(database.st_uid == owner.st_uid and database.st_mode & 0o077 == 0,
          "the database is not the user's alone")
    version = path.name.split("_")[1]
    check(chroot(root, "conversationd", "--version").split()[0] == version, "another version")
    say(f"{path.name} installs on a bare Debian, and makes its user and its database")


def command(root, *arguments):
    """Runs conversationd as the user of the service."""
    return chroot(root, "runuser", "-u", "conversationd", "--", "env",
                  f"CONVERSATIOND_CONFIG={CONFIG}", "conversationd", *arguments)


def new_key(printed):
    """The key in what `keys create` prints."""
    return next(line for line in printed.splitlines() if line.startswith("sk-"))


@contextmanager
def served(root):
    """The service as its unit starts it, but at a socket, since the machine's ports are ours."""
    unit = (root / "lib/systemd/system/conversationd.service").read_text(encoding="utf-8")
    start = re.search(r"^ExecStart=(.+)$", unit, re.MULTILINE)[1].split()
    variables = re.findall(r"^Environment=(.+)$", unit, re.MULTILINE)
    (root / "run/conversationd").mkdir(mode=0o777, exist_ok=True)
    (root / "run/conversationd").chmod(0o777)
    words, environment = inside(
        root, "runuser", "-u", "conversationd", "--", "env", *variables, *start,
        "--listen=unix:/run/conversationd/api.sock")
    with process(words, environment, root / "run/conversationd/api.sock") as connect:
        yield connect


@contextmanager
def process(words, environment, path):
    """A server, once it answers at a socket; its end must be an orderly one."""
    server = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not path.exists() or ask(path, "/readyz")[0] != 200:
            check(server.poll() is None, server.stdout.read() if server.poll() is not None else "")
            check(time.monotonic() < deadline, "the server does not get ready")
            time.sleep(0.1)
        yield lambda *arguments, **options: ask(path, *arguments, **options)
        # By the number that it has out here: it is the first of its own processes, or below that.
        for number in descendants(server.pid):
            if Path(f"/proc/{number}/comm").read_text(encoding="ascii") == "conversationd\n":
                os.kill(number, signal.SIGTERM)
        code = server.wait(STOP_SECONDS)
        check(code == 0, f"the server ended with {code}:\n{server.stdout.read()}")
    finally:
        server.kill()
        server.wait()


def descendants(number):
    children = Path(f"/proc/{number}/task/{number}/children").read_text(encoding="ascii").split()
    return [number, *(each for child in children for each in descendants(int(child)))]


def ask(path, target, key=None, body=None):
    """Sends a request to a socket; returns the status and the answer."""
    connection = http.client.HTTPConnection("localhost", timeout=START_SECONDS)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(START_SECONDS)
    with closing(connection):
        connection.sock.connect(str(path))
        connection.request("GET" if body is None else "POST", target,
                           body=None if body is None else json.dumps(body),
                           headers={"Authorization": f"Bearer {key}"} if key else {})
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def use(root):
    key = new_key(command(root, "keys", "create", "--name=trial"))
    with served(root) as connect:
        check(connect("/v1/conversations")[0] == 401, "it serves without a key")
        status, created = connect("/v1/conversations", key, {"metadata": {"kept": "yes"}})
        check(status == 200 and created["metadata"] == {"kept": "yes"}, f"it answers {created}")
    say("the service starts as its unit says, refuses strangers, stores, and ends in good order")


def upgrade(root, path):
    """From a version with an older schema, and with a configuration that somebody has changed."""
    with (root / CONFIG[1:]).open("a", encoding="utf-8") as config:
        config.write("\n# changed here\n")
    conversation = make_older(root / DATA / "conversations.db")
    newer = renamed(path, root.parent, NEXT_VERSION)
    shutil.copy(newer, root / "newer.deb")
    newer.unlink()
    chroot(root, "apt-get", "install", "--yes", "--no-install-recommends", "/newer.deb")
    installed = chroot(root, "dpkg-query", "--show", "--showformat=${Version}", "conversationd")
    check(installed == NEXT_VERSION, f"version {installed} is installed")
    check("# changed here" in (root / CONFIG[1:]).read_text(encoding="utf-8"),
          "the configuration was replaced")
    with served(root) as connect:
        key = new_key(command(root, "keys", "create", "--name=upgraded"))
        status, kept = connect(f"/v1/conversations/{conversation}", key)
        check(status == 200 and kept["metadata"] == {"kept": "yes"}, f"it answers {kept}")
    copies = list((root / DATA).glob("conversations.db.version-*.backup"))
    check(len(copies) == 1, f"copies before the migration: {copies}")
    say("an upgrade keeps data and configuration, and copies the database before it migrates it")


def make_older(database):
    """Replaces a database by one of the schema before the newest; returns what is in it."""
    owner = database.stat()
    for file in database.parent.iterdir():
        file.unlink()
    steps = sorted((deb.ROOT / "migrations").glob("*.sql"))[:-1]
    name = f"conv_{int(time.time()):08x}" + 40 * "0"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for step in steps:
            connection.executescript(step.read_text(encoding="utf-8"))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("INSERT INTO conversations (id, created_at) VALUES (?, ?)",
                           (name, int(name[5:13], 16)))
        connection.execute("INSERT INTO metadata (conversation, key, value)"
                           " SELECT number, 'kept', 'yes' FROM conversations")
        connection.execute("PRAGMA journal_mode = WAL")
    for file in database.parent.iterdir():
        os.chown(file, owner.st_uid, owner.st_gid)
        file.chmod(0o600)
    return name


def renamed(path, folder, version):
    """The same package as another version."""
    tree, target = folder / "renamed", folder / "newer.deb"
    shutil.rmtree(tree, ignore_errors=True)
    run("dpkg-deb", "--raw-extract", path, tree)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*", f"Version: {version}", control.read_text(),
                              flags=re.MULTILINE), encoding="utf-8")
    run("dpkg-deb", "--build", "--root-owner-group", "-Znone", tree, target)
    shutil.rmtree(tree)
    return target


def remove(root):
    chroot(root, "apt-get", "remove", "--yes", "conversationd")
    check(not (root / "usr/bin/conversationd").exists(), "the program stays")
    check((root / DATA / "conversations.db").exists() and (root / CONFIG[1:]).exists(),
          "remove takes data or configuration along")
    chroot(root, "apt-get", "install", "--yes", "--no-install-recommends", "/newer.deb")
    check((root / DATA / "conversations.db").exists(), "the data is gone when it comes back")
    chroot(root, "apt-get", "purge", "--yes", "conversationd")
    check(not (root / DATA).exists() and not (root / "etc/conversationd").exists(),
          "purge leaves something")
    say("remove keeps data and configuration, and purge does not")


# The image


def archive(path, folder):
    """Tries an image: what is in the archive, and its program in its file system."""
    size = path.stat().st_size
    check(size < IMAGE_BYTES_MAX, f"the archive has {size} bytes")
    root = folder / "unpacked"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    try:
        config = unpack(path, root, path.name.split("-")[1])
        run_image(root, config)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    say(f"{path.name}, {size} bytes, serves as an ordinary user")


def unpack(path, root, version):
    """Unpacks the layers; returns how it is to be run."""
    with tarfile.open(path) as packed:
        def read(digest):
            return packed.extractfile("blobs/" + digest.replace(":", "/"))

        index = json.load(packed.extractfile("index.json"))
        tags = {entry["annotations"]["org.opencontainers.image.ref.name"]: entry["digest"]
                for entry in index["manifests"]}
        names = {f"{image.NAME}:{version}", f"{image.NAME}:latest"}
        check(set(tags) == names and len(set(tags.values())) == 1, f"the tags are {tags}")
        manifest = json.load(read(next(iter(tags.values()))))
        described, = json.load(packed.extractfile("manifest.json"))
        check(set(described["RepoTags"]) == names
              and described["Config"] == image.blob(manifest["config"])
              and described["Layers"] == [image.blob(each) for each in manifest["layers"]],
              f"for Docker it is {described}")
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=read(layer["digest"])) as files:
                # As every version of Python knows it: these archives are ours.
                files.extraction_filter = lambda member, _: member
                files.extractall(root)
        return json.load(read(manifest["config"]["digest"]))["config"]


def run_image(root, config):
    user = int(config["User"].split(":")[0])
    check(user > 0 and "/data" in config["Volumes"], f"its configuration is {config}")
    check(not (root / "bin/sh").exists(), "there is a shell in it")
    environment = dict(entry.split("=", 1) for entry in config["Env"])
    environment |= {"CONVERSATIOND_MANAGEMENT_ADDRESS": "unix:/tmp/management.sock"}
    start = [f"--root={root}", f"--wd={config['WorkingDir']}", f"--setgid={user}",
             f"--setuid={user}"]
    program = root / "usr/bin" / config["Entrypoint"][0]
    check(program.exists(), "there is no program")

    def words(*arguments):
        return ["unshare", "--pid", "--fork", "--kill-child", *start,
                f"/usr/bin/{program.name}", *arguments]

    server = words(*config["Cmd"], "--listen=unix:/tmp/api.sock")
    with process(server, environment, root / "tmp/api.sock") as connect:
        check(run(*words("healthcheck"), env=environment) == "ready\n", "it is not healthy")
        check(connect("/v1/conversations")[0] == 401, "it serves without a key")
        key = new_key(run(*words("keys", "create", "--name=a"), env=environment))
        check(connect("/v1/conversations", key, {})[0] == 200, "it does not store")
        owner = (root / "data/conversations.db").stat().st_uid
        check(owner == user, f"the database belongs to {owner}")


# What stands around it


def surroundings(folder):
    """Tries the files of deploy/ with the programs that they are for."""
    deploy = deb.ROOT / "deploy"
    run("promtool", "check", "rules", deploy / "alerts.yml")
    rules = folder / "grafana.yml"
    # JSON is YAML too.
    rules.write_text(json.dumps({"groups": [{"name": "grafana", "rules": [
        {"record": f"panel_{number}", "expr": expression}
        for number, expression in enumerate(expressions(deploy / "grafana.json"))]}]}),
        encoding="utf-8")
    run("promtool", "check", "rules", rules)
    rules.unlink()
    say("promtool takes the alerts and the expressions of the dashboard for Grafana")
    run("caddy", "validate", "--adapter=caddyfile", f"--config={deploy}/Caddyfile",
        env={**os.environ, "DOMAIN": "example.com"})
    check_nginx(deploy / "nginx.conf", folder)
    say("Caddy and nginx take their configurations")


def expressions(dashboard):
    panels = json.loads(dashboard.read_text(encoding="utf-8"))["panels"]
    return [target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
            for panel in panels for target in panel["targets"]]


def check_nginx(site, folder):
    """With a certificate of its own, since nginx reads the one that it is given."""
    work = folder / "nginx"
    work.mkdir(exist_ok=True)
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
        "/CN=localhost", "-keyout", work / "privkey.pem", "-out", work / "fullchain.pem")
    text = site.read_text(encoding="utf-8")
    text = re.sub(r"/etc/letsencrypt/live/[^/]+", str(work), text)
    (work / "site.conf").write_text(text, encoding="utf-8")
    (work / "nginx.conf").write_text(
        f"pid {work}/pid; events {{}}\nhttp {{ include {work}/site.conf; }}\n", encoding="utf-8")
    run("nginx", "-t", "-p", work, "-c", work / "nginx.conf")
    shutil.rmtree(work)
