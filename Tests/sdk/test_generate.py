"""scripts/generate and scripts/bench-queries."""

import pytest
from conftest import REPOSITORY

GENERATE = REPOSITORY / "scripts/generate"


@pytest.fixture
def generate(run, binary):
    return lambda *arguments, **options: run(
        *arguments, "--binary", binary, program=str(GENERATE), **options)


def test_a_generated_database_is_well_and_can_be_searched(generate, run, start, tmp_path):
    result = generate("--count", 300, "--database", tmp_path / "conversations.db")
    assert (result.returncode, result.stdout) == (
        0, f"made '{tmp_path}/conversations.db' with 300 conversations\n")
    check = run("check", "--database", tmp_path / "conversations.db")
    assert "300 conversations, 1200 metadata pairs, 0 items, all is well" in check.stdout
    server = start()
    found = server.request("GET", "/v1/conversations?metadata_exists[]=escalated").json()
    assert [conversation["metadata"]["escalated"] for conversation in found["data"]] == 3 * ["true"]
    closed = server.request("GET", "/v1/conversations?metadata[status]=closed&limit=100").json()
    assert len(closed["data"]) == 100 and closed["has_more"]
    assert server.request("POST", "/v1/conversations").status == 200


def test_generated_conversations_have_their_items(generate, run, start, tmp_path):
    result = generate("--count", 30, "--items", 5, "--database", tmp_path / "conversations.db")
    assert (result.returncode, result.stdout) == (
        0, f"made '{tmp_path}/conversations.db' with 30 conversations of 5 items\n")
    check = run("check", "--database", tmp_path / "conversations.db")
    assert "30 conversations, 120 metadata pairs, 150 items, all is well" in check.stdout
    with start().client() as client:
        newest = client.get("/conversations?include[]=item_count", cast_to=object)["data"][0]
        assert newest["item_count"] == 5
        items = list(client.conversations.items.list(newest["id"], order="asc"))
        assert [item.role for item in items] == ["user", "assistant", "user", "assistant", "user"]
        assert items[1].content[0].text == "Answer 2 of conversation 30"


def test_a_postgresql_gets_the_same(generate, run, start, postgresql):
    url = postgresql.make_database()
    secretive = url.replace("///", "//postgres:s%40cret@/").replace("&user=postgres", "")
    environment = {"CONVERSATIOND_DATABASE_URL": secretive}
    result = generate("--count", 300, "--items", 5, "--postgresql", environment=environment)
    assert result.returncode == 0, result
    assert result.stdout.endswith(" with 300 conversations of 5 items\n")
    assert "cret" not in result.stdout + result.stderr
    check = run("check", environment=environment)
    assert "300 conversations, 1200 metadata pairs, 1500 items, all is well" in check.stdout
    with start(database=url).client() as client:
        found = client.get("/conversations?metadata_exists[]=escalated", cast_to=object)["data"]
        assert [conversation["metadata"]["escalated"] for conversation in found] == 3 * ["true"]
        items = list(client.conversations.items.list(found[0]["id"], order="asc"))
        assert items[1].content[0].text == "Answer 2 of conversation 300"
        newest = client.get("/conversations?order_by=last_activity&limit=1", cast_to=object)["data"]
        assert newest[0]["id"] == found[0]["id"]
    again = generate("--postgresql", environment=environment)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.endswith("has conversations already; name an empty database\n")


def test_an_existing_file_is_left_as_it_is(generate, tmp_path):
    database = tmp_path / "conversations.db"
    database.write_bytes(b"something")
    result = generate("--count", 5, "--database", database)
    assert result.returncode == 1
    assert result.stderr == f"generate: '{database}' exists already; name a new file\n"
    assert database.read_bytes() == b"something"


@pytest.mark.parametrize("arguments, message", [
    (["--count", "0"], "--count must be an integer from 1 to 999999999"),
    (["--count", "many"], "--count must be an integer from 1 to 999999999"),
    (["--items", "-1"], "--items must be an integer from 0 to 999999"),
    (["--database"], None),
    (["--frob"], "no such option: --frob"),
    (["--postgresql"], "CONVERSATIOND_DATABASE_URL must name the database"),
    (["--postgresql", "--database", "a.db"], "--database and --postgresql exclude each other"),
])
def test_a_wrong_option_is_named(generate, arguments, message, tmp_path):
    result = generate(*arguments)
    assert result.returncode != 0
    if message:
        assert result.stderr == f"generate: {message}\n"
    assert not list(tmp_path.glob("*.db"))


def test_the_comparison_of_queries_runs(run, binary, tmp_path):
    result = run("--binary", binary, "--folder", tmp_path, "--small", 400, "--large", 1200,
                 "--requests", 2, program=str(REPOSITORY / "scripts/bench-queries"))
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["milliseconds,", "medians", "400", "1,200", "ratio"]
    assert len(lines) == 13
