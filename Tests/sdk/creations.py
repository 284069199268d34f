"""The order of creation, as clients know it and as lists show it."""

from typing import NamedTuple

PATH = "/v1/conversations"


class Creation(NamedTuple):
    """A conversation, and from when to when (monotonic time) its request ran."""

    call: float
    end: float
    id: str


def assert_in_order(creations):
    """No id is there twice, and each sorts after all that were answered before it was asked for."""
    assert len({each.id for each in creations}) == len(creations)
    answered = sorted(creations, key=lambda each: each.end)
    newest, place = "", 0
    for each in sorted(creations, key=lambda each: each.call):
        while answered[place].end < each.call:
            newest = max(newest, answered[place].id)
            place += 1
        assert newest < each.id, (newest, each)


def walk(server, order="asc", limit=100):
    """All conversations, page by page."""
    conversations, after = [], ""
    while True:
        answer = server.request("GET", f"{PATH}?order={order}&limit={limit}{after}")
        assert answer.status == 200
        page = answer.json()
        conversations += page["data"]
        if not page["has_more"]:
            return conversations
        after = f"&after={page['last_id']}"
