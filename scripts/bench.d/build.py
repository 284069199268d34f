"""What is measured: the release binary, and the databases that it is measured with."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def build(prefix):
    """Installs as a host does, under the prefix, and returns the binary."""
    subprocess.run([ROOT / "scripts/install", "--prefix", prefix], check=True, stdout=sys.stderr)
    return str(prefix / "bin/conversationd")


def build_commit(folder, commit, root=ROOT):
    """Installs the program of a commit in a folder of its own, once, and returns it."""
    target = folder / f"conversationd-{commit}"
    binary = target / "installed/bin/conversationd"
    if not binary.exists():
        print(f"building {commit} in {target}", file=sys.stderr)
        shutil.rmtree(target, ignore_errors=True)
        source = target / "source"
        source.mkdir(parents=True)
        archive = subprocess.run(["git", "-C", root, "archive", commit], check=True,
                                 stdout=subprocess.PIPE).stdout
        subprocess.run(["tar", "--extract", "--directory", source], check=True, input=archive)
        subprocess.run([source / "scripts/install", "--prefix", target / "installed"], check=True,
                       stdout=sys.stderr)
    return str(binary)


def short_name(commit, root=ROOT):
    """The short name of a commit; None when there is no such commit."""
    found = subprocess.run(["git", "-C", root, "rev-parse", "--verify", "--quiet", "--short=7",
                            f"{commit}^{{commit}}"], capture_output=True, text=True)
    return found.stdout.strip() or None


def compile_baseline(folder, name, library, *sources):
    """Compiles a C program that stands in this folder, with sources from elsewhere, and returns
    it."""
    program = folder / name
    source = Path(__file__).with_name(f"{name}.c")
    includes = [f"-I{path.parent / 'include'}" for path in sources]
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", *includes, "-o", program, source,
                    *sources, f"-l{library}", "-pthread"], check=True)
    return program


@cache
def generate(binary, folder, count):
    """Returns a database of that many conversations, made now or in an earlier run."""
    def make(path):
        subprocess.run([ROOT / "scripts/generate", "--count", str(count), "--database", path,
                        "--binary", binary], check=True, stdout=sys.stderr)

    return kept(binary, folder / f"conversationd-{count}.db", make)


@cache
def with_pairs(binary, folder, count, pairs):
    """Returns a database with the same conversations, which have so many pairs: key01, key02, …

    The values are scattered, as they are after updates. Those of 16 pairs are `stored_value`s: one
    workload changes only one of them, and so has to send what the others are.
    """
    origin = generate(binary, folder, count)
    value = "lower(hex(randomblob(10)))" if pairs < 16 else "printf('stored-value-of-%04d', n)"

    def make(path):
        subprocess.run([binary, "migrate", "--database", path], check=True, capture_output=True)
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA cache_size = -400000")
            database.execute("ATTACH ? AS origin", [str(origin)])
            database.execute("INSERT INTO conversations (number, project, id, created_at)"
                             " SELECT number, project, id, created_at FROM origin.conversations"
                             " ORDER BY number")
            database.execute(f"""
                INSERT INTO metadata (conversation, key, value)
                WITH RECURSIVE pairs (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM pairs
                                             WHERE n < {pairs})
                SELECT number, printf('key%02d', n), {value} FROM conversations CROSS JOIN pairs
                """)
            database.commit()

    return kept(binary, folder / f"conversationd-{count}-pairs-{pairs}.db", make)


@cache
def with_items(binary, folder, count, few, many):
    """Returns a database with the same conversations of 4 pairs. The first has `many` items, the
    second `few`, each other one two."""
    origin = with_pairs(binary, folder, count, 4)

    def make(path):
        shutil.copyfile(origin, path)
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA cache_size = -400000")
            numbers = [number for number, in database.execute(
                "SELECT number FROM conversations ORDER BY number")]
            for place, number in enumerate(numbers):
                database.execute("""
                    INSERT INTO items (conversation, id, type, created_at, fields)
                    WITH RECURSIVE i (i) AS (
                      SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < :count)
                    SELECT :number, 'msg_' || lower(hex(randomblob(24))), 'message', 1700000000,
                      json_object('status', 'completed', 'role', 'user', 'content', json_array(
                        json_object('type', 'input_text', 'text', printf('%.*c', 940, 'x')))) FROM i
                    """, {"number": number, "count": [many, few][place] if place < 2 else 2})
            database.commit()

    return kept(binary, folder / f"conversationd-{count}-items-{few}-{many}.db", make)


def stored_value(pair):
    """The value of the n-th of 16 pairs, 20 characters as those that are sent."""
    return f"stored-value-of-{pair:04}"


def kept(binary, database, make):
    """Returns the database, made anew when there is none or the schema has changed since."""
    if database.exists() and version(database) == newest_version(binary, database.parent):
        return database
    making = database.with_suffix(".making")
    for leftover in [*database.parent.glob(f"{making.name}*"),
                     *database.parent.glob(f"{database.name}*")]:
        leftover.unlink()
    print(f"making {database}", file=sys.stderr)
    make(making)
    making.rename(database)
    return database


def version(database):
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


@cache
def newest_version(binary, folder):
    """The version of the schema of a database that the binary makes."""
    probe = folder / "conversationd-version.db"
    probe.unlink(missing_ok=True)
    subprocess.run([binary, "migrate", "--database", probe], check=True, capture_output=True)
    try:
        return version(probe)
    finally:
        probe.unlink()
