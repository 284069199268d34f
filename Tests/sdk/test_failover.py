"""What scripts/failover makes of a history: it finds what was lost. The script itself, which takes
minutes, is not part of the tests."""

import shutil
import sys
import time

import pytest
from conftest import REPOSITORY
from linearizability import Operation
from register_load import read_all

sys.path.insert(0, str(REPOSITORY / "scripts/failover.d"))

from clients import judge, record


def test_a_history_without_a_failure_is_explained(start):
    server = start()
    verdict = judge(record([server, server], "seed", lambda: time.sleep(0.5)))
    assert verdict.words == "explained" and verdict.operations > 20
    assert (verdict.refused, verdict.unknown) == (0, 0)
    assert 0 < verdict.write_gap and 0 < verdict.read_gap


@pytest.mark.parametrize("is_seen", [True, False], ids=["seen", "not seen"])
def test_an_answered_write_that_is_lost_is_found(start, tmp_path, is_seen):
    server = start()
    history = record([server], "seed", lambda: time.sleep(0.2))
    [id, *_] = history.operations
    server.stop()
    kept = shutil.copy(server.database, tmp_path / "kept.db")
    server.start()
    late = record_one_write(server, history, id)
    if is_seen:
        read_all(server, history)
    assert judge(history).words == "explained"
    # As after a failover to a node that has not all of it.
    server.stop()
    shutil.copy(kept, server.database)
    server.start()
    read_all(server, history)
    verdict = judge(history)
    assert verdict.words == "1 BROKEN"
    assert late in str(verdict.violations[id])


def record_one_write(server, history, id):
    """Writes a value that no other set has, and returns it."""
    call = time.monotonic_ns()
    answer = server.request("POST", f"/v1/conversations/{id}", {"metadata": {"late": "write"}})
    found = frozenset(answer.json()["metadata"].items())
    history.operations[id].append(Operation(
        "update", call, time.monotonic_ns(), answer.status, found, found))
    return "'late': 'write'"
