"""What is shown while a run goes on: nothing that is not known."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import pytest

from smc_tui.cli import frames, progress
from smc_tui.cli.frames import Follower
from smc_tui.cli.output import Output
from smc_tui.cli.progress import RunWatch, WorkWatch
from smc_tui.jobstore import Request, RequestState
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Phase, Status
from smc_tui.model.things import Job
from smc_tui.model.units import MIB
from tests.cli.conftest import ROOT, Cli
from tests.cli.test_pages import JOB

RUNNING = replace(JOB, status=Status.RUNNING, phase=Phase.SYNCING, run_id="r-1", progress=30.0)


@dataclass
class Store:
    """A job store with one job, or none."""

    job_now: Job | None = RUNNING

    def job(self, ref: str) -> Job:
        """Return it."""
        if self.job_now is None:
            raise SmcError("ReplicationJob.NotFound")
        return self.job_now

    def live(self, **live: Any) -> None:
        """Let the worker say something."""
        assert self.job_now is not None
        self.job_now = replace(self.job_now, live=live)


@dataclass
class Clock:
    """A clock that is told what time it is."""

    now: float = 100.0

    def monotonic(self) -> float:
        """Return it."""
        return self.now


@dataclass
class Scene:
    """A run and a clock."""

    store: Store = field(default_factory=Store)
    clock: Clock = field(default_factory=Clock)

    def watch(self) -> RunWatch:
        """Return a watch of the run."""
        return RunWatch(self.store, "j-00000001")  # type: ignore[arg-type]

    def lines(self, watch: RunWatch, at: float, **live: Any) -> str:
        """Return the frame at an instant as a line."""
        self.clock.now = 100.0 + at
        self.store.live(**live)
        frame = watch.frame()
        assert frame is not None
        return frame.line


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Return a run whose time the test tells."""
    made = Scene()
    monkeypatch.setattr(progress, "time", made.clock)
    monkeypatch.setattr(frames, "time", made.clock)
    return made


def test_before_the_worker_has_spoken_there_are_no_bars(scene: Scene) -> None:
    frame = scene.watch().frame()
    assert frame is not None
    assert (frame.title, frame.bars, frame.idle) == ("mig: Syncing", (), False)


def test_both_bars_with_rates_and_what_holds_them(scene: Scene) -> None:
    watch = scene.watch()
    scene.lines(watch, 0, total=800 * MIB, compared=MIB, changed=MIB, sent=MIB)
    live = {"compared": 401 * MIB, "changed": 151 * MIB, "needed": 101 * MIB, "sent": 51 * MIB}
    line = scene.lines(watch, 5, total=800 * MIB, wire_bps=5 * MIB, held_by="speed limit", **live)
    assert line == (
        "mig: Syncing, 30 %; "
        "comparing: 401 MiB of 800 MiB, 80.0 MiB/s, about 5s left, held by the speed limit; "
        "transferring: 51.0 MiB of 101 MiB (151 MiB changed), 10.0 MiB/s, about 15s left, "
        "wire 5.00 MiB/s"
    )


def test_no_time_remaining_before_it_is_worth_something(scene: Scene) -> None:
    watch = scene.watch()
    for at, compared in ((0, 0), (0.5, MIB), (1, 50 * MIB), (3.9, 90 * MIB)):
        line = scene.lines(watch, at, total=1000 * MIB, compared=compared, changed=0, sent=0)
        assert "left" not in line
    line = scene.lines(watch, 5, total=1000 * MIB, compared=100 * MIB, changed=0, sent=0)
    assert "left" in line
    assert "transferring: nothing found changed so far" in line


def test_a_speed_counts_from_the_first_byte(scene: Scene) -> None:
    watch = scene.watch()
    scene.lines(watch, 0, total=1000 * MIB, compared=0)
    scene.lines(watch, 60, total=1000 * MIB, compared=0)
    scene.lines(watch, 61, total=1000 * MIB, compared=10 * MIB)
    assert "10.0 MiB/s" in scene.lines(watch, 62, total=1000 * MIB, compared=20 * MIB)


def test_what_is_done_has_no_speed(scene: Scene) -> None:
    watch = scene.watch()
    scene.lines(watch, 0, total=10 * MIB, compared=MIB)
    line = scene.lines(watch, 5, total=10 * MIB, compared=10 * MIB)
    assert "comparing: 10.0 MiB of 10.0 MiB;" in line


def test_another_run_begins_anew(scene: Scene) -> None:
    watch = scene.watch()
    scene.lines(watch, 0, total=1000 * MIB, compared=MIB)
    scene.lines(watch, 10, total=1000 * MIB, compared=500 * MIB)
    scene.store.job_now = replace(RUNNING, run_id="r-2")
    assert "left" not in scene.lines(watch, 11, total=1000 * MIB, compared=100 * MIB)


def test_a_job_at_rest_is_idle_and_one_that_is_gone_is_nothing(scene: Scene) -> None:
    scene.store.job_now = JOB
    frame = scene.watch().frame()
    assert frame is not None
    assert (frame.line, frame.idle) == ("mig: Waiting", True)
    scene.store.job_now = None
    assert scene.watch().frame() is None


def test_lines_come_with_what_is_new_and_now_and_then(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    follower = Follower(Output(), scene.watch())
    for tenth in range(120):
        scene.clock.now = 100 + tenth / 10
        scene.store.live(total=1000 * MIB, compared=tenth * MIB)
        follower()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("mig: Syncing, 30 %; comparing: ") for line in lines)


def request(**told: Any) -> Request:
    """Return a request whose worker has told something."""
    return Request(
        1, "q-1", "image.verify", "m-1", {}, "", RequestState.ACCEPTED, "", "", {}, {}, told, ""
    )


def test_work_on_images_has_a_bar_once_the_total_is_known(scene: Scene) -> None:
    watch = WorkWatch("Verify Image web01_1")
    assert watch.frame(request()).line == "Verify Image web01_1"
    frame = watch.frame(request(done=MIB, total=4 * MIB))
    assert (frame.bars[0].share, frame.bars[0].facts) == (0.25, "1.00 MiB of 4.00 MiB")
    scene.clock.now += 2
    frame = watch.frame(request(done=3 * MIB, total=4 * MIB))
    assert frame.bars[0].facts == "3.00 MiB of 4.00 MiB, 1.00 MiB/s"


# On a terminal


@dataclass
class Terminal:
    """A command on a terminal of its own, 100 columns wide."""

    process: subprocess.Popen[bytes]
    master: int
    seen: str = ""

    def until(self, found: Callable[[str], object]) -> str:
        """Read until something is to be seen."""
        while not found(self.seen):
            ready, _, _ = select.select([self.master], [], [], 30)
            assert ready, f"nothing more comes: {self.seen[-2000:]!r}"
            self.seen += os.read(self.master, 65536).decode(errors="replace")
        return self.seen

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self.master, text.encode())

    def end(self) -> int:
        """Read to the end; return the exit status."""
        try:
            while chunk := os.read(self.master, 65536):
                self.seen += chunk.decode(errors="replace")
        except OSError:  # the last one has closed its side
            pass
        return self.process.wait(30)


@contextmanager
def terminal(
    home: Path, *arguments: str, stdout: TextIO | None = None, **environment: str
) -> Iterator[Terminal]:
    """Run a command on a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "smc_tui", "--home", str(home), *arguments],
        stdin=slave,
        stdout=slave if stdout is None else stdout,
        stderr=slave,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"} | environment,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that ^C is a signal
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)


def test_bars_are_drawn_on_a_terminal_and_the_cursor_comes_back(smc: Cli, large_disk: Path) -> None:
    smc.slow_job(large_disk)
    with terminal(smc.home, "job", "wait", "mig") as screen:
        seen = screen.until(lambda text: re.search(r"Transferring\s+\S*━\S*─.* of", text))
        assert "\x1b[?25l" in seen
        screen.process.send_signal(signal.SIGTERM)
        assert screen.end() == 143
        assert screen.seen.rindex("\x1b[?25h") > screen.seen.rindex("\x1b[?25l")


def test_bars_of_ascii(smc: Cli, large_disk: Path) -> None:
    smc.slow_job(large_disk)
    with terminal(smc.home, "job", "wait", "mig", "--ascii") as screen:
        seen = screen.until(lambda text: re.search(r"Transferring\s+\S*#\S*-.* of", text))
        assert seen.isascii()


def test_a_dumb_terminal_gets_lines(smc: Cli, large_disk: Path) -> None:
    smc.slow_job(large_disk)
    with terminal(smc.home, "job", "wait", "mig", TERM="dumb") as screen:
        seen = screen.until(lambda text: "mig: Syncing" in text)
        assert "\x1b" not in seen


def test_an_interrupt_on_the_terminal_detaches(smc: Cli, large_disk: Path) -> None:
    smc.slow_job(large_disk)
    with terminal(smc.home, "job", "wait", "mig") as screen:
        screen.until(lambda text: "Comparing" in text)
        screen.type("\x03")
        assert screen.end() == 130
        assert "goes on in the engine" in screen.seen
        assert "Traceback" not in screen.seen
    assert smc.json("job", "show", "mig")["status"] == "Running"


def test_a_name_is_typed_on_the_terminal(smc: Cli, disk: Path) -> None:
    smc.migrated(disk)
    for typed, code in (("mgi", 2), ("mig", 0)):
        with terminal(smc.home, "job", "complete", "mig", "--wait", "--json") as screen:
            screen.until(lambda text: "type mig to go on" in text)
            assert "never runs again" in screen.seen
            screen.type(f"{typed}\n")
            assert screen.end() == code, screen.seen
    assert smc.json("job", "show", "mig")["status"] == "Finished"


def test_a_question_leaves_standard_output_alone_and_an_end_is_an_answer(
    smc: Cli, disk: Path, tmp_path: Path
) -> None:
    smc.migrated(disk)
    for typed, code in (("\x04", 2), ("mig\n", 0)):
        output = tmp_path / "output"
        with output.open("w") as file:
            arguments = ("job", "cancel", "mig", "--wait", "--json")
            with terminal(smc.home, *arguments, stdout=file) as screen:
                screen.until(lambda text: "type mig to go on: " in text)
                screen.type(typed)
                assert screen.end() == code, screen.seen
        assert output.read_text()[0] == "{"
        found = json.loads(output.read_text())
        assert found.get("deleted") or found["error"]["code"] == "InvalidParameter.Confirmation"
    assert smc.json("job", "list") == []


def test_a_table_on_a_terminal_has_no_markup_from_data(smc: Cli, disk: Path) -> None:
    disk = disk.rename(disk.with_name("[red]disk.img"))
    smc.imported(disk)
    with terminal(smc.home, "source", "show", "web01", COLUMNS="200") as screen:
        assert screen.end() == 0
        assert "[red]disk.img" in screen.seen


def test_a_page_in_a_pipe_has_no_escape(smc: Cli, disk: Path) -> None:
    smc.migrated(disk)
    for typed in (("job", "list"), ("job", "show", "mig"), ("image", "list"), ("source", "list")):
        said = smc(*typed)
        assert "\x1b" not in said.out
        with pytest.raises(json.JSONDecodeError):
            json.loads(said.out)
