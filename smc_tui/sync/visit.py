"""A visit between two runs: the marks that the source's kernel holds are fetched home.

The kernel's buffer is bounded; a server that writes much would fill it before the next
run. So the engine has it emptied now and then. A visit reads no disk: it takes the names
of the pages that were written and adds them to what the job remembers. The order is that
of ``record``: ``whole`` goes out, durably, before the first mark leaves the kernel, and
comes back in the same write as the pages. A crash in between costs a full comparison.

While a run of the job is at work it holds the staging area's lock, and there is nothing
to visit.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smc_tui.source.client import Interrupted
from smc_tui.source.liveclient import Doubtful, LiveClient
from smc_tui.sync.connection import Connection
from smc_tui.sync.description import RunDescription
from smc_tui.sync.lines import Speaker
from smc_tui.sync.record import Record
from smc_tui.sync.tidy import family_of


def visit(description: RunDescription, connection: Connection, speaker: Speaker) -> None:
    """Fetch the marks, if there is a record to be visited, and say what came of it.

    Raises:
        SmcError: the source cannot be reached, or the destination failed.
    """
    try:
        speaker.say("result", **_visited(description, connection))
    except Interrupted:
        speaker.say("cancelled")


def _visited(description: RunDescription, connection: Connection) -> dict[str, Any]:
    """Fetch the marks.

    Returns:
        ``kept``: whether there is one that the next run can believe; ``reason``: why not,
        and ``lost`` whether there was one until now;
        ``fill``: how full the kernel's buffer was, 0 to 1; ``pages``: how many came;
        ``states``: of the disks, by path.
    """
    with _alone(description) as free:
        record = Record.load(description.staging)
        if not free or not record.name or not record.whole:
            return {"kept": False, "lost": False, "reason": "there is nothing to be visited"}
        client, disks = connection.ready()
        doubt = record.doubt(disks)
        record.opened(record.name).save(description.staging)
        if doubt:
            return _lost(doubt)
        live = LiveClient(client, disks)
        try:
            family = family_of(description.source_id)
            if not live.record(record.name, family, go_on=True):
                live.settle(keep=False)
                return _lost("the record of writes is gone from the source")
            written, loose = live.hand_over()
        except Doubtful as why:
            return _lost(str(why))
        record.with_marks(written, loose).save(description.staging)
        live.settle(keep=True)
        count = sum(end - first for pairs in written.values() for first, end in pairs)
        states = {disk.path: disk.state for disk in disks}
        return {"kept": True, "lost": False, "fill": live.fill, "pages": count, "states": states}


def _lost(why: str) -> dict[str, Any]:
    return {"kept": False, "lost": True, "reason": why}


@contextmanager
def _alone(description: RunDescription) -> Iterator[bool]:
    """Hold the job's lock unless a run does; tell which."""
    try:
        with (description.staging / "lock").open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
    except FileNotFoundError:
        yield False
