"""`conversationd projects`: beside a running server, on both engines."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from conftest import bearer

# Of more than one slice.
COUNT = 120
ITEM = {"type": "message", "role": "user", "content": "hello"}


@pytest.fixture
def projects(run, tmp_path, database_of):
    """Runs a command on the database that servers have here."""
    url = database_of(tmp_path)
    flags, environment = (
        (["--database", tmp_path / "conversations.db"], {}) if url is True
        else ([], {"CONVERSATIOND_DATABASE_URL": url}))

    def projects(command, *arguments, **options):
        return run("projects", command, *flags, *arguments, environment=environment, **options)

    projects.check = lambda: run("check", *flags, environment=environment)
    return projects


@pytest.fixture
def listed(projects):
    """What `projects list --json` says, by the projects' names."""
    def listed():
        return {project.pop("name"): project
                for project in json.loads(projects("list", "--json").stdout)}

    return listed


def create(server, key, **body):
    return server.request("POST", "/v1/conversations", body, bearer(key))


def test_a_project_is_deleted_in_slices_and_holds_nobody_up(
        server, make_key, projects, listed):
    red, reader, blue = (make_key("a", "--project=red"), make_key("b", "--project=red", "--read-only"),
                         make_key("a", "--project=blue"))
    metadata = {"topic": "t"}
    with ThreadPoolExecutor(8) as pool:
        for answer in pool.map(lambda _: create(server, red, metadata=metadata, items=[ITEM]),
                               range(COUNT)):
            assert answer.status == 200
    kept = create(server, blue, metadata=metadata, items=[ITEM, ITEM]).json()["id"]
    before = listed()
    assert before["default"] == {"number": 1, "conversations": 0, "items": 0, "keys": 0}
    number = before["red"].pop("number")
    assert before["red"] == {"conversations": COUNT, "items": COUNT, "keys": 2}
    rows = [line.split() for line in projects("list").stdout.splitlines()]
    assert rows[0] == ["NAME", "NUMBER", "CONVERSATIONS", "ITEMS", "KEYS"]
    assert rows[-1] == ["red", str(number), str(COUNT), str(COUNT), "2"]

    is_over = Event()
    with ThreadPoolExecutor(1) as pool:
        def write():
            statuses = []
            while not is_over.is_set():
                statuses.append(create(server, blue).status)
            return statuses

        writer = pool.submit(write)
        result = projects("delete", "red", input="red\n")
        is_over.set()
    assert result.returncode == 0, result
    assert "Type its name to go on" in result.stderr
    assert result.stdout.startswith(f"deleted {COUNT} conversations of 'red' in ")
    assert result.stdout.endswith(f", revoked 2 keys; the project is 'deleted-{number}' now\n")
    assert set(writer.result()) == {200}
    assert [create(server, red).status, create(server, reader).status] == [401, 401]
    assert server.request("GET", f"/v1/conversations/{kept}", headers=bearer(blue)).status == 200
    after = listed()
    assert after[f"deleted-{number}"] == {
        "number": number, "conversations": 0, "items": 0, "keys": 0}
    assert after["blue"]["items"] == 2 and "red" not in after
    assert projects.check().stdout.endswith("all is well\n")
    # The name is free for a new project.
    again = make_key("a", "--project=red")
    assert create(server, again).status == 200
    assert listed()["red"]["number"] != number
    assert projects("delete", f"deleted-{number}", f"--confirm=deleted-{number}").returncode == 0
    assert listed() == {**listed(), f"deleted-{number}": after[f"deleted-{number}"]}


def test_what_is_not_confirmed_or_not_there_is_not_deleted(
        server, make_key, projects, listed):
    key = make_key("a", "--project=red")
    # Somebody has chosen the name.
    make_key("b", f"--project=deleted-{listed()['red']['number']}")
    items = [ITEM] * 20
    id = create(server, key, items=items).json()["id"]
    for _ in range(2):
        assert server.request(
            "POST", f"/v1/conversations/{id}/items", {"items": items}, bearer(key)).status == 200
    before = listed()
    for arguments, options, status, words in [
            (["red"], {"input": "rad\n"}, 64, "the names differ, and nothing was deleted"),
            (["red"], {"input": ""}, 64, "the names differ"),
            (["red", "--confirm=Red"], {}, 64, "the names differ"),
            (["nobody", "--confirm=nobody"], {}, 65, "no project named 'nobody'"),
            (["default", "--confirm=default"], {}, 64, "'default' is not deleted")]:
        result = projects("delete", *arguments, **options)
        assert (result.returncode, result.stdout) == (status, "")
        assert words in result.stderr.splitlines()[-1]
    assert listed() == before
    number = before["red"]["number"]
    result = projects("delete", "red", "--confirm=red")
    assert result.stdout.endswith(f"the project is 'deleted-{number}-' now\n")
    assert set(listed()) == {"default", f"deleted-{number}", f"deleted-{number}-"}
