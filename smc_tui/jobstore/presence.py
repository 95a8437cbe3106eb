"""Seeing whether an engine is there, and waking it.

The kernel connects to the engine's socket at once or refuses at once: the socket's file
outlives a killed engine, its owner does not. So one call answers "is an engine serving
this home" with no lock taken, no time-out, and without waking it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smc_tui.jobstore.home import Home


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Yield a path to the same place that fits into a socket address (108 bytes).

    Raises:
        OSError: the folder is not there.
    """
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def present(home: Home) -> bool:
    """Return whether an engine serves this home and is ready."""
    return _reach(home, wake_it=False)


def wake(home: Home) -> bool:
    """Wake the engine of this home; return whether there is one."""
    return _reach(home, wake_it=True)


def _reach(home: Home, *, wake_it: bool) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
        try:
            with short_path(home.socket) as address:
                out.connect(address)
                if wake_it:
                    out.send(b"!")
        except BlockingIOError:
            return True  # its queue is full of wake-ups: it is there and will look
        except OSError:
            return False
    return True
