"""Freezing a file system by hand, and seeing who else freezes one, and when."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FIFREEZE = 0xC0045877
FITHAW = 0xC0045878
FITRIM = 0xC0185879

TRACEFS = Path("/sys/kernel/tracing")
_LINE = r".*-(?P<pid>\d+) +\[\d+\] \S+ +(?P<at>[\d.]+): sys_ioctl"
_ENTER = re.compile(_LINE + r"\(fd: \w+, cmd: (?P<cmd>\w+)")
_EXIT = re.compile(_LINE + r" -> (?P<status>\w+)")


def freeze(folder: Path) -> None:
    """Freeze the file system mounted there; the caller must thaw it."""
    _ask(folder, FIFREEZE)


def thaw(folder: Path) -> bool:
    """Thaw it; tell whether it was frozen."""
    try:
        _ask(folder, FITHAW)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    return True


def _ask(folder: Path, request: int) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(fd, request, 0)
    finally:
        os.close(fd)


@contextlib.contextmanager
def frozen(*folders: Path) -> Iterator[None]:
    """Hold file systems frozen, the first one thawed last."""
    with contextlib.ExitStack() as held:
        for folder in folders:
            freeze(folder)
            held.callback(thaw, folder)
        yield


@dataclass(frozen=True)
class Window:
    """A stretch in which file systems were frozen, in seconds of the monotonic clock.

    Attributes:
        begin: just before the first of them was asked to freeze.
        thaw: just before the first of them was asked to thaw: what was read of
            frozen disks was read before.
        end: when the last of them was thawed.
    """

    begin: float
    thaw: float
    end: float

    @property
    def seconds(self) -> float:
        """How long something was frozen, or on the way there and back."""
        return self.end - self.begin


@dataclass(frozen=True)
class Call:
    """A FIFREEZE or FITHAW that succeeded: when it began and when it returned."""

    request: int
    begin: float
    end: float


def calls(trace: str) -> list[Call]:
    """Return the calls that a trace holds, without those that were refused."""
    begun: dict[str, tuple[int, float]] = {}
    found = []
    for line in trace.splitlines():
        if match := _ENTER.match(line):
            begun[match["pid"]] = (int(match["cmd"], 16), float(match["at"]))
        elif (match := _EXIT.match(line)) and match["pid"] in begun:
            request, begin = begun.pop(match["pid"])
            if int(match["status"], 16) == 0:
                found.append(Call(request, begin, float(match["at"])))
    return sorted(found, key=lambda call: call.end)


def windows(made: list[Call]) -> list[Window]:
    """Return the stretches that calls make: as many thaws belong to one as freezes."""
    found: list[Window] = []
    depth, begin, thaws = 0, 0.0, 0.0
    for call in made:
        if call.request == FIFREEZE:
            if depth == 0:
                begin, thaws = call.begin, 0.0
            depth += 1
        elif depth:
            thaws = thaws or call.begin
            depth -= 1
            if depth == 0:
                found.append(Window(begin, thaws, call.end))
    return found


class FreezeWitness:
    """Sees every freeze and thaw of this process and those that it starts.

    Not told by the program under test but by the kernel: a tracefs instance of its
    own records the two ioctls on the monotonic clock. Nobody else's are recorded,
    so that tests may run side by side.
    """

    def __init__(self) -> None:
        self._path = TRACEFS / "instances" / f"rig-{os.getpid()}-{time.monotonic_ns()}"

    @staticmethod
    def lacking() -> str:
        """Return why there can be none here, empty when there can."""
        event = TRACEFS / "events/syscalls/sys_enter_ioctl"
        return "" if event.is_dir() else f"{event} is missing: tracefs with syscall events"

    def __enter__(self) -> FreezeWitness:
        self._path.mkdir()
        try:
            self._begin()
        except BaseException:
            self._path.rmdir()
            raise
        return self

    def _begin(self) -> None:
        self._write("trace_clock", "mono")
        self._write("options/event-fork", "1")
        self._write("set_event_pid", str(os.getpid()))
        event = "events/syscalls/sys_enter_ioctl"
        self._write(f"{event}/filter", f"cmd == {FIFREEZE} || cmd == {FITHAW}")
        self._write(f"{event}/enable", "1")
        self._write("events/syscalls/sys_exit_ioctl/enable", "1")

    def __exit__(self, *_: object) -> None:
        self._path.rmdir()

    def _write(self, name: str, text: str) -> None:
        (self._path / name).write_text(text)

    def take(self) -> list[Window]:
        """Return the stretches since the last call, and forget them."""
        text = (self._path / "trace").read_text()
        self._write("trace", "")
        return windows(calls(text))
