"""A whole migration by keys alone: what a person does in tmux, on a disk and an engine."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smc_tui.cli.sample import SampleDisk, first_difference
from smc_tui.jobstore import Home, JobStore
from smc_tui.model.lifecycle import Status
from smc_tui.model.units import MIB
from tests.cli.conftest import end_engine
from tests.console.terminal import PATIENCE, ROOT

pytestmark = [
    pytest.mark.pty,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
]

#: Seconds between two looks at the screen; there is no event of it.
LOOK = 0.05


class Tmux:
    """A tmux server of its own with one window, in which a command runs."""

    def __init__(self, folder: Path, command: str, columns: int, rows: int) -> None:
        self._socket = folder / "tmux"
        environment = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}
        self._environment = {**os.environ, **environment, "XDG_CONFIG_HOME": str(folder / "xdg")}
        self._do("new-session", "-d", "-x", str(columns), "-y", str(rows), command)

    def _do(self, *words: str) -> str:
        # No configuration of whoever runs the tests, and no server of theirs.
        command = ["tmux", "-f", "/dev/null", "-S", str(self._socket), *words]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env=self._environment, timeout=30
        )
        return done.stdout

    @property
    def screen(self) -> str:
        """What stands on the screen."""
        return self._do("capture-pane", "-p")

    def until(self, *texts: str) -> str:
        """Wait until all of these stand on the screen; return it."""
        limit = time.monotonic() + PATIENCE
        while True:
            shown = self.screen
            assert "Traceback" not in shown
            if all(text in shown for text in texts):
                return shown
            assert time.monotonic() < limit, f"waited for {texts}:\n{shown}"
            time.sleep(LOOK)

    def press(self, *keys: str) -> None:
        """Press keys by their names."""
        self._do("send-keys", *keys)

    def type(self, label: str, text: str, below: int = 0) -> None:
        """Type a text into a field once the cursor is there, and wait until it is taken.

        Args:
            label: what stands at the field.
            text: what to type.
            below: how many lines further down the field is.
        """
        self.stand(label, below)
        self._do("send-keys", "-l", text)
        limit = time.monotonic() + PATIENCE
        while text[-16:] not in self._line(0):
            assert time.monotonic() < limit, f"{text!r} is not taken:\n{self.screen}"
            time.sleep(LOOK)

    def press_until(self, key: str, text: str) -> None:
        """Press a key until a text stands on the screen: a choice has no cursor to wait for."""
        limit = time.monotonic() + PATIENCE
        while text not in self.screen:
            assert time.monotonic() < limit, f"waited for {text!r}:\n{self.screen}"
            self.press(key)
            shown = time.monotonic() + 2.0
            while text not in self.screen and time.monotonic() < shown:
                time.sleep(LOOK)

    def stand(self, label: str, below: int = 0) -> None:
        """Wait until the cursor stands at a label.

        Keys that come in one go are all for the field that had the focus when they came.
        """
        limit = time.monotonic() + PATIENCE
        while label not in self._line(below):
            assert time.monotonic() < limit, f"cursor and {label!r}:\n{self.screen}"
            time.sleep(LOOK)

    def _line(self, above: int) -> str:
        """Return the line that is so many above the cursor."""
        at = int(self._do("display-message", "-p", "#{cursor_y}")) - above
        return self.screen.splitlines()[at] if at >= 0 else ""

    def close(self) -> None:
        """End it."""
        subprocess.run(
            ["tmux", "-S", str(self._socket), "kill-server"], capture_output=True, check=False
        )


@pytest.fixture(params=[(100, 30), (80, 24)], ids=["100x30", "80x24"])
def tmux(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Tmux]:
    """Yield a console in a tmux, on a home that is not there yet."""
    home = tmp_path / "home"
    command = [sys.executable, "-m", "smc_tui", "--home", str(home)]
    # A path of a socket has to be short.
    folder = Path("/tmp") / f"smc-tui-test-{os.getpid()}"
    folder.mkdir(mode=0o700)
    made = Tmux(folder, f"{shlex.join(command)}; exec cat", *request.param)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)
        end_engine(home)


def test_a_migration_by_keys_alone(tmux: Tmux, tmp_path: Path) -> None:
    disk = SampleDisk(tmp_path / "d.img", 32 * MIB)
    disk.make()
    exported = tmp_path / "e.img"

    # A source.
    tmux.until("Nothing here yet", "engine up")
    tmux.press("I")
    tmux.until("[1 SERVER]", "SSH address")
    tmux.stand("Name")
    tmux.press("Up")
    tmux.press_until("Right", "[this host]")
    tmux.press("Down")
    tmux.type("Name", "web01")
    tmux.press("Down")
    tmux.type("Disks", str(disk.path))
    tmux.press("Enter")
    tmux.until("[4 DISKS]", "32.0 MiB")
    tmux.press("Enter")
    tmux.until("no job", "Online")

    # A job, started by hand.
    tmux.press("N")
    tmux.until("[2 SETTINGS]", "web01-1")
    tmux.press("Enter")
    tmux.until("[3 JOB]", "Not Started")
    tmux.press("Enter")
    tmux.until("Server Migration", "Not Started")
    tmux.press("o")
    tmux.until("web01-1 run ended: Waiting")

    # The server works; synchronised by hand.
    disk.change()
    tmux.press("m")
    tmux.until("Manual Incremental Synchronization", "Synchronise now")
    tmux.press("Tab", "Enter")
    tmux.until("last run", "Manual, ")

    # It works on; cut over with a last synchronisation.
    disk.change()
    tmux.press("C")
    tmux.until("[X] Perform One Last Synchronization", "Type web01-1 to go on:")
    tmux.press("Tab")
    tmux.type("Type web01-1 to go on:", "web01-1", below=1)
    tmux.press("Enter")
    tmux.until("web01-1 finished: Finished")

    # The newest image, in a file.
    with JobStore.open(Home(tmp_path / "home")) as store:
        newest = store.images()[-1].name
    tmux.press("M")
    tmux.until(f"›{newest[:16]}")
    tmux.press("g")
    tmux.press("e")
    tmux.until(f"Export Image: {newest}", "File")
    tmux.type("File", str(exported))
    tmux.press("Enter")
    with JobStore.open(Home(tmp_path / "home")) as store:
        tmux.until("exported")
        (job,) = store.jobs()
        assert job.status is Status.FINISHED
        kinds = [str(run.kind) for run in store.runs(job.id)]
        assert kinds == ["Full", "Manual", "Last"]
    assert first_difference(disk.path, exported) is None

    tmux.press("Escape")
    tmux.until("Server Migration")
    tmux.press("q")
    tmux.until("engine keeps running: 0 running, 0 waiting. Back: smc-tui --home")
