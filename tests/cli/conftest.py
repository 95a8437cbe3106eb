"""A home of its own for each test, the command line in this process, and its engine's end."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from smc_tui.cli.app import run
from smc_tui.jobstore import Home
from smc_tui.jobstore.presence import wake
from smc_tui.model.units import KIB, MIB

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit status."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document; more than one, or none, fails."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error's document; the same code stands in the one line for people."""
        found = self.document["error"]
        assert any(line.startswith(f"{found['code']}: ") for line in self.err.splitlines())
        return found


@dataclass
class Cli:
    """The command line, run in this process with a home of the test."""

    home: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str | Path) -> Said:
        """Run a command."""
        self.capture.readouterr()
        code = run(["--home", str(self.home), *map(str, arguments)])
        out, err = self.capture.readouterr()
        assert "Traceback" not in err
        return Said(code, out, err)

    def json(self, *arguments: str | Path) -> Any:
        """Run a command that must succeed; return its document."""
        said = self(*arguments, "--json")
        assert said.code == 0, said
        return said.document

    def engine(self) -> int | None:
        """Return the process of the home's engine, None when none runs."""
        home = Home(self.home)
        return int(home.lock.read_text()) if wake(home) else None

    def imported(self, disk: Path, name: str = "web01") -> dict[str, Any]:
        """Import a disk as a source."""
        return self.json("source", "import", name, "--local", disk)

    def migrated(self, disk: Path, *options: str) -> dict[str, Any]:
        """Import a disk, create its job and wait for the first image; return the job."""
        self.imported(disk)
        return self.json("job", "create", "web01", "--name", "mig", *options, "--wait")

    def slow_job(self, disk: Path) -> dict[str, Any]:
        """Start a job that takes many seconds to transfer, and wait until it does."""
        self.imported(disk)
        options = ("--name", "mig", "--start", "now", "--limit", "8", "--compression", "0")
        self.json("job", "create", "web01", *options)
        return self.json("job", "wait", "mig", "--for", "Syncing", "--timeout", "30")


def end_engine(home: Path, number: signal.Signals = signal.SIGTERM) -> None:
    """End the home's engine, if one runs, and wait until it has ended."""
    if not wake(Home(home)):
        return
    pid = int(Home(home).lock.read_text())
    handle = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(handle, number)
        ended, _, _ = select.select([handle], [], [], 30)
        assert ended, "the engine does not end"
    finally:
        os.close(handle)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield the path of a home that is not there yet; its engine is ended afterwards.

    What the person running the tests has configured does not count.
    """
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    path = tmp_path / "home"
    yield path
    end_engine(path)


@pytest.fixture
def smc(home: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Return the command line with a home of its own."""
    return Cli(home, capsys)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Return a disk image: 4 MiB random, a hole, 12 MiB and a bit in all."""
    path = tmp_path / "server disk; $(x).img"
    with path.open("wb") as file:
        file.write(os.urandom(4 * MIB))
        file.truncate(12 * MIB + 4 * KIB)
    return path


@pytest.fixture
def large_disk(tmp_path: Path) -> Path:
    """Return a disk image that takes its time: 32 MiB random."""
    path = tmp_path / "large.img"
    path.write_bytes(os.urandom(32 * MIB))
    return path


def change(disk: Path, offset: int = MIB, text: bytes = b"changed") -> None:
    """Write something else somewhere."""
    with disk.open("r+b") as file:
        file.seek(offset)
        file.write(text + os.urandom(100))


Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def spawn(home: Path) -> Iterator[Spawn]:
    """Return what starts the command line as a process; all are ended afterwards."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
        settings: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "cwd": ROOT,
            **options,
        }
        command = [sys.executable, "-m", "smc_tui", "--home", str(home), *map(str, arguments)]
        process = subprocess.Popen(command, **settings)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
