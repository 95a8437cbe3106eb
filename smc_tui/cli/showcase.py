"""``smc-tui demo`` on a terminal: the console on a stage of sample servers.

The stage (``stage.py``) is a process of its own, at the other end of a pipe. So the
demo ends with nothing left behind whatever becomes of this process: the pipe closes.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smc_tui.cli.launch import as_told, environment
from smc_tui.cli.session import Session
from smc_tui.cli.stage import TIME_LAPSE

#: Said above everything, so short that the end of it can be read at 60 columns.
NOTE = "Demo, sample disks: ? helps, a acts, q ends and removes it"
NOTE_KEPT = "Demo, sample disks: ? helps, a acts, q ends and keeps it"


def show(session: Session, mebibytes: int, keep: bool) -> int:
    """Open the console on sample servers; return the exit status when all is over.

    Args:
        session: the command's; its home is the stage's.
        mebibytes: the size of each sample disk.
        keep: leave the home there.

    Raises:
        SmcError: Engine.*, Home.*, JobStore.*.
    """
    from smc_tui.cli.console import open_console

    home = session.home.path
    session.out.talk(f"Sample servers are made in {home} ...")
    with _stage(home, mebibytes, keep) as telling:
        said = json.loads(telling or b"{}")
        if not said.get("ready"):
            raise as_told(said.get("error") or {})
        note = NOTE_KEPT if keep else NOTE
        # The console's farewell tells what goes on by itself: nothing does, here.
        status, _ = open_console(session, note=note, time_lapse=TIME_LAPSE)
        session.close()
        if status == 0:
            session.out.talk("The demo ends: its engine stops ...")
    if status == 0 and not keep:
        session.out.talk("All of it is removed.")
    return status


@contextmanager
def _stage(home: Path, mebibytes: int, keep: bool) -> Iterator[bytes]:
    """Run a stage and yield what it says when it is ready; wait until it has cleaned up."""
    command = [sys.executable, "-m", "smc_tui.cli.stage", str(home), str(mebibytes)]
    process = None
    try:
        with _held_back():
            process = subprocess.Popen(
                [*command, "--keep"] if keep else command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                env=environment(),
            )
        assert process.stdout is not None
        yield process.stdout.readline()
    finally:
        if process is not None and process.stdin is not None:
            process.stdin.close()
            _wait(process)


@contextmanager
def _held_back() -> Iterator[None]:
    """Let a signal that ends the demo wait: a stage begun must be known, to be ended."""
    come: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [
        (each, signal.signal(each, lambda number, _: come.append(number))) for each in numbers
    ]
    try:
        yield
    finally:
        for each, handler in before:
            signal.signal(each, handler)
    if come:
        raise KeyboardInterrupt


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of the stage; a ^C meanwhile is too late to change anything."""
    while True:
        try:
            process.wait()
        except KeyboardInterrupt:
            continue
        return
