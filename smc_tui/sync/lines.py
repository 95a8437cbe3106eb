"""How a run hears the engine and speaks to it: one JSON object a line.

The engine's commands are taken in by a thread of their own and become plain
attributes that the pipeline looks at; nothing is called back from that thread. Who
waits for something else meanwhile has the bell, a descriptor that becomes readable.
The end of standard input means that the engine is gone: the run then stops at
a safe point, and the next engine starts it again from there.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Stop(StrEnum):
    """Why a run is to stop before its end."""

    PAUSE = "pause"
    CANCEL = "cancel"
    GONE = "gone"


@dataclass
class Controls:
    """What the engine wants now.

    Attributes:
        stop: set once; the first reason stays, but a cancel outranks a pause.
        limit_mbit: speed limit on the wire, 0 for none.
        compression: ``auto`` or 0 to 10.
        bell: a descriptor that is readable from the moment on that ``stop`` is set.
    """

    limit_mbit: float
    compression: str | int
    stop: Stop | None = None
    bell: int = field(default_factory=lambda: os.eventfd(0, os.EFD_CLOEXEC))

    def stopped_within(self, seconds: float) -> bool:
        """Wait so long, or until the run is to stop; tell which."""
        return bool(select.select([self.bell], [], [], seconds)[0])

    def listen(self, lines: Iterable[str]) -> None:
        """Take commands until the lines end; meant for a thread of its own."""
        for line in lines:
            try:
                self._obey(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                print(f"ignored a command: {error}", file=sys.stderr)
        self._stop(self.stop or Stop.GONE)

    def listen_in_background(self, lines: Iterable[str]) -> None:
        """Start the thread that listens."""
        threading.Thread(target=self.listen, args=(lines,), daemon=True).start()

    def _obey(self, command: dict[str, Any]) -> None:
        match command["do"]:
            case "pause":
                self._stop(self.stop or Stop.PAUSE)
            case "cancel":
                self._stop(Stop.CANCEL)
            case "limit":
                self.limit_mbit = float(command["mbit"])
            case "compression":
                self.compression = command["level"]

    def _stop(self, why: Stop) -> None:
        self.stop = why
        os.eventfd_write(self.bell, 1)


class Speaker:
    """Writes lines for the engine; an engine that is gone is not an error here."""

    def say(self, kind: str, **facts: Any) -> None:
        """Write one line at once."""
        try:
            sys.stdout.write(json.dumps({"kind": kind, **facts}) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            pass
