"""Ends that come from outside: a lost terminal, TERM, a link that stands still.

Textual knows nothing of HUP and TERM: it would leave the mouse on and the alternate
screen up, and a terminal that has gone while HUP is ignored leaves a process at 100 %
of a core. A handler set through asyncio never runs while the loop is blocked in a
write to a stalled terminal, hence ``signal.signal`` and a thread that ends the process
when the app has not left by itself.
"""

from __future__ import annotations

import os
import select
import signal
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

#: Seconds that the app has to leave cleanly.
PATIENCE = 2.0

#: As a shell counts a program that HUP has ended.
TERMINAL_GONE = 128 + signal.SIGHUP

#: Ends a sequence cut short, the key, mouse, paste and focus modes, leaves the alternate
#: screen, shows the cursor and lets long lines wrap again.
_RESET = (
    "\x18\x1b[<u\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[?2048l"
    "\x1b[?2026l\x1b[?1049l\x1b[?7h\x1b[?25h\x1b[0m"
)

_STDIN = 0

#: Used by nothing else here.
_BREAK_OFF = signal.SIGURG

#: How often the terminal is tried to be given back by force, and seconds between.
_TRIES, _PAUSE = 50, 0.01


@contextmanager
def guarding(leave: Callable[[int], None]) -> Iterator[None]:
    """Have HUP, TERM and a lost terminal end the app, whatever state its terminal is in.

    Args:
        leave: asks the app's loop to exit with a status; called in the main thread.
    """
    before = _attributes()
    left = threading.Event()
    hard: list[threading.Thread] = []

    def handle(number: int, frame: FrameType | None) -> None:
        how = (128 + number, before, left)
        hard.append(threading.Thread(target=_end_for_sure, args=how, daemon=True))
        hard[-1].start()
        leave(128 + number)

    # HUP too when it was ignored: nobody wants a console without a terminal.
    kept = [(each, signal.signal(each, handle)) for each in (signal.SIGHUP, signal.SIGTERM)]
    # One that is handled breaks off a write; one that is ignored does not.
    kept.append((_BREAK_OFF, signal.signal(_BREAK_OFF, lambda *_: None)))
    threading.Thread(target=_watch_terminal, daemon=True, name="terminal").start()
    try:
        yield
    finally:
        # In time: whoever opened the console may have more to do. Too late: the terminal is
        # being given back by force, which makes room for the app to end, but not before that.
        left.set()
        for thread in hard:
            thread.join()
        for number, handler in kept:
            signal.signal(number, handler)


def mind_stops(redraw: Callable[[], None]) -> None:
    """Tell a process that was stopped from outside from one that suspended itself.

    Textual takes every SIGCONT for the end of its own suspension: after another's SIGSTOP
    it would start a second time, and take the raw terminal for what it was before.

    Args:
        redraw: sends everything again; called in the main thread.
    """
    suspend, resume = signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGCONT)
    if not callable(suspend) or not callable(resume):
        return
    raw = _attributes()
    suspended = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal suspended
        suspended = True
        suspend(number, frame)

    def go_on(number: int, frame: FrameType | None) -> None:
        nonlocal suspended
        if suspended:
            suspended = False
            resume(number, frame)
            return
        # The shell may have had the terminal meanwhile.
        if raw is not None:
            with suppress(termios.error):
                termios.tcsetattr(_STDIN, termios.TCSANOW, raw)
        redraw()

    signal.signal(signal.SIGTSTP, stop)
    signal.signal(signal.SIGCONT, go_on)


def _attributes() -> list[Any] | None:
    """Return how the terminal was set, None where there is none."""
    try:
        return termios.tcgetattr(_STDIN)
    except termios.error:
        return None


def _end_for_sure(status: int, before: list[Any] | None, left: threading.Event) -> None:
    if left.wait(PATIENCE):
        return
    _give_back(before)
    os._exit(status)


def _give_back(before: list[Any] | None) -> None:
    """Try to give the terminal back as it was; one that takes nothing is left alone."""
    # Opened anew: making the shared one non-blocking would make the shell's so.
    with suppress(OSError, termios.error):
        terminal = os.open("/dev/tty", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        if before is not None:
            termios.tcsetattr(terminal, termios.TCSANOW, before)
        _break_off_writes()
        for _ in range(_TRIES):
            # What stands in front of it was not taken in seconds, and nobody needs it now.
            termios.tcflush(terminal, termios.TCOFLUSH)
            with suppress(BlockingIOError):
                os.write(terminal, _RESET.encode())
                return
            threading.Event().wait(_PAUSE)


def _break_off_writes() -> None:
    """Let nothing more be drawn: a write that stands in the terminal keeps all others out."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for drawn in (1, 2):
        os.dup2(nowhere, drawn)
    # The rest of what is broken off goes nowhere, too.
    for thread in threading.enumerate():
        if thread.ident is not None and thread is not threading.current_thread():
            signal.pthread_kill(thread.ident, _BREAK_OFF)


def _watch_terminal() -> None:
    """End the process when its terminal is no more; costs nothing while it is there."""
    poll = select.poll()
    # No event is asked for: what ends a terminal is always told.
    poll.register(_STDIN, 0)
    while True:
        told = poll.poll()
        if any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in told):
            os._exit(TERMINAL_GONE)
