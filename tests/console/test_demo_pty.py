"""The demo in a terminal: bars at once, servers in every state, and nothing left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from smc_tui.jobstore import Home, JobStore
from smc_tui.jobstore.presence import wake
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Status
from tests.console.terminal import PATIENCE, Terminal, plain

pytestmark = pytest.mark.pty

#: Seconds to the first moving bar.
FIRST_BAR = 10.0
#: Large enough that the first server's bar outlives the test.
SIZE = "64"


@contextmanager
def demo(folder: Path, *options: str, size: tuple[int, int] = (100, 30)) -> Iterator[Terminal]:
    """Run the demo in a terminal, with a temporary folder of its own."""
    terminal = Terminal(
        [sys.executable, "-m", "smc_tui", *options, "demo", "--size", SIZE],
        environment={"TMPDIR": str(folder)},
        size=size,
    )
    try:
        yield terminal
        wait(terminal, lambda: not left(folder), "something is left")
    finally:
        terminal.close()


def left(folder: Path) -> list[str]:
    """Return what there is in a folder, and the processes that name it."""
    # What goes while it is looked at is not left.
    walked = os.walk(folder)
    found = [str(Path(at, name)) for at, below, files in walked for name in [*below, *files]]
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or process.name == str(os.getpid()):
            continue
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"{folder}/smc-tui-demo-" in words:
            found.append(words.replace("\0", " "))
    return found


def wait(terminal: Terminal, found: Callable[[], bool], what: str) -> None:
    """Read the terminal until something is so."""
    limit = time.monotonic() + 2 * PATIENCE
    while not found():
        assert time.monotonic() < limit, what
        if terminal.process.poll() is None:
            terminal.read(0.1)
        else:
            time.sleep(0.1)  # what is left of it has no terminal to be heard on


def moving(terminal: Terminal) -> float:
    """Wait until a bar has moved twice; return the seconds since the command."""
    shares: set[str] = set()
    while len(shares) < 3:
        come = plain(terminal._more(1.0))
        shares |= {word for word in come.split() if word.endswith("%") and word != "0%"}
        assert time.monotonic() - terminal.started < PATIENCE, shares
    return time.monotonic() - terminal.started


def home_of(folder: Path) -> Home:
    (path,) = folder.glob("smc-tui-demo-*")
    return Home(path)


def test_bars_move_within_seconds_and_leaving_removes_all(tmp_path: Path, stretch: float) -> None:
    with demo(tmp_path) as terminal:
        terminal.until("Demo, sample disks: ? helps, a acts, q ends and removes it")
        took = moving(terminal)
        print(f"first moving bar after {took:.1f} s")
        assert took < FIRST_BAR * stretch
        terminal.type("q")
        assert terminal.status() == 0
        assert terminal.clean
        assert left(tmp_path) == []
        said = plain(terminal.output)
        assert said.strip().endswith("All of it is removed.")
        assert "engine keeps running" not in said
        assert "Traceback" not in said


def test_there_is_a_server_in_every_state(tmp_path: Path) -> None:
    expected = {
        "web01": {Status.RUNNING, Status.WAITING},
        "db01": {Status.WAITING, Status.RUNNING},
        "build01": {Status.READY},
        "erp01": {Status.IN_ERROR},
        "shop01": {Status.FINISHED},
        "files01": {Status.STOPPED},
    }
    with demo(tmp_path) as terminal:
        terminal.until("Server Migration")
        with JobStore.open(home_of(tmp_path)) as store:

            def reached() -> bool:
                now = {job.source_name: job.status for job in store.jobs()}
                return all(now.get(name) in wanted for name, wanted in expected.items())

            wait(terminal, reached, "not all states have come")
            # The one with an error is mended by a retry, as its error says.
            erp = next(job for job in store.jobs() if job.source_name == "erp01")
            assert erp.fault is not None
            assert erp.fault.code.startswith("Disk.")
            retry = store.submit("job.retry", erp.id)
            assert store.wait(retry, ended=True, timeout=PATIENCE).checked()

            # Intervals come round, and find something to do.
            def found() -> bool:
                later = [run for job in store.jobs() for run in store.runs(job.id)[1:] if run.ended]
                return any(run.counters.changed for run in later if str(run.kind) == "Schedule")

            wait(terminal, found, "no interval has found work")
        terminal.type("q")
        assert terminal.status() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_however_it_ends_nothing_is_left(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path) as terminal:
        terminal.until("Server Migration")
        assert left(tmp_path)
        terminal.process.send_signal(number)
        killed = number == signal.SIGKILL
        assert terminal.status() == (-number if killed else 128 + number)
        assert killed or terminal.clean
        # A console that does not leave in time is ended; its servers then go by themselves.
        wait(terminal, lambda: left(tmp_path) == [], "something is left")


def test_a_lost_terminal_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path) as terminal:
        terminal.until("Server Migration")
        terminal.hang_up()
        assert terminal.process.wait(PATIENCE) == 129


def test_interrupted_before_there_is_a_console(tmp_path: Path) -> None:
    with demo(tmp_path) as terminal:
        terminal.until("Sample servers are made in")
        terminal.type("\x03")
        assert terminal.status() == 130
        assert "the demo was interrupted and is over" in plain(terminal.output)
        assert left(tmp_path) == []


def test_a_home_that_is_given_is_kept(tmp_path: Path) -> None:
    home = tmp_path / "kept"
    (tmp_path / "tmp").mkdir()
    with demo(tmp_path / "tmp", "--home", str(home), size=(60, 20)) as terminal:
        terminal.until("Demo, sample disks: ? helps, a acts, q ends and keeps it")
        terminal.until("web01")
        terminal.type("q")
        assert terminal.status() == 0
        assert f"Kept: {home}. To see it: smc-tui --home {home}" in plain(terminal.output)
        assert not wake(Home(home))
    with JobStore.open(Home(home)) as store:
        assert "web01" in {source.name for source in store.sources()}


def test_it_does_not_take_over_an_engine_that_runs(tmp_path: Path) -> None:
    from tests.cli.conftest import end_engine

    home = Home(tmp_path / "mine")
    (tmp_path / "tmp").mkdir()
    from smc_tui.cli import launch

    launch.start(home)
    try:
        with demo(tmp_path / "tmp", "--home", str(home.path)) as terminal:
            assert terminal.status() == SmcError("Engine.AlreadyRunning").exit_code
            assert "Engine.AlreadyRunning: " in plain(terminal.output)
        assert wake(home)
    finally:
        end_engine(home.path)
