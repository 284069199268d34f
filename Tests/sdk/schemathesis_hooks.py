"""What is right and what is wrong where a schema cannot say it, so that schemathesis reports neither
the limits that hold across parameters, nor a wrong value that is right as text in a query."""

import re
from collections import Counter, defaultdict
from urllib.parse import parse_qsl, urlsplit

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

LIST = "/v1/conversations"
KEYS, VALUES, COUNT = f"{LIST}/metadata_keys", f"{LIST}/metadata_values", f"{LIST}/count"
EXPORT = "/v1/export"
HISTORY = "/v1/conversations/{conversation_id}/metadata_history"
CONDITIONS_MAX = 16
VALUES_MAX = 16
KEY = re.compile(r"[^\0]{0,64}", re.DOTALL)
VALUE = re.compile(r"[^\0]{0,512}", re.DOTALL)
INCLUDED = ["item_count", "last_activity_at"]
BY_ACTIVITY = ("order_by", "last_activity")
PLACE = re.compile(r"conv_[0-9a-f]{48}(\.[0-9a-f]{13})?")
TIMES = {f"created_at[{bound}]": re.compile("-?[0-9]+") for bound in ("gte", "gt", "lte", "lt")}
UP_TO = re.compile("-?0*|0*([1-9][0-9]{0,3}|10000)")
# The parameters that may be there once, by path.
SINGLE = {
    LIST: {
        "limit": re.compile("0*([1-9][0-9]?|100)"), "order": re.compile("asc|desc"),
        "order_by": re.compile("created_at|last_activity"),
        **dict.fromkeys(["after", "before"], re.compile("conv_[0-9a-f]{48}")), **TIMES},
    EXPORT: {"after": re.compile(r"conv_[0-9a-f]{48}(\.[1-9][0-9]{0,17})?"), **TIMES},
    HISTORY: {
        "limit": re.compile("0*([1-9][0-9]?|100)"), "order": re.compile("asc|desc"),
        "after": re.compile("0|[1-9][0-9]{0,14}|[1-8][0-9]{15}")},
    COUNT: {"up_to": re.compile("0*([1-9][0-9]{0,5}|1000000)"), **TIMES},
    KEYS: {
        "prefix": KEY, "after": KEY, "limit": re.compile("0*([1-9][0-9]?|[1-4][0-9]{2}|500)"),
        "up_to": UP_TO},
    VALUES: {
        "key": KEY, "prefix": VALUE, "after": VALUE, "limit": re.compile("0*([1-9][0-9]?|100)"),
        "up_to": UP_TO},
}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Keeps the failures that are the service's."""
    if case.path in SINGLE and case.method in ("GET", "HEAD"):
        # What matters is the query as sent: `true` or a list of one is text there.
        if isinstance(failure, AcceptedNegativeData):
            return bool(faults(case.path, response.request.url))
        if isinstance(failure, RejectedPositiveData):
            # Also a place with a moment, if the order is that of creation.
            return not faults(case.path, response.request.url) & {"conditions", "after", "before"}
    if case.path == "/v1/api_keys/{name}" and isinstance(failure, RejectedPositiveData):
        # It has found the name of an admin key, which is not revoked over HTTP.
        return response.status_code != 403
    if case.path == "/v1/api_keys" and isinstance(failure, RejectedPositiveData):
        # A key has the name, or the time is not in the next century.
        error = response.json()["error"]
        return error["code"] != "name_taken" and error["param"] != "expires_at"
    if case.method == "POST" and isinstance(failure, RejectedPositiveData):
        # The rules of the thirty types of items are not in the schema.
        return not (response.json()["error"]["param"] or "").startswith("item")
    if case.method == "PATCH" and isinstance(failure, RejectedPositiveData):
        # The stored pairs and those of the patch are too many together.
        return (response.status_code != 400
                or response.json()["error"]["code"] != "object_above_max_properties")
    return True


def faults(path, url):
    """The parameters of a query that break a rule, and "conditions" if there are too many."""
    single = SINGLE[path]
    found = set()
    conditions = set()
    values = defaultdict(set)
    given = Counter()
    parameters = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    for name, value in parameters:
        given[name] += 1
        if path == LIST and name == "include[]":
            is_right = value in INCLUDED
        elif path == LIST and name in ("after", "before") and BY_ACTIVITY in parameters:
            is_right = PLACE.fullmatch(value) and given[name] == 1
        elif name in single:
            is_right = single[name].fullmatch(value) and given[name] == 1
        elif path in (KEYS, VALUES, HISTORY):
            is_right = False
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
    if path == VALUES and not given["key"]:
        found.add("key")
    return found | ({"conditions"} if len(conditions) > CONDITIONS_MAX else set())
