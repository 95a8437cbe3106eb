"""The process that cares for images: ``python -m smc_tui.images``.

Standard input, first line: what to do, as JSON:

    {"home": …, "do": "verify", "image": …}
    {"home": …, "do": "export", "image": …, "disk": 0, "file": …, "format": "raw" | "qcow2"}
    {"home": …, "do": "check" | "collect" | "stats"}

Later lines: {"do": "cancel"} or {"do": "pause"}; either, and the end of
standard input, stop the work at a safe point.

Standard output: {"kind": "progress", "phase", "done", "total"} four times a
second, and one last line: "result", "cancelled", "paused", or "error" with
code, detail and facts. Damage found by verify and check is an error whose
facts are the report.
"""

from __future__ import annotations

import io
import json
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from smc_tui.images.check import Report
from smc_tui.images.store import ImageStore
from smc_tui.images.verify import Verification
from smc_tui.model.errors import SmcError

_PROGRESS_SECONDS = 0.25


class Stopped(Exception):
    """The work was stopped at a safe point; its argument is the last line's kind."""


class Worker:
    """One piece of work: hears the engine, tells it how far it is."""

    def __init__(self) -> None:
        self._stop = ""
        self._told = 0.0

    def listen(self, lines: Iterable[bytes]) -> None:
        """Take commands until the lines end; meant for a thread of its own."""
        for line in lines:
            try:
                command = json.loads(line)["do"]
            except (ValueError, KeyError, TypeError) as error:
                print(f"ignored a command: {error}", file=sys.stderr)
                continue
            if command in ("cancel", "pause"):
                self._stop = {"cancel": "cancelled", "pause": "paused"}[command]
        self._stop = self._stop or "cancelled"

    def progress(self, phase: str, done: int, total: int) -> None:
        """Tell how far the work is, not too often.

        Raises:
            Stopped: somebody wants it to end.
        """
        if self._stop:
            raise Stopped(self._stop)
        now = time.monotonic()
        if now - self._told >= _PROGRESS_SECONDS:
            self._told = now
            say("progress", phase=phase, done=done, total=total)

    def work(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Do what is wanted; return the facts of the result.

        Raises:
            SmcError: as ImageStore, and for damage that was found.
            Stopped: it was stopped.
        """
        home = Path(wanted["home"])
        with ImageStore.open(home / "images", home / "staging", create=False) as store:
            match wanted["do"]:
                case "verify":
                    return _verified(store.verify(wanted["image"], self.progress))
                case "check":
                    return _checked(store.check(self.progress))
                case "collect":
                    return asdict(store.collect(self.progress))
                case "stats":
                    return asdict(store.stats())
                case "export":
                    return asdict(
                        store.export(
                            wanted["image"],
                            wanted.get("disk", 0),
                            Path(wanted["file"]),
                            wanted.get("format", "raw"),
                            self.progress,
                            overwrite=bool(wanted.get("overwrite", False)),
                        )
                    )
        raise ValueError(f"nothing known is to be done: {wanted['do']!r}")


def _verified(done: Verification) -> dict[str, Any]:
    if done.ok:
        return asdict(done)
    first = done.damage[0]
    raise SmcError(
        "Image.BlockDamaged",
        f"{done.image}: {done.damaged} places are damaged, the first on disk {first.disk}"
        f" at byte {first.offset}",
        **asdict(done),
    )


def _checked(report: Report) -> dict[str, Any]:
    if report.ok:
        return asdict(report)
    first = report.problems[0]
    raise SmcError(
        "Store.Damaged",
        f"{report.found} problems, the first: {first.kind} {first.name} {first.detail}",
        **asdict(report),
    )


def say(kind: str, **facts: Any) -> None:
    """Write one line at once; an engine that is gone is no error here."""
    try:
        sys.stdout.write(json.dumps({"kind": kind, **facts}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        pass


def main() -> int:
    """Do what the first line says; exit status 1 after an error."""
    worker = Worker()
    # Unbuffered: a buffer has a lock, and the listener would still hold it at the exit.
    lines = io.FileIO(0, closefd=False)
    try:
        wanted = json.loads(lines.readline())
        threading.Thread(target=worker.listen, args=(lines,), daemon=True).start()
        say("result", **worker.work(wanted))
    except Stopped as stopped:
        say(str(stopped))
    except SmcError as error:
        say("error", code=error.code, detail=error.detail, facts=error.facts)
        return 1
    except Exception as error:
        # The whole story goes to the log, the line to the operator.
        traceback.print_exc()
        failure = SmcError("Images.Failed", f"{type(error).__name__}: {error}")
        say("error", code=failure.code, detail=failure.detail, facts={})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
