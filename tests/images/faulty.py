"""Files that fail when they are told to: errors, short writes, sudden death."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from smc_tui.images.blocks import Bytes
from smc_tui.images.files import Files


class Fault(StrEnum):
    """What strikes at the chosen call."""

    FULL = "no space left"
    IO = "input/output error"
    DEATH = "the process ends before the call"
    TORN = "half a write, then no space left"
    TORN_DEATH = "half a write, then the process ends"


_TORN = (Fault.TORN, Fault.TORN_DEATH)


class Died(BaseException):
    """The process is dead: nothing of it touches the disk any more."""


class FaultyFiles(Files):
    """Strikes at the n-th durable call (the n-th write, for torn ones); once dead, stays dead."""

    def __init__(self, at: int, fault: Fault) -> None:
        self.at = at
        self.fault = fault
        self.calls = 0
        self.struck = ""
        self.dead = False

    def before(self, call: str, path: Path) -> None:
        if self.dead:
            raise Died
        if self.fault in _TORN and call != "write":
            return
        self.calls += 1
        if self.calls == self.at:
            self.struck = f"{call} {path.name}"
            if self.fault not in _TORN:
                self._strike()

    def pwritev(self, fd: int, buffers: Sequence[Bytes], offset: int) -> int:
        if self.fault in _TORN and self.calls == self.at:
            self.at = -1
            whole = b"".join(buffers)
            return os.pwrite(fd, whole[: len(whole) // 2], offset)
        if self.at == -1:
            self.at = -2
            self._strike()
        return super().pwritev(fd, buffers, offset)

    def _strike(self) -> None:
        if self.fault in (Fault.DEATH, Fault.TORN_DEATH):
            self.dead = True
            raise Died
        number = errno.EIO if self.fault is Fault.IO else errno.ENOSPC
        raise OSError(number, os.strerror(number))
