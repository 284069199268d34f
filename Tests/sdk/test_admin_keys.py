"""API keys that are managed over HTTP with an admin key, as a dashboard does it with the official SDK."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from openai import (
    AuthenticationError, BadRequestError, NotFoundError, OpenAI, PermissionDeniedError)

from conftest import bearer

KEYS = "/api_keys"


@pytest.fixture
def admin(server, make_key):
    """A client with the admin key of the project `sales`."""
    with server.client(api_key=make_key("admin", "--admin", "--project", "sales"),
                       max_retries=0) as client:
        yield client


def listed(client):
    return client.get(KEYS, cast_to=object)["data"]


def create(client, name, rights="read_write", **more):
    return client.post(KEYS, cast_to=object, body={"name": name, "rights": rights, **more})


def test_a_key_that_is_made_over_http_is_one_like_any_other(server, admin, list_keys):
    made = create(admin, "crm", expires_at=int(time.time()) + 3600)
    assert (made["project"], made["rights"], made["admin"]) == ("sales", "read_write", False)
    assert made["expires_at"] - made["created_at"] in (3599, 3600)
    with server.client(api_key=made["value"]) as client:
        conversation = client.conversations.create(metadata={"a": "1"})
        assert client.get("/me", cast_to=object)["name"] == "crm"
    assert admin.conversations.retrieve(conversation.id).metadata == {"a": "1"}
    rows = {row["NAME"]: row for row in list_keys()}
    assert rows["crm"]["RIGHTS"] == "read-write" and rows["admin"]["RIGHTS"] == "admin"
    assert rows["crm"]["KEY"] == f"{made['value'][:7]}..." == made["redacted_value"]
    # The secret is told once, and is nowhere on the disk or in the log.
    assert {key["name"]: set(key) - set(made) for key in listed(admin)} == {
        "admin": set(), "crm": set()}
    secret = made["value"].encode()
    for file in server.folder.iterdir():
        assert not file.is_file() or secret not in file.read_bytes(), file


def test_a_key_is_revoked_from_the_next_request_on(server, admin):
    made = create(admin, "crm")
    with server.client(api_key=made["value"], max_retries=0) as client:
        client.conversations.create()
        assert admin.delete(f"{KEYS}/crm", cast_to=object) == {
            "object": "api_key.deleted", "name": "crm", "deleted": True}
        with pytest.raises(AuthenticationError):
            client.conversations.create()
    with pytest.raises(NotFoundError):
        admin.delete(f"{KEYS}/crm", cast_to=object)
    assert [key["name"] for key in listed(admin)] == ["admin"]


def test_keys_that_the_command_makes_and_revokes_are_seen_at_once(admin, make_key, keys):
    make_key("by hand", "--project", "sales", "--read-only")
    make_key("by hand")
    assert [(key["name"], key["rights"]) for key in listed(admin)] == [
        ("admin", "read_write"), ("by hand", "read_only")]
    with pytest.raises(BadRequestError) as caught:
        create(admin, "by hand")
    assert (caught.value.code, caught.value.param) == ("name_taken", "name")
    assert keys("revoke", "by hand", "--project", "sales").returncode == 0
    assert create(admin, "by hand")["name"] == "by hand"


def test_who_is_no_admin_is_told_so(server, admin, make_key):
    create(admin, "crm")
    for options in [(), ("--read-only",)]:
        key = make_key("x".join(options) or "x", "--project", "sales", *options)
        with server.client(api_key=key, max_retries=0) as client:
            for call in (lambda: listed(client), lambda: create(client, "new"),
                         lambda: client.delete(f"{KEYS}/crm", cast_to=object)):
                with pytest.raises(PermissionDeniedError) as caught:
                    call()
                assert caught.value.code == "insufficient_permissions"
    assert "crm" in [key["name"] for key in listed(admin)]


def test_without_any_key_there_is_nothing_to_manage(server):
    for method, path in [("GET", "/v1/api_keys"), ("DELETE", "/v1/api_keys/a")]:
        assert server.request(method, path).status == 403
    body = {"name": "a", "rights": "read_write"}
    assert server.request("POST", "/v1/api_keys", body).status == 403
    assert server.request("GET", "/v1/conversations").status == 200


def test_an_admin_key_is_out_of_reach_of_another(server, admin, make_key):
    make_key("second", "--admin", "--project", "sales")
    for name in ("admin", "second"):
        with pytest.raises(PermissionDeniedError):
            admin.delete(f"{KEYS}/{name}", cast_to=object)
    with pytest.raises(PermissionDeniedError):
        create(admin, "third", admin=True)
    assert [key["name"] for key in listed(admin)] == ["admin", "second"]


def test_keys_are_kept_when_the_server_starts_again(server, admin):
    value = create(admin, "crm")["value"]
    server.restart()
    answer = server.request("GET", "/v1/me", headers=bearer(value))
    assert answer.json()["name"] == "crm"


def test_keys_that_are_made_at_once_have_one_each(server, admin):
    def attempt(number):
        with OpenAI(base_url=f"{server.url}/v1", api_key=admin.api_key, max_retries=0) as client:
            try:
                return create(client, f"key {number % 4}")["value"]
            except BadRequestError as error:
                assert error.code == "name_taken"
                return None

    with ThreadPoolExecutor(8) as pool:
        values = [value for value in pool.map(attempt, range(16)) if value]
    assert len(set(values)) == 4
    assert [key["name"] for key in listed(admin)] == ["admin", *[f"key {n}" for n in range(4)]]
