"""The servers that a user could pick instead: OGX, and SMG in memory and on PostgreSQL."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from build import stored_value
from cluster import Cluster, descendants, end_of
from measure import Failure
from servers import Server, Unavailable, free_ports
from workloads import FEW_ITEMS, TWO_ITEMS

CONVERSATIONS = "/v1/conversations"
CLIENTS = 8
START_SECONDS = 60


class Peer(Server):
    """A server from PyPI, in a Python environment of its own that is kept between runs.

    It starts without a conversation each time, and needs no API key, which costs it least.
    """

    # What pip installs, with the version that the rest of this file was written for.
    requirement = ""
    # How long each of its ids is.
    id_length = 0

    # A slow peer takes a while to store more; few are the easier task.
    def __init__(self, folder, cluster=None, count=500):
        """`cluster` is a PostgreSQL that runs already, for a peer that needs one."""
        self.folder, self.cluster, self.count = folder / "peers", cluster, count
        self.data = self.folder / f"{self.name.replace(' ', '-')}-data"
        self.processes = []

    def start(self):
        package = self.requirement.partition("==")[0]
        self.programs = environment(self.folder / package, self.requirement, self.python())
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True)
        try:
            self.launch()
            self.check()
            self.description += f", {self.count} conversations"
        except BaseException:
            self.stop()
            raise

    def python(self):
        return sys.executable

    def launch(self):
        """Starts its processes, and says where it will answer."""
        raise NotImplementedError

    def spawn(self, command, **options):
        """Starts one of its processes, with none of the settings of whoever calls the bench."""
        settings = {"PATH": os.environ["PATH"], "HOME": self.data, "TMPDIR": self.data}
        options["env"] = settings | options.get("env", {})
        with (self.data / "log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True, **options)
        self.processes.append(process)
        return process

    def check(self):
        """Waits for the first answer, and looks whether it does what is measured."""
        path = f"{CONVERSATIONS}/{self.first_answer().get('id')}"
        for request in [("POST", path, metadata({"key01": "2"})), ("GET", path)]:
            status, body = self.ask(*request)
            if status != 200 or json.loads(body)["metadata"] != {"key01": "2"}:
                raise Unavailable(f"{self.name} answers {status} {end_of(body.decode())}")

    def first_answer(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            ended = [process for process in self.processes if process.poll() is not None]
            if ended:
                raise Unavailable(f"{self.name} ended: {self.last_words()}")
            try:
                return json.loads(self.ask("POST", CONVERSATIONS, metadata({"key01": "1"}))[1])
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.05)
        raise Unavailable(f"{self.name} did not answer within {START_SECONDS} seconds")

    def last_words(self):
        return end_of((self.data / "log").read_text(errors="replace"))

    def stop(self):
        # Not asked to end: nothing of theirs is needed any more, and SMG takes its time.
        for process in reversed(self.processes):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        self.processes = []
        shutil.rmtree(self.data, ignore_errors=True)

    def pids(self):
        return descendants(process.pid for process in self.processes)

    def ids(self, pairs, count):
        file = self.data / f"pairs-{pairs}-{count}.ids"
        if not file.exists():
            shares = [count // CLIENTS + (place < count % CLIENTS) for place in range(CLIENTS)]
            with ThreadPoolExecutor(CLIENTS) as clients:
                created = clients.map(lambda share: self.create(pairs, share), shares)
                ids = [id for share in created for id in share]
            if {len(id) for id in ids} != {self.id_length}:
                raise Failure(f"{self.name} has ids of another length than {self.id_length}")
            file.write_text("".join(f"{id}\n" for id in ids))
        return file

    def lines(self, workload):
        if not workload.items:
            return super().lines(workload)
        # Those of a single conversation, which is the easier task.
        file = self.data / f"{workload.items}.lines"
        if not file.exists():
            id, items = self.conversation_with_items()
            lines = {"few": [f"{id}/items?order=asc&limit=20&after={item}" for item in items[25:75]],
                     "item": [f"{id}/items/{item}" for item in items]}[workload.items]
            self.look_at_items(lines[0], items[26 if workload.items == "few" else 0])
            file.write_text("".join(f"{line}\n" for line in lines))
        return file

    def conversation_with_items(self):
        """Creates a conversation of `FEW_ITEMS` items of 1 KB, and returns its id and theirs."""
        id = json.loads(self.ask("POST", CONVERSATIONS, metadata({}))[1])["id"]
        items = []
        while len(items) < FEW_ITEMS:
            status, body = self.ask("POST", f"{CONVERSATIONS}/{id}/items", TWO_ITEMS)
            if status != 200:
                raise Failure(f"{self.name} answers an append with {status} {body.decode()}")
            items += [item["id"] for item in json.loads(body)["data"]]
        return id, items

    def look_at_items(self, line, id):
        """Looks whether it answers with an item, or with 20 of which that is the first."""
        status, body = self.ask("GET", f"{CONVERSATIONS}/{line}")
        answer = json.loads(body) if status == 200 else {}
        found = answer.get("data", [answer])
        if len(found) != (20 if "data" in answer else 1) or found[0].get("id") != id:
            raise Failure(f"{self.name} answers {line} with {status} {end_of(body.decode())}")

    def create(self, pairs, count):
        """Creates conversations on one connection, and returns their ids."""
        pairs = {f"key{pair:02}": stored_value(pair) for pair in range(1, pairs + 1)}
        ids = []
        with closing(http.client.HTTPConnection(self.origin.removeprefix("http://"))) as connection:
            for _ in range(count):
                connection.request("POST", CONVERSATIONS, metadata(pairs),
                                   {"Content-Type": "application/json"})
                answer = json.load(connection.getresponse())
                if answer.get("metadata") != pairs:
                    raise Failure(f"{self.name} answers a create with {answer}")
                ids.append(answer["id"])
        return ids


class OGX(Peer):
    name = "ogx"
    requirement = "ogx==1.5.0"
    id_length = 53

    def python(self):
        places = [sys.executable, shutil.which("python3.13"), shutil.which("python3.12"),
                  *sorted(Path.home().glob(".pyenv/versions/*/bin/python3"), reverse=True)]
        # Debian has Pythons without ensurepip, which cannot make an environment.
        probe = "import ensurepip, sys; sys.exit(sys.version_info < (3, 12))"
        for place in filter(None, places):
            if subprocess.run([place, "-c", probe], capture_output=True).returncode == 0:
                return place
        raise Unavailable("OGX needs Python 3.12 or newer, and there is none here")

    def launch(self):
        [port] = free_ports(1)
        self.origin = f"http://127.0.0.1:{port}"
        file = self.data / "config.yaml"
        file.write_text(json.dumps(self.configuration(port)))  # which is YAML too
        # It logs every request and cannot be told not to. With the log as JSON instead of text, its
        # default, a request took a sixth to a third less of its processor's time.
        self.spawn([self.programs / "ogx", "run", file],
                   env={"OGX_LOG_FORMAT": "json", "OGX_CONFIG_DIR": self.data})
        self.description = (
            f"OGX {version(self.requirement)} on Python {python_version(self.programs)}: "
            "conversations only, SQLite with synchronous=NORMAL (no sync for a commit), one worker "
            "(its default), its access log (which has no switch) as JSON, no limits on metadata")

    def configuration(self, port):
        return {
            "version": 2, "distro_name": "conversations", "apis": ["conversations"],
            "providers": {},
            "storage": {
                "backends": {
                    "kv_default": {"type": "kv_sqlite", "db_path": f"{self.data}/keys.db"},
                    "sql_default": {"type": "sql_sqlite", "db_path": f"{self.data}/rows.db"},
                },
                "stores": {
                    "metadata": {"backend": "kv_default", "namespace": "registry"},
                    "conversations": {"backend": "sql_default",
                                      "table_name": "openai_conversations"},
                },
            },
            "server": {"host": "127.0.0.1", "port": port, "insecure": True},
        }


class SMG(Peer):
    name = "smg memory"
    requirement = "smg==1.13.0"
    id_length = 55

    def launch(self):
        self.launch_gateway()
        self.description = (
            f"SMG {version(self.requirement)}: no model workers, history in memory (all is lost "
            "when it ends), a thread for each processor (its default), log level warn (no access "
            "log), of the limits on metadata only the 16 pairs, an update merges into the "
            "set")

    def launch_gateway(self, *options):
        # Its metrics have no switch, but a port.
        port, metrics = free_ports(2)
        self.origin = f"http://127.0.0.1:{port}"
        return self.spawn([self.programs / "smg", "launch", "--host", "127.0.0.1",
                           "--port", str(port), "--prometheus-host", "127.0.0.1",
                           "--prometheus-port", str(metrics), "--log-level", "warn", *options])


class SMGOnPostgreSQL(SMG):
    name = "smg postgresql"
    database = None
    database_name = "smg"

    def launch(self):
        # With no other server, one in its own folder, which goes with it.
        self.database = self.cluster or Cluster(self.data / "postgresql")
        if not self.cluster:
            self.database.start()
        self.database.create(self.database_name)
        self.launch_gateway("--history-backend", "postgres", "--postgres-db-url",
                            self.database.url(self.database_name))
        self.description = (
            f"SMG {version(self.requirement)}: no model workers, history in PostgreSQL "
            f"{self.database.version} with default settings (each commit is synced), over TCP with "
            "up to 16 connections (its default), log level warn (no access log), an update merges "
            "into the set")

    def pids(self):
        return [*super().pids(), *self.database.pids()]

    def stop(self):
        if self.database and self.cluster:
            self.database.drop(self.database_name)
        elif self.database:
            self.database.stop()
        self.database = None
        super().stop()


PEERS = [OGX, SMG, SMGOnPostgreSQL]


def environment(folder, requirement, python):
    """Returns the programs of a Python environment, which it makes unless it is there."""
    installed = folder / "installed.txt"
    if not installed.exists() or installed.read_text() != requirement:
        print(f"installing {requirement} in {folder}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        for command in [[python, "-m", "venv", folder],
                        [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check",
                         requirement]]:
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                raise Unavailable(f"{requirement} cannot be installed: "
                                  f"{end_of(done.stderr or done.stdout)}")
        installed.write_text(requirement)
    return folder / "bin"


def metadata(pairs):
    return json.dumps({"metadata": pairs}, separators=(",", ":"))


def version(requirement):
    return requirement.partition("==")[2]


def python_version(programs):
    answer = subprocess.run([programs / "python", "--version"], capture_output=True, text=True)
    return answer.stdout.split()[-1]
