"""Ends that come from outside: a lost terminal, TERM, a link that stands still.

Textual knows nothing of HUP and TERM: it would leave the mouse on and the alternate
screen up, and a terminal that has gone while HUP is ignored leaves a process at 100 %
of a core. A handler set through asyncio never runs while the loop is blocked in a
write to a stalled terminal, hence ``signal.signal`` and a thread that ends the process
when the app has not left by itself.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

#: Seconds that the app has to leave cleanly.
PATIENCE = 2.0

#: Leaves the alternate screen, shows the cursor, ends mouse, paste and key modes.
_RESET = "\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[<u\x1b[0m"


def install(leave: Callable[[int], None]) -> None:
    """Have HUP and TERM end the app, whatever state its terminal is in.

    Args:
        leave: asks the app's loop to exit with a status; called from the main thread.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=_end_for_sure, args=(number,), daemon=True).start()
        leave(128 + number)

    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, handle)


def _end_for_sure(number: int) -> None:
    threading.Event().wait(PATIENCE)
    _reset_terminal()
    os._exit(128 + number)


def _reset_terminal() -> None:
    """Try to give the terminal back as it was; one that takes nothing is left alone."""
    try:
        handle = sys.__stdout__.fileno() if sys.__stdout__ else 1
        os.set_blocking(handle, False)
        os.write(handle, _RESET.encode())
    except (OSError, ValueError):
        return


def watch_terminal(gone: Callable[[], None], every: float = 1.0) -> threading.Event:
    """Call ``gone`` once when the controlling terminal is no more.

    Returns:
        An event that ends the watch when set.
    """
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(every):
            try:
                os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
            except OSError:
                gone()
                return

    threading.Thread(target=watch, daemon=True, name="terminal").start()
    return ended
