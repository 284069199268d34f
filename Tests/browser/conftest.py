"""What the tests of the dashboard share: a real browser, and servers of the real binary."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

REPOSITORY = Path(__file__).resolve().parents[2]
SDK = REPOSITORY / "Tests/sdk"
CHROMIUM = "/usr/bin/chromium"
# How long something may take to appear; machines that run other things too are slow.
APPEAR_MILLISECONDS = 15_000
WIDE, NARROW = (1440, 900), (390, 844)

# The servers and commands are those of Tests/sdk, whose conftest has the same name as this one.
sys.path.append(str(SDK))
spec = importlib.util.spec_from_file_location("sdk_conftest", SDK / "conftest.py")
sdk_conftest = importlib.util.module_from_spec(spec)
sys.modules["sdk_conftest"] = sdk_conftest
spec.loader.exec_module(sdk_conftest)
from sdk_conftest import (  # noqa: E402, F401
    binary, database_of, keys, make_key, pytest_addoption, pytest_configure, run, server, sqlite,
    start, wait_until)
from server import Server, bearer  # noqa: E402

expect.set_options(timeout=APPEAR_MILLISECONDS)


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def new_context(browser, size, scheme, **options):
    """A browser with nothing stored."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, **options)
    context.set_default_timeout(APPEAR_MILLISECONDS)
    return context


class Visit:
    """One tab of the dashboard, and all that it said and asked for."""

    def __init__(self, browser, url, size=WIDE, scheme="light", context=None, clock=False,
                 **options):
        """`clock` lets the test put the time of the page forward: `page.clock.fast_forward`."""
        self.url = url
        self.has_own_context = context is None
        self.context = context or new_context(browser, size, scheme, **options)
        self.page = self.context.new_page()
        if clock:
            self.page.clock.install()
        self.console = []
        self.requests = []
        # The statuses of errors that the test provokes: Chromium writes a line for each.
        self.provoked = set()
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request))

    def open(self, fragment=""):
        self.page.goto(f"{self.url}/dashboard{fragment}")
        return self

    def sign_in(self, key):
        self.provoked.add(401)
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()
        return self

    def close(self):
        """Everything that must be true of every visit."""
        try:
            assert [line for line in self.console if not self.is_provoked(line)] == []
            strangers = [request.url for request in self.requests
                         if not request.url.startswith((f"{self.url}/", "blob:"))]
            assert strangers == []
        finally:
            (self.context if self.has_own_context else self.page).close()

    def is_provoked(self, line):
        if "ERR_INTERNET_DISCONNECTED" in line or "ERR_FAILED" in line:
            return 0 in self.provoked
        match = re.match(r"Failed to load resource: the server responded with a status of (\d+)", line)
        return match is not None and int(match[1]) in self.provoked

    def rows(self):
        return self.page.locator(".list tbody tr")

    def too_wide(self):
        """What is wider than the screen, or than the window that it is in."""
        return self.page.evaluate("""
            [document.documentElement, ...document.querySelectorAll("dialog, .popover, .card, .turn")]
              .filter((element) => element.scrollWidth > element.clientWidth + 1)
              .map((element) => `${element.tagName}.${element.className}`)""")


@pytest.fixture(scope="session")
def context_of(browser):
    """The context of all tabs of a size and a scheme: one each takes a third of a tab's time."""
    contexts = {}

    def context_of(size, scheme):
        if (size, scheme) not in contexts:
            contexts[size, scheme] = new_context(browser, size, scheme)
        return contexts[size, scheme]

    yield context_of
    for context in contexts.values():
        context.close()


@pytest.fixture
def visit(browser, context_of):
    """Opens tabs of the dashboard of a server; each is looked at when the test is over.

    A tab that is `alone` has a context of its own, and so has one with a clock or with options.
    """
    visits = []

    def visit(server, fragment="", size=WIDE, scheme="light", alone=False, **options):
        context = None if alone or options else context_of(size, scheme)
        visits.append(Visit(browser, server.url, size, scheme, context, **options))
        return visits[-1].open(fragment)

    yield visit
    for one in visits:
        one.close()


# Conversations


def create(server, metadata=None, items=None, key=None):
    """Creates a conversation, and returns its id."""
    body = {"metadata": metadata or {}, **({"items": items} if items else {})}
    answer = server.request("POST", "/v1/conversations", body, headers_of(key))
    assert answer.status == 200, answer
    return answer.json()["id"]


def stored(server, identifier, key=None):
    """The metadata of a conversation, or None where there is none."""
    answer = server.request("GET", f"/v1/conversations/{identifier}", headers=headers_of(key))
    return answer.json()["metadata"] if answer.status == 200 else None


def headers_of(key):
    return {"Content-Type": "application/json", **(bearer(key) if key else {})}


STATUSES = ["open", "pending", "escalated", "closed"]
PEOPLE = ["amara.okafor", "j.lindqvist", "sofia-marin", "t.nakamura", "lena_weiss"]
ITEMS = json.loads((Path(__file__).parent / "items.json").read_text(encoding="utf-8"))


def sample_metadata(number):
    """Like a support desk's."""
    metadata = {
        "channel": ["web", "app", "mail"][number % 3],
        "order": f"SO-2026-{48_000 + number * 37}",
        "status": STATUSES[number % 4],
        "topic": ["refund", "billing", "shipping"][number % 3],
        "user": PEOPLE[number % 5],
    }
    if number % 5 == 0:
        metadata["note"] = ("Customer asks for the money back to the original card, not as a "
                            "voucher; parcel came back on 14 November.")
    return metadata


def samples(binary, folder, count):
    """A server with some conversations, of which the newest have items."""
    server = Server(binary, folder).start()
    for number in range(count):
        create(server, sample_metadata(number), ITEMS if number > count - 20 else None)
    yield server
    server.kill()


@pytest.fixture(scope="session")
def sample(binary, tmp_path_factory):
    """A server with some pages of conversations, which tests look at and do not change."""
    yield from samples(binary, tmp_path_factory.mktemp("sample"), 120)


@pytest.fixture(scope="session")
def few(binary, tmp_path_factory):
    """The same with less than a page."""
    yield from samples(binary, tmp_path_factory.mktemp("few"), 15)
