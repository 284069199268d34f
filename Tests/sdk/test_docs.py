"""Every example in README.md and docs/ works, run from top to bottom, and prints what is shown.

The language of a fenced block says how it is run:

    bash      by one shell that the whole page shares
    console   the same, command by command: what follows a line with `$ ` is what it prints
    python    by one interpreter that the whole page shares, with the shell's environment
    sql       by `sqlite3 -box conversations.db`
    output    what the block before it prints; a block without one prints nothing
    yaml      a configuration, which `conversationd check` must accept; `# NAME` in its first line
              makes it a file
    json      is read

In what a page shows, `…` stands for anything within a line, a line `…` for any lines, and a time
for any time. What cannot be run has a comment `<!-- not run: why -->` above it, and is listed in
NOT_RUN.
"""

import contextlib
import io
import json
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from conftest import REPOSITORY, clean_environment

PAGES = ["README.md", *sorted(
    str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "docs").glob("*.md"))]
LINKING = [*PAGES, "SECURITY.md", "ARCHITECTURE.md", "CHANGELOG.md"]
README_LINES_MAX = 150
COMMAND_SECONDS = 60
# The pages that begin with a server that runs, as `scripts/serve` starts it.
SERVED = ["README.md", "docs/api.md", "docs/sqlite.md"]
# How the blocks begin that are not run.
NOT_RUN = {
    "README.md": [
        "scripts/serve ",
        "sudo apt-get install python3-venv",
        "scripts/install ",
    ],
    "docs/api.md": ["history = ", "client.post("],
    "docs/operation.md": [
        "apt install ./conversationd_",
        "docker load ", "docker compose exec -T ",
        "sudo env \"PATH=$PATH\" scripts/install",
        "apt install libsqlite3-0 ",
        "export CONVERSATIOND_CONFIG=/etc/conversationd/conversationd.yaml",
        "install -d -m 0750 -g conversationd /etc/conversationd/tls",
        "systemctl enable --now conversationd-backup.timer",
        "cd /usr/local/share/conversationd",
        "install -D -m 0644 /usr/local/share/conversationd/conversationd.socket ",
        "install -D -m 0644 /usr/local/share/conversationd/port-443.conf ",
        "[Service]",
        "# /etc/fail2ban/filter.d/conversationd.conf",
        "# /etc/fail2ban/jail.d/conversationd.conf",
        "scrape_configs:",
        "# litestream.yml; ",
        "umask 077",
        "DELETE FROM metadata_history WHERE version ",
        "DELETE FROM metadata_history WHERE conversation ",
    ],
    "docs/releasing.md": ["scripts/release"],
    "docs/performance.md": ["scripts/bench ", "workload ", "workload ", "workload "],
    "docs/postgresql.md": [
        "sudo apt-get install --yes postgresql haproxy",
        "sudo -u postgres createuser ",
        "export CONVERSATIOND_DATABASE_URL=",
        "conversationd copy --from ",
        "SELECT * FROM overview ",
        "SELECT 'conv_' ",
        "SELECT value AS ",
        "SELECT created_at, role, text ",
        "SELECT changed_at, ",
        "UPDATE conversations ",
        "sudo apt-get install --yes postgresql etcd-server haproxy",
    ],
    "docs/sqlite.md": ["SELECT changed_at, ", "scripts/generate --count 1000000 --database million.db"],
}


# What a page has


class Block(NamedTuple):
    """A fenced block of a page."""

    line: int
    language: str
    text: str
    is_run: bool


FENCE = re.compile(r"(<!-- not run: [^\n]+ -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(page):
    return (REPOSITORY / page).read_text(encoding="utf-8")


def blocks(page):
    text = read(page)
    return [
        Block(text.count("\n", 0, match.start(2)) + 1, match[2], match[3], match[1] is None)
        for match in FENCE.finditer(text)
    ]


TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?"


def pattern(shown):
    """What a page shows, as a regular expression."""
    lines = []
    for line in shown.splitlines():
        pieces = re.split(f"(…|{TIME})", line)
        pieces[::2] = map(re.escape, pieces[::2])
        pieces[1::2] = [".*" if piece == "…" else TIME for piece in pieces[1::2]]
        lines.append("(.*\n)*?" if line == "…" else "".join(pieces) + "\n")
    return "".join(lines)


def compare(shown, printed, place):
    printed = printed.rstrip("\n") + "\n" if printed.strip() else ""
    # Not in the assertion, which would print the expression.
    is_like = re.fullmatch(pattern(shown), printed) is not None
    assert is_like, (
        f"{place}\nThe page shows:\n{shown}\nWhat was printed:\n{printed}")


# How it is run


class Shell:
    """A bash that runs one command after the other, and ends at the first that fails."""

    END = "end of the command"

    def __init__(self, folder, environment):
        self.state = folder / ".environment"
        self.process = subprocess.Popen(
            ["bash", "--norc", "-eo", "pipefail"], cwd=folder, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True)

    def run(self, command):
        """Returns what it prints."""
        self.process.stdin.write(
            f"eval {shlex.quote(command)} </dev/null\n"
            f"env -0 >{shlex.quote(str(self.state))}; printf '\\n{self.END}\\n'\n".encode())
        self.process.stdin.flush()
        deadline = time.monotonic() + COMMAND_SECONDS
        printed = b""
        end = f"\n{self.END}\n".encode()
        while not printed.endswith(end):
            left = max(0, deadline - time.monotonic())
            assert select.select([self.process.stdout], [], [], left)[0], (
                f"has not ended: {command}\n{printed.decode()}")
            piece = os.read(self.process.stdout.fileno(), 65536)
            assert piece, f"has failed: {command}\n{printed.decode()}"
            printed += piece
        return printed.removesuffix(end).decode()

    @property
    def environment(self):
        if not self.state.exists():
            return {}
        pairs = self.state.read_text(encoding="utf-8").split("\0")
        return dict(pair.split("=", 1) for pair in pairs if pair)

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Page:
    """Runs the blocks of one page in a folder of their own."""

    def __init__(self, folder, binary, port):
        self.folder = folder
        self.binary = binary
        programs = folder / "programs"
        programs.mkdir()
        (programs / "conversationd").symlink_to(binary)
        path = f"{programs}:{os.environ['PATH']}"
        # Others may use the ports that the pages name.
        self.ports = {"8080": port, "8443": free_port(), "9180": free_port()}
        self.shell = Shell(folder, clean_environment({
            "PATH": path, "HOME": str(folder), "CONVERSATIOND_HTTP_PORT": str(port)}))
        self.names = {}

    def here(self, text):
        return re.sub(r"\b(8080|8443|9180)\b", lambda match: str(self.ports[match[0]]), text)

    def run(self, block, shown, place):
        run = getattr(self, f"run_{block.language}", None)
        assert run, f"{place}: nothing runs a block of language '{block.language}'"
        printed = run(self.here(block.text))
        if printed is not None:
            compare(self.here(shown), printed, place)

    def run_bash(self, text):
        return self.shell.run(text)

    def run_console(self, text):
        commands = re.split(r"^\$ ", text, flags=re.MULTILINE)
        assert commands.pop(0) == "", "a console begins with a command"
        for each in commands:
            command, shown = re.fullmatch(r"((?:.*\\\n)*.*\n?)((?:.*\n)*)", each).groups()
            compare(shown, self.shell.run(command), command)

    def run_python(self, text):
        printed = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
            patch.chdir(self.folder)
            for name, value in self.shell.environment.items():
                patch.setenv(name, value)
            exec(text, self.names)
        return printed.getvalue()

    def run_sql(self, text):
        return self.shell.run(
            f"sqlite3 -cmd '.timeout 5000' -box conversations.db {shlex.quote(text)}")

    def run_yaml(self, text):
        named = re.match(r"# (\S+\.ya?ml)\n", text)
        file = self.folder / (named[1] if named else "block.yaml")
        file.write_text(text, encoding="utf-8")
        result = subprocess.run(
            [self.binary, "check", "--config", file], cwd=self.folder, env=clean_environment(),
            capture_output=True, text=True, timeout=COMMAND_SECONDS)
        # There may be no database yet.
        assert result.returncode in (0, 69), result.stderr

    def run_json(self, text):
        json.loads(text)

    def end(self):
        self.shell.end()


@pytest.fixture
def run_page(tmp_path, binary, start):
    """Makes a page's folder, with a server in it if the page begins with one."""
    pages = []

    def run_page(name):
        port = start().port if name in SERVED else free_port()
        page = Page(tmp_path, binary, port)
        pages.append(page)
        return page

    yield run_page
    for page in pages:
        page.end()


@pytest.mark.parametrize("name", PAGES)
def test_the_examples_of_a_page_work_in_their_order(run_page, name):
    page = run_page(name)
    remaining = [block for block in blocks(name) if block.is_run]
    while remaining:
        block = remaining.pop(0)
        assert block.language != "output", f"{name}:{block.line}: of which block?"
        shown = remaining.pop(0).text if remaining and remaining[0].language == "output" else ""
        page.run(block, shown, f"{name}:{block.line}")


@pytest.mark.parametrize("name", PAGES)
def test_what_is_not_run_is_listed(name):
    first_lines = [block.text.splitlines()[0] for block in blocks(name) if not block.is_run]
    assert len(first_lines) == len(NOT_RUN.get(name, []))
    for line, listed in zip(first_lines, NOT_RUN.get(name, [])):
        assert line.startswith(listed)


@pytest.mark.parametrize("name", PAGES)
def test_every_fence_is_a_block(name):
    fences = [line for line in read(name).splitlines() if line.lstrip().startswith("```")]
    assert len(fences) == 2 * len(blocks(name))


# How the pages hang together


def prose(page):
    """A page without its blocks."""
    return FENCE.sub("", read(page))


def anchors(page):
    """The places in a page that links may name, as GitHub makes them from the headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", LINKING)
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)]+)\)", prose(name)):
        if re.match(r"https?://", target):
            continue
        file, _, anchor = target.partition("#")
        path = (REPOSITORY / name).parent / file if file else REPOSITORY / name
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path), target


def test_readme_is_one_page_and_leads_to_all_others():
    assert len(read("README.md").splitlines()) <= README_LINES_MAX
    for page in [*PAGES[1:], "SECURITY.md", "ARCHITECTURE.md"]:
        assert f"]({page})" in read("README.md"), page


@pytest.mark.parametrize("shown, printed, is_like", [
    ("a\n", "a\n", True), ("a\n", "a", True), ("a\n", "b\n", False), ("", "a\n", False),
    ("", "\n", True), ("id=…;\n", "id=conv_1;\n", True), ("id=…;\n", "id=1\n;\n", False),
    ("…\nb\n", "b\n", True), ("a\n…\nb\n", "a\n1\n2\nb\n", True), ("a.c\n", "abc\n", False),
    ("at 2026-11-21T08:33:59Z\n", "at 1999-01-02T00:00:00Z\n", True),
    ("at 2026-11-21T08:33:59Z\n", "at 1999-01-02 00:00:00Z\n", False)])
def test_the_comparison(shown, printed, is_like):
    if is_like:
        compare(shown, printed, "here")
    else:
        with pytest.raises(AssertionError):
            compare(shown, printed, "here")
