"""Runs as the engine would start them: a process, a description, lines."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smc_tui.images import ImageStore
from smc_tui.source import inventory
from tests.support.records import SOURCES

#: A run that fails when its link is lost, so that a test sees it.
NO_RETRY = {"attempts": 0, "first": 1, "longest": 1}


@dataclass
class Job:
    """A job's part that runs see: a source with its disks, a home, image ids."""

    home: Path
    paths: list[Path]
    ssh: dict[str, Any] | None = None
    job: str = "j-00000001"
    #: Its own: what a source's jobs leave in the kernel is known by it.
    source: str = field(default_factory=lambda: f"s-{secrets.token_hex(4)}")
    count: int = 0
    disks: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        SOURCES.add(self.source)

    def survey(self, accept_key: str | None = None) -> dict[str, Any]:
        """Import the source: its disks are remembered as they are now."""
        found = inventory.take(
            {
                "ssh": self.ssh,
                "disks": [str(path) for path in self.paths],
                "known_hosts": str(self.home / "known_hosts"),
                "alias": self.source,
                "accept_key": accept_key,
            }
        )
        self.disks = found["disks"]
        return found

    def description(self, **other: Any) -> dict[str, Any]:
        """Return the next run's description."""
        if not self.disks:
            self.survey()
        self.count += 1
        return {
            "home": str(self.home),
            "job": self.job,
            "run": f"r-{self.count:08x}",
            "image": f"m-{self.count:08x}",
            "image_name": f"image-{self.count}",
            "kind": "Full",
            "source": {
                "id": self.source,
                "name": "source",
                "ssh": self.ssh and {**self.ssh, "alias": self.source},
                "disks": self.disks,
            },
            "limit_mbit": 0,
            "compression": 0,
            "link_bps": None,
            "created": "2026-01-02T03:04:05.000Z",
            "retry": NO_RETRY,
            **other,
        }

    def start(self, **other: Any) -> Run:
        """Start the next run and return it while it works."""
        description = self.description(**other)
        with (self.home / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "smc_tui.sync"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        run = Run(process, description["image"])
        run.tell(description)
        return run

    def run(self, **other: Any) -> dict[str, Any]:
        """Do the next run and return its last line."""
        return self.start(**other).last()

    def result(self, **other: Any) -> dict[str, Any]:
        """Do the next run, which must succeed, and return its result."""
        last = self.run(**other)
        assert last["kind"] == "result", (last, (self.home / "log").read_text())
        return last

    def store(self) -> ImageStore:
        """Open the image store."""
        return ImageStore.open(self.home / "images", self.home / "staging")


@dataclass
class Run:
    """A run at work."""

    process: subprocess.Popen[str]
    image: str
    lines: list[dict[str, Any]] = field(default_factory=list)

    def tell(self, command: dict[str, Any]) -> None:
        """Write one line to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def line(self) -> dict[str, Any] | None:
        """Return its next line, None at the end."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        if not text:
            return None
        self.lines.append(json.loads(text))
        return self.lines[-1]

    def until(self, phase: str) -> dict[str, Any]:
        """Return its first progress line of a phase."""
        while (line := self.line()) is not None:
            if line.get("phase") == phase:
                return line
        raise AssertionError(f"the run ended before {phase}: {self.lines[-1:]}")

    def last(self) -> dict[str, Any]:
        """Wait for its end and return its last line, empty when it said none."""
        while self.line() is not None:
            pass
        self.process.wait()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        final = self.lines[-1] if self.lines else {}
        return final if final.get("kind") != "progress" else {}


def image_equals(job: Job, image: str, index: int, path: Path) -> bool:
    """Compare an image's disk with a file, byte for byte."""
    with job.store() as store, store.disk(image, index) as disk:
        if disk.size != path.stat().st_size:
            return False
        step = 1 << 24
        with path.open("rb") as file:
            return all(
                disk.read(at, min(step, disk.size - at)) == file.read(step)
                for at in range(0, disk.size, step)
            )
