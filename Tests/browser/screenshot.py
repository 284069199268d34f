"""Takes the picture of the dashboard: `screenshot.py CONVERSATIOND FILE`."""

import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from conftest import CHROMIUM, ITEMS, PEOPLE, WIDE, Server

COUNT = 1284
# Which row is opened.
SHOWN = 2


def main(binary, file):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = folder / "conversations.db"
        subprocess.run([binary, "migrate", "--database", database], check=True)
        fill(database)
        server = Server(binary, folder).start()
        try:
            take(server, file)
        finally:
            server.kill()


def fill(database):
    """Conversations of the last days, the newest of a minute ago; always the same but for the time."""
    dice = random.Random(7)
    second, times = int(time.time()) - 48, []
    for number in range(COUNT):
        times.append(second)
        second -= 7 + int(dice.random() * 260 * (1 + number / 9))
    with closing(sqlite3.connect(database)) as connection, connection:
        for number, created_at in enumerate(reversed(times), 1):
            identifier = f"conv_{created_at:08x}{number:010x}{dice.getrandbits(120):030x}"
            connection.execute(
                "INSERT INTO conversations (number, id, created_at) VALUES (?, ?, ?)",
                (number, identifier, created_at))
            connection.executemany(
                "INSERT INTO metadata (conversation, key, value) VALUES (?, ?, ?)",
                [(number, *pair) for pair in metadata(dice, COUNT - number).items()])


def metadata(dice, row):
    pairs = {
        "channel": dice.choice(["web", "web", "app", "mail", "phone"]),
        "locale": dice.choice(["en-GB", "de-DE", "fr-FR", "ja-JP", "en-US"]),
        "order": f"SO-2026-{dice.randrange(10_000, 99_999)}",
        "status": dice.choice(["open", "open", "pending", "escalated"]),
        "topic": "refund",
        "user": dice.choice(PEOPLE),
    }
    if dice.random() < 0.3:
        del pairs["order"]
    if row == SHOWN:
        pairs.update(agent="bot-v4", order="SO-2026-48213", status="pending", user="amara.okafor")
        pairs["note"] = ("Customer asks for the money back to the original card, not as a voucher; "
                         "parcel came back on 14 November, warehouse confirmed.")
    return pairs


def take(server, file):
    listed = server.request("GET", f"/v1/conversations?limit={SHOWN + 1}").json()["data"]
    path = f"/v1/conversations/{listed[SHOWN]['id']}/items"
    json = {"Content-Type": "application/json"}
    assert server.request("POST", path, {"items": ITEMS}, json).status == 200
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]})
        page.goto(f"{server.url}/dashboard#/conversations?metadata[topic]=refund"
                  "&metadata[status]=open&metadata[status]=pending&metadata[status]=escalated"
                  "&columns=topic,status,user,order,channel,locale")
        page.locator(".list .id a").nth(SHOWN).click()
        expect(page.locator(".turn.assistant").first).to_be_visible()
        expect(page.locator(".result strong")).to_be_visible()
        page.mouse.move(0, 0)
        page.screenshot(path=file)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
