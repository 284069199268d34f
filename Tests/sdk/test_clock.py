"""A wall clock that jumps: back an hour, ahead by years, and about, while servers run and between
them. What counts time, counts on; what is written down stays in order."""

import mmap
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from conftest import bearer, read_answer
from creations import PATH, Creation, assert_in_order, walk

HOUR, DAY, YEAR = 3600, 86_400, 365 * 86_400
# The end of the 32 bits that an id has for its time.
LAST_SECOND = 0xFFFF_FFFF
CLIENTS, CREATIONS = 6, 100


class Clock:
    """The wall clock of the programs that get `environment`."""

    def __init__(self, library, file):
        file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_FILE": str(file)}
        with file.open("r+b") as opened:
            self.page = memoryview(mmap.mmap(opened.fileno(), 8)).cast("q")

    def set(self, seconds_off):
        self.page[0] = seconds_off

    def now(self):
        return int(time.time()) + self.page[0]


@pytest.fixture
def clock(preloaded, tmp_path):
    return Clock(preloaded("clock.c"), tmp_path / "seconds")


@pytest.fixture
def server(start, clock):
    return start(environment=clock.environment)


@pytest.fixture
def keys(keys, clock):
    return lambda *arguments: keys(*arguments, environment=clock.environment)


@pytest.fixture
def chance():
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


def create(server, **headers):
    answer = server.request("POST", PATH, {"metadata": {"a": "1"}}, headers)
    assert answer.status == 200, answer
    return answer.json()


def crash(server):
    server.kill()
    server.start()


@pytest.mark.parametrize("between", [
    lambda server: None, lambda server: server.restart(), crash],
    ids=["while it runs", "between two", "after a crash"])
def test_created_at_is_the_clock_or_the_newest_there_is(server, clock, between, run):
    created, newest, start = [], 0, time.monotonic()
    for seconds_off in (0, -HOUR, 0, 3 * YEAR, -YEAR, 3 * YEAR + HOUR, 200 * YEAR, 0):
        clock.set(seconds_off)
        between(server)
        for _ in range(3):
            before = clock.now()
            conversation = create(server)
            after = clock.now()
            least, most = [min(max(newest, now), LAST_SECOND) for now in (before, after)]
            # Behind the newest, time goes on from there.
            assert least <= conversation["created_at"] <= most + (time.monotonic() - start) + 1
            assert conversation["id"].startswith(f"conv_{conversation['created_at']:08x}")
            newest = conversation["created_at"]
            created.append(conversation)
    assert newest == LAST_SECOND
    ids = [each["id"] for each in created]
    assert ids == sorted(set(ids))
    assert walk(server, limit=5) == created
    assert walk(server, order="desc", limit=5) == created[::-1]
    assert server.stop() == 0
    assert run("check", "--database", server.database).returncode == 0


@pytest.mark.parametrize("seconds_off", [-100 * YEAR, -HOUR])
def test_a_place_in_the_list_stays_one_when_the_clock_goes_back(server, clock, seconds_off):
    first = create(server)
    place = create(server)["id"]
    assert server.request("DELETE", f"{PATH}/{place}").status == 200
    clock.set(seconds_off)
    second = create(server)
    for order, cursor, expected in [
            ("asc", f"after={place}", [second]), ("desc", f"after={place}", [first]),
            ("asc", f"created_at[gte]={first['created_at']}", [first, second])]:
        page = server.request("GET", f"{PATH}?order={order}&{cursor}").json()
        assert page["data"] == expected


def test_clients_at_once_and_a_clock_that_jumps_about(server, clock, chance, run):
    creations = []
    over = threading.Event()

    def jump():
        while not over.wait(0.01):
            clock.set(chance.choice([0, 1, -1, HOUR, -HOUR, 2 * YEAR, -50 * YEAR]))

    def work(_):
        with closing(server.connection()) as connection:
            for _ in range(CREATIONS):
                call = time.monotonic_ns()
                connection.request("POST", PATH, b"{}")
                answer = read_answer(connection)
                assert answer.status == 200
                creations.append(Creation(call, time.monotonic_ns(), answer.json()["id"]))

    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        jumping = pool.submit(jump)
        try:
            for _ in range(2):
                list(pool.map(work, range(CLIENTS)))
                crash(server)
        finally:
            over.set()
        jumping.result()
    assert len(creations) == 2 * CLIENTS * CREATIONS
    assert_in_order(creations)
    assert [each["id"] for each in walk(server)] == sorted(each.id for each in creations)
    assert server.request("GET", "/readyz").status == 200
    assert server.stop() == 0
    assert run("check", "--database", server.database).returncode == 0


def test_an_idempotency_key_lasts_a_day_of_the_clock(server, clock):
    keyed = {"Idempotency-Key": "order-17"}
    first = create(server, **keyed)
    for seconds_off in (-HOUR, DAY - HOUR, -50 * YEAR, 0):
        clock.set(seconds_off)
        assert create(server, **keyed) == first
        crash(server)
        assert create(server, **keyed) == first
    clock.set(DAY + HOUR)
    second = create(server, **keyed)
    assert second["id"] > first["id"]
    # Back again, the second is what there is under the key.
    clock.set(0)
    assert create(server, **keyed) == second


def test_an_api_key_ends_by_the_clock(server, clock, keys):
    def make(name, *options):
        result = keys("create", "--name", name, *options)
        assert result.returncode == 0, result
        return result.stdout.strip()

    day, ever = make("day", "--expires", "1d"), make("ever")
    revoked = make("revoked")
    assert keys("revoke", "revoked").returncode == 0
    for seconds_off, counts in [
            (0, True), (-HOUR, True), (DAY + HOUR, False), (-YEAR, True), (100 * YEAR, False),
            (0, True)]:
        clock.set(seconds_off)
        assert [server.request("GET", PATH, headers=bearer(key)).status
                for key in (day, ever, revoked)] == [200 if counts else 401, 200, 401]
        state = keys("list").stdout.splitlines()[1]
        assert ("expired" in state) != counts


@pytest.mark.parametrize("seconds_off", [-HOUR, 3 * YEAR])
def test_what_counts_time_goes_on_counting(start, clock, keys, seconds_off):
    limit = {"CONVERSATIOND_HTTP_REQUESTS_PER_MINUTE_MAX": "2"}
    server = start(environment={**clock.environment, **limit})
    key = keys("create", "--name", "a").stdout.strip()

    def status():
        return server.request("GET", PATH, headers=bearer(key)).status

    assert [status() for _ in range(3)] == [200, 200, 429]
    clock.set(seconds_off)
    # Neither are the tokens back, nor is the wait an hour.
    answer = server.request("GET", PATH, headers=bearer(key))
    assert answer.status == 429
    assert 0 < int(answer.headers["retry-after-ms"]) <= 60_000
