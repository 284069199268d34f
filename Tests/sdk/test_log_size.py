"""The write-ahead log beside the database, whose size stays bounded while the server runs."""

import sqlite3
from contextlib import closing

from metrics import scrape

BYTES_MAX = 1 << 20


def test_after_a_long_reader_the_log_shrinks_while_the_server_runs(start):
    server = start(environment={"CONVERSATIOND_DATABASE_WAL_BYTES_MAX": str(BYTES_MAX)})
    log = server.database.with_name("conversations.db-wal")
    pairs = {f"key-{number}": 512 * "x" for number in range(16)}

    def write():
        assert server.request("POST", "/v1/conversations", {"metadata": pairs}).status == 200

    with closing(sqlite3.connect(server.database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM conversations").fetchone()
        while log.stat().st_size < 3 * BYTES_MAX:
            write()
        assert scrape(server).value("database_wal_bytes") == log.stat().st_size
        reader.execute("COMMIT")
    for _ in range(3):
        write()
    assert log.stat().st_size <= BYTES_MAX
    assert scrape(server).value("database_wal_bytes") == log.stat().st_size
