"""A real terminal of which the test is the screen: bytes are counted, time is taken."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

#: Seconds that anything may take on the slowest machine.
PATIENCE = 30.0

_SEQUENCE = re.compile(rb"\x1b\[[0-9;?<>=$]*[ -/]*[@-~]|\x1b[()][0-9A-B]|\x1b[=>78]|\x18")


def plain(output: bytes) -> str:
    """Return output without its control sequences."""
    return _SEQUENCE.sub(b"", output).decode(errors="replace")


class Terminal:
    """A process on a terminal of its own."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        size: tuple[int, int] = (100, 30),
        environment: dict[str, str] | None = None,
        first: Callable[[], None] = lambda: None,
    ) -> None:
        self.master, self.slave = os.openpty()
        self.output = b""
        self.resize(*size)
        self.before = termios.tcgetattr(self.slave)
        settings = {
            name: value
            for name, value in os.environ.items()
            if name not in ("NO_COLOR", "TEXTUAL_THEME", "SSH_CONNECTION", "COLUMNS", "LINES")
        }
        settings |= {
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            **(environment or {}),
        }

        def take() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            first()

        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            preexec_fn=take,
            cwd="/",
            env=settings,
        )

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.master, keys.encode())

    def read(self, seconds: float) -> bytes:
        """Return what comes in a time."""
        limit = time.monotonic() + seconds
        come = b""
        while (left := limit - time.monotonic()) > 0:
            come += self._more(left)
        return come

    def _more(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self.master], [], [], seconds)
        come = b""
        if ready:
            with suppress(OSError):  # EIO: the other side was hung up
                come = os.read(self.master, 1 << 16)
        self.output += come
        return come

    def until(self, text: str, patience: float = PATIENCE) -> float:
        """Read until a text has come, from now on; return the seconds since the start."""
        limit, come = time.monotonic() + patience, b""
        while text not in plain(come):
            left = limit - time.monotonic()
            assert left > 0, f"waited for {text!r}: {plain(come)!r}"
            come += self._more(left)
        return time.monotonic() - self.started

    def until_quiet(self, seconds: float = 1.2, patience: float = PATIENCE) -> None:
        """Read until nothing has come for a while: longer than two looks at the job store."""
        limit = time.monotonic() + patience
        while self._more(seconds):
            assert time.monotonic() < limit, "it never gets quiet"

    def drain(self) -> bytes:
        """Return what has come already."""
        come = b""
        while more := self._more(0):
            come += more
        return come

    def status(self, patience: float = PATIENCE) -> int:
        """Return the exit status when it has ended, reading meanwhile."""
        limit = time.monotonic() + patience
        while self.process.poll() is None:
            assert time.monotonic() < limit, "it does not end"
            self._more(0.05)
        self.drain()
        return self.process.returncode

    def hang_up(self) -> None:
        """Take the terminal away, as a dropped ssh connection does."""
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1

    def stall(self, key: str) -> None:
        """Press a key that draws, and read nothing, until no more goes into the terminal."""
        limit = time.monotonic() + PATIENCE
        while select.select([], [self.slave], [], 0)[1]:
            assert time.monotonic() < limit, "the terminal never gets full"
            self.type(key)
            # What was drawn for one key is not drawn again for those that come with it.
            time.sleep(0.05)

    @property
    def clean(self) -> bool:
        """Whether it was given back: settings as before, main screen, a cursor, no mouse."""
        sane = termios.tcgetattr(self.slave) == self.before
        pairs = (b"1049", b"1000", b"1003", b"2004", b"1004", b"1006")
        off = all(
            self.output.rfind(b"\x1b[?%bl" % mode) >= self.output.rfind(b"\x1b[?%bh" % mode)
            for mode in pairs
        )
        shown = self.output.rfind(b"\x1b[?25h") > self.output.rfind(b"\x1b[?25l")
        keys = self.output.rfind(b"\x1b[<u") > self.output.rfind(b"\x1b[>")
        return sane and off and shown and keys

    @property
    def cpu(self) -> float:
        """The seconds of processor time that it has used."""
        total = 0
        for each in Path(f"/proc/{self.process.pid}/task").iterdir():
            with suppress(OSError):
                total += int((each / "schedstat").read_text().split()[0])
        return total / 1e9

    @property
    def state(self) -> str:
        """The process's state as the kernel names it: R, S, T."""
        text = Path(f"/proc/{self.process.pid}/stat").read_text()
        return text.rpartition(")")[2].split()[0]

    def close(self) -> None:
        """End what still runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for handle in (self.master, self.slave):
            if handle >= 0:
                os.close(handle)


@contextmanager
def console(home: Path, *options: str, **settings: Any) -> Iterator[Terminal]:
    """Open a console on a home, in a terminal."""
    command = [sys.executable, "-m", "smc_tui", "--home", str(home), "--no-start", *options]
    terminal = Terminal(command, **settings)
    try:
        yield terminal
    finally:
        terminal.close()
