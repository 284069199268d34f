"""Where settings come from, which ones there are, and what is refused."""

import json
import re
import shutil
import socket
from contextlib import closing
from pathlib import Path

import pytest
from openai import InternalServerError

from conftest import REPOSITORY, read_answer

EXAMPLE = REPOSITORY / "config" / "conversationd.yaml"
BODY_BYTES = 2000

# Values that each setting must not have, and the least and the most that it may.
SETTINGS = {
    "http.host": ([""], None),
    "http.port": (["-1", "65536", "http", "8080.0", "''", "tcp://10.0.0.1:80"], None),
    "http.listen": (["127.0.0.1", "unix:relative", "127.0.0.1:80,127.0.0.1:81", ":80"], None),
    "http.insecure": (["yes", "1", "True", ""], ("false", "true")),
    "http.require_keys": (["yes", "1"], ("false", "false")),
    "http.event_loops": (["-1", "65", "many"], ("0", "64")),
    "http.connections_max": (["0", "100001", "-1"], ("1", "100000")),
    "http.connections_per_address_max": (["-1", "100001", "all"], ("0", "100000")),
    "http.idle_timeout_seconds": (["0", "3601", "60s"], ("1", "3600")),
    "http.request_timeout_seconds": (["0", "3601", "-1", "0.5"], ("1", "3600")),
    "http.drain_seconds": (["-1", "3601", "5s"], ("0", "0")),
    "http.header_bytes_max": (["4095", "1048577", "32KiB"], ("4096", "1048576")),
    "http.body_bytes_max": (["1023", "67108865", "1MiB", "99999999999999999999"],
                            ("1024", "67108864")),
    "http.bodies_bytes_max": (["1023", "1099511627777", "-1"], ("1024", "1099511627776")),
    "http.requests_per_minute_max": (["-1", "10000001", "off"], ("0", "10000000")),
    "http.cors_origins": (
        ["*", "null", "example.com", "https://", "https://example.com/", "HTTPS://example.com",
         "https://Example.com", "https://a.example.com,https://b.example.com",
         "https://example.com:", "https://user@example.com", "https://example.com x"],
        ("", "https://app.example.com http://localhost:3000 http://[::1]:8080")),
    "http.trusted_proxies": (
        ["proxy.example.com", "10.0.0.0/33", "10.0.0.0/-1", "::1/129", "10.0.0/8", "10.0.0.1, ::1"],
        ("", "10.0.0.0/8 192.0.2.1 2001:db8::/32 ::1 unix")),
    "http.open_metrics": (["yes", "0"], ("false", "true")),
    "http.dashboard": (["yes", "0"], ("true", "false")),
    "tls.certificate": ([], None), "tls.private_key": ([], None),
    "management.address": (
        ["unix:", "unix:relative", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:x", ":9090", "::1:9090"],
        None),
    "management.project_counts": (["yes", "1", ""], ("false", "true")),
    "database.path": ([""], None),
    "database.url": (["mysql://host/name", "conversations.db"], None),
    "database.synchronous": (["off", "FULL", "1"], ("full", "normal")),
    "database.busy_timeout_milliseconds": (["-1", "60001", "5s"], ("0", "60000")),
    "database.waiting_writes_max": (["0", "100001"], ("1", "100000")),
    "database.wal_bytes_max": (["1048575", "1099511627777", "32MiB"],
                               ("1048576", "1099511627776")),
    "database.query_threads": (["0", "65", "-1", "many"], ("1", "64")),
    "database.read_lanes": (["0", "17"], ("1", "16")),
    "database.write_lanes": (["0", "17"], ("1", "16")),
    "database.query_timeout_milliseconds": (["0", "60001", "2s", "0.5"], ("1", "60000")),
    "database.idempotency_seconds": (["0", "31536001", "24h", "-1"], ("1", "31536000")),
    "items.more_types": (["Message", "a-b", 65 * "a"], ("", "new_call other_call")),
    "retention.rules": (
        ["all", "delete?age=1", "delete?metadata[a]=b", "keep?age=1d"],
        ("", "delete?age=30d&metadata[a]=b keep?metadata_exists[]=c")),
    "retention.interval_seconds": (["0", "604801", "1h"], ("1", "604800")),
    "metadata_history.days": (["-1", "3651", "30d"], ("0", "3650")),
    "log.level": (["verbose", "INFO", "7"], ("trace", "critical")),
    "log.format": (["yaml", "JSON"], ("text", "json")),
    "log.requests": (["yes", "maybe", "1"], ("true", "false")),
}
BAD = [(name, value) for name, (values, _) in SETTINGS.items() for value in values]
FLAGS = {name: f"--{name.partition('.')[2]}" for name in ("http.host", "http.port", "http.listen")}
FLAGS |= {"database.path": "--database", "log.level": "--log-level"}


def variable(name):
    return "CONVERSATIOND_" + name.upper().replace(".", "_")


@pytest.fixture
def write(tmp_path):
    """Writes a configuration file."""

    def write(text):
        path = tmp_path / "settings.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def yaml(settings):
    """The text of a file with these settings."""
    lines = []
    for section in ("http", "tls", "management", "database", "items", "retention",
                    "metadata_history", "log"):
        lines.append(f"{section}:\n")
        for name, value in settings.items():
            if name.startswith(f"{section}."):
                quoted = "''" if value in ("", "''") else f"'{value}'"
                lines.append(f"  {name.removeprefix(section + '.')}: {quoted}\n")
    return "".join(lines)


# The layers

LAYERS = ["flag", "environment", "file"]
PRESENT = [["flag", "environment", "file"], ["environment", "file"], ["flag", "file"],
           ["flag", "environment"], ["file"], ["environment"], ["flag"]]
each_combination = pytest.mark.parametrize("present", PRESENT, ids=" and ".join)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture
def start_with(start, write):
    """Starts a server with one setting in several layers: values by the layer's name."""

    def start_with(name, values, **options):
        arguments = ["--config", write(yaml({name: values.get("file")}))] if (
            "file" in values) else []
        if "flag" in values:
            arguments += [FLAGS[name], values["flag"]]
        environment = {variable(name): values["environment"]} if "environment" in values else {}
        return start(*map(str, arguments), environment=environment, **options)

    return start_with


@each_combination
def test_the_port_comes_from_the_highest_layer(start_with, present):
    ports = dict(zip(LAYERS, free_ports(3), strict=True))
    server = start_with("http.port", {layer: ports[layer] for layer in present}, port=None)
    assert server.port == int(ports[present[0]])


@each_combination
@pytest.mark.parametrize("winner, others", [("error", "info"), ("info", "error")])
def test_the_log_level_comes_from_the_highest_layer(start_with, present, winner, others):
    values = {layer: winner if layer == present[0] else others for layer in present}
    server = start_with("log.level", values)
    server.request("GET", "/healthz")
    assert ("/healthz" in server.log()) == (winner == "info")


@each_combination
def test_the_database_comes_from_the_highest_layer(start_with, present, tmp_path):
    values = {layer: f"{layer}.db" for layer in present}
    start_with("database.path", values, database=False)
    assert [path.name for path in tmp_path.glob("*.db")] == [f"{present[0]}.db"]


@pytest.mark.parametrize("present", [["environment", "file"], ["file"], ["environment"]],
                         ids=" and ".join)
@pytest.mark.parametrize("is_allowed", [True, False])
def test_the_body_limit_comes_from_the_highest_layer(start_with, present, is_allowed):
    small, large = str(BODY_BYTES - 1), str(BODY_BYTES)
    winner, others = (large, small) if is_allowed else (small, large)
    values = {layer: winner if layer == present[0] else others for layer in present}
    server = start_with("http.body_bytes_max", values)
    answer = server.request("POST", "/v1/conversations", b"{}".ljust(BODY_BYTES))
    if is_allowed:
        assert answer.status == 200
    else:
        assert (answer.status, answer.error["code"]) == (413, "request_too_large")
        assert small in answer.error["message"]


def test_without_any_layer_the_defaults_hold(start, tmp_path):
    server = start(database=False)
    assert (tmp_path / "conversations.db").exists()
    assert server.host == "127.0.0.1"
    body_bytes_max = 16 << 20
    assert server.request("POST", "/v1/conversations", b"{}".ljust(body_bytes_max)).status == 200
    with closing(server.connection()) as connection:
        # Announced is enough.
        connection.putrequest("POST", "/v1/conversations")
        connection.putheader("Content-Length", str(body_bytes_max + 1))
        connection.endheaders()
        assert read_answer(connection).status == 413


def test_migrate_and_check_take_the_database_from_the_settings_too(run, write, tmp_path):
    config = write(yaml({"database.path": "file.db"}))
    assert run("migrate", "--config", config).returncode == 0
    environment = {variable("database.path"): "environment.db"}
    assert run("migrate", "--config", config, environment=environment).returncode == 0
    assert {path.name for path in tmp_path.glob("*.db")} == {"file.db", "environment.db"}
    assert run("check", "--config", config).stdout.startswith(f"{tmp_path}/file.db: ")
    assert run("check", environment=environment).stdout.startswith("environment.db: ")


# What is refused


@pytest.mark.parametrize("name, value", BAD)
def test_a_value_out_of_range_in_the_file_is_refused_and_named(
        refused, write, tmp_path, name, value):
    config = write(yaml({name: value}))
    line = refused("serve", "--config", config, "--port", 0)
    assert f"'{name}'" in line and str(config) in line
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.parametrize("name, value", BAD)
def test_a_value_out_of_range_in_the_environment_is_refused_and_named(
        refused, tmp_path, name, value):
    line = refused("serve", "--port", 0, environment={variable(name): value})
    assert f"'{name}'" in line and "environment" in line
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.parametrize("name, value", [pair for pair in BAD if pair[0] in FLAGS])
def test_a_value_out_of_range_in_a_flag_is_refused_and_named(refused, tmp_path, name, value):
    flag = [f"{FLAGS[name]}={value}"] if value.startswith("-") else [FLAGS[name], value]
    line = refused("serve", *flag)
    assert f"'{name}'" in line and "command line" in line
    assert not list(tmp_path.glob("*.db"))


def test_a_bad_value_is_refused_also_when_a_higher_layer_hides_it(refused, write):
    bad = write(yaml({"http.port": "70000", "log.level": "verbose"}))
    good = {variable("http.port"): "0", variable("log.level"): "info"}
    assert "'http.port'" in refused("serve", "--config", bad, environment=good)
    assert "'http.port'" in refused("serve", "--config", bad, "--port", 0)
    bad = {variable("http.port"): "70000"}
    assert "'http.port'" in refused("serve", "--port", 0, environment=bad)


@pytest.mark.parametrize("command", [
    ["migrate"], ["check"], ["keys", "create", "--name", "a"], ["keys", "list"],
    ["keys", "revoke", "a"]], ids=" ".join)
def test_the_other_commands_refuse_bad_settings_too(refused, tmp_path, command):
    assert "'http.port'" in refused(*command, environment={variable("http.port"): "70000"})
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.parametrize("text, named", [
    ("http:\n  prot: 80\n", "http.prot"),
    ("colour: red\n", "colour"),
    ("colour:\n  red: 1\n", "colour.red"),
    ("port: 80\n", "port"),
    ("HTTP:\n  port: 80\n", "HTTP.port"),
    ("http:\n  Port: 80\n", "http.Port"),
    ("http:\n  port:\n    number: 80\n", "http.port"),
    ("http:\n  port: [80]\n", "http.port"),
    ("http: 80\n", "http"),
    ("- http\n", "settings.yaml"),
    ("text\n", "settings.yaml"),
])
def test_an_unknown_setting_in_the_file_is_refused_and_named(refused, write, text, named):
    line = refused("serve", "--config", write(text), "--port", 0)
    assert re.search(rf"['/]{re.escape(named)}'", line)
    assert "settings.yaml" in line


@pytest.mark.parametrize("text", [
    "http:\n\tport: 80\n", "http: {port: 80\n", "http:\n  port: 80\n  port: 81\n", "a: 'b\n",
    "http:\n  port: 80\nhttp:\n  host: localhost\n", "\0", "http: *nowhere\n"])
def test_a_file_that_is_not_yaml_is_refused_in_one_line(refused, write, text):
    line = refused("serve", "--config", write(text), "--port", 0)
    assert "settings.yaml" in line


def test_a_file_that_is_not_utf_8_is_refused(refused, tmp_path):
    (tmp_path / "settings.yaml").write_bytes(b"http:\n  host: '\xff'\n")
    assert "'settings.yaml'" in refused("serve", "--config", "settings.yaml", "--port", 0)


@pytest.mark.parametrize("text", [
    "", "# nothing\n", "http:\n  # port: 80\n", "http: {}\n"])
def test_a_file_that_sets_nothing_is_fine(start, write, text):
    assert start("--config", str(write(text))).request("GET", "/healthz").status == 200


@pytest.mark.parametrize("name", ["CONVERSATIOND_PORT", "CONVERSATIOND_HTTP_PROT"])
def test_an_unknown_variable_is_a_warning(start, name):
    server = start(environment={name: "tcp://10.0.0.1:80"})
    assert server.request("GET", "/healthz").status == 200
    [line] = [line for line in server.log().splitlines() if name in line]
    assert "warning" in line and "tcp" not in line


def test_a_known_variable_is_no_warning(start):
    server = start(environment={
        variable(name): ends[0] for name, (_, ends) in SETTINGS.items() if ends})
    assert "warning" not in server.log()


@pytest.mark.parametrize("end", [0, 1], ids=["least", "most"])
def test_settings_at_the_ends_of_their_ranges_serve(start, write, end):
    ends = {name: ends[end] for name, (_, ends) in SETTINGS.items() if ends}
    server = start("--config", str(write(yaml(ends))))
    # The least is one connection, and a second one may come before the end of the first is seen.
    with server.client(max_retries=0) as client:
        conversation = client.conversations.create(metadata={"a": "1"})
        assert client.conversations.retrieve(conversation.id) == conversation
        try:
            assert client.get("/conversations", cast_to=object)["data"]
        except InternalServerError as error:
            # The least time for a query is too little for a busy machine.
            assert (error.code, end) == ("query_timeout", 0)
    assert server.stop() == 0


# The words about settings


def documented():
    """The settings of the example file, with their values."""
    settings, section = {}, None
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"(\w+):", line):
            section = match[1]
        elif match := re.fullmatch(r"  (\w+): (\S.*)", line):
            settings[f"{section}.{match[1]}"] = match[2]
    return settings


def test_the_example_file_has_every_setting():
    assert list(documented()) == list(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_docs_name_every_setting(name):
    assert f"`{name}`" in (REPOSITORY / "docs/settings.md").read_text(encoding="utf-8")


def test_the_example_file_serves_unchanged(start, tmp_path):
    config = shutil.copy(EXAMPLE, tmp_path)
    server = start("--config", str(config), database=False)
    assert server.request("GET", "/healthz").status == 200
    assert Path(tmp_path, "conversations.db").exists()
    assert "warning" not in server.log()


# The log


def test_json_logs_are_one_object_a_line(start):
    server = start(environment={variable("log.format"): "json", "CONVERSATIOND_X": "1"})
    server.request("GET", "/v1/conversations/%F0%9F%92%AC%22%0A",
                   headers={"X-Client-Request-Id": 'a "quoted" \\ id'})
    server.stop()
    lines = [json.loads(line) for line in server.log().splitlines()]
    for line in lines:
        assert list(line)[:3] == ["time", "level", "message"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["time"])
    assert "warning" in {line["level"] for line in lines}
    [request] = [line for line in lines if "path" in line]
    assert (request["method"], request["status"]) == ("GET", 404)
    assert request["path"] == "/v1/conversations/%F0%9F%92%AC%22%0A"
    assert re.fullmatch("req_[0-9a-f]{32}", request["request_id"])
    assert isinstance(request["milliseconds"], float)
    assert "quoted" in request["client_request_id"]


def test_a_request_is_one_line_with_its_facts(server):
    answer = server.request("GET", "/v1/nothing")
    [line] = [line for line in server.log().splitlines() if "/v1/nothing" in line]
    for fact in ("info", "GET", "404", "milliseconds=", answer.headers["x-request-id"]):
        assert fact in line


def test_request_lines_can_be_switched_off_and_errors_stay(start, sqlite):
    server = start(environment={variable("log.requests"): "false"})
    id = server.request("POST", "/v1/conversations", {"metadata": {"a": "1"}}).json()["id"]
    server.request("GET", "/v1/nothing")
    sqlite(server.database, "UPDATE metadata SET value = CAST(x'ff' AS TEXT)")
    failed = server.request("GET", f"/v1/conversations/{id}")
    assert "path=" not in server.log()
    [line] = [line for line in server.log().splitlines() if "error" in line]
    assert failed.headers["x-request-id"] in line
