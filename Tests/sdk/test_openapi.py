"""The OpenAPI document is valid, and true of what the service answers. (That it has all routes,
codes and limits is tested in Tests/APITests.)"""

import json
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import ANSWER_SECONDS, REPOSITORY, clean_environment
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

FILE = REPOSITORY / "Sources/API/openapi.json"
DOCUMENT = json.loads(FILE.read_bytes())
METHODS = {"get", "head", "post", "patch", "delete"}
LIST = "/v1/conversations"
ONE = "/v1/conversations/{conversation_id}"
ITEMS, ITEM = f"{ONE}/items", f"{ONE}/items/{{item_id}}"
HISTORY = f"{ONE}/metadata_history"
RESTORE = f"{HISTORY}/{{version}}/restore"
API_KEYS, API_KEY = "/v1/api_keys", "/v1/api_keys/{name}"
EXPORT, IMPORT = "/v1/export", "/v1/import"
OF_ADMINS = (API_KEYS, API_KEY, EXPORT, IMPORT)
# What must stand in the query.
REQUIRED = {"/v1/conversations/metadata_values": "?key=topic", IMPORT: "?new_ids=true"}
OF_ONE = (ONE, ITEMS, ITEM, HISTORY, RESTORE)
JSON = {"Content-Type": "application/json"}
ORIGIN = "https://app.example.com"
# Of the connection, not of the answer.
CONNECTION_FIELDS = {"connection", "content-length", "content-type", "date"}
SCHEMATHESIS_SECONDS = 600


def operations():
    """Every operation: its method, its path, and what is described."""
    return [(method.upper(), path, operation) for path, item in DOCUMENT["paths"].items()
            for method, operation in item.items() if method in METHODS]


def is_open(operation):
    """Whether everybody may use it, with or without a key."""
    return operation.get("security") == []


def resolved(part):
    """The part itself, or what it refers to."""
    while "$ref" in part:
        name = part["$ref"].removeprefix("#/components/").split("/")
        part = DOCUMENT["components"][name[0]][name[1]]
    return part


def check(value, schema):
    Draft202012Validator({"components": DOCUMENT["components"], **schema}).validate(value)


# The document


def test_the_document_is_valid_openapi_without_a_key_twice():
    def members(pairs):
        keys = [key for key, _ in pairs]
        assert len(set(keys)) == len(keys), keys
        return dict(pairs)

    document = json.loads(FILE.read_bytes(), object_pairs_hook=members)
    assert document["openapi"].startswith("3.1.")
    validate(document)


def test_the_document_is_of_this_version(run):
    assert run("--version").stdout.split()[0] == DOCUMENT["info"]["version"]


def test_every_reference_and_every_component_is_used():
    text = json.dumps(DOCUMENT)
    # Answers to what is no operation; the document's description names them.
    of_none = {"responses/UnknownURL", "responses/MethodNotAllowed"}
    for kind, parts in DOCUMENT["components"].items():
        for name in parts:
            used = (f'{{"{name}": []}}' if kind == "securitySchemes"
                    else f'"#/components/{kind}/{name}"') in text
            assert used != (f"{kind}/{name}" in of_none), f"{kind}/{name}"


def examples(part, path=""):
    """Each example below a part of the document, with its schema and where it is."""
    if isinstance(part, list):
        for index, item in enumerate(part):
            yield from examples(item, f"{path}/{index}")
    if not isinstance(part, dict):
        return
    if "schema" in part:
        values = [part["example"]] if "example" in part else [
            example["value"] for example in part.get("examples", {}).values()]
    else:
        # A schema's own; the other kind is in the members above.
        values = part["examples"] if isinstance(part.get("examples"), list) else []
    for value in values:
        yield path, value, part.get("schema", part)
    for key, item in part.items():
        if key not in ("example", "examples"):
            yield from examples(item, f"{path}/{key}")


def test_every_example_is_of_its_schema():
    found = list(examples(DOCUMENT))
    assert len(found) > 60
    for path, value, schema in found:
        errors = list(Draft202012Validator(
            {"components": DOCUMENT["components"], **schema}).iter_errors(value))
        assert errors == [], path


def test_every_error_has_an_example():
    for name, response in DOCUMENT["components"]["responses"].items():
        for media in response.get("content", {}).values():
            assert "example" in media or media.get("examples") or name == "Description", name


# What is answered


class Described:
    """Sends requests to a server, and holds each answer against the document."""

    def __init__(self, server, reached=None):
        self.server = server
        self.reached = set() if reached is None else reached
        self.numbers = count()

    def send(self, method, path, body=None, headers=(), id="", query=""):
        url = path.replace("{conversation_id}", id).replace("{item_id}", "msg_a").replace(
            "{name}", self.make_key(headers) if path == API_KEY and not id else id)
        if path == RESTORE:
            url = url.replace("{version}", self.make_version(id, headers))
        if path == API_KEYS and isinstance(body, dict):
            body = {**body, "name": f"made {next(self.numbers)}"}
        query = query or REQUIRED.get(path, "")
        answer = self.server.request(method, url + query, body, dict(headers))
        responses = DOCUMENT["paths"][path][method.lower()]["responses"]
        assert str(answer.status) in responses, (method, path, answer)
        conforms(answer, responses[str(answer.status)], has_body=method != "HEAD")
        self.reached.add((method, path, answer.status))
        return answer

    def make_key(self, headers):
        """Makes an API key, if these headers may, and returns its name."""
        body = {"rights": "read_only"}
        answer = self.send("POST", API_KEYS, body, {**JSON, **dict(headers)})
        return quote(answer.json().get("name", "none"))

    def make_version(self, id, headers):
        """Changes a conversation, if these headers may, and returns the version that is kept."""
        one = ONE.replace("{conversation_id}", id)
        headers = {name: value for name, value in dict(headers).items() if name[:3] != "If-"}
        if id.startswith("conv_"):
            body = {"metadata": {"changed": f"{next(self.numbers)}"}}
            self.server.request("PATCH", one, body, {**headers, **JSON})
            page = self.server.request("GET", f"{one}/metadata_history?limit=1", headers=headers)
            if page.status == 200 and page.json()["data"]:
                return page.json()["first_id"]
        return "0"

    def create(self, metadata=None, headers=()):
        body = {"metadata": metadata or {"topic": "demo"},
                "items": [{"id": "msg_a", "role": "user", "content": "Hello"}]}
        return self.send("POST", LIST, body, {**JSON, **dict(headers)})


def conforms(answer, response, has_body=True):
    """Fails unless the answer has the described header fields, and no other, and body."""
    response = resolved(response)
    fields = {name.lower(): resolved(field) for name, field in response["headers"].items()}
    assert {name.lower() for name in answer.headers} - CONNECTION_FIELDS <= set(fields)
    for name, field in fields.items():
        value = answer.headers[name]
        if value is None:
            assert not field.get("required"), name
        else:
            is_integer = field["schema"].get("type") == "integer"
            check(int(value) if is_integer else value, field["schema"])
    if "content" not in response:
        assert answer.body == b""
        return
    (media_type, content), = response["content"].items()
    assert answer.headers["content-type"] == media_type
    if has_body:
        is_json = media_type == "application/json"
        check(answer.json() if is_json else answer.body.decode(), content["schema"])
    else:
        assert answer.body == b""


@pytest.fixture
def described(server):
    return Described(server)


@pytest.fixture
def make_key(run):
    """Makes an API key of a server, and returns the header field that shows it."""
    names = (f"key {number}" for number in count())

    def make_key(server, *options):
        made = run("keys", "create", "--database", server.database, "--name", next(names), *options)
        assert made.returncode == 0, made
        return {"Authorization": f"Bearer {made.stdout.strip()}"}

    return make_key


# All fields but those that are for browsers, and those that clients have no use for.
READ_BY_PAGES = sorted(
    {name.lower() for name in DOCUMENT["components"]["headers"]
     if not name.startswith("Access-Control-")}
    - {"allow", "cache-control", "vary", "www-authenticate", "x-content-type-options"})
REQUEST_A_MINUTE = {"CONVERSATIOND_HTTP_REQUESTS_PER_MINUTE_MAX": "1"}
ROOM_FOR_ONE_BODY = {"CONVERSATIOND_HTTP_BODY_BYTES_MAX": "65536",
                     "CONVERSATIOND_HTTP_BODIES_BYTES_MAX": "65536"}
HEADER_BYTES, BODY_BYTES = 32_768, 1 << 20
LIMIT_FIELDS = {name for name in DOCUMENT["components"]["headers"]
                if name.startswith("x-ratelimit-")}
# What a request needs to be right, by method and path.
BODIES = {("POST", LIST): {"metadata": {"a": "1"}}, ("POST", ONE): {"metadata": {"a": "1"}},
          ("PATCH", ONE): {"metadata": {"b": "2", "c": None}},
          ("POST", ITEMS): {"items": [{"role": "user", "content": "Hello"}]},
          ("POST", API_KEYS): {"rights": "read_write"},
          ("POST", IMPORT): {"id": "conv_" + 48 * "0"}}


def test_every_answer_that_is_described_is_given_as_described(
        start, make_key, tmp_path, wait_until):
    server = start(environment={"CONVERSATIOND_DATABASE_BUSY_TIMEOUT_MILLISECONDS": "20",
                                "CONVERSATIOND_METADATA_HISTORY_DAYS": "1",
                                "CONVERSATIOND_HTTP_BODY_BYTES_MAX": str(BODY_BYTES)})
    described = Described(server)
    for method, path, operation in operations():
        if path not in OF_ADMINS:
            right_and_wrong(described, method, path, operation)
    keyed = {**JSON, "Idempotency-Key": "k1"}
    answers = [described.send("POST", LIST, body, keyed) for body in ({}, {}, {"metadata": {}})]
    assert [answer.status for answer in answers] == [200, 200, 422]
    assert [answer.headers["idempotent-replayed"] for answer in answers] == [None, "true", None]

    id = described.create().json()["id"]
    for items, status in [([{"id": "msg_b", "role": "user", "content": ""}], 200), ([], 422)]:
        assert described.send("POST", ITEMS, {"items": items or [{"role": "user", "content": ""}]},
                              keyed, id).status == status

    with_keys(described, make_key)
    (tmp_path / "limited").mkdir()
    limited = start(folder=tmp_path / "limited", environment=REQUEST_A_MINUTE)
    past_the_limit(Described(limited, described.reached))
    (tmp_path / "small").mkdir()
    small = start(folder=tmp_path / "small", environment=ROOM_FOR_ONE_BODY)
    without_room(Described(small, described.reached), make_key(small, "--admin"), wait_until)
    failing_database(described, make_key(server, "--admin"))
    missing = {(method, path, int(status)) for method, path, operation in operations()
               for status in operation["responses"]} - described.reached
    # Only when answers fill the memory for them (Tests/HTTPTests/SlowAnswerTests.swift).
    assert missing == {(method, "/openapi.json", 503) for method in ("GET", "HEAD")}


def right_and_wrong(described, method, path, operation, key=None):
    """What an operation answers to whoever may send it, and to what is wrong with a request."""
    body = BODIES.get((method, path))
    headers = {**(JSON if body else {}), **(key or {})}

    def send(body=body, headers=headers, id="", query=""):
        if path in OF_ONE and not id:
            id = described.create(headers=key or ()).json()["id"]
        return described.send(method, path, body, headers, id, query).status

    assert send() == 200
    assert send(query="?unknown=1") == 400
    for field, value in [("Host", "example.com"), ("Origin", ORIGIN)]:
        assert send(headers={**headers, field: value}) == (
            200 if is_open(operation) or key else 403)
    assert send(body=b" " * (BODY_BYTES + 1)) == 413
    assert send(headers={**headers, "X-Long": HEADER_BYTES * "a"}) == 431
    if path in OF_ONE:
        assert send(id="conv_" + 48 * "0") == 404
    if path in (ONE, RESTORE):
        assert send(headers={**headers, "If-Match": '"other"'}) == 412
        any_content = send(headers={**headers, "If-None-Match": "*"})
        assert any_content == (304 if method in ("GET", "HEAD") else 412)
    if body:
        assert send(body=b"{") == 400
        assert send(headers={**headers, "Content-Encoding": "gzip"}) == 415
        assert send(body={"metadata": {"k": 1}}) == 400
    if path == RESTORE:
        assert send(body={}, headers={**headers, **JSON, "Content-Encoding": "gzip"}) == 415
    if path == LIST and not body:
        assert send(query=f"?order_by=last_activity&after=conv_{48 * '0'}") == 404
    if path == LIST and body:
        reference = {"items": [{"type": "item_reference", "id": "msg_none"}]}
        assert send(body=reference) == 404
    if path == API_KEY:
        assert send(id="nobody") == 404


def with_keys(described, make_key):
    """What every operation answers from the first key on."""
    key = make_key(described.server, "--admin")
    read_only = make_key(described.server, "--read-only")
    for method, path, operation in operations():
        if path in OF_ADMINS:
            right_and_wrong(described, method, path, operation, key)
    for method, path, operation in operations():
        body = BODIES.get((method, path))
        reads = method in ("GET", "HEAD")

        def send(expected, code, headers):
            id = (described.make_key(key) if path == API_KEY
                  else described.create(headers=key).json()["id"])
            answer = described.send(method, path, body, {**JSON, **headers}, id)
            assert answer.status == (200 if is_open(operation) else expected)
            if answer.status != 200 and method != "HEAD":
                assert answer.error["code"] == code

        send(401, None, {})
        send(401, "invalid_api_key", {"Authorization": "Bearer sk-none"})
        send(401, "invalid_project", {**key, "OpenAI-Project": "other"})
        may_read = reads and path not in (*OF_ADMINS, "/metrics")
        send(200 if may_read else 403, "insufficient_permissions", read_only)
        send(200, None, {**key, "OpenAI-Project": "default"})


def past_the_limit(described):
    """What every operation answers when its client has sent the one request that it may."""
    assert LIMIT_FIELDS <= set(described.create().headers)
    for method, path, operation in operations():
        answer = described.send(method, path, BODIES.get((method, path)), JSON, "x")
        assert answer.status == (200 if is_open(operation) else 429)
        assert LIMIT_FIELDS.isdisjoint(answer.headers) == is_open(operation)


def without_room(described, key, wait_until):
    """What every operation answers while the large body of another request fills the memory for
    them."""
    server = described.server
    with socket.create_connection((server.host, server.port)) as other:
        other.sendall(b"POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\n"
                      b"Authorization: %s\r\nContent-Length: 65536\r\n\r\n"
                      % key["Authorization"].encode() + 65535 * b" ")
        wait_until(lambda: server.has_read_all(1))
        for method, path, _ in operations():
            answer = described.send(method, path, 65536 * b" ", {**JSON, **key}, "x")
            # Where nobody needs a key, a large body is not read.
            is_read = path not in ("/healthz", "/readyz", "/openapi.json")
            assert answer.status == (503 if is_read else 200)


def failing_database(described, key):
    """What every operation answers when others lock or break the database."""
    headers = {**JSON, **key}
    id = described.create(headers=key).json()["id"]
    with closing(sqlite3.connect(described.server.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for method, path, operation in operations():
            if method in ("POST", "PATCH", "DELETE") or path == "/readyz":
                answer = described.send(method, path, BODIES.get((method, path)), headers, id)
                assert answer.status == 503
        other.execute("ROLLBACK")
        for table, event in [("conversations", "INSERT"), ("conversations", "DELETE"),
                             ("metadata", "INSERT"), ("api_keys", "INSERT")]:
            other.execute(f"CREATE TRIGGER {table}_{event} BEFORE {event} ON {table} "
                          "BEGIN SELECT RAISE(ABORT, 'broken'); END")
        for event in ("INSERT", "DELETE"):
            other.execute(f"CREATE TRIGGER items_{event} BEFORE {event} ON items "
                          "BEGIN SELECT RAISE(ABORT, 'broken'); END")
        for (method, path), body in [
                *BODIES.items(), (("DELETE", ONE), None), (("DELETE", ITEM), None)]:
            if body and "metadata" in body:
                body = {"metadata": {"new": "1"}}
            assert described.send(method, path, body, headers, id).status == 500
        other.execute("UPDATE metadata SET value = CAST(x'ff' AS TEXT)")
        other.execute("DROP TRIGGER items_updated")
        other.execute("PRAGMA ignore_check_constraints = ON")
        other.execute("UPDATE items SET fields = CAST(x'7bff7d' AS TEXT)")
        for method in ("GET", "HEAD"):
            for path in (ONE, ITEM):
                assert described.send(method, path, headers=headers, id=id).status == 500
        other.execute("DROP TABLE api_keys")
    for method, path, operation in operations():
        if not is_open(operation):
            answer = described.send(method, path, BODIES.get((method, path)), headers, id)
            assert answer.status == 500


def test_the_metrics_are_written_as_in_the_example(server):
    (content,) = DOCUMENT["components"]["responses"]["Metrics"]["content"].values()
    text = server.request("GET", "/metrics").body.decode()
    for line in content["example"].splitlines():
        # Without the value.
        assert f"\n{line.rpartition(' ')[0]} " in text


# Queries with what they answer when three conversations have the metadata {"topic": "demo"}.
QUERIES = {
    200: [
        "limit=1&order=asc", "after={id}", "before={id}", "metadata%5Btopic%5D=demo",
        "metadata[topic][]=demo&metadata[topic][]=x", "metadata_exists[]=topic",
        "metadata_absent[]=topic", "metadata_absent[]=other", "metadata[topic]=x&metadata[topic]=y",
        "created_at[gte]=0&created_at[lt]=9999999999",
        "created_at[gt]=0&created_at[lte]=9999999999",
        "metadata[][]=empty", "metadata[a[]=bracket", "metadata[a]]=bracket",
        "metadata[%CC%81]=combining", "metadata[%D8%80]=prepended"],
    400: [
        "limit=0", "limit=1000", "limit=x", "order=up", "after=x", "limit=1&limit=1", "include=all",
        "metadata=x", "metadata_exists[]=" + 65 * "k", "metadata[k]=" + 513 * "v",
        "&".join(f"metadata[k{n}]=" for n in range(17)),
        "&".join(f"metadata[k]={n}" for n in range(17))],
}


@pytest.mark.parametrize("status, query", [
    (status, query) for status, queries in QUERIES.items() for query in queries])
def test_a_list_is_answered_as_described(described, status, query):
    id = [described.create().json()["id"] for _ in range(3)][1]
    for method in ("GET", "HEAD"):
        answer = described.send(method, LIST, query="?" + query.replace("{id}", id))
        assert answer.status == status


@pytest.mark.parametrize("method, path, name", [
    ("GET", "/v1/x", "UnknownURL"), ("GET", "/v1/conversations/", "UnknownURL"),
    ("PUT", LIST, "MethodNotAllowed"), ("POST", "/healthz", "MethodNotAllowed"),
    ("OPTIONS", "/v1/conversations/x", "MethodNotAllowed")])
def test_what_is_no_operation_is_answered_as_described(server, method, path, name):
    conforms(server.request(method, path), DOCUMENT["components"]["responses"][name])


@pytest.mark.parametrize("method, path", [("GET", "/v1/x"), ("PUT", LIST), ("OPTIONS", LIST)])
def test_what_is_no_operation_is_not_told_without_a_key(server, make_key, method, path):
    make_key(server)
    conforms(server.request(method, path), DOCUMENT["components"]["responses"]["Unauthorized"])


def test_the_pages_of_a_listed_origin_are_answered_as_described(start):
    server = start(environment={"CONVERSATIOND_HTTP_CORS_ORIGINS": ORIGIN})
    described = Described(server)
    for origin, allowed in [(ORIGIN, ORIGIN), (server.url, None)]:
        for method, path, _ in operations():
            answer = described.send(
                method, path, BODIES.get((method, path)), {**JSON, "Origin": origin}, "x")
            assert answer.headers["vary"] == "Origin"
            assert answer.headers["access-control-allow-origin"] == allowed
            exposed = answer.headers["access-control-expose-headers"]
            assert exposed == (", ".join(READ_BY_PAGES) if allowed else None)
        for path in (LIST, "/v1/x"):
            preflight = server.request("OPTIONS", path, headers={
                "Origin": origin, "Access-Control-Request-Method": "POST"})
            assert preflight.status == (204 if allowed else 404 if path == "/v1/x" else 405)


@pytest.mark.parametrize("head", [
    "GET /healthz HTTP/1.1\r\n",
    "POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nx",
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: " + "a" * (50 << 10)],
    ids=["no host", "a broken chunk", "a large header"])
def test_what_is_no_http_is_answered_without_the_service(server, head):
    # The document says so: a page of the HTTP library's, and none of our header fields.
    with socket.create_connection((server.host, server.port), timeout=ANSWER_SECONDS) as client:
        client.sendall(f"{head}\r\n\r\n".encode())
        with client.makefile("rb") as stream:
            answer = stream.read()
    assert answer.startswith(b"HTTP/1.1 4")
    assert b"<html>" in answer and b"x-request-id" not in answer
    assert server.request("GET", "/healthz").status == 200


# What schemathesis finds


def test_schemathesis_finds_nothing(server, make_key, tmp_path):
    # Where there are keys, none of the operations that may need one can do without.
    document = tmp_path / "openapi.json"
    # It cannot write lines of JSON; Tests/sdk/test_transfer.py does.
    paths = {path: item for path, item in DOCUMENT["paths"].items() if path != IMPORT}
    document.write_text(json.dumps({**DOCUMENT, "security": [{"bearer": []}], "paths": paths}),
                        encoding="utf-8")
    # Two clients that shall not see each other's conversations; schemathesis.toml has their names.
    clients = {client: {**make_key(server, "--admin", "--project", project),
                        "OpenAI-Project": project}
               for client, project in [("own", "default"), ("other", "other")]}
    (tmp_path / "clients.json").write_text(json.dumps({"auth": [
        {"name": client,
         "fixedHeaders": [{"name": name, "value": value} for name, value in headers.items()]}
        for client, headers in clients.items()]}), encoding="utf-8")
    # From a file, since it would not try the address from which it has the document.
    report = tmp_path / "events.ndjson"
    here = Path(__file__).parent
    result = subprocess.run(
        [Path(sys.executable).with_name("schemathesis"),
         "--config-file", here / "schemathesis.toml", "run", document, "--url", server.url,
         "--no-color", "--report", "ndjson", "--report-ndjson-path", report],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=SCHEMATHESIS_SECONDS, env={
            **clean_environment(), "SCHEMATHESIS_HOOKS": str(here / "schemathesis_hooks.py")})
    assert result.returncode == 0, result.stdout + result.stderr + server.log()[-2000:]

    events = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    phases = {event["PhaseFinished"]["phase"]["name"]: event["PhaseFinished"]["status"]
              for event in events if "PhaseFinished" in event}
    for name in ("examples", "coverage", "fuzzing", "stateful"):
        assert phases[name] == "success", phases
    answers = Counter(
        (interaction["request"]["method"], template(interaction["request"]["uri"], server),
         interaction["response"]["status_code"])
        for event in events if "ScenarioFinished" in event
        for interaction in event["ScenarioFinished"]["recorder"].get("interactions", {}).values())
    # It has not merely been refused: conversations were created, found, changed and deleted.
    for method, path, operation in operations():
        if path in (ITEM, IMPORT, RESTORE):
            # Whether it tries an item that is there is chance; Tests/sdk/test_items.py does. A version
            # is none, since the server keeps none.
            continue
        assert answers[method, path, 200] > 0, (method, path)
        if path == ONE:
            assert answers[method, path, 404] > 0 and answers[method, path, 412] > 0
        # Without a key, and with a wrong one.
        assert is_open(operation) or answers[method, path, 401] >= 2
    assert answers["POST", LIST, 400] > 0 and answers["PUT", LIST, 405] > 0


def template(url, server):
    """The path of the document that a URL belongs to."""
    path = url.removeprefix(server.url).split("?")[0]
    if path in DOCUMENT["paths"]:
        return path
    if path.startswith(f"{API_KEYS}/"):
        return API_KEY
    rest = path.removeprefix(f"{LIST}/").split("/")
    if rest[1:2] == ["metadata_history"]:
        return HISTORY if len(rest) == 2 else RESTORE
    return ITEMS if len(rest) == 2 else ITEM if len(rest) == 3 else ONE
