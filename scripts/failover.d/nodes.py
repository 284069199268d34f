"""Two nodes of PostgreSQL under Patroni, etcd for them to agree by, and haproxy before them."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

from cluster import descendants, postgresql_programs, unprivileged
from peers import environment
from servers import Unavailable, free_ports

PATRONI = "patroni[etcd3,psycopg3]==4.1.5"
START_SECONDS = 120
# After how long without a sign of life a primary is no longer one; the least that Patroni takes.
TTL_SECONDS = 20
DATABASE = "conversationd"


class Process:
    """One program that runs in the background, with its log in a file."""

    def __init__(self, name, folder, command, **options):
        self.name, self.command, self.options = name, command, options
        self.log = folder / f"{name}.log"
        self.process = None

    def start(self):
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",
                start_new_session=True, **self.options)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


class Node(Process):
    """Patroni, and the PostgreSQL that it runs."""

    def __init__(self, name, folder, patroni, configuration, **options):
        file = folder / f"{name}.json"  # which is YAML too
        file.write_text(json.dumps(configuration))
        super().__init__(name, folder, [patroni, file], **options)
        self.data = Path(configuration["postgresql"]["data_dir"])
        self.address = configuration["postgresql"]["listen"]
        self.rest = configuration["restapi"]["listen"]

    def answer(self, path):
        """What its Patroni answers; None when it does not."""
        try:
            with closing(http.client.HTTPConnection(self.rest, timeout=2)) as connection:
                connection.request("GET", path)
                return json.load(connection.getresponse())
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def database_pids(self):
        """The numbers of all processes of its PostgreSQL."""
        try:
            postmaster = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return []
        return [pid for pid in descendants([postmaster]) if Path(f"/proc/{pid}").exists()]

    def send(self, number, with_database):
        """Sends a signal to its Patroni, and to its PostgreSQL if that is wanted."""
        # A postmaster that is killed ends its children; frozen, it must not start any.
        database = self.database_pids() if with_database else []
        for pid in [*database, self.process.pid]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def stop(self):
        if self.process:
            self.send(signal.SIGCONT, with_database=True)
            self.send(signal.SIGKILL, with_database=True)
        super().stop()


class Nodes:
    """All of it, in a folder that is made anew."""

    def __init__(self, folder):
        self.folder = folder / "run"
        self.environments = folder
        self.processes, self.nodes = [], []
        self.port = None

    def start(self):
        """Returns when there is a primary and a standby that each commit waits for."""
        etcd, haproxy = program("etcd", "etcd-server"), program("haproxy", "haproxy")
        programs = postgresql_programs()
        patroni = environment(self.environments / "patroni", PATRONI, "/usr/bin/python3")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        options = unprivileged(self.folder)
        client, peer, self.port, *ports = free_ports(7)
        self.launch(Process("etcd", self.folder, etcd_command(etcd, self.folder, client, peer),
                            **options))
        for number in (1, 2):
            configuration = node(f"node{number}", self.folder, programs, client, *ports[-2:])
            del ports[-2:]
            self.nodes.append(self.launch(Node(
                f"node{number}", self.folder, patroni / "patroni", configuration, **options)))
            self.wait_for(lambda: self.leader(), "there is no primary")
        self.wait_whole()
        file = self.folder / "haproxy.cfg"
        file.write_text(haproxy_configuration(self.port, self.nodes))
        self.launch(Process("haproxy", self.folder, [haproxy, "-f", file, "-db"]))
        self.wait_for(lambda: self.leads_to_primary(programs), "haproxy does not lead to it")
        subprocess.run([programs / "createdb", "--maintenance-db", self.url("postgres"), DATABASE],
                       check=True)

    def leads_to_primary(self, programs):
        """Whether haproxy has noticed which node is the standby; at first it takes both in turn."""
        command = [programs / "psql", "-XAtqc", "SELECT pg_is_in_recovery()", self.url("postgres")]
        return all(subprocess.run(command, capture_output=True).stdout == b"f\n" for _ in range(3))

    def launch(self, process):
        self.processes.append(process)
        process.start()
        return process

    def stop(self):
        for process in reversed(self.processes):
            process.stop()
        self.processes = []

    def members(self):
        """What the cluster looks like to a Patroni that answers, by the names of its members."""
        for each in self.nodes:
            if found := each.answer("/cluster"):
                return {member["name"]: member for member in found.get("members", [])}
        return {}

    def leader(self):
        """The node that is the primary; None when there is none."""
        members = self.members()
        for each in self.nodes:
            member = members.get(each.name, {})
            if (member.get("role"), member.get("state")) == ("leader", "running"):
                return each
        return None

    def is_whole(self):
        found = {(member["role"], member["state"]) for member in self.members().values()}
        return found == {("leader", "running"), ("sync_standby", "streaming")}

    def wait_whole(self):
        self.wait_for(self.is_whole, "there is no synchronous standby")

    def wait_for(self, condition, complaint):
        deadline = time.monotonic() + START_SECONDS
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise Unavailable(f"{complaint} after {START_SECONDS} seconds; the logs are in "
                                  f"{self.folder}")
            time.sleep(0.2)
        return found

    def url(self, database=DATABASE):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


def program(name, package):
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if not found:
        raise Unavailable(f"{name} is missing: apt-get install {package}")
    return found


def etcd_command(etcd, folder, client, peer):
    client_url, peer_url = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    return [etcd, "--name", "one", "--data-dir", folder / "etcd",
            "--listen-client-urls", client_url, "--advertise-client-urls", client_url,
            "--listen-peer-urls", peer_url, "--initial-advertise-peer-urls", peer_url,
            "--initial-cluster", f"one={peer_url}"]


def node(name, folder, programs, etcd_port, rest_port, port):
    """The configuration of a node. With two nodes `synchronous_mode_strict` would stop all writes
    as long as one is gone."""
    rest = f"127.0.0.1:{rest_port}"
    superuser = {"username": "postgres", "password": "unused"}
    return {
        "scope": "failover", "name": name, "etcd3": {"host": f"127.0.0.1:{etcd_port}"},
        "restapi": {"listen": rest, "connect_address": rest},
        "bootstrap": {
            "dcs": {
                "ttl": TTL_SECONDS, "loop_wait": 2, "retry_timeout": 3, "synchronous_mode": True,
                "postgresql": {"use_pg_rewind": True, "pg_hba": [
                    "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]},
            },
            "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"],
        },
        "postgresql": {
            "listen": f"127.0.0.1:{port}", "connect_address": f"127.0.0.1:{port}",
            "data_dir": str(folder / name), "bin_dir": str(programs),
            "pgpass": str(folder / f"{name}.pgpass"),
            "authentication": {"superuser": superuser, "rewind": superuser,
                               "replication": {"username": "replicator", "password": "unused"}},
            "parameters": {"unix_socket_directories": ""},
        },
    }


def haproxy_configuration(port, nodes):
    servers = [f"  server {each.name} {each.address} check port {each.rest.rpartition(':')[2]}"
               for each in nodes]
    return "\n".join([
        "defaults", "  mode tcp", "  timeout connect 1s", "  timeout client 30m",
        "  timeout server 30m", "  timeout check 1s", "listen postgresql",
        f"  bind 127.0.0.1:{port}", "  option httpchk OPTIONS /primary",
        "  http-check expect status 200",
        "  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions",
        *servers, ""])

