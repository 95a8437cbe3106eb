"""Running the console from its first line to the shell's next prompt."""

from __future__ import annotations

import os
from collections.abc import Callable

from smc_tui.console import signals
from smc_tui.console.app import ConsoleApp
from smc_tui.console.options import Options
from smc_tui.jobstore import JobStore
from smc_tui.jobstore.feed import Snapshot

#: Seconds that a look may wait for a lock: nobody can press a key meanwhile.
PATIENCE = 0.5


def mouse_wanted(asked: bool | None) -> bool:
    """Tell whether to take the mouse: not over ssh, where moving it costs 200 KB/s."""
    return "SSH_CONNECTION" not in os.environ if asked is None else asked


def run(
    store: JobStore,
    options: Options,
    mouse: bool | None = None,
    start_engine: Callable[[], None] | None = None,
) -> tuple[int, Snapshot]:
    """Run the console until it is left.

    Args:
        store: an open job store.
        options: how it was started.
        mouse: whether the mouse is taken; None: not over ssh.
        start_engine: starts an engine and returns when it is ready, or raises an
            SmcError; None where this console must not.

    Returns:
        The exit status, and what was known last.

    Raises:
        Exception: a mistake of this program, after the terminal was given back.
    """
    store.be_patient(PATIENCE)
    app = ConsoleApp(store, options, start_engine)
    with signals.guarding(app.leave_soon):
        status = app.run(mouse=mouse_wanted(mouse))
    if app.mistake is not None:
        raise app.mistake
    return status or app.return_code or 0, app.snapshot
