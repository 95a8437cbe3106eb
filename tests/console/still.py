"""A console of which every picture is the same: the samples' time, a disk of one size."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from smc_tui.console import app
from smc_tui.console.render import health as lines
from smc_tui.console.render import jobs
from smc_tui.console.screens import health, new_job
from smc_tui.jobstore import feed
from tests.model.samples import NOW

#: Modules that ask what time it is.
ASKING = (jobs, feed, health, lines)


def hold_still(put: Callable[[Any, str, Any], None]) -> None:
    """Stop the clock of what a console shows.

    Args:
        put: sets an attribute, until whoever gave it takes it back.
    """
    clock = SimpleNamespace(
        time=lambda: NOW,
        localtime=time.localtime,
        strftime=lambda form, at=None: time.strftime(form, at or time.localtime(NOW)),
    )
    for module in ASKING:
        put(module, "time", clock)
    room = lines.Room(500 << 30, 120 << 30, 3 << 20)
    put(health, "_room", lambda console: room)
    free = SimpleNamespace(f_bavail=120 << 20, f_frsize=1 << 10)
    put(new_job, "os", SimpleNamespace(statvfs=lambda path: free))
    put(app, "TICK", 3600.0)
