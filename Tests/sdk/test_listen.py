"""`http.listen`: several addresses, and Unix sockets."""

import http.client
import os
import stat

import pytest

from conftest import ANSWER_SECONDS
from unix_http import UnixConnection, ask

LISTEN = "CONVERSATIOND_HTTP_LISTEN"
PATH = "/v1/conversations"


def listening(server, count):
    """The addresses that a server has named, once there are so many."""
    marker = "conversationd listening on "
    lines = [line for line in server.log().splitlines() if marker in line]
    assert len(lines) == count, lines
    return [line.partition(marker)[2].partition('"')[0] for line in lines]


def get(url, path=PATH, headers=()):
    if url.startswith("unix:"):
        return ask(UnixConnection(url.removeprefix("unix:")), "GET", path, headers)
    host, _, port = url.removeprefix("http://").rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=ANSWER_SECONDS)
    return ask(connection, "GET", path, headers)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "c.sock"


def test_every_address_of_the_list_is_served(start, path):
    server = start(environment={LISTEN: f"127.0.0.1:0 127.0.0.2:0 unix:{path}"}, port=None)
    urls = listening(server, 3)
    assert [url.rpartition(":")[0] for url in urls] == [
        "http://127.0.0.1", "http://127.0.0.2", "unix"]
    for url in urls:
        assert get(url).status == 200
    # The first line of standard output is the first address.
    assert server.url == urls[0]
    assert server.stop() == 0
    assert not path.exists()


def test_a_list_in_the_file_and_one_of_flags(start, tmp_path):
    config = tmp_path / "settings.yaml"
    config.write_text("http:\n  listen:\n    - 127.0.0.1:0\n    - 127.0.0.2:0\n", encoding="utf-8")
    first = start("--config", str(config), port=None)
    assert len(listening(first, 2)) == 2
    first.kill()
    first.log_file.unlink()
    # A flag replaces the list.
    second = start("--config", str(config), "--listen", "127.0.0.3:0", "--listen=127.0.0.4:0",
                   port=None)
    assert [url.rpartition(":")[0] for url in listening(second, 2)] == [
        "http://127.0.0.3", "http://127.0.0.4"]
    second.kill()
    second.log_file.unlink()
    third = start("--config", str(config), "--port", "0", port=None)
    assert [url.rpartition(":")[0] for url in listening(third, 1)] == ["http://127.0.0.1"]


def test_a_unix_socket_is_for_its_user_and_group(start, path):
    before = os.umask(0o077)
    try:
        start(environment={LISTEN: f"127.0.0.1:0 unix:{path}"}, port=None)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_unix_socket_counts_as_loopback(start, make_key, path):
    """It needs neither keys nor TLS, and before the first key asks for a Host that is loopback."""
    server = start(environment={LISTEN: f"127.0.0.1:0 unix:{path}"}, port=None)
    assert get(f"unix:{path}").status == 200
    answer = get(f"unix:{path}", headers={"Host": "example.com"})
    assert (answer.status, answer.error["code"]) == (403, "host_not_allowed")
    make_key()
    assert get(f"unix:{path}").status == 401
    assert "path=/v1/conversations status=401 address=unix " in server.log()


def test_a_proxy_at_a_unix_socket_may_name_the_client(start, path):
    server = start(environment={LISTEN: f"127.0.0.1:0 unix:{path}",
                                "CONVERSATIOND_HTTP_TRUSTED_PROXIES": "unix"}, port=None)
    headers = {"X-Forwarded-For": "192.0.2.7"}
    get(f"unix:{path}", "/healthz", headers)
    get(server.url, "/healthz", headers)
    lines = [line for line in server.log().splitlines() if "path=/healthz" in line]
    assert ["address=192.0.2.7" in line for line in lines] == [True, False]


def test_each_address_must_be_loopback_where_that_is_a_rule(refused, path, tmp_path):
    line = refused("serve", environment={LISTEN: f"unix:{path} 127.0.0.1:0 0.0.0.0:0"}, status=78)
    assert line.startswith("Error: address 0.0.0.0 port 0: only loopback addresses are served")
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_taken_is_named(server, refused, path):
    taken = f"127.0.0.1:{server.port}"
    line = refused("serve", "--database", "b.db", "--listen", f"unix:{path}", "--listen", taken,
                   status=69)
    assert line == (
        f"Error: address 127.0.0.1 port {server.port}: another program uses this port")
    assert not path.exists()
    path.write_text("mine", encoding="utf-8")
    line = refused("serve", "--database", "b.db", "--listen", f"unix:{path}", status=69)
    assert line == f"Error: address unix:{path}: this file exists, and is no socket"


@pytest.mark.parametrize("other", ["HOST", "PORT"])
def test_a_list_beside_a_host_or_a_port_is_refused_in_one_layer(refused, start, other):
    value = {"HOST": "localhost", "PORT": "0"}[other]
    both = {LISTEN: "127.0.0.1:0", f"CONVERSATIOND_HTTP_{other}": value}
    line = refused("serve", environment=both, status=78)
    assert line == (
        "Error: setting 'http.listen' in the environment stands beside 'http.host' or 'http.port': "
        "give the one or the others")
    assert "the command line" in refused(
        "serve", "--listen", "127.0.0.1:0", f"--{other.lower()}", value, status=78)
    # In two layers the higher one counts.
    server = start("--listen", "127.0.0.2:0", environment={f"CONVERSATIOND_HTTP_{other}": value},
                   port=None)
    assert server.host == "127.0.0.2"


def test_a_command_asks_the_first_address(start, run, path):
    environment = {LISTEN: f"unix:{path} 127.0.0.1:0"}
    server = start("--listen", "127.0.0.1:0", "--listen", f"unix:{path}", port=None)
    assert run("healthcheck", environment=environment).stdout == "ready\n"
    assert server.stop() == 0
    assert run("healthcheck", environment=environment).returncode == 69
