"""The dashboard as a browser loads it. What the page does is tested in Tests/browser."""

import re

import pytest


def paths(server):
    """The page, and all that it and its modules load."""
    page = server.request("GET", "/dashboard").body.decode()
    found = ["/dashboard", *(f"/{path}" for path in re.findall(r'(?:href|src)="(dash[^"]+)"', page))]
    for path in found:
        if path.endswith(".js"):
            text = server.request("GET", path).body.decode()
            folder = path.rpartition("/")[0]
            found += [f"{folder}/{name}" for name in re.findall(r'from "\./([\w.-]+)"', text)
                      if f"{folder}/{name}" not in found]
    return found


def test_all_that_the_page_loads_is_there_without_a_key(server, make_key):
    make_key()
    loaded = paths(server)
    assert len(loaded) > 20
    for path in loaded:
        answer = server.request("GET", path)
        assert answer.status == 200, path
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        kept = "immutable" in answer.headers["Cache-Control"]
        assert kept == (path != "/dashboard")
    assert server.request("GET", "/v1/conversations").status == 401


def test_a_page_that_was_not_changed_is_not_sent_again(server):
    first = server.request("GET", "/dashboard")
    again = server.request("GET", "/dashboard", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    server.restart()
    assert server.request("GET", "/dashboard").headers["ETag"] == first.headers["ETag"]


def test_with_a_slash_it_leads_to_the_page(server):
    answer = server.request("GET", "/dashboard/")
    assert (answer.status, answer.headers["Location"]) == (308, "../dashboard")


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/"])
def test_it_can_be_switched_off(start, path):
    server = start(environment={"CONVERSATIOND_HTTP_DASHBOARD": "false"})
    assert server.request("GET", path).status == 404


def test_it_is_served_over_tls(start, tls):
    server = start(tls=tls)
    assert all(server.request("GET", path).status == 200 for path in paths(server))
