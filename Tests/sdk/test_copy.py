"""A whole database that becomes another, of the same or the other engine."""

import itertools
import json

import pytest
from conftest import bearer

ENGINES = ["sqlite", "postgresql"]


@pytest.fixture
def place(request, tmp_path):
    """Makes the name of a database of an engine that is not there yet, or is empty."""
    numbers = itertools.count()

    def place(engine):
        if engine == "sqlite":
            return str(tmp_path / f"{next(numbers)}.db")
        return request.getfixturevalue("postgresql").make_database()

    return place


@pytest.fixture
def command(run):
    """Runs a command on a database."""

    def command(database, *arguments, **options):
        if "://" in database:
            return run(*arguments, environment={"CONVERSATIOND_DATABASE_URL": database}, **options)
        return run(*arguments, "--database", database, **options)

    return command


@pytest.fixture
def serve(start, tmp_path):
    def serve(database):
        if "://" in database:
            return start(database=database)
        return start("--database", database, database=False)

    return serve


def fill(server, *keys):
    """Makes conversations of several projects by turns, and returns their ids."""
    ids = []
    for number, key in enumerate(3 * keys):
        with server.client(api_key=key) as client:
            ids.append(client.conversations.create(
                metadata={"n": str(number)},
                items=[{"type": "message", "role": "user", "content": 100_000 * "x"}]).id)
            for _ in range(3 if number == 1 else 0):
                client.conversations.items.create(
                    ids[-1], items=[{"type": "message", "role": "user", "content": 90_000 * "ü"}])
    return ids


@pytest.mark.parametrize("source, target", list(itertools.product(ENGINES, ENGINES)))
def test_a_copy_is_the_same_and_serves_the_same_clients(
        run, place, command, serve, source, target):
    source, target = place(source), place(target)
    assert command(source, "migrate").returncode == 0
    first, second = [command(source, "keys", "create", "--name=a", f"--project={project}").stdout.strip()
                     for project in ["sales", "other"]]
    assert command(source, "keys", "create", "--name=b", "--admin").returncode == 0
    assert command(source, "keys", "revoke", "b").returncode == 0
    server = serve(source)
    ids = fill(server, first, second)
    assert server.stop() == 0

    # Once into nothing, and once more.
    for _ in range(2):
        copied = run("copy", "--from", source, "--to", target)
        assert (copied.returncode, copied.stderr) == (0, ""), copied
        assert copied.stdout.endswith("and compared them: 6 conversations\n")
    checked = command(target, "check")
    assert checked.returncode == 0 and "6 conversations, 6 metadata pairs, 9 items" in checked.stdout
    listed = [json.loads(command(each, "keys", "list", "--json").stdout) for each in [source, target]]
    assert listed[0] == listed[1] and len(listed[0]) == 3
    server = serve(target)
    with server.client(api_key=second) as client:
        assert client.conversations.retrieve(ids[1]).metadata == {"n": "1"}
        assert len(client.conversations.items.list(ids[1]).data) == 4
        assert client.conversations.create().id > ids[-1]
    assert server.stop() == 0

    # What has something of its own is no copy any more, and stays as it is.
    refused = run("copy", "--from", source, "--to", target)
    assert refused.returncode == 65 and "nothing was changed" in refused.stderr
    assert "7 conversations" in command(target, "check").stdout
    # What the source has got since is added.
    again = place("sqlite")
    assert run("copy", "--from", source, "--to", again).returncode == 0
    server = serve(source)
    assert server.request("POST", "/v1/conversations", {}, bearer(first)).status == 200
    assert server.stop() == 0
    more = run("copy", "--from", source, "--to", again)
    assert more.returncode == 0 and more.stdout.endswith("compared them: 7 conversations\n"), more


def test_a_copy_that_cannot_be_is_refused_with_one_line(run, place, serve, postgresql):
    source, target = place("sqlite"), place("sqlite")
    assert run("copy", "--from", source, "--to", target).returncode == 69
    assert run("migrate", "--database", source).returncode == 0
    server = serve(source)
    used = run("copy", "--from", source, "--to", target)
    assert used.returncode == 69 and "another conversationd uses this file" in used.stderr
    assert server.stop() == 0
    same = run("copy", "--from", source, "--to", source)
    assert same.returncode == 64 and "both --from and --to" in same.stderr
    url = place("postgresql").replace("user=postgres", "user=postgres&password=sEcret")
    shown = run("copy", "--from", source, "--to", url)
    assert shown.returncode == 64 and "PGPASSWORD" in shown.stderr and "sEcret" not in shown.stderr
