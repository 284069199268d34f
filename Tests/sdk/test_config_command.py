"""`conversationd config` shows what a server would do, and why."""

import json

import pytest

from test_settings import SETTINGS, documented

YAML = """\
http:
  host: 127.0.0.2
  port: 8081
  cors_origins: [https://a.example.com, https://b.example.com]
log:
  level: debug
"""
ENVIRONMENT = {"CONVERSATIOND_HTTP_PORT": "8082", "CONVERSATIOND_LOG_LEVEL": "error"}
EXPECTED = {
    "http.host": ("127.0.0.2", "settings.yaml"),
    "http.port": (8082, "CONVERSATIOND_HTTP_PORT"),
    "http.insecure": (True, "--insecure-http"),
    "http.cors_origins": (["https://a.example.com", "https://b.example.com"], "settings.yaml"),
    "log.level": ("warning", "--log-level"),
    "database.query_threads": (2, "default"),
    "database.path": ("other.db", "--database"),
}
ARGUMENTS = ["--config", "settings.yaml", "--log-level", "warning", "--insecure-http",
             "--database", "other.db"]


@pytest.fixture
def config(run, tmp_path):
    """Shows the settings of three layers."""
    (tmp_path / "settings.yaml").write_text(YAML, encoding="utf-8")

    def config(*arguments, environment=None):
        variables = {**ENVIRONMENT, **(environment or {})}
        return run("config", *ARGUMENTS, *arguments, environment=variables)

    return config


def test_every_setting_stands_with_its_value_and_where_that_comes_from(config, tmp_path):
    result = config("--json")
    assert (result.returncode, result.stderr) == (0, "")
    rows = json.loads(result.stdout)
    assert [row["name"] for row in rows] == list(SETTINGS)
    found = {row["name"]: (row["value"], row["from"]) for row in rows}
    assert {name: found[name] for name in EXPECTED} == EXPECTED
    # It only looks.
    assert [path.name for path in tmp_path.iterdir()] == ["settings.yaml"]


def test_a_person_reads_a_table(config):
    heading, *rows = config().stdout.splitlines()
    assert heading.split() == ["SETTING", "VALUE", "FROM"]
    assert rows[1].split() == ["http.port", "8082", "CONVERSATIOND_HTTP_PORT"]
    assert "tls.certificate none default".split() in [row.split() for row in rows]
    assert len(rows) == len(SETTINGS)


def test_without_any_layer_all_are_the_defaults_of_the_example_file(run):
    rows = json.loads(run("config", "--json").stdout)
    assert {row["from"] for row in rows} == {"default"}
    shown = {row["name"]: row["value"] for row in rows}
    for name, text in documented().items():
        value = shown[name]
        assert text == ("\"\"" if value in ("", []) else json.dumps(value).strip('"')), name


def test_an_unknown_variable_is_a_warning(config):
    result = config(environment={"CONVERSATIOND_PORT": "1"})
    assert result.returncode == 0
    assert result.stderr == (
        "warning: environment variable CONVERSATIOND_PORT is not a setting and is ignored\n")


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1"])
def test_another_address_than_loopback_needs_tls(run, refused, address):
    line = refused("config", "--listen", address, status=78)
    assert "only loopback addresses are served, since without TLS" in line
    assert run("config", "--listen", address, "--insecure-http").returncode == 0


@pytest.mark.parametrize("arguments, words", [
    (["--port", "http"], "'http.port' in the command line"),
    (["--config", "missing.yaml"], "'missing.yaml' does not exist")])
def test_what_a_server_would_refuse_is_refused(refused, arguments, words):
    assert words in refused("config", *arguments, status=78)


def test_a_certificate_that_cannot_be_used_is_refused(refused, run, tls):
    assert run("config", environment=tls.environment).returncode == 0
    tls.private_key.write_text("none", encoding="ascii")
    line = refused("config", environment=tls.environment, status=78)
    assert line.startswith(f"Error: private key '{tls.private_key}': not PEM")
