"""How a run hears the engine and speaks to it: one JSON object a line.

The engine's commands are taken in by a thread of their own and become plain
attributes that the pipeline looks at; nothing is called back from that thread.
The end of standard input means that the engine is gone: the run then stops at
a safe point, and the next engine starts it again from there.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
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
    """

    limit_mbit: float
    compression: str | int
    stop: Stop | None = None

    def listen(self, lines: Iterable[str]) -> None:
        """Take commands until the lines end; meant for a thread of its own."""
        for line in lines:
            try:
                self._obey(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                print(f"ignored a command: {error}", file=sys.stderr)
        self.stop = self.stop or Stop.GONE

    def listen_in_background(self, lines: Iterable[str]) -> None:
        """Start the thread that listens."""
        threading.Thread(target=self.listen, args=(lines,), daemon=True).start()

    def _obey(self, command: dict[str, Any]) -> None:
        match command["do"]:
            case "pause":
                self.stop = self.stop or Stop.PAUSE
            case "cancel":
                self.stop = Stop.CANCEL
            case "limit":
                self.limit_mbit = float(command["mbit"])
            case "compression":
                self.compression = command["level"]


class Speaker:
    """Writes lines for the engine; an engine that is gone is not an error here."""

    def say(self, kind: str, **facts: Any) -> None:
        """Write one line at once."""
        try:
            sys.stdout.write(json.dumps({"kind": kind, **facts}) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            pass
