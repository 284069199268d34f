"""The keys and values of metadata, counts, and what a key is, as people ask for them with the official
SDK, curl and a browser."""

import random
import subprocess

import pytest
from openai import BadRequestError, NotFoundError

from conftest import ANSWER_SECONDS, bearer, clean_environment
from test_sdk_strings import STRINGS

LIST = "/conversations"
KEYS, VALUES, COUNT = f"{LIST}/metadata_keys", f"{LIST}/metadata_values", f"{LIST}/count"


def ask(client, path, **params):
    return client.get(path, cast_to=object, options={"params": params})


def texts(page):
    return [facet.get("key", facet.get("value")) for facet in page["data"]]


def walk(client, path, **params):
    """All keys or values, page by page, as a client that shows them."""
    found = []
    while True:
        page = ask(client, path, **params)
        assert list(page) == ["object", "data", "has_more"]
        found += texts(page)
        if not page["has_more"]:
            return found
        params["after"] = found[-1]


@pytest.fixture
def sets(client):
    """Conversations with random metadata, and their metadata."""
    source = random.Random(9)
    sets = []
    for _ in range(40):
        keys = source.sample(["", "a", "ab", "b", "topic", "user", "\u00e9", "e\u0301"],
                             source.randint(0, 5))
        sets.append({key: source.choice(["", "1", "10", "2", "x y", "\U0001f600"]) for key in keys})
        client.conversations.create(metadata=sets[-1])
    return sets


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_pages_of_keys_and_values_have_each_once_in_order(client, sets, limit):
    # Python compares strings by code point.
    keys = sorted({key for each in sets for key in each})
    assert walk(client, KEYS, limit=limit) == keys
    for prefix in ("", "a", "e"):
        assert walk(client, KEYS, limit=limit, prefix=prefix) == [
            key for key in keys if key.startswith(prefix)]
    for key in [*keys, "nobody's"]:
        values = sorted({each[key] for each in sets if key in each})
        assert walk(client, VALUES, limit=limit, key=key) == values
        assert walk(client, VALUES, limit=limit, key=key, prefix="1") == [
            value for value in values if value.startswith("1")]


@pytest.mark.parametrize("up_to", [1, 5, 1000])
def test_counts_are_those_of_the_conversations(client, sets, up_to):
    def expected(have):
        return min(have, up_to), have <= up_to

    keys = ask(client, KEYS, up_to=up_to)["data"]
    assert len(keys) == len({key for each in sets for key in each})
    for facet in keys:
        have = sum(facet["key"] in each for each in sets)
        assert (facet["count"], facet["is_exact"]) == expected(have)
        for value in ask(client, VALUES, key=facet["key"], up_to=up_to)["data"]:
            have = sum(each.get(facet["key"]) == value["value"] for each in sets)
            assert (value["count"], value["is_exact"]) == expected(have)
            # What a click on it filters by; the empty key is written `metadata[][]`.
            answer = ask(client, COUNT, up_to=up_to,
                         **{f"metadata[{facet['key']}][]": value["value"]})
            assert (answer["count"], answer["is_exact"]) == expected(have)


@pytest.mark.parametrize("text", STRINGS)
def test_any_text_is_listed_as_it_is(client, text):
    key, value = text[:64], text[:512]
    client.conversations.create(metadata={key: value})
    assert texts(ask(client, KEYS)) == [key]
    assert texts(ask(client, VALUES, key=key)) == [value]
    assert ask(client, KEYS, after=key)["data"] == []
    assert texts(ask(client, VALUES, key=key, prefix=value)) == [value]


def test_what_is_deleted_or_replaced_is_not_listed_any_more(client):
    first = client.conversations.create(metadata={"a": "1", "b": "1"})
    client.conversations.create(metadata={"a": "2"})
    client.conversations.update(first.id, metadata={"a": "3"})
    assert texts(ask(client, KEYS)) == ["a"]
    assert texts(ask(client, VALUES, key="a")) == ["2", "3"]
    client.conversations.delete(first.id)
    assert texts(ask(client, VALUES, key="a")) == ["2"]


def test_errors_name_the_parameter(client):
    for path, params, param, code in [
            (KEYS, {"limit": 501}, "limit", "integer_above_max_value"),
            (KEYS, {"order": "asc"}, "order", "unknown_parameter"),
            (VALUES, {}, "key", "missing_required_parameter"),
            (VALUES, {"key": "k", "limit": 0}, "limit", "integer_below_min_value"),
            (COUNT, {"limit": 1}, "limit", "unknown_parameter"),
            (COUNT, {"up_to": 1_000_001}, "up_to", "integer_above_max_value")]:
        with pytest.raises(BadRequestError) as caught:
            ask(client, path, **params)
        assert (caught.value.param, caught.value.code) == (param, code)


def test_the_paths_are_not_those_of_conversations(client):
    for name in ("metadata_keys", "metadata_values", "count"):
        with pytest.raises(NotFoundError):
            client.conversations.items.list(name)
    with pytest.raises(BadRequestError):
        client.conversations.retrieve("metadata_values")


def test_curl_gets_what_the_contract_says(server):
    server.request("POST", "/v1/conversations", {"metadata": {"topic": "demo"}})

    def curl(path, *parameters):
        options = [option for each in parameters for option in ("--data-urlencode", each)]
        return subprocess.run(
            ["curl", "-sG", f"{server.url}/v1{path}", *options], env=clean_environment(),
            capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True).stdout

    assert curl(KEYS, "prefix=t", "up_to=5") == (
        '{"object":"list","data":[{"object":"conversation.metadata_key","key":"topic","count":1,'
        '"is_exact":true}],"has_more":false}')
    assert curl(VALUES, "key=topic") == (
        '{"object":"list","data":[{"object":"conversation.metadata_value","value":"demo",'
        '"count":null,"is_exact":null}],"has_more":false}')
    assert curl(COUNT, "metadata[topic]=demo") == (
        '{"object":"conversation.count","count":1,"is_exact":true}')
    assert curl("/me") == (
        '{"object":"api_key","name":null,"project":"default","rights":"read_write","admin":false,'
        '"redacted_value":null,"created_at":null,"expires_at":null}')


def test_a_key_is_told_what_it_is(server, make_key, keys):
    reader = make_key("reader", "--project", "sales", "--read-only", "--expires", "90d")
    with server.client(api_key=reader) as client:
        me = client.get("/me", cast_to=object)
    assert me["expires_at"] - me["created_at"] == 90 * 86_400
    del me["expires_at"], me["created_at"]
    assert me == {
        "object": "api_key", "name": "reader", "project": "sales", "rights": "read_only",
        "admin": False, "redacted_value": f"{reader[:7]}..."}
    assert keys("revoke", "reader").returncode == 0
    answer = server.request("GET", "/v1/me", headers=bearer(reader))
    assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
