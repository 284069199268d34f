"""`conversationd keys rotate` and `import`."""

import json
import re
import time

import pytest

from conftest import bearer

SECRET = "k" + 31 * "9"
VISIBLE = "".join(chr(code) for code in range(0x21, 0x7f))
WEEK_SECONDS = 7 * 86400


def status(server, key):
    return server.request("GET", "/v1/conversations", headers=bearer(key)).status


@pytest.fixture
def take(keys):
    """Imports a secret."""

    def take(secret, name="imported", *options):
        return keys("import", f"--name={name}", *options, input=secret)

    return take


# Rotation


def test_both_keys_count_for_a_while_and_the_new_one_has_the_name(
        server, keys, make_key, list_keys):
    old = make_key("app", "--project=sales", "--read-only")
    result = keys("rotate", "app")
    new = result.stdout.strip()
    assert re.fullmatch("sk-[A-Za-z0-9_-]{43}", new) and new != old
    date = time.strftime("%Y-%m-%d", time.gmtime(time.time() + WEEK_SECONDS))
    assert f"The old one is 'app (until {date})' now, and counts until {date}T" in result.stderr
    assert status(server, old) == status(server, new) == 200
    assert server.request("POST", "/v1/conversations", {}, bearer(new)).status == 403
    rows = {row["NAME"]: row for row in list_keys()}
    assert set(rows) == {"app", f"app (until {date})"}
    assert rows["app"]["EXPIRES"] == "never" and rows["app"]["PROJECT"] == "sales"
    assert {row["RIGHTS"] for row in rows.values()} == {"read-only"}
    assert rows[f"app (until {date})"]["EXPIRES"].startswith(date)
    # The old one may be ended at once.
    assert keys("revoke", f"app (until {date})").returncode == 0
    assert [status(server, old), status(server, new)] == [401, 200]


def test_a_new_key_lives_as_long_as_the_old_one_did(keys, make_key):
    make_key("app", "--expires=30d", "--admin", "--requests-per-minute=7")
    assert keys("rotate", "app", "--grace", "60d").returncode == 0
    listed = json.loads(keys("list", "--json").stdout)
    # The grace makes no life longer.
    assert [(key["rights"], key["admin"], key["expires_at"] - key["created_at"],
             key["requests_per_minute"])
            for key in listed] == 2 * [("read_write", True, 30 * 86400, 7)]


def test_a_key_may_be_rotated_several_times_a_day_and_have_the_longest_name(
        keys, make_key, list_keys):
    name = 64 * "é"
    make_key(name)
    for _ in range(3):
        assert keys("rotate", name, "--grace=1h").returncode == 0
    names = [row["NAME"] for row in list_keys()]
    assert len(set(names)) == 4 and names.count(name) == 1
    assert all(len(each) <= 64 for each in names)
    assert sum(bool(re.fullmatch(r"é+ \(until [0-9-]+(, \d)?\)", each)) for each in names) == 3


def test_what_cannot_be_rotated_changes_nothing(keys, make_key, list_keys):
    make_key("app")
    make_key("app", "--project=sales")
    before = list_keys()
    unknown, ambiguous = keys("rotate", "nobody"), keys("rotate", "app")
    assert (unknown.returncode, unknown.stdout, unknown.stderr) == (
        65, "", "Error: no key named 'nobody'; 'conversationd keys list' shows them\n")
    assert (ambiguous.returncode, ambiguous.stdout) == (64, "")
    assert "'default', 'sales'" in ambiguous.stderr
    assert keys("rotate", "app", "--grace", "0d").returncode == 64
    with open("/dev/full", "wb") as full:
        result = keys("rotate", "app", "--project=sales", capture_output=False, stdout=full,
                      stderr=-1)
    assert result.returncode == 74
    assert result.stderr == "Error: the new key could not be printed, and nothing was changed\n"
    assert list_keys() == before
    assert keys("rotate", "app", "--project=sales").returncode == 0


# Import


@pytest.mark.parametrize("secret", [SECRET, 200 * "~", (VISIBLE + VISIBLE)[:150], SECRET + "\n"])
def test_a_secret_that_clients_have_counts(server, take, list_keys, secret):
    result = take(secret, "legacy", "--project=sales", "--expires=90d")
    assert result.returncode == 0, result
    assert result.stdout.startswith("imported the key 'legacy' for project 'sales' into ")
    assert "It is the first key" in result.stderr
    assert status(server, secret.strip()) == 200
    assert status(server, secret.strip()[:-1] + "!") == 401
    row, = list_keys()
    assert row["KEY"] == f"{secret[:4]}..."


@pytest.mark.sqlite_only
@pytest.mark.parametrize("secret", [
    "", "\n", 31 * "x", 201 * "x", SECRET + " " + SECRET, SECRET + "é", SECRET + "\t",
    f"{SECRET}\n{SECRET}\n", f" {SECRET}"])
def test_what_is_no_secret_is_refused_and_not_shown(take, list_keys, secret):
    result = take(secret)
    assert (result.returncode, result.stdout) == (65, "")
    assert result.stderr.startswith("Error: standard input must be one line of 32 to 200 visible")
    assert SECRET not in result.stderr


def test_a_secret_is_stored_once_also_when_it_was_revoked(take, keys):
    assert take(SECRET).returncode == 0
    assert keys("revoke", "imported").returncode == 0
    result = take(SECRET, "again")
    assert result.returncode == 65 and "stored already" in result.stderr
    assert SECRET not in result.stderr
