"""Processes of this machine, found by what /proc says of them, and waiting for them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def parent_of(pid: int) -> int:
    """Return a process's parent, 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def ancestors(pid: int) -> list[int]:
    """Return the parent, its parent, and so on."""
    above = []
    while pid > 1:
        pid = parent_of(pid)
        above.append(pid)
    return above


def processes(words: str, above: int) -> list[int]:
    """Return the descendants of a process whose command line holds the words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if words in path.read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                found.append(int(path.parent.name))
    return [pid for pid in found if above in ancestors(pid)]


def kill_all(pids: list[int]) -> None:
    """Kill processes; those that are gone already are no matter."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def until(found: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for what nothing tells of; fails when it has not come in time."""
    limit = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < limit, f"waited {seconds:g} s in vain"
        time.sleep(0.002)
