"""SIGHUP reads the settings again, and says what changed and what needs a restart."""

import signal

import pytest

from conftest import bearer
from test_settings import yaml

AGAIN = "read the settings again"
STAY = "the settings were not read again"


@pytest.fixture
def served(start, tmp_path, wait_until):
    """A server of a file, and a way to change that."""
    config = tmp_path / "settings.yaml"

    def write(settings):
        config.write_text(yaml(settings), encoding="utf-8")

    def reload(settings=None, *, words=AGAIN):
        if settings is not None:
            write(settings)
        # Without a wait for the end of the log, which may be switched off by the change.
        def count():
            return server.log_file.read_text(encoding="utf-8").count(words)

        before = count()
        server.send(signal.SIGHUP)
        wait_until(lambda: count() > before)

    write({})
    server = start("--config", str(config))
    server.reload = reload
    return server


def changes(server):
    """The settings of the lines about changes: those that are done, those that need a restart."""
    lines = [line for line in server.log().splitlines() if "a setting changed" in line]
    names = [line.partition("setting=")[2].split()[0] for line in lines]
    waiting = [name for name, line in zip(names, lines) if "needs a restart" in line]
    return [name for name in names if name not in waiting], waiting


def test_the_level_of_the_log_changes(served):
    served.reload({"log.level": "debug"})
    served.request("GET", "/healthz")
    assert "path=/healthz" in served.log()
    served.reload({"log.level": "error"})
    served.request("GET", "/v1/nothing")
    assert "/v1/nothing" not in served.log()
    # Both changes are told, also that to a level at which changes are not.
    assert changes(served) == (["log.level", "log.level"], [])


def test_origins_and_proxies_change(served):
    origin = {"Origin": "https://app.example.com"}
    assert served.request("GET", "/healthz", headers=origin).headers["vary"] is None
    served.reload({"http.cors_origins": "https://app.example.com",
                   "http.trusted_proxies": "127.0.0.1"})
    answer = served.request("GET", "/healthz", headers={**origin, "X-Forwarded-For": "192.0.2.7"})
    assert answer.headers["access-control-allow-origin"] == origin["Origin"]
    assert "address=192.0.2.7" in served.log()
    assert changes(served) == (["http.cors_origins", "http.trusted_proxies"], [])


def test_the_limit_of_requests_changes_and_is_kept_where_it_does_not(served, make_key):
    headers = bearer(make_key())

    def status():
        return served.request("GET", "/v1/conversations", headers=headers).status

    served.reload({"http.requests_per_minute_max": "2"})
    assert [status(), status(), status()] == [200, 200, 429]
    served.reload({"http.requests_per_minute_max": "2", "http.dashboard": "false"})
    assert status() == 429
    assert served.request("GET", "/dashboard").status == 404
    served.reload({})
    assert status() == 200
    assert served.request("GET", "/dashboard").status == 200


def test_the_limits_of_connections_change(served):
    connections = [served.connection() for _ in range(3)]
    for connection in connections[:2]:
        connection.request("GET", "/healthz")
        assert connection.getresponse().read()
    served.reload({"http.connections_per_address_max": "2", "http.request_timeout_seconds": "1"})
    with pytest.raises(OSError):
        connections[2].request("GET", "/healthz")
        connections[2].getresponse()
    for connection in connections:
        connection.close()


def test_what_needs_a_restart_is_said_each_time_and_not_done(served):
    for _ in range(2):
        served.reload(
            {"http.port": "1", "database.query_threads": "3", "http.open_metrics": "true"})
    done, waiting = changes(served)
    assert done == ["http.open_metrics"]
    assert waiting == 2 * ["database.query_threads"]
    assert "from=2 setting=database.query_threads to=3" in served.log()
    assert served.request("GET", "/healthz").status == 200


def test_wrong_settings_change_nothing(served):
    served.reload({"log.requests": "false", "log.level": "loud"}, words=STAY)
    line, = [line for line in served.log().splitlines() if STAY in line]
    assert "level=error" in line and "'log.level'" in line
    served.request("GET", "/v1/nothing")
    assert "/v1/nothing" in served.log()
    served.reload({"log.requests": "false"})
    served.request("GET", "/v1/nothing")
    assert served.log().count("/v1/nothing") == 1


def test_tls_begins_and_ends_with_a_restart(served, tls):
    served.reload(
        {"tls.certificate": str(tls.certificate), "tls.private_key": str(tls.private_key)})
    assert changes(served) == ([], ["tls.certificate", "tls.private_key"])
    assert served.request("GET", "/healthz").status == 200


def test_a_certificate_that_cannot_be_read_is_no_change(start, tls, tmp_path, wait_until):
    config = tmp_path / "settings.yaml"
    names = {"tls.certificate": str(tls.certificate), "tls.private_key": str(tls.private_key)}
    config.write_text(yaml(names), encoding="utf-8")
    tls.environment = {}
    server = start("--config", str(config), tls=tls)
    config.write_text(yaml({**names, "tls.certificate": "missing.pem"}), encoding="utf-8")
    server.send(signal.SIGHUP)
    wait_until(lambda: AGAIN in server.log_file.read_text(encoding="utf-8"))
    assert changes(server) == ([], [])
    assert "the certificate was not read again" in server.log() and "changed=0" in server.log()
    assert server.request("GET", "/healthz").status == 200


def test_another_file_of_a_certificate_is_taken(start, tls, tmp_path, wait_until):
    config = tmp_path / "settings.yaml"
    names = {"tls.certificate": str(tls.certificate), "tls.private_key": str(tls.private_key)}
    config.write_text(yaml(names), encoding="utf-8")
    tls.environment = {}
    server = start("--config", str(config), tls=tls)
    tls.certificate.rename(tls.certificate.with_name("renamed.pem"))
    names["tls.certificate"] = str(tls.certificate.with_name("renamed.pem"))
    config.write_text(yaml(names), encoding="utf-8")
    server.send(signal.SIGHUP)
    wait_until(lambda: AGAIN in server.log_file.read_text(encoding="utf-8"))
    assert server.request("GET", "/healthz").status == 200
    assert changes(server) == (["tls.certificate"], [])
    assert "was not read again" not in server.log()
