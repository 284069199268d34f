"""What is sent: each workload as templates of requests, and what it is compared with.

load.lua puts a random line of a file for {id}, and a new value of 20 characters for {value}. A line
may also be a path under that of the conversations.
"""

import json
from dataclasses import dataclass

from build import stored_value

CONVERSATION = "/v1/conversations/{id}"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: str = ""
    # How many of 100 requests are like this one.
    share: int = 100

    def text(self, server):
        """What a client sends to this server, with the placeholders in it."""
        fields = {"Host": server.origin.removeprefix("http://"), **server.headers}
        if self.body:
            length = len(self.body.replace("{value}", 20 * "x"))
            fields |= {"Content-Type": "application/json", "Content-Length": length}
        lines = [f"{self.method} {self.path} HTTP/1.1",
                 *(f"{name}: {value}" for name, value in fields.items()), "", self.body]
        return "\r\n".join(lines)


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    requests: list
    # How many pairs each conversation has, key01, key02, …; None: those of scripts/generate.
    pairs: int | None = 4
    # What it is compared with: bare_http, or what bare_sqlite does.
    baseline: str | None = None
    # How many of the pairs get another value, or how many items are added.
    changed: int = 0
    # Which things of the conversations with items are asked for; see servers.ITEM_LINES.
    items: str | None = None
    # The same with other lines, in turn with it: what each is called, and its lines.
    variants: tuple = ()


def metadata(pairs, changed):
    values = {f"key{pair:02}": "{value}" if pair <= changed else stored_value(pair)
              for pair in range(1, pairs + 1)}
    return json.dumps({"metadata": values}, separators=(",", ":"))


def update(name, title, pairs, changed):
    request = Request("POST", CONVERSATION, metadata(pairs, changed))
    return Workload(name, title, [request], pairs, "update", changed)


# In the conversations that have items.
MANY_ITEMS, FEW_ITEMS = 100_000, 100


def message(role, kind):
    """An item of 1 KB as it is stored."""
    frame = {"type": "message", "role": role, "content": [{"type": kind, "text": ""}]}
    frame["content"][0]["text"] = (1024 - len(json.dumps(frame, separators=(",", ":")))) * "x"
    return frame


TWO_ITEMS = json.dumps({"items": [message("user", "input_text"),
                                  message("assistant", "output_text")]}, separators=(",", ":"))


WORKLOADS = [
    Workload("get", "reads a conversation of 4 pairs, each time a random one, as all of them do",
             [Request("GET", CONVERSATION)], baseline="bare_http"),
    update("update-1", "replaces a set of 1 pair, which gets another value", 1, 1),
    update("update-4", "replaces a set of 4 pairs, each of which gets another value", 4, 4),
    update("update-16", "replaces a set of 16 pairs, each of which gets another value", 16, 16),
    update("update-1-of-16", "replaces a set of 16 pairs, one of which gets another value", 16, 1),
    Workload("create", "stores a new conversation with 4 pairs",
             [Request("POST", "/v1/conversations", metadata(4, 4))],
             baseline="create", changed=4),
    Workload("patch", "gives one of 4 pairs another value",
             [Request("PATCH", CONVERSATION, metadata(1, 1))], baseline="update", changed=1),
    Workload("list", "finds the newest 20 of about 50 conversations that have a pair",
             [Request("GET", "/v1/conversations?metadata%5Buser%5D={id}&limit=20")],
             pairs=None, baseline="bare_http"),
    Workload("mixed", "90 % get, 10 % update-4",
             [Request("GET", CONVERSATION, share=90),
              Request("POST", CONVERSATION, metadata(4, 4), share=10)]),
    Workload("items-append", "adds two items of 1 KB to a random conversation",
             [Request("POST", f"{CONVERSATION}/items", TWO_ITEMS)],
             baseline="append", changed=2),
    Workload("items-page", f"reads 20 of the {FEW_ITEMS} items of a conversation, of 1 KB each, "
             f"from the middle on, or of {MANY_ITEMS:,} items",
             [Request("GET", CONVERSATION)], items="few",
             variants=(("start", "first"), ("middle", "middle"), ("end", "last"))),
    Workload("items-get", "reads an item of 1 KB, each time a random one; or a conversation of 4 "
             "pairs", [Request("GET", CONVERSATION)], items="item",
             variants=(("conversation", "conversation"),)),
]
BY_NAME = {workload.name: workload for workload in WORKLOADS}
