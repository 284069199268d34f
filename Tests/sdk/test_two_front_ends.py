"""Two servers on one PostgreSQL: each answers as if it were the only one."""

import json
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from math import inf

import pytest
from conftest import REPOSITORY, bearer
from register_load import (
    CLIENTS, Client, History, Places, checked_operations, load_test_seed, overlapping, read_all)

PATH = "/v1/conversations"
OPERATIONS = 4_000


@pytest.fixture
def url(postgresql):
    return postgresql.make_database()


@pytest.fixture
def front_ends(start, url, tmp_path):
    """Two servers, each in a folder of its own."""
    servers = []
    for name in ["one", "two"]:
        (tmp_path / name).mkdir()
        servers.append(start(folder=tmp_path / name, database=url))
    return servers


def test_what_one_stores_the_other_has(front_ends):
    one, two = front_ends
    created = one.request("POST", PATH, {"metadata": {"a": "1"}})
    id = created.json()["id"]
    read = two.request("GET", f"{PATH}/{id}")
    assert (read.body, read.headers["etag"]) == (created.body, created.headers["etag"])
    changed = two.request("PATCH", f"{PATH}/{id}", {"metadata": {"b": "2"}},
                          {"If-Match": created.headers["etag"]})
    assert changed.json()["metadata"] == {"a": "1", "b": "2"}
    assert one.request("POST", f"{PATH}/{id}", {"metadata": {}},
                       {"If-Match": created.headers["etag"]}).status == 412
    assert one.request("DELETE", f"{PATH}/{id}").status == 200
    assert two.request("GET", f"{PATH}/{id}").status == 404


def test_a_revoked_key_ends_with_the_request_before(front_ends, run, url):
    one, two = front_ends
    environment = {"CONVERSATIOND_DATABASE_URL": url}
    key = run("keys", "create", "--name=k", environment=environment).stdout.strip()
    assert all(server.request("GET", PATH, headers=bearer(key)).status == 200
               for server in front_ends)
    assert run("keys", "revoke", "k", environment=environment).returncode == 0
    assert one.request("GET", PATH, headers=bearer(key)).status == 401
    assert two.request("POST", PATH, {}, bearer(key)).status == 401


def test_an_idempotency_key_counts_once(front_ends):
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            answers = list(pool.map(
                lambda place: front_ends[place % 2].request(
                    "POST", PATH, {"metadata": {"n": "1"}}, {"Idempotency-Key": f"k{number}"}),
                range(8)))
            assert {answer.status for answer in answers} == {200}
            assert len({answer.body for answer in answers}) == 1
            assert sum("idempotent-replayed" in answer.headers for answer in answers) == 7
    assert front_ends[0].request("GET", f"{PATH}/count").json()["count"] == 20


def test_changes_in_opposite_order_never_meet_a_deadlock(front_ends):
    ids = [front_ends[0].request("POST", PATH, {}).json()["id"] for _ in range(8)]

    def change(place):
        server, order = front_ends[place % 2], ids if place % 2 else ids[::-1]
        return [server.request("POST", f"{PATH}/{id}", {"metadata": {"n": str(place)}}).status
                for id in order]

    with ThreadPoolExecutor(16) as pool:
        assert {status for each in pool.map(change, range(32)) for status in each} == {200}


def test_a_person_with_psql_is_seen_and_heard(front_ends, postgresql, url):
    database = url.removeprefix("postgresql:///").partition("?")[0]
    id = front_ends[0].request("POST", PATH, {"metadata": {"topic": "a"}}).json()["id"]
    assert postgresql.psql(database, "SELECT id, metadata FROM overview") == (
        f'{id}|{{"topic": "a"}}\n')
    postgresql.psql(database, "UPDATE conversations SET metadata = metadata || "
                    f"'{{\"topic\": \"b\"}}' WHERE project = 1 AND id = conversation_id('{id}')")
    for server in front_ends:
        found = server.request("GET", f"{PATH}?metadata%5Btopic%5D=b").json()["data"]
        assert [each["id"] for each in found] == [id]


def test_the_statements_of_the_documentation_run(front_ends, postgresql, url):
    database = url.removeprefix("postgresql:///").partition("?")[0]
    id = front_ends[0].request("POST", PATH, {
        "metadata": {"topic": "project-x", "user": "u1", "draft": "yes"},
        "items": [{"role": "user", "content": "Grüße"}]}).json()["id"]
    page = (REPOSITORY / "docs/postgresql.md").read_text(encoding="utf-8")
    statements = re.findall(r"^```sql\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    named, = set(re.findall(r"conv_[0-9a-f]{48}", "".join(statements)))
    printed = [postgresql.psql(database, each.replace(named, id)) for each in statements]
    assert id in printed[0] and printed[1] == f"{id}\n" and printed[2] == "u1|1\n"
    assert printed[3].endswith("|user|Grüße\n") and len(printed) == 6
    assert front_ends[1].request("GET", f"{PATH}/{id}").status == 404


class Both:
    """A server to the clients of `register_load`, each of which has one of two."""

    def __init__(self, servers):
        self.servers = servers
        self.turn = 0

    def connection(self):
        self.turn += 1
        return self.servers[self.turn % 2].connection()

    def request(self, *arguments, **options):
        self.turn += 1
        return self.servers[self.turn % 2].request(*arguments, **options)


def record(both, history, seed, until, disturb):
    places = Places(both, history, 3)
    clients = [Client(number, history, places, f"{seed} {number}") for number in range(CLIENTS)]
    over = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        runs = [pool.submit(client.run, over.is_set) for client in clients]
        try:
            while len(history) < until and not all(run.done() for run in runs):
                disturb(len(history))
                time.sleep(0.02)
        finally:
            over.set()
        for run in runs:
            run.result()


def test_each_conversation_is_a_register(front_ends):
    seed, history = load_test_seed(), History()
    print(f"repeat with LOAD_TEST_SEED={seed}")
    both = Both(front_ends)
    record(both, history, seed, OPERATIONS, lambda _: None)
    read_all(both, history)
    assert checked_operations(history, seed) >= OPERATIONS
    assert sum(map(overlapping, history.operations.values())) > OPERATIONS / 2


def test_each_conversation_is_a_register_when_one_server_is_killed(front_ends):
    seed, history = load_test_seed(), History()
    print(f"repeat with LOAD_TEST_SEED={seed}")
    both = Both(front_ends)
    killed = []

    def kill(number):
        if number > OPERATIONS / 4 and not killed:
            killed.append(front_ends[0].kill())

    record(both, history, seed, OPERATIONS / 2, kill)
    assert killed
    # PostgreSQL may still have been about what the server had sent.
    for operations in history.operations.values():
        for place, each in enumerate(operations):
            if each.is_lost:
                operations[place] = each._replace(end=inf)
    both.servers = [front_ends[1]] * 2
    read_all(both, history)
    assert checked_operations(history, seed) > OPERATIONS / 4


def test_a_frozen_server_holds_nobody_up_for_long(front_ends):
    one, two = front_ends
    id = one.request("POST", PATH, {}).json()["id"]
    over = threading.Event()

    def write():
        while not over.is_set():
            one.request("POST", f"{PATH}/{id}", {"metadata": {"by": "one"}})

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        time.sleep(0.3)
        one.send(signal.SIGSTOP)
        deadline = time.monotonic() + 30
        while (answer := two.request(
                "POST", f"{PATH}/{id}", {"metadata": {"by": "two"}})).status != 200:
            assert answer.status == 503 and time.monotonic() < deadline, answer
        one.send(signal.SIGCONT)
        over.set()
        writing.result()
    assert json.loads(two.request("GET", f"{PATH}/{id}").body)["metadata"]["by"] in ("one", "two")
