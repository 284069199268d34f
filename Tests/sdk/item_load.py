"""Concurrent clients on the items of few conversations, who write down what they heard."""

import json

from linearizability import Operation
from register_load import PATH, Client, Places

# How often a client does what, of a thousand. More is removed than added, as far as it is there: so
# the lists stay short, and the order of appends that ran at once is soon seen.
KINDS = {"append": 180, "remove": 300, "list": 400, "item": 116, "delete": 4}
ITEMS_MAX = 2
WHOLE = 0.7
LIMIT = 100


class ItemPlaces(Places):
    """The few conversations that the clients meet at, each without items at first."""

    def create(self):
        answer = self.server.request("POST", PATH)
        assert answer.status == 200
        id = answer.json()["id"]
        self.history.initial[id] = ()
        self.history.operations[id] = []
        return id


class ItemClient(Client):
    """One client. `known` has, by conversation, the ids that it saw last."""

    kinds = KINDS

    def operation(self, id, kind):
        """What to do to a conversation: for the history, and for the server."""
        path = f"{PATH}/{id}/items"
        if kind == "append":
            # Ids of the client's own, so that they are known also when the answer is lost.
            ids = tuple(f"msg_{next(self.history.numbers)}"
                        for _ in range(self.random.randint(1, ITEMS_MAX)))
            items = [{"id": each, "role": "user", "content": each} for each in ids]
            return (Operation(kind, 0, sent=ids),
                    ("POST", path, json.dumps({"items": items}),
                     {"Content-Type": "application/json"}))
        if kind == "list":
            order = self.random.choice(["asc", "desc"])
            is_whole = self.random.random() < WHOLE
            limit = LIMIT if is_whole else self.random.randint(1, 5)
            return (Operation(kind, 0, sent=(order, limit)),
                    ("GET", f"{path}?order={order}&limit={limit}"))
        if kind == "delete":
            return Operation(kind, 0), ("DELETE", f"{PATH}/{id}")
        item = self.random.choice(self.known.get(id) or ["msg_never"])
        method = {"item": "GET", "remove": "DELETE"}[kind]
        return Operation(kind, 0, sent=item), (method, f"{path}/{item}")

    def heard(self, id, operation, answer):
        if answer.status == 404 and answer.error["message"].startswith("Item "):
            self.history.operations[id].append(
                operation._replace(status=404, found=operation.sent))
            return
        super().heard(id, operation, answer)

    def found(self, id, operation, answer):
        if answer.status != 200 or operation.kind in ("delete", "remove"):
            return None
        if operation.kind == "item":
            return answer.json()["id"]
        ids = tuple(each["id"] for each in answer.json()["data"])
        # Each item says what it is.
        assert all(each["content"][0]["text"] == each["id"] for each in answer.json()["data"])
        if operation.kind == "append":
            return ids
        self.known[id] = ids
        return ids, answer.json()["has_more"]
