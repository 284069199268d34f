"""Retention by rule: what a server deletes, and what `conversationd retention --dry-run` says."""

import json
import signal
import time

import pytest

from metrics import Metrics

RULES = "CONVERSATIOND_RETENTION_RULES"
OLD = {"metadata": {"env": "test"}}
KEPT = {"metadata": {"env": "test", "hold": "a b"}}
LIVE = {"metadata": {"env": "live"}}


def create(server, *bodies):
    return [server.request("POST", "/v1/conversations", body).json()["id"] for body in bodies]


def statuses(server, ids):
    return [server.request("GET", f"/v1/conversations/{id}").status for id in ids]


@pytest.fixture
def dry_run(run, tmp_path, database_of):
    def dry_run(*options, environment=None):
        url = database_of(tmp_path)
        flags, more = (["--database", tmp_path / "conversations.db"], {}) if url is True else (
            [], {"CONVERSATIOND_DATABASE_URL": url})
        return run("retention", *flags, *options, environment={**more, **(environment or {})})

    return dry_run


def test_a_server_deletes_by_its_rules_and_a_dry_run_says_so_before(
        start, dry_run, wait_until, tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("retention:\n  rules: []\n")
    server = start("--config", file)
    ids = create(server, OLD, KEPT, LIVE, OLD)
    rules = ["delete?age=1s&metadata[env]=test", "delete?idle=1w", "keep?metadata[hold]=a%20b"]
    environment = {RULES: "\t".join(rules) + "\n"}

    def found():
        result = dry_run("--dry-run", "--json", environment=environment)
        assert result.returncode == 0, result
        return json.loads(result.stdout)

    # Until they are a second old.
    wait_until(lambda: found()[0]["conversations"] == 2)
    assert found() == [
        {"action": rule.split("?")[0], "rule": rule, "conversations": count}
        for rule, count in zip(rules, [2, 0, 1])]
    shown = dry_run("--dry-run", "--ids", environment=environment)
    assert shown.stdout.splitlines() == [f"{ids[0]} default", f"{ids[3]} default"]
    shown = dry_run("--dry-run", environment=environment)
    assert [line.split() for line in shown.stdout.splitlines()] == [
        ["RULE", "CONVERSATIONS"], [rules[0], "2"], [rules[1], "0"], [rules[2], "1"]]
    assert statuses(server, ids) == 4 * [200]

    # The server's clock of deletions may be a second behind. Its next round would be in an hour.
    time.sleep(1)
    file.write_text("retention:\n  rules: >\n" + "".join(f"    {rule}\n" for rule in rules))
    server.send(signal.SIGHUP)
    wait_until(lambda: statuses(server, ids) == [404, 200, 200, 404])
    wait_until(lambda: "retention deleted conversations" in server.log())
    lines = [line for line in server.log().splitlines() if "retention deleted" in line]
    assert len(lines) == 1 and "deleted=2" in lines[0] and rules[0] in lines[0]
    metrics = Metrics(server.request("GET", "/metrics").body.decode())
    assert metrics.value("retention_deleted_total") == 2
    assert server.stop() == 0


def test_without_rules_nothing_goes(dry_run, server):
    create(server, OLD)
    assert json.loads(dry_run("--dry-run", "--json").stdout) == []
    assert "a server deletes by the rules" in dry_run().stderr
    assert dry_run().returncode == 64
    assert dry_run("--dry-run", "--json", "--ids").returncode == 64


def test_a_project_that_does_not_exist_is_named(start, dry_run, wait_until, tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("retention:\n  rules: |\n    keep?project=slaes\n    delete?age=1d\n")
    server = start("--config", file)
    wait_until(lambda: "names a project that does not exist" in server.log())
    result = dry_run("--dry-run", environment={RULES: "keep?project=slaes delete?age=1d"})
    assert "no project is named as in the rule 'keep?project=slaes'" in result.stderr
    assert server.stop() == 0


def test_a_rule_that_is_wrong_is_named(refused):
    line = refused("serve", "--port=0", status=78, environment={RULES: "delete?metadata[a]=b"})
    assert line == ("Error: setting 'retention.rules' in the environment has a rule "
                    "'delete?metadata[a]=b', which needs 'age' or 'idle', or it would delete what is "
                    "new")


@pytest.mark.sqlite_only
def test_where_no_database_is_a_dry_run_makes_none(dry_run, tmp_path):
    result = dry_run("--dry-run", environment={RULES: "delete?age=1d"})
    assert result.returncode == 69
    assert list(tmp_path.iterdir()) == []
