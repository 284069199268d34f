"""Which addresses are served: others than loopback only with a key, and with TLS or a proxy."""

import http.client
import socket
from contextlib import closing

import pytest

from conftest import ANSWER_SECONDS, bearer, read_answer

ANY = ["--host", "0.0.0.0"]
INSECURE = {"CONVERSATIOND_HTTP_INSECURE": "true"}
PROXY = [(["--insecure-http"], {}), ([], INSECURE),
         (["--insecure-http"], {"CONVERSATIOND_HTTP_INSECURE": "false"})]
each_confirmation = pytest.mark.parametrize(
    "arguments, environment", PROXY, ids=["flag", "environment", "flag over environment"])


def snapshot(folder):
    """Every file of a folder with its bytes, but an empty log of a database: who only reads one
    that is there makes it, and cannot take it away."""
    return {path.name: path.read_bytes() for path in folder.iterdir()
            if not path.name.endswith("-shm")
            and not (path.name.endswith("-wal") and path.stat().st_size == 0)}


@pytest.fixture
def refused_serve(refused, tmp_path):
    """Starts a server that must be refused and leave all files as they were."""

    def refused_serve(*arguments, **options):
        before = snapshot(tmp_path)
        line = refused("serve", "--port", 0, "--database", tmp_path / "conversations.db",
                       *arguments, **options)
        assert snapshot(tmp_path) == before
        return line

    return refused_serve


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
@pytest.mark.parametrize("arguments, environment", [([], {}), *PROXY[:2]],
                         ids=["unconfirmed", "flag", "environment"])
@pytest.mark.parametrize("has_database", [False, True])
def test_without_a_key_only_loopback_is_served(
        refused_serve, run, tmp_path, host, arguments, environment, has_database):
    if has_database:
        assert run("migrate", "--database", tmp_path / "conversations.db").returncode == 0
    line = refused_serve("--host", host, *arguments, environment=environment)
    assert line.startswith(f"Error: address {host} port 0: only loopback addresses are served")
    assert "no API key" in line and "'conversationd keys create'" in line


FOREIGN = {
    "with tables": ("CREATE TABLE notes (text)", "belongs to another program"),
    "with keys of its own": ("CREATE TABLE api_keys (name)", "belongs to another program"),
    "with an application_id": (
        "PRAGMA application_id = 252006673",
        "belongs to another program (its application_id is 252006673)"),
}


@pytest.mark.parametrize("arguments", [[], ["--insecure-http"]], ids=["unconfirmed", "confirmed"])
@pytest.mark.parametrize("sql, words", FOREIGN.values(), ids=FOREIGN)
def test_a_file_of_another_program_is_named_rather_than_that_it_has_no_key(
        refused_serve, sqlite, tmp_path, sql, words, arguments):
    database = tmp_path / "conversations.db"
    assert sqlite(database, sql).returncode == 0
    line = refused_serve(*ANY, *arguments)
    assert line.startswith(f"Error: database '{database}': {words}")


def test_what_is_no_database_is_named_rather_than_that_it_has_no_key(refused_serve, tmp_path):
    database = tmp_path / "conversations.db"
    database.write_text("Dear diary,\n" * 1000, encoding="utf-8")
    assert refused_serve(*ANY) == f"Error: database '{database}': not a database"


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
@pytest.mark.parametrize("environment", [{}, {"CONVERSATIOND_HTTP_INSECURE": "false"}],
                         ids=["default", "false"])
def test_with_a_key_only_loopback_is_served_without_tls(
        make_key, refused_serve, host, environment):
    make_key()
    line = refused_serve("--host", host, environment=environment)
    assert line.startswith(f"Error: address {host} port 0: only loopback addresses are served")
    assert "TLS" in line and "--insecure-http" in line and "keys create" not in line


@each_confirmation
def test_behind_a_proxy_every_address_is_served_to_those_with_a_key(
        start, make_key, arguments, environment):
    key = make_key()
    server = start(*ANY, *arguments, environment=environment)
    assert server.url == f"http://0.0.0.0:{server.port}"
    with server.client(base_url=f"http://{own_address()}:{server.port}/v1", api_key=key) as client:
        conversation = client.conversations.create(metadata={"a": "1"})
        assert client.conversations.retrieve(conversation.id) == conversation
    # The name and the page that it is asked by do not matter to those who have a key, nor help
    # those who have none.
    outside = {"Host": "conversations.example.com", "Origin": "https://example.com"}
    for headers, status in [({**outside, **bearer(key)}, 200), (outside, 401),
                            ({"Host": "localhost"}, 401), ({}, 401)]:
        assert server.request("GET", "/v1/conversations", headers=headers).status == status


def own_address():
    """An address of this machine, other than loopback where it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Chooses a route, and sends nothing; the address is one for documentation (RFC 5737).
            probe.connect(("198.51.100.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def test_the_confirmation_can_stand_in_the_file(start, make_key, tmp_path):
    key = make_key()
    config = tmp_path / "settings.yaml"
    config.write_text("http:\n  host: '0.0.0.0'\n  insecure: true\n", encoding="utf-8")
    server = start("--config", str(config))
    assert server.request("GET", "/v1/conversations").status == 401
    assert server.request("GET", "/v1/conversations", headers=bearer(key)).status == 200


@pytest.mark.parametrize("is_confirmed", [False, True])
def test_loopback_needs_neither_tls_nor_a_confirmation(start, make_key, is_confirmed):
    key = make_key()
    server = start(*["--insecure-http"][:is_confirmed])
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert server.request("GET", "/v1/conversations").status == 401
    assert server.request("GET", "/v1/conversations", headers=bearer(key)).status == 200


def test_a_key_that_counts_no_more_still_opens_no_door(start, make_key, keys):
    key = make_key("a")
    assert keys("revoke", "a").returncode == 0
    server = start(*ANY, "--insecure-http")
    for headers in ({}, bearer(key), {"Host": "localhost"}):
        assert server.request("GET", "/v1/conversations", headers=headers).status == 401
    # Nor does one that is made then need a restart.
    headers = bearer(make_key("b"))
    assert server.request("GET", "/v1/conversations", headers=headers).status == 200


def test_a_confirmation_does_not_outlive_its_server(start, make_key, refused_serve):
    make_key()
    assert start(*ANY, "--insecure-http").stop() == 0
    assert "--insecure-http" in refused_serve(*ANY)


# localhost


def has_ipv6():
    """Whether this machine has ::1."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            return True
    except OSError:
        return False


def status_at(host, port):
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    with closing(connection):
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        return read_answer(connection).status


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST"])
def test_localhost_is_both_families(start, host):
    server = start("--host", host)
    assert status_at("127.0.0.1", server.port) == 200
    if has_ipv6():
        assert server.url == f"http://localhost:{server.port}"
        assert status_at("::1", server.port) == 200
    assert server.restart().request("GET", "/healthz").status == 200


@pytest.mark.skipif(not has_ipv6(), reason="needs ::1")
@pytest.mark.parametrize("family, host", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_port_of_localhost_that_is_taken_in_one_family_is_an_error(refused, family, host):
    with socket.socket(family) as taken:
        taken.bind((host, 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused("serve", "--host", "localhost", "--port", port, status=69)
        assert line == f"Error: address localhost port {port}: another program uses this port"
