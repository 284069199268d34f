"""The list of conversations, as people ask for it with the official SDK, curl and a browser."""

import asyncio
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from urllib.parse import quote, quote_plus

import pytest
from openai import BadRequestError
from openai.pagination import (
    AsyncConversationCursorPage, AsyncCursorPage, SyncConversationCursorPage, SyncCursorPage)
from openai.types.conversations import Conversation

from test_sdk_strings import STRINGS

PATH = "/conversations"


def create(server, sets):
    """Creates conversations one after another, on one connection of the SDK."""
    with server.client() as client:
        return [client.conversations.create(metadata=metadata) for metadata in sets]


def ask(client, **params):
    return client.get(PATH, cast_to=object, options={"params": params})


def ids(conversations):
    return [conversation.id for conversation in conversations]


def listed(answer):
    return [conversation["id"] for conversation in answer["data"]]


# The answer


def test_the_list_has_whole_conversations_newest_first(server):
    oldest, *_, newest = created = create(server, [{"n": str(n)} for n in range(3)])
    answer = server.request("GET", "/v1/conversations")
    assert answer.headers["content-type"] == "application/json"
    data = ",".join(
        f'{{"id":"{each.id}","object":"conversation","created_at":{each.created_at},'
        f'"metadata":{{"n":"{each.metadata["n"]}"}}}}' for each in reversed(created))
    assert answer.body.decode() == (
        f'{{"object":"list","data":[{data}],"first_id":"{newest.id}","has_more":false,'
        f'"last_id":"{oldest.id}"}}')


def test_the_list_of_nothing_is_empty(client):
    assert list(ask(client).items()) == [
        ("object", "list"), ("data", []), ("first_id", None), ("has_more", False),
        ("last_id", None)]


SETS = [
    {"user": "u1"}, {"user": "u2", "topic": "a"}, {"user": "u1", "topic": "a"}, {},
    {"user": "u3", "topic": "b"}, {"topic": "a"}]
QUERIES = [
    ({}, [5, 4, 3, 2, 1, 0]),
    ({"order": "asc"}, [0, 1, 2, 3, 4, 5]),
    ({"metadata": {"user": "u1"}}, [2, 0]),
    ({"metadata": {"user": "u1", "topic": "a"}}, [2]),
    ({"metadata": {"topic": "a", "user": "u1"}}, [2]),
    ({"metadata": {"user": ["u1", "u3"]}}, [4, 2, 0]),
    ({"metadata": {"user": ["u3", "u1"]}, "order": "asc"}, [0, 2, 4]),
    ({"metadata": {"user": ["u1", "u2"], "topic": ["a", "b"]}}, [2, 1]),
    ({"metadata": {"user": "u"}}, []),
    ({"metadata": {"user": ["u1", "nobody"], "topic": "b"}}, []),
    ({"metadata_exists": ["user"]}, [4, 2, 1, 0]),
    ({"metadata_exists": ["user", "topic"]}, [4, 2, 1]),
    ({"metadata_absent": ["user"]}, [5, 3]),
    ({"metadata_absent": ["user", "topic"], "order": "asc"}, [3]),
    ({"metadata_exists": ["topic"], "metadata_absent": ["user"]}, [5]),
    ({"metadata": {"topic": "a"}, "metadata_absent": ["user"]}, [5]),
    ({"metadata_exists": ["user"], "metadata_absent": ["user"]}, []),
    ({"limit": 2}, [5, 4]),
    ({"limit": 2, "order": "asc", "metadata_exists": ["topic"]}, [1, 2]),
    ({"created_at": {"gte": 0, "lt": 4294967296}}, [5, 4, 3, 2, 1, 0]),
    ({"created_at": {"gt": 4294967295}}, []),
    ({"created_at": {"lte": 0}}, []),
]


def test_each_query_finds_what_it_asks_for_and_nothing_else(server, client):
    created = ids(create(server, SETS))
    for params, expected in QUERIES:
        answer = ask(client, **params)
        assert [created.index(id) for id in listed(answer)] == expected, params
        everything = len(ask(client, **{**params, "limit": 100})["data"])
        assert answer["has_more"] == (len(expected) < everything), params


def test_a_cursor_is_a_position_on_both_sides(server, client):
    created = ids(create(server, [{} for _ in range(6)]))
    client.conversations.delete(created[3])
    for params, expected, has_more in [
            ({"after": created[3]}, [2, 1, 0], False),
            ({"after": created[3], "order": "asc", "limit": 1}, [4], True),
            ({"before": created[3]}, [5, 4], False),
            ({"before": created[3], "limit": 1}, [4], True),
            ({"before": created[3], "order": "asc", "limit": 2}, [1, 2], True),
            ({"after": created[5], "before": created[1], "limit": 2}, [4, 2], False),
            ({"after": created[1], "before": created[5]}, [], False)]:
        answer = ask(client, **params)
        assert [created.index(id) for id in listed(answer)] == expected, params
        assert answer["has_more"] == has_more, params


REFUSED = [
    ({"colour": "red"}, "unknown_parameter", "colour"),
    ({"metadata": "u1"}, "unknown_parameter", "metadata"),
    ({"limit": 1000}, "integer_above_max_value", "limit"),
    ({"limit": 0}, "integer_below_min_value", "limit"),
    ({"limit": "x"}, "invalid_type", "limit"),
    ({"order": "up"}, "invalid_value", "order"),
    ({"after": "conv_1"}, "invalid_value", "after"),
    ({"created_at": {"gte": 1.5}}, "invalid_type", "created_at[gte]"),
    ({"metadata": {65 * "k": "v"}}, "property_name_above_max_length", f"metadata.{65 * 'k'}"),
    ({"metadata": {"k": 513 * "v"}}, "string_above_max_length", "metadata.k"),
    ({"metadata": {f"k{n}": "v" for n in range(17)}}, "object_above_max_properties", "metadata"),
    ({"metadata": {"k": [f"v{n}" for n in range(17)]}}, "array_above_max_length", "metadata.k"),
]


def test_what_a_query_cannot_be_is_a_bad_request_error(client):
    for params, code, param in REFUSED:
        with pytest.raises(BadRequestError) as caught:
            ask(client, **params)
        assert (caught.value.code, caught.value.param) == (code, param), params


def test_the_longest_query_is_taken(server, client):
    sets = [{f"{n:064}": 512 * "v" for n in range(16)}, {}]
    found = ids(create(server, sets))[:1]
    assert listed(ask(client, metadata={key: "v" for key in sets[0]})) == []
    assert listed(ask(client, metadata_exists=list(sets[0]))) == found
    values = [f"{n:03}" for n in range(15)] + [512 * "v"]
    assert listed(ask(client, metadata={f"{7:064}": values})) == found


# Keys and values of every kind


def form(text):
    """What a browser's URLSearchParams makes of it
    (https://url.spec.whatwg.org/#application-x-www-form-urlencoded-percent-encode-set)."""
    return quote_plus(text, safe="*").replace("~", "%7E")


ENCODINGS = {
    "URLSearchParams": lambda key, value: f"{form(f'metadata[{key}]')}={form(value)}",
    "encodeURIComponent": lambda key, value: "=".join(
        quote(text, safe="!'()*") for text in (f"metadata[{key}]", value)),
    # curl encodes the value; the name stands as people have written it.
    "curl -G --data-urlencode": lambda key, value: re.sub(
        "%..", lambda byte: byte[0].lower(),
        f"metadata[{quote(key, safe='')}]={quote_plus(value, safe='')}"),
    "every byte": lambda key, value: "=".join(
        "".join(f"%{byte:02x}" for byte in text.encode()) for text in (f"metadata[{key}]", value)),
    "a list": lambda key, value: f"{form(f'metadata[{key}][]')}={form(value)}",
}

TEXTS = [*STRINGS.values(), "+", "a+b", "a%20b", "%", "%2B", "&a=b", "a=b", "=", ";", "#", "?",
         "[", "]", "[]", "][", "a[]", "a][", "a][b", "metadata[a]", "\r\n", "a\n", " a ",
         "*-._~", "!'()", "\u0301", "\u0301a", "a\u0600", "\u200d", "\ufe0f", "a\u0301"]


def is_list_alone(key):
    """Whether the brackets of the name would be taken for those of a list: `metadata[]`,
    `metadata[a][]`. Such a key is only found with the list's brackets after its own."""
    return f"[{key}]".endswith("[]")


@pytest.fixture
def odd(server):
    """Ids by text; each conversation has its text as a key and as a value."""
    return dict(zip(TEXTS, ids(create(server, [{text: text} for text in TEXTS])), strict=True))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_key_and_value_is_found_however_it_is_encoded(server, odd, encoding):
    for text, id in odd.items():
        if is_list_alone(text) and encoding != "a list":
            continue
        answer = server.request("GET", f"/v1/conversations?{ENCODINGS[encoding](text, text)}")
        assert answer.status == 200, (text, answer.body)
        assert listed(answer.json()) == [id], text


def test_every_key_and_value_is_found_by_the_sdk(client, odd):
    for text, id in odd.items():
        assert listed(ask(client, metadata={text: [text]})) == [id], text
        assert listed(ask(client, metadata_exists=[text])) == [id], text
        assert id not in listed(ask(client, metadata_absent=[text], limit=100)), text
        if not is_list_alone(text):
            assert listed(ask(client, metadata={text: text})) == [id], text


def test_both_spellings_of_a_letter_are_two_keys_and_two_values(server, client):
    one, two = "\u00e9", "e\u0301"
    first, second, both = ids(create(server, [{one: one}, {two: two}, {one: two, two: one}]))
    for metadata, expected in [
            ({one: one}, [first]), ({two: two}, [second]), ({one: [one, two]}, [both, first]),
            ({one: two, two: one}, [both]), ({one: one, two: two}, [])]:
        assert listed(ask(client, metadata=metadata)) == expected, ascii(metadata)


# Pages


PAGED = 250


@pytest.fixture
def many(server):
    """The ids of conversations enough for several pages, every second of which is marked."""
    return ids(create(server, [{"mark": "yes"} if n % 2 else {} for n in range(PAGED)]))


@pytest.mark.parametrize("page", [SyncCursorPage, SyncConversationCursorPage])
def test_the_sdk_goes_through_all_pages_by_itself(server, client, many, page):
    for params, expected, pages in [
            ({}, many[::-1], 13), ({"limit": 100, "order": "asc"}, many, 3),
            ({"limit": 50, "metadata": {"mark": "yes"}}, many[::-1][::2], 3),
            ({"limit": 25, "metadata_absent": ["mark"], "order": "asc"}, many[::2], 5)]:
        before = server.log().count("method=GET")
        found = list(client.get_api_list(
            PATH, model=Conversation, page=page[Conversation], options={"params": params}))
        assert ids(found) == expected
        assert found[0].metadata in ({}, {"mark": "yes"})
        assert server.log().count("method=GET") - before == pages


@pytest.mark.parametrize("page", [AsyncCursorPage, AsyncConversationCursorPage])
def test_the_asynchronous_sdk_goes_through_all_pages_by_itself(server, many, page):
    async def walk(**params):
        async with server.async_client() as client:
            pages = client.get_api_list(PATH, model=Conversation, page=page[Conversation],
                                        options={"params": params})
            return [conversation.id async for conversation in pages]

    assert asyncio.run(walk()) == many[::-1]
    assert asyncio.run(walk(limit=30, order="asc", metadata={"mark": "yes"})) == many[1::2]


def test_many_queries_at_once_are_each_answered_with_their_own(server):
    expected = ids(create(server, [{"n": str(n)} for n in range(50)]))

    async def ask_all():
        async with server.async_client() as client:
            return await asyncio.gather(*(
                client.get(PATH, cast_to=object, options={"params": {"metadata": {"n": str(n)}}})
                for n in range(50)))

    assert [listed(answer) for answer in asyncio.run(ask_all())] == [[id] for id in expected]


def churn(server, writes, over, stay):
    """Creates, updates and deletes conversations until it is over; the updates are of those that
    stay too."""
    with server.client() as client:
        for number in count():
            if over.is_set():
                return
            id = client.conversations.create(metadata={"walk": "yes"}).id
            client.conversations.update(stay[number % len(stay)], metadata={
                "walk": "yes", "number": str(number)})
            if number % 2:
                client.conversations.delete(id)
            writes.append(id)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("filters", [{}, {"metadata": {"walk": "yes"}}], ids=["all", "filtered"])
def test_a_walk_sees_all_that_stay_exactly_once_while_others_write(
        server, client, wait_until, order, filters):
    stay = ids(create(server, [{"walk": "yes"} for _ in range(200)]))
    over, writers, writes = threading.Event(), 3, []
    with ThreadPoolExecutor(writers) as pool:
        churning = [
            pool.submit(churn, server, writes, over, stay[n::writers]) for n in range(writers)]
        try:
            for _ in range(3):
                seen = []
                pages = client.get_api_list(
                    PATH, model=Conversation, page=SyncCursorPage[Conversation],
                    options={"params": {"limit": 25, "order": order, **filters}})
                for page in pages.iter_pages():
                    seen += ids(page.data)
                    before = len(writes)
                    wait_until(lambda before=before: len(writes) > before)
                assert len(set(seen)) == len(seen)
                assert seen == sorted(seen, reverse=order == "desc")
                assert set(stay) <= set(seen)
        finally:
            over.set()
    for each in churning:
        each.result()


# Beside the sqlite3 CLI


def insert(id, number="NULL"):
    return (f"INSERT INTO conversations (number, id, created_at) "
            f"VALUES ({number}, '{id}', {int(id[5:13], 16)})")


def test_a_conversation_that_is_inserted_by_hand_is_in_its_place(server, client, sqlite):
    first, gone, last = ids(create(server, [{}, {}, {}]))
    client.conversations.delete(gone)
    newest = f"conv_{int(last[5:13], 16) + 1:08x}{40 * '0'}"
    for sql in (insert(gone, number=2), insert(newest)):
        assert sqlite(server.database, sql).stderr == ""
    assert listed(ask(client)) == [newest, last, gone, first]
    assert listed(ask(client, after=last)) == [gone, first]
    assert listed(ask(client, before=gone, order="asc")) == [first]
    later = client.conversations.create().id
    assert listed(ask(client, limit=2)) == [later, newest]


@pytest.mark.parametrize("number", ["NULL", 2])
def test_a_conversation_can_only_be_inserted_in_its_place(server, client, sqlite, number):
    created = ids(create(server, [{}, {}, {}]))
    client.conversations.delete(created.pop(1))
    result = sqlite(server.database, insert(f"conv_{40 * '0'}00000001", number=number))
    assert result.returncode != 0
    assert "numbered in the order of their ids" in result.stderr
    assert listed(ask(client, order="asc")) == created


def test_a_pair_that_is_changed_by_hand_is_found(server, client, sqlite):
    first, second = ids(create(server, [{"a": "1"}, {"a": "2"}]))
    sqlite(server.database, "UPDATE metadata SET value = '3' WHERE conversation = 1")
    sqlite(server.database, "UPDATE metadata SET key = 'b' WHERE conversation = 2")
    assert listed(ask(client, metadata={"a": "1"})) == []
    assert listed(ask(client, metadata={"a": "3"})) == [first]
    assert listed(ask(client, metadata_exists=["b"])) == [second]
    assert listed(ask(client, metadata_absent=["b"])) == [first]


def test_what_cannot_be_shown_is_left_out_and_named_in_the_log(server, client, sqlite):
    created = ids(create(server, [{"a": str(n)} for n in range(4)]))
    spoiled = created.pop(2)
    sqlite(server.database, "UPDATE metadata SET value = CAST(x'ff' AS TEXT) WHERE value = '2'")
    assert spoiled not in server.log()
    for params, expected in [({}, created[::-1]), ({"metadata_exists": ["a"]}, created[::-1]),
                             ({"limit": 2}, created[:0:-1])]:
        answer = ask(client, **params)
        assert listed(answer) == expected
        assert answer["has_more"] == (len(expected) < len(created))
    for line in (lines := [line for line in server.log().splitlines() if spoiled in line]):
        assert "level=error" in line
    assert len(lines) == 3
