"""What the log says of a request: who asked, for what, and what became of it."""

import json
import os
import re
from contextlib import closing

import pytest
from conftest import bearer

PATH = "/v1/conversations"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
LINE_BYTES_MAX = 4096
JSON = {"CONVERSATIOND_LOG_FORMAT": "json"}
FIELD = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "=]*)(?: |$)')


def fields(line):
    """The fields of a line of logfmt, in their order."""
    found, end = {}, 0
    while end < len(line):
        match = FIELD.match(line, end)
        assert match, line[end:]
        name, value = match.groups()
        found[name] = json.loads(value) if value.startswith('"') else value
        end = match.end()
    return found


def requests(server):
    return [line for line in map(fields, server.log().splitlines()) if "path" in line]


def test_a_line_is_logfmt_with_the_message_before_the_facts(server):
    agent = 'my "agent" = 1'
    answer = server.request("POST", PATH, {"metadata": {"a": "1"}}, headers={
        "User-Agent": agent, "traceparent": TRACE, "X-Client-Request-Id": "mine"})
    [line] = requests(server)
    assert list(line) == [
        "time", "level", "message", "method", "path", "status", "address", "project", "bytes_in",
        "bytes_out", "milliseconds", "request_id", "client_request_id", "traceparent", "user_agent"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert re.fullmatch(r"\d+\.\d{1,3}", line.pop("milliseconds"))
    assert line == {
        "level": "info", "message": "request", "method": "POST", "path": PATH, "status": "200",
        "address": "127.0.0.1", "project": "default", "bytes_in": "24",
        "bytes_out": str(len(answer.body)), "request_id": answer.headers["x-request-id"],
        "client_request_id": "mine", "traceparent": TRACE, "user_agent": agent}
    assert "traceparent" not in answer.headers


def test_the_log_says_where_the_server_listens(server):
    messages = [fields(line)["message"] for line in server.log().splitlines()]
    assert messages[-1] == f"conversationd listening on {server.url}"


def test_numbers_are_numbers_in_json(start):
    server = start(environment=JSON)
    server.request("POST", PATH, {"metadata": {"a": "1"}})
    line = json.loads(server.log().splitlines()[-1])
    assert list(line)[:6] == ["time", "level", "message", "method", "path", "status"]
    assert (line["status"], line["bytes_in"], line["bytes_out"] > 50) == (200, 24, True)
    assert isinstance(line["milliseconds"], float)


def test_the_key_and_its_project_are_named(start, make_key):
    key = make_key("the crm", "--project", "sales")
    server = start()
    assert server.request("GET", PATH, headers=bearer(key)).status == 200
    [line] = requests(server)
    assert (line["key"], line["project"]) == ("the crm", "sales")
    assert key not in server.log()


@pytest.mark.parametrize("logs_requests", ["true", "false"])
def test_a_refused_key_is_a_warning_with_its_address(start, make_key, logs_requests):
    make_key()
    server = start(environment={"CONVERSATIOND_LOG_REQUESTS": logs_requests})
    for headers in ({}, bearer("sk-wrong")):
        assert server.request("GET", PATH, headers=headers).status == 401
    lines = requests(server)
    assert len(lines) == 2
    for line in lines:
        assert (line["level"], line["message"]) == ("warning", "request")
        assert (line["status"], line["address"]) == ("401", "127.0.0.1")
        assert "key" not in line
    assert "sk-wrong" not in server.log()


@pytest.mark.parametrize("proxies, forwarded, address", [
    ("", "203.0.113.7", "127.0.0.1"),
    ("10.0.0.0/8", "203.0.113.7", "127.0.0.1"),
    ("127.0.0.1", None, "127.0.0.1"),
    ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
    ("127.0.0.0/8", "2001:db8::7", "2001:db8::7"),
    ("127.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
    ("127.0.0.1 10.0.0.0/8", "198.51.100.1 ,203.0.113.7,10.1.2.3", "203.0.113.7"),
    ("127.0.0.1 10.0.0.0/8", "10.9.9.9, 10.1.2.3", "10.9.9.9"),
    ("127.0.0.1", "203.0.113.7, nonsense\"", "127.0.0.1"),
])
def test_the_address_is_forwarded_by_trusted_proxies_alone(start, proxies, forwarded, address):
    server = start(environment={"CONVERSATIOND_HTTP_TRUSTED_PROXIES": proxies})
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    server.request("GET", "/healthz", headers=headers)
    assert [line["address"] for line in requests(server)] == [address]


@pytest.mark.parametrize("parent", [
    "", TRACE[:-1], TRACE + "0", TRACE.upper(), TRACE.replace("00-4b", "ff-4b"),
    f"00-{32 * '0'}-00f067aa0ba902b7-01", f"00-4bf92f3577b34da6a3ce929d0e0e4736-{16 * '0'}-01",
    TRACE.replace("-", "_"), 'x" key="admin'])
def test_a_malformed_traceparent_is_left_away(server, parent):
    assert server.request("GET", "/healthz", headers={"traceparent": parent}).status == 200
    assert "traceparent" not in requests(server)[0]


def test_a_path_and_a_user_agent_are_cut(server):
    server.request("GET", "/" + 1000 * "a", headers={"User-Agent": 1000 * "b"})
    server.request("GET", "/" + 255 * "a", headers={"User-Agent": 256 * "b"})
    cut, whole = requests(server)
    assert cut["path"] == "/" + 252 * "a" + "..." and cut["user_agent"] == 253 * "b" + "..."
    assert whole["path"] == "/" + 255 * "a" and whole["user_agent"] == 256 * "b"


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("character", ["x", '"', "\\", "\t", "\xff"])
def test_a_stranger_s_request_writes_little_log(start, make_key, form, character):
    make_key()
    server = start(environment={"CONVERSATIOND_LOG_FORMAT": form})
    before = len(server.log())
    with closing(server.connection()) as connection:
        connection.putrequest("GET", "/" + 9000 * "\"", skip_host=True)
        for name in ("Host", "User-Agent", "X-Forwarded-For", "OpenAI-Project", "Referer"):
            connection.putheader(name, (3500 * character).encode("latin-1"))
        connection.putheader("X-Client-Request-Id", 512 * " ")
        connection.putheader("traceparent", TRACE)
        connection.endheaders()
        assert connection.getresponse().status == 401
    written = server.log()[before:]
    assert len(written.splitlines()) == 1
    assert len(written.encode()) <= LINE_BYTES_MAX
    line = json.loads(written) if form == "json" else fields(written.rstrip("\n"))
    assert (int(line["status"]), line["address"]) == (401, "127.0.0.1")


# systemd


@pytest.mark.parametrize("form", ["text", "json"])
def test_lines_begin_with_their_priority_in_the_journal(start, make_key, tmp_path, form):
    make_key()
    (tmp_path / "server.log").touch()
    status = os.stat(tmp_path / "server.log")
    server = start(environment={
        "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}", "CONVERSATIOND_LOG_FORMAT": form,
        "CONVERSATIOND_UNKNOWN": "1"})
    server.request("GET", "/healthz")
    server.request("GET", PATH)
    assert server.stop() == 0
    lines = server.log().splitlines()
    assert [line[:3] for line in lines] == ["<4>", "<6>", "<6>", "<4>", "<6>", "<6>"]
    parse = json.loads if form == "json" else fields
    levels = [parse(line[3:])["level"] for line in lines]
    assert levels == ["warning", "info", "info", "warning", "info", "info"]


@pytest.mark.parametrize("stream", ["", "1:2", "nonsense"])
def test_lines_have_no_priority_elsewhere(start, stream):
    server = start(environment={"JOURNAL_STREAM": stream})
    assert server.log().startswith("time=")


@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_never_reach_the_log(start, sqlite, form):
    server = start("--log-level", "trace", environment={"CONVERSATIOND_LOG_FORMAT": form})
    secret = "hush"
    headers = {"Authorization": f"Bearer sk-{secret}", "Cookie": f"a={secret}",
               "OpenAI-Organization": secret,
               "Idempotency-Key": secret, "If-None-Match": f'"{secret}"'}
    created = server.request(
        "POST", "/v1/conversations", {"metadata": {"a": secret}}, headers=headers)
    path = f"/v1/conversations/{created.json()['id']}"
    for body in ({"metadata": {"a": secret, "b": 40 * secret}}, {"metadata": {"a": [secret]}},
                 {"metadata": secret}, {secret: secret}, b'{"metadata": {"a": "hush"',
                 {"metadata": {"a": 200 * secret}}):
        server.request("POST", path, body, headers=headers)
        server.request("PATCH", path, body, headers=headers)
    for query in (f"?metadata[{secret}]={secret}", f"?%{secret}", f"?{secret}"):
        server.request("GET", path + query, headers=headers)
        server.request("GET", f"/v1/conversations{query}", headers=headers)
    sqlite(server.database, f"UPDATE metadata SET value = '{secret}' || CAST(x'ff' AS TEXT)")
    assert server.request("GET", path).status == 500
    assert server.request("GET", "/v1/conversations").json()["data"] == []
    assert server.stop() == 0
    assert server.log().count(path) == 16
    assert secret not in server.log()
