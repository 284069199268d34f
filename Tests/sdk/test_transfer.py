"""Conversations that leave a database as lines of JSON and enter another, over HTTP and by commands."""

import json
import time

import pytest
from conftest import bearer

LINES = {"Content-Type": "application/x-ndjson"}
# An id that is older than every other here, and one that is still to come.
OLD, FUTURE = "conv_" + 48 * "0", "conv_f" + 47 * "0"


@pytest.fixture
def command(run, tmp_path, database_of):
    """Runs a command on the database that servers have here by default."""
    url = database_of(tmp_path)

    def command(name, *arguments, folder=tmp_path, **options):
        if url is True:
            return run(name, "--database", folder / "conversations.db", *arguments, **options)
        return run(name, *arguments, environment={"CONVERSATIOND_DATABASE_URL": database_of(folder)},
                   **options)

    return command


@pytest.fixture
def empty(command, tmp_path):
    """Another folder, with an empty database."""
    folder = tmp_path / "other"
    folder.mkdir()
    assert command("migrate", folder=folder).returncode == 0
    return folder


def fill(client):
    """Makes three conversations, the last of which has items, and returns their ids."""
    ids = [client.conversations.create(metadata={"topic": topic}).id for topic in ["a", "b", "a"]]
    for text in ["Grüße", "\x01\u2028"]:
        client.conversations.items.create(
            ids[-1], items=[{"type": "message", "role": "user", "content": text}])
    return ids


def records(text):
    # Other characters end a line of Python's.
    return [json.loads(line) for line in text.split("\n") if line]


def test_commands_move_conversations_beside_a_server(server, client, command, empty, tmp_path):
    ids = fill(client)
    result = command("export")
    assert (result.returncode, result.stderr) == (0, "")
    lines = records(result.stdout)
    assert [line["id"] for line in lines] == ids
    listed = client.conversations.items.list(ids[-1], order="asc").data
    assert lines[2]["items"] == [item.to_dict() for item in listed]
    assert len(lines[2]["items_created_at"]) == 2

    file = tmp_path / "export.ndjson"
    file.write_text(result.stdout)
    first = command("import", file, folder=empty)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.endswith(": 3 conversations imported, 0 unchanged, 0 skipped\n")
    assert command("export", folder=empty).stdout == result.stdout
    again = command("import", "--json", folder=empty, input=result.stdout)
    assert again.returncode == 0
    assert json.loads(again.stdout)["unchanged"] == 3
    checked = command("check", folder=empty)
    assert checked.returncode == 0 and "3 conversations, 3 metadata pairs, 2 items" in checked.stdout

    # What cannot come in is named; what is wrong ends the command, and what was before it is stored.
    skipped = command("import", folder=empty, input=f'{{"id":"{OLD}"}}\n\n' + result.stdout)
    assert skipped.returncode == 65
    assert skipped.stdout.splitlines()[0] == f"line 1: {OLD}: out_of_order"
    for line, words in [("{}", "line 4: Missing required parameter: 'id'"),
                        (f'{{"id":"{FUTURE}"}}', "line 4: the id of the conversation")]:
        refused = command("import", folder=empty, input=result.stdout + line)
        assert refused.returncode == 65 and words in refused.stderr


def test_an_export_is_chosen_by_metadata_and_time(server, client, command):
    ids = fill(client)

    def exported(*options):
        result = command("export", *options)
        assert result.returncode == 0, result
        return [line["id"] for line in records(result.stdout)]

    assert exported("--metadata", "topic=a") == [ids[0], ids[2]]
    assert exported("--metadata", "topic=a", "--metadata", "topic=b") == ids
    assert exported("--metadata", "topic=a", "--metadata", "other=") == []
    assert exported("--since", "2026-01-31") == exported("--since", "0") == ids
    assert exported("--since", "2026-01-31T12:00:00Z", "--since", "4102444800") == []
    for option, words in [(["--metadata", "topic"], "expected KEY=VALUE"),
                          (["--metadata", f"{65 * 'k'}=1"], "no metadata can be so"),
                          (["--since", "2026-02-30"], "expected a date"),
                          (["--since", "now"], "expected a date")]:
        result = command("export", *option)
        assert result.returncode == 64 and words in result.stderr
    result = command("export", "--project", "none")
    assert result.returncode == 65 and "has no project 'none'" in result.stderr


def test_new_ids_are_written_into_a_file(server, client, command, empty, tmp_path):
    ids = fill(client)
    lines = command("export").stdout
    file = tmp_path / "ids"
    if server.database.exists():
        # One that is refused leaves no file.
        assert command("import", "--new-ids", file, input=lines).returncode == 69
        assert not file.exists()
    for status in [0, 69]:
        result = command("import", "--new-ids", file, folder=empty, input=lines)
        assert result.returncode == status
    pairs = [line.split(" ") for line in file.read_text().splitlines()]
    assert [old for old, _ in pairs] == ids
    made = records(command("export", folder=empty).stdout)
    assert [line["id"] for line in made] == [new for _, new in pairs]
    assert all(abs(line["created_at"] - time.time()) < 600 for line in made)
    assert [line["items"] for line in made] == [line["items"] for line in records(lines)]


def test_an_admin_key_moves_its_project_over_http(server, make_key, start, empty, keys):
    def send(method, path, key, body=None):
        return server.request(method, path, body, {**LINES, **bearer(key)})

    sales, other = [make_key("admin", "--admin", "--project", name) for name in ["sales", "other"]]
    plain = make_key("plain", "--project", "sales")
    with server.client(api_key=plain) as client:
        ids = fill(client)
    for method, path in [("GET", "/v1/export"), ("POST", "/v1/import")]:
        assert send(method, path, plain).error["code"] == "insufficient_permissions"
    whole = send("GET", "/v1/export", sales)
    assert whole.status == 200 and whole.headers["x-next-after"] is None
    assert [line["id"] for line in records(whole.body.decode())] == ids
    rest = send("GET", f"/v1/export?after={ids[0]}&metadata[topic]=a", sales).body.decode()
    assert [line["id"] for line in records(rest)] == ids[2:]
    assert send("GET", "/v1/export", other).body == b""

    lines = whole.body.decode()
    again = send("POST", "/v1/import", sales, lines.encode()).json()
    assert (again["created"], again["unchanged"], again["skipped"]) == (0, 3, [])
    theirs = send("POST", "/v1/import", other, lines.encode()).json()
    assert [line["reason"] for line in theirs["skipped"]] == 3 * ["out_of_order"]
    copied = send("POST", "/v1/import?new_ids=true", other, lines.encode()).json()
    assert [pair["old_id"] for pair in copied["new_ids"]] == ids and copied["created"] == 3
    assert len(records(send("GET", "/v1/export", other).body.decode())) == 3

    # One line that is wrong refuses all of them.
    for line, code, words in [("{}", "missing_required_parameter", "Line 5: "),
                              (f'{{"id":"{FUTURE}"}}', "invalid_value", "Line 5: The id")]:
        answer = send("POST", "/v1/import?new_ids=true", other, f"{lines}\n{line}".encode())
        assert answer.status == 400 and answer.error["code"] == code
        assert answer.error["message"].startswith(words)
    many = send("POST", "/v1/import", other, b"{}\n" * 40_001)
    assert many.status == 400 and many.error["code"] == "array_above_max_length"
    for query in ["?new_ids=1", "?new_ids=true&new_ids=true", "?x=1"]:
        assert send("POST", f"/v1/import{query}", other).status == 400
    assert send("GET", "/v1/export?after=x", other).error["param"] == "after"
    assert len(records(send("GET", "/v1/export", other).body.decode())) == 3


def test_a_conversation_whose_rest_is_missing_is_named(server, client, make_key, command, empty):
    ids = fill(client)
    whole = records(command("export").stdout)
    first, rest = dict(whole[2]), dict(whole[2])
    for part, place in [(first, slice(1)), (rest, slice(1, 2))]:
        for name in ["items", "items_created_at"]:
            part[name] = whole[2][name][place]
    first["has_more"], rest["after_item"] = True, first["items"][0]["id"]
    lines = "".join(json.dumps(line) + "\n" for line in [*whole[:2], first])

    short = command("import", folder=empty, input=lines)
    assert short.returncode == 65, short
    assert short.stdout.splitlines()[0] == f"line 3: {ids[2]}: the rest of the conversation is missing"
    repeated = command("import", "--json", folder=empty, input=lines + json.dumps(first))
    assert repeated.returncode == 65
    assert [one["line"] for one in json.loads(repeated.stdout)["incomplete"]] == [3, 4]
    # The rest may come later.
    assert command("import", folder=empty, input=json.dumps(rest)).returncode == 0
    assert records(command("export", folder=empty).stdout) == whole

    headers = {**LINES, **bearer(make_key("admin", "--admin"))}

    def send(query, *lines):
        body = "".join(json.dumps(line) + "\n" for line in lines)
        return server.request("POST", f"/v1/import{query}", body.encode(), headers).json()

    told = send("?new_ids=true", first)
    assert (told["created"], told["incomplete"]) == (1, [{"line": 1, "id": ids[2]}])
    lost = send("?new_ids=true", rest)
    assert [one["reason"] for one in lost["skipped"]] == ["out_of_order"]
    rest["id"] = told["new_ids"][0]["new_id"]
    del rest["created_at"]
    done = send("", rest)
    assert (done["continued"], done["incomplete"]) == (1, [])


def test_pieces_go_on_with_a_new_id_over_transactions(server, client, command, empty, tmp_path):
    fill(client)
    *_, whole = records(command("export").stdout)
    one = {**whole, "items": whole["items"][:1], "items_created_at": whole["items_created_at"][:1]}
    # A transaction has 5000 lines: the last of the first one is cut here.
    others = [{"id": f"conv_{number:048x}"} for number in range(4999)]
    rest = {**whole, "after_item": one["items"][0]["id"], "items": whole["items"][1:],
            "items_created_at": whole["items_created_at"][1:]}
    lines = "".join(json.dumps(line) + "\n" for line in [*others, {**one, "has_more": True}, rest])
    result = command("import", "--new-ids", tmp_path / "ids", folder=empty, input=lines)
    assert result.returncode == 0, result
    assert ": 5000 conversations imported, 1 continued, 0 unchanged" in result.stdout
    *_, copy = records(command("export", folder=empty).stdout)
    assert copy["items"] == whole["items"] and copy["id"] != whole["id"]


@pytest.mark.sqlite_only
def test_an_export_of_large_conversations_comes_in_answers_of_8_mib(
        server, client, make_key, sqlite, command):
    ids = [client.conversations.create().id for _ in range(3)]
    # By hand, since a server that is built for tests takes long to read so much.
    added = sqlite(server.database, "".join(
        "INSERT INTO items (conversation, id, type, created_at, fields) "
        f"SELECT number, 'x{item}', 'note', created_at, '{{\"text\":\"' || printf('%.1500000c', 'x') "
        f"|| '\"}}' FROM conversations WHERE id = '{id}';"
        for id, count in zip(ids, [0, 2, 7]) for item in range(count)))
    assert added.returncode == 0, added
    headers = bearer(make_key("admin", "--admin"))
    lines, place = [], ""
    for _ in range(3):
        answer = server.request("GET", f"/v1/export{place}", headers=headers)
        assert len(answer.body) <= 8 << 20
        lines.append(records(answer.body.decode()))
        place = f"?after={answer.headers['x-next-after']}"
    assert place == "?after=None"
    assert [[len(line["items"]) for line in some] for some in lines] == [[0, 2], [5], [2]]
    assert [line[-1]["id"] for line in lines] == [ids[1], ids[2], ids[2]]
    assert (lines[1][0]["has_more"], lines[2][0]["after_item"]) == (True, "x4")
    # The command cuts where the server does.
    assert records(command("export").stdout) == [line for some in lines for line in some]


@pytest.mark.sqlite_only
def test_a_file_that_is_served_is_imported_into_by_its_server_alone(server, command, tmp_path):
    result = command("import", input="")
    assert result.returncode == 69 and "another conversationd uses this file" in result.stderr
    missing = command("import", tmp_path / "none", input="")
    assert missing.returncode == 69 and "no such file" in missing.stderr
    absent = command("export", folder=tmp_path / "nowhere")
    assert absent.returncode == 69 and "does not exist" in absent.stderr
