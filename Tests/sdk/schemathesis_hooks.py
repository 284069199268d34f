"""What is right and what is wrong where a schema cannot say it, so that schemathesis reports neither
the limits that hold across parameters, nor a wrong value that is right as text in a query."""

import re
from collections import Counter, defaultdict
from urllib.parse import parse_qsl, urlsplit

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

LIST = "/v1/conversations"
CONDITIONS_MAX = 16
VALUES_MAX = 16
KEY = re.compile(r"[^\0]{0,64}", re.DOTALL)
VALUE = re.compile(r"[^\0]{0,512}", re.DOTALL)
INCLUDED = ["item_count", "last_activity_at"]
BY_ACTIVITY = ("order_by", "last_activity")
PLACE = re.compile(r"conv_[0-9a-f]{48}(\.[0-9a-f]{13})?")
SINGLE = {
    "limit": re.compile("0*([1-9][0-9]?|100)"), "order": re.compile("asc|desc"),
    "order_by": re.compile("created_at|last_activity"),
    **dict.fromkeys(["after", "before"], re.compile("conv_[0-9a-f]{48}")),
    **{f"created_at[{bound}]": re.compile("-?[0-9]+") for bound in ("gte", "gt", "lte", "lt")},
}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Keeps the failures that are the service's."""
    if case.path == LIST and case.method in ("GET", "HEAD"):
        # What matters is the query as sent: `true` or a list of one is text there.
        if isinstance(failure, AcceptedNegativeData):
            return bool(faults(response.request.url))
        if isinstance(failure, RejectedPositiveData):
            # Also a place with a moment, if the order is that of creation.
            return not faults(response.request.url) & {"conditions", "after", "before"}
    if case.method == "POST" and isinstance(failure, RejectedPositiveData):
        # The rules of the thirty types of items are not in the schema.
        return not (response.json()["error"]["param"] or "").startswith("item")
    if case.method == "PATCH" and isinstance(failure, RejectedPositiveData):
        # The stored pairs and those of the patch are too many together.
        return (response.status_code != 400
                or response.json()["error"]["code"] != "object_above_max_properties")
    return True


def faults(url):
    """The parameters of a list's query that break a rule, and "conditions" if there are too many."""
    found = set()
    conditions = set()
    values = defaultdict(set)
    given = Counter()
    parameters = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    for name, value in parameters:
        given[name] += 1
        if name == "include[]":
            is_right = value in INCLUDED
        elif name in ("after", "before") and BY_ACTIVITY in parameters:
            is_right = PLACE.fullmatch(value) and given[name] == 1
        elif name in SINGLE:
            is_right = SINGLE[name].fullmatch(value) and given[name] == 1
        elif name in ("metadata_exists[]", "metadata_absent[]"):
            conditions.add((name, value))
            is_right = KEY.fullmatch(value)
        elif name.startswith("metadata[") and name.endswith("]") and name != "metadata[]":
            key = name.removeprefix("metadata[")[:-3 if name.endswith("][]") else -1]
            conditions.add(("metadata", key))
            values[key].add(value)
            is_right = (KEY.fullmatch(key) and VALUE.fullmatch(value)
                        and len(values[key]) <= VALUES_MAX)
        else:
            is_right = False
        if not is_right:
            found.add(name)
    return found | ({"conditions"} if len(conditions) > CONDITIONS_MAX else set())
