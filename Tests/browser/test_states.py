"""What the list says when things are slow, refused, gone or many."""

import json
import subprocess
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from conftest import REPOSITORY, Server, create, sample_metadata
from playwright.sync_api import expect


def answer_with(status, code, message):
    body = {"error": {"message": message, "type": "server_error", "param": None, "code": code}}
    return lambda route: route.fulfill(
        status=status, body=json.dumps(body), content_type="application/json")


def test_a_list_that_cannot_be_had_says_what_to_do(few, visit):
    tab = visit(few)
    page = tab.page
    expect(tab.rows()).to_have_count(15)
    tab.provoked |= {403, 429, 500, 503}
    for status, code, words in [
        (503, "query_timeout", "The search took too long"),
        (503, "unavailable", "The server is busy"),
        (429, "rate_limit_exceeded", "Too many requests"),
        (500, None, "Something went wrong"),
        (403, "insufficient_permissions", "The key may not do this"),
    ]:
        page.route("**/v1/conversations?**", answer_with(status, code, "Said by the server."))
        tab.open(f"#/conversations?metadata_absent[]={status}{code}")
        expect(page.get_by_role("heading", name=words)).to_be_visible()
        page.unroute("**/v1/conversations?**")
        page.get_by_role("button", name="Try again").click()
        expect(tab.rows()).to_have_count(15)


def test_offline_is_said_and_can_be_tried_again(server, visit):
    create(server, {"topic": "refund"})
    tab = visit(server, alone=True)
    tab.provoked.add(0)
    page = tab.page
    expect(tab.rows()).to_have_count(1)
    page.context.set_offline(True)
    page.get_by_role("button", name="Filter: topic is refund").click()
    expect(page.get_by_role("heading", name="You are offline")).to_be_visible()
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(tab.rows()).to_have_count(1)


def test_a_slow_server_is_called_slow(server, visit):
    page = visit(server, "#/overview", clock=True).page
    page.route("**/v1/conversations?**", lambda route: None)
    page.get_by_role("link", name="Conversations").click()
    expect(page.get_by_text("Loading conversations")).to_be_visible()
    page.clock.fast_forward(4000)
    expect(page.get_by_text("Still waiting for conversations")).to_be_visible()
    page.unroute_all(behavior="ignoreErrors")


def test_rows_are_shown_though_nobody_can_count_them(server, visit):
    create(server)
    tab = visit(server, "#/overview")
    tab.provoked.add(503)
    tab.page.route("**/count**", answer_with(503, "unavailable", "Busy."))
    tab.page.get_by_role("link", name="Conversations").click()
    expect(tab.rows()).to_have_count(1)
    expect(tab.page.get_by_text("1 shown")).to_be_visible()


def test_new_conversations_are_told_and_shown_on_demand(server, visit):
    create(server)
    tab = visit(server, clock=True)
    page = tab.page
    expect(tab.rows()).to_have_count(1)
    for _ in range(3):
        create(server)
    page.clock.fast_forward(15_000)
    told = page.get_by_role("button", name="3 new since")
    expect(told).to_be_visible()
    told.click()
    expect(tab.rows()).to_have_count(4)


def test_a_pasted_id_opens_its_conversation(server, visit):
    identifier = create(server, {"topic": "refund"})
    page = visit(server).page
    page.get_by_role("combobox").fill(f" {identifier} ")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary").get_by_text("refund")).to_be_visible()
    assert page.url.endswith(f"?show={identifier}")


def test_filters_are_typed_changed_and_removed(server, visit):
    for number in range(12):
        create(server, sample_metadata(number))
    tab = visit(server)
    page = tab.page
    box = page.get_by_role("combobox")
    box.click()
    page.keyboard.type("status=")
    page.keyboard.type("open,")
    page.keyboard.type("pending")
    page.keyboard.press("Enter")
    expect(tab.rows()).to_have_count(6)
    assert page.url.endswith("?metadata[status]=open&metadata[status]=pending")
    page.keyboard.type("note=*")
    expect(tab.rows()).to_have_count(2)
    page.get_by_role("button", name="Remove the filter on status").click()
    expect(tab.rows()).to_have_count(3)
    page.get_by_role("button", name="Change the filter: note").click()
    page.get_by_role("option", name="not set").click()
    expect(tab.rows()).to_have_count(9)
    assert page.url.endswith("?metadata_absent[]=note")
    page.go_back()
    expect(tab.rows()).to_have_count(3)


def test_typing_faster_than_suggestions_come_means_what_was_typed(server, visit):
    for number in range(4):
        create(server, sample_metadata(number))
    tab = visit(server)
    page = tab.page
    page.get_by_role("combobox").click()
    page.keyboard.type("status=")
    expect(page.get_by_role("option", name="escalated")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[role=option][aria-selected=true]")).to_have_count(1)
    # The marked suggestion is one for the empty field, and no other comes.
    page.route("**/v1/metadata_values*", lambda route: None)
    page.keyboard.type("pending")
    page.keyboard.press("Enter")
    expect(tab.rows()).to_have_count(1)
    assert page.url.endswith("?metadata[status]=pending")


def test_time_order_and_columns_are_in_the_address(server, visit):
    for number in range(4):
        create(server, sample_metadata(number))
    tab = visit(server)
    page = tab.page
    page.get_by_role("button", name="Any time").click()
    page.get_by_role("button", name="Last 7 days").click()
    expect(tab.rows()).to_have_count(4)
    assert "created_at[gte]=" in page.url
    page.get_by_role("button", name="Order: Newest first").click()
    page.get_by_role("button", name="Oldest first").click()
    expect(page.locator(".list .id a").first).to_be_visible()
    assert "order=asc" in page.url
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("checkbox", name="channel", exact=True).uncheck()
    expect(page.get_by_role("columnheader", name="channel")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("columnheader", name="order")).to_be_visible()
    expect(page.get_by_role("columnheader", name="channel")).to_have_count(0)


def test_the_latest_activity_comes_first_on_demand(server, visit):
    first = create(server, {"n": "1"})
    for number in range(2, 70):
        create(server, {"n": str(number)})
    item = {"items": [{"type": "message", "role": "user", "content": "Hello"}]}
    json = {"Content-Type": "application/json"}
    path = f"/v1/conversations/{first}/items"
    assert server.request("POST", path, item, json).status == 200
    tab = visit(server, clock=True)
    page = tab.page
    page.get_by_role("button", name="Order: Newest first").click()
    page.get_by_role("button", name="Latest activity first").click()
    expect(page.get_by_role("columnheader", name="Activity")).to_be_visible()
    expect(tab.rows().first).to_contain_text("1 item")
    assert "order_by=last_activity" in page.url
    # The second page begins where the first one ended.
    page.get_by_role("button", name="Load 50 more").or_(page.get_by_text("Loading")).first.wait_for()
    page.locator(".list .table-wrap").evaluate("element => element.scrollTo(0, 1e9)")
    expect(tab.rows()).to_have_count(69)
    assert server.request("POST", path, item, json).status == 200
    page.clock.fast_forward(15_000)
    expect(page.get_by_role("button", name="1 new since")).to_be_visible()


class Prefix(BaseHTTPRequestHandler):
    """A proxy that serves what is behind it under a prefix."""

    protocol_version = "HTTP/1.1"
    prefix = "/tools/conversations"

    def pass_on(self):
        assert self.path.startswith(self.prefix)
        length = int(self.headers.get("Content-Length") or 0)
        connection = HTTPConnection("127.0.0.1", self.server.behind)
        fields = {name: value for name, value in self.headers.items()
                  if name.lower() not in ("connection", "origin")}
        connection.request(self.command, self.path.removeprefix(self.prefix),
                           self.rfile.read(length) or None, fields)
        answer = connection.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_DELETE = pass_on

    def log_message(self, *arguments):
        pass


def test_it_works_under_the_prefix_of_a_proxy(server, visit):
    identifier = create(server, {"topic": "refund"})
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Prefix)
    proxy.behind = int(server.url.rpartition(":")[2])
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{proxy.server_port}{Prefix.prefix}"
    try:
        tab = visit(SimpleNamespace(url=url), "/")
        page = tab.page
        assert page.url == f"{url}/dashboard"
        page.get_by_role("link", name=identifier[:13]).click()
        page.get_by_role("button", name="Edit").click()
        page.get_by_label("Value of topic").fill("billing")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        page.goto(f"{url}/dashboard#/conversations/{identifier}")
        expect(page.get_by_text(f"{url}/v1/conversations")).to_be_visible()
    finally:
        proxy.shutdown()
        proxy.server_close()


# Twice as many as are counted.
COUNT = 20_000


@pytest.fixture(scope="module")
def many(binary, tmp_path_factory):
    """A server with many conversations."""
    folder = tmp_path_factory.mktemp("many")
    subprocess.run(
        [REPOSITORY / "scripts/generate", "--count", str(COUNT), "--binary", binary,
         "--database", folder / "conversations.db"], check=True, capture_output=True)
    server = Server(binary, folder).start()
    yield server
    server.kill()


def test_of_many_conversations_the_first_are_shown_and_counting_stops(many, visit):
    # Rows of one column are quicker to draw.
    tab = visit(many, "#/conversations?columns=status")
    page = tab.page
    expect(page.get_by_text("10,000+ conversations")).to_be_visible()
    assert tab.rows().count() >= 50
    page.get_by_role("combobox").click()
    expect(page.get_by_role("option", name="status")).to_contain_text("10,000+")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    # Scrolls on until rows have gone at the other end.
    page.locator(".list .table-wrap").evaluate("""async (element) => {
        const end = performance.now() + 15_000;
        while (!element.nextSibling.textContent.includes("Back to the first")) {
          if (performance.now() > end) throw new Error("The first rows are still there.");
          element.scrollTo(0, 1e9);
          await new Promise(requestAnimationFrame);
        }
    }""")
    assert tab.rows().count() == 1000
    page.get_by_role("button", name="Back to the first").click()
    expect(page.get_by_text("Back to the first")).to_have_count(0)
    assert tab.rows().count() <= 150
