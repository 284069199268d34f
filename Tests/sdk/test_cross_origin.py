"""Web pages of other origins, as browsers send their requests."""

import json
from contextlib import closing

import pytest

from conftest import bearer, read_answer

PATH = "/v1/conversations"
APP, TOOL = "https://app.example.com", "http://tool.internal:3000"
SETTING = "CONVERSATIOND_HTTP_CORS_ORIGINS"
# What a browser asks before it sends JSON with a key.
PREFLIGHT = {"Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os"}


@pytest.fixture
def key(make_key):
    """The fields of a request with a key."""
    return bearer(make_key())


def cross_origin_fields(answer):
    return {name.lower(): value for name, value in answer.headers.items()
            if name.lower().startswith("access-control-") or name.lower() == "vary"}


def ask(server, origin, path=PATH):
    return server.request("OPTIONS", path, headers={"Origin": origin, **PREFLIGHT})


# Off by default


def test_without_the_setting_no_page_is_told_anything(start, key):
    server = start()
    for method, path, headers, status in [
            ("GET", PATH, key, 200), ("GET", PATH, {}, 401), ("GET", "/healthz", {}, 200),
            ("GET", "/nope", key, 404), ("OPTIONS", PATH, {**key, **PREFLIGHT}, 405),
            ("OPTIONS", "/healthz", PREFLIGHT, 405), ("OPTIONS", PATH, PREFLIGHT, 401)]:
        answer = server.request(method, path, headers={"Origin": APP, **headers})
        assert answer.status == status
        assert cross_origin_fields(answer) == {}
        if status == 405:
            assert answer.headers["allow"].startswith("GET, HEAD")


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_without_keys_a_page_of_another_origin_is_refused(server, method):
    answer = server.request(method, PATH, headers={"Origin": APP, **PREFLIGHT})
    assert (answer.status, answer.error["code"]) == (403, "origin_not_allowed")
    assert cross_origin_fields(answer) == {}


# The allow-list


@pytest.fixture(params=["environment", "file"])
def server_for_two(request, start, key, tmp_path):
    """A server with two origins on its list."""
    origins = f"{APP} {TOOL}"
    if request.param == "environment":
        return start(environment={SETTING: origins})
    (tmp_path / "settings.yaml").write_text(f"http:\n  cors_origins: {origins}\n", "utf-8")
    return start("--config", str(tmp_path / "settings.yaml"))


def test_pages_on_the_list_are_answered_and_others_told_nothing(server_for_two, key):
    for origin in (APP, TOOL):
        assert ask(server_for_two, origin).status == 204
        answer = server_for_two.request("GET", PATH, headers={"Origin": origin, **key})
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == origin
    for origin in ("https://evil.example.com", f"{APP}.evil.com", f"{APP}:8443", APP.upper(),
                   "http://app.example.com", f"{APP} {TOOL}", f"{APP}/", "null", ""):
        assert ask(server_for_two, origin).status == 401
        answer = server_for_two.request("GET", PATH, headers={"Origin": origin, **key})
        # The server answers, and the browser keeps the answer from the page.
        assert answer.status == 200
        assert cross_origin_fields(answer) == {"vary": "Origin"}


def test_a_browser_comes_through(start, key):
    server = start(environment={SETTING: APP})
    # On one connection, as browsers do: an answer without content must not have a length that
    # the next answer does not begin after.
    with closing(server.connection()) as connection:
        def send(method, path, body=None, headers=()):
            connection.request(method, path, body, {"Origin": APP, **dict(headers)})
            return read_answer(connection)

        answer = send("OPTIONS", PATH, None, PREFLIGHT)
        socket = connection.sock
        # Without a key: browsers send none with this question.
        assert (answer.status, answer.body) == (204, b"")
        assert "content-type" not in answer.headers
        fields = cross_origin_fields(answer)
        assert fields["access-control-allow-origin"] == APP
        assert "POST" in fields["access-control-allow-methods"].split(", ")
        assert fields["access-control-allow-headers"] == PREFLIGHT["Access-Control-Request-Headers"]
        assert int(fields["access-control-max-age"]) > 0
        assert "access-control-allow-credentials" not in fields

        answer = send("POST", PATH, json.dumps({"metadata": {"a": "1"}}), key)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, APP)
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert {"etag", "x-request-id", "retry-after-ms"} <= set(exposed)
        path = f"{PATH}/{answer.json()['id']}"
        answer = send("GET", path, None, {**key, "If-None-Match": answer.headers["etag"]})
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (304, APP)
        answer = send("GET", path)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, APP)
        assert connection.sock is socket


def test_without_keys_a_page_on_the_list_is_served(start):
    server = start(environment={SETTING: APP})
    assert ask(server, APP).status == 204
    assert server.request("POST", PATH, {}, {"Origin": APP}).status == 200
    assert server.request("POST", PATH, {}, {"Origin": "https://example.com"}).status == 403
    # A name of the page's own for this machine is no way in, whatever the list says.
    answer = server.request("GET", PATH, headers={"Origin": APP, "Host": "app.example.com"})
    assert (answer.status, answer.error["code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize("origins", [
    "http://localhost:5173", "https://[2001:db8::1]:8443", "http://192.0.2.1", f"  {APP}   {TOOL} ",
    "https://xn--bcher-kva.example", "http://build_server:3000 https://_a.b_.example",
    "https://x:80 http://x:443 https://x:8443 http://x:8080 https://[::443] http://[::80]"])
def test_origins_as_browsers_write_them_are_taken(start, origins):
    server = start(environment={SETTING: origins})
    for origin in origins.split():
        assert ask(server, origin).status == 204


@pytest.mark.parametrize("origin", [
    "example.com", "https://x/", "HTTPS://X", "https://X", "https://x/path", "https://x?", "*",
    "https://*.example.com", "null", "https://", "https://x:", "https://x:port", "ftp://x",
    "https://user@x", "https://x,https://y", "https://x;", "//x", "https:/x", "https://bücher.de",
    "chrome-extension://x y",
    # Browsers leave these ports out.
    "https://x:443", "http://x:80", "https://[::1]:443", "http://[::1]:80"])
def test_what_is_no_origin_is_refused_at_the_start(refused, tmp_path, origin):
    line = refused("serve", "--port", "0", environment={SETTING: f"{APP} {origin}"})
    assert "http.cors_origins" in line and f"'{origin.split()[0]}'" in line
    assert list(tmp_path.iterdir()) == []
