"""Starting the engine: a process of its own that outlives the command.

The engine's lock decides which of two is the one; here it is only asked for. A
started engine tells through a pipe that it is ready or why it is not, so nobody
waits longer than it takes. Two commands that start one at the same time get the
same engine: the second start says ``Engine.AlreadyRunning``, and that one is used.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import smc_tui
from smc_tui.jobstore import Home
from smc_tui.jobstore.presence import wake
from smc_tui.model.catalogue import CATALOGUE
from smc_tui.model.errors import SmcError

#: A large job store on a busy disk takes seconds to recover, not half a minute.
READY_WITHIN = 30.0

#: How often a stopping engine, or another's starting one, is looked at.
LOOK = 0.05


def command(home: Home, time_lapse: float | None = None, options: Sequence[str] = ()) -> list[str]:
    """Return the command line of an engine.

    Args:
        home: the home it serves.
        time_lapse: how many times as fast its clock runs.
        options: what it is configured with, as ``Session.engine_options``.
    """
    lapse = [] if time_lapse is None else ["--time-lapse", f"{time_lapse:g}"]
    line = [sys.executable, "-m", "smc_tui.engine", "run", "--home", str(home.path)]
    return [*line, *lapse, *options]


def environment() -> dict[str, str]:
    """Return the engine's environment: it must find this very package from ``/``."""
    here = Path(smc_tui.__file__).resolve().parents[1]
    if here.is_relative_to(sys.prefix):
        return dict(os.environ)
    path = os.pathsep.join([str(here), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}


def start(
    home: Home,
    time_lapse: float | None = None,
    timeout: float = READY_WITHIN,
    options: Sequence[str] = (),
) -> bool:
    """Start an engine unless one runs, and return when it is ready.

    Returns:
        Whether it was this call that started it.

    Raises:
        SmcError: Engine.NotStarted, or what the engine says (Home.*, JobStore.*, Config.*).
    """
    if wake(home):
        return False
    home.prepare()
    limit = time.monotonic() + timeout
    line = command(home, time_lapse, options)
    while True:
        answer = _attempt(home, line, limit)
        if answer.get("ready"):
            return True
        error = answer.get("error")
        if not isinstance(error, dict):
            raise SmcError("Engine.NotStarted", _last_words(home))
        if error.get("code") != "Engine.AlreadyRunning":
            raise as_told(error)
        # Another one holds the lock: it is getting ready, or it is on its way out.
        if _appears(home, limit):
            return False


def stopped(home: Home, timeout: float) -> bool:
    """Wait until no engine serves the home; return whether that came."""
    limit = time.monotonic() + timeout
    while wake(home):
        if time.monotonic() >= limit:
            return False
        time.sleep(LOOK)
    return True


def end(home: Home, stop: Callable[[], object], timeout: float) -> None:
    """Have the home's engine stopped and wait until its process is no more.

    ``stopped`` is earlier: an engine that serves no longer still takes its leave.

    Args:
        home: the home it serves.
        stop: asks it to end.
        timeout: the most seconds to wait.
    """
    process: int | None = None
    if wake(home):
        # Held before it is told: a number that is free may be another's at once.
        with suppress(OSError, ValueError):
            process = os.pidfd_open(int(home.lock.read_text()))
    try:
        stop()
        limit = time.monotonic() + timeout
        if stopped(home, timeout) and process is not None:
            select.select([process], [], [], max(0.0, limit - time.monotonic()))
    finally:
        if process is not None:
            os.close(process)


def _attempt(home: Home, line: Sequence[str], limit: float) -> dict[str, object]:
    """Spawn an engine and return the line it says when it is ready, or why it is not."""
    reader, writer = os.pipe()
    try:
        process = _spawn(home, [*line, "--ready-fd", str(writer)], writer)
    except OSError as error:
        os.close(reader)
        raise SmcError("Engine.NotStarted", f"{error.filename}: {error.strerror}") from error
    finally:
        os.close(writer)
    # Someone must take its exit status when it ends before this process does.
    threading.Thread(target=process.wait, daemon=True).start()
    with os.fdopen(reader, "rb") as pipe:
        ready, _, _ = select.select([pipe], [], [], max(0.0, limit - time.monotonic()))
        said = pipe.readline() if ready else b""
    if not ready:
        raise SmcError("Engine.NotStarted", f"no answer from process {process.pid} in time")
    try:
        answer = json.loads(said)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _spawn(home: Home, arguments: list[str], inherited: int) -> subprocess.Popen[bytes]:
    """Run an engine with no terminal, no parent to end with, and no folder to keep busy."""
    # The engine opens its log itself; this catches what Python says before it can.
    with home.log.open("ab") as log:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[inherited],
            cwd="/",
            env=environment(),
        )


def _appears(home: Home, limit: float) -> bool:
    """Wait a moment for another's engine to be ready; False: ask for the lock again."""
    again = time.monotonic() + 10 * LOOK
    while not wake(home):
        now = time.monotonic()
        if now >= limit:
            raise SmcError("Engine.NotStarted", "another engine holds the lock and does not answer")
        if now >= again:
            return False
        time.sleep(LOOK)
    return True


def as_told(error: dict[str, object]) -> SmcError:
    """Return what the engine said on its way out as an error of this process."""
    code = str(error.get("code"))
    detail = str(error.get("detail", ""))
    return SmcError(code, detail) if code in CATALOGUE else SmcError("Engine.NotStarted", detail)


def _last_words(home: Home) -> str:
    """Return the last line of the engine's log."""
    try:
        lines = home.log.read_text(errors="replace")[-4096:].split("\n")
    except OSError:
        lines = []
    words = next((line for line in reversed(lines) if line.strip()), "")
    return words or "it ended without a word"
