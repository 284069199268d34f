"""A server whose file is tended by a person meanwhile, which makes SQLite compile each statement
again."""

import pytest

from conftest import bearer

PATH = "/v1/conversations"


@pytest.mark.parametrize("sql", [
    "VACUUM", "CREATE INDEX mine ON metadata (value)", "CREATE TABLE mine (a)", "ANALYZE"])
def test_every_route_works_after_the_schema_was_changed(server, sqlite, sql):
    created = server.request("POST", PATH, {"metadata": {"a": "1"}}).json()
    assert sqlite(server.database, sql).returncode == 0

    assert server.request("GET", f"{PATH}/{created['id']}").json() == created
    assert server.request("GET", f"{PATH}?metadata[a]=1").json()["data"] == [created]
    assert server.request("GET", "/metrics").status == 200
    assert server.request("GET", "/readyz").status == 200
    path = f"{PATH}/{created['id']}"
    assert server.request("PATCH", path, {"metadata": {"b": "2"}}).json()["metadata"] == {
        "a": "1", "b": "2"}
    assert server.request("DELETE", path).status == 200
    for _ in range(2):
        again = server.request("POST", PATH, {}, headers={"Idempotency-Key": "k"})
        assert again.status == 200


def test_keys_count_after_the_schema_was_changed(server, make_key, keys, sqlite):
    headers = bearer(make_key("a"))
    assert server.request("GET", PATH, headers=headers).status == 200
    assert sqlite(server.database, "VACUUM").returncode == 0
    assert server.request("GET", PATH, headers=headers).status == 200
    assert server.request("GET", PATH).status == 401
    assert keys("revoke", "a").returncode == 0
    assert server.request("GET", PATH, headers=headers).status == 401
