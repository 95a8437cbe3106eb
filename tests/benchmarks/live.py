"""A sparse disk in use, 1 % of it written: ``python -m tests.benchmarks.live``, as root.

An ext4 on a loop device is mounted throughout, with an unbroken record of its writes. In
turn: nothing but what the file system writes by itself; 1 % of the disk's size written in
pieces; 1 % of what is in use. Beside them the full comparison of the same disk, mounted
(free space is known then) and not, and what rsync takes for the file behind it, both ends
on this machine. Every run is a process of its own over the local link, as the engine
starts it.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.live.disks import call, loop, make_filesystem, mounted
from tests.support.disks import MIB
from tests.support.records import forget
from tests.support.runs import Job

GIB = 1 << 30


@dataclass
class Live:
    """The disk, the job that keeps images of it, rsync's copy."""

    job: Job
    device: Path
    folder: Path
    backing: Path
    copy: Path
    chance: random.Random

    def write(self, total: int, piece: int) -> None:
        """Write so many bytes of the data, in pieces at random places, and see them written."""
        data = self.folder / "data"
        with data.open("r+b") as file:
            for at in self.chance.sample(range(data.stat().st_size // piece), total // piece):
                file.seek(at * piece)
                file.write(self.chance.randbytes(piece))
        os.sync()

    def run(self, **wishes: Any) -> dict[str, Any]:
        """Do a run."""
        return self.job.result(**wishes)

    def rsync(self) -> None:
        """Bring rsync's copy up to date, block by block."""
        words = ("rsync", "--inplace", "--no-whole-file", "--ignore-times")
        call(*words, self.backing, self.copy)


@contextmanager
def disk(folder: Path, size: int, used: int) -> Iterator[Live]:
    """Yield a sparse disk with a file system, so much of it in use."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    backing = folder / "disk"
    with backing.open("wb") as made:
        made.truncate(size)
    with ExitStack() as held:
        # As a disk's: what is read and written is not in the page cache twice.
        device = held.enter_context(loop(backing, "--direct-io=on"))
        make_filesystem("ext4", device, "-E", "lazy_itable_init=0,lazy_journal_init=0")
        mount = held.enter_context(mounted(device, folder / "mount"))
        chance = random.Random(1)
        with (mount / "data").open("wb") as file:
            for _ in range(used // (16 * MIB)):
                file.write(chance.randbytes(16 * MIB))
        os.sync()
        job = Job(home, [device])
        held.callback(forget, job.source)
        yield Live(job, device, mount, backing, folder / "copy", chance)


def taken(name: str, work: Callable[[], object]) -> float:
    """Do a piece of work, and print the seconds it takes."""
    os.sync()
    begun = time.monotonic()
    said = work()
    seconds = time.monotonic() - begun
    facts = ""
    if isinstance(said, dict):
        facts = f"{said['change_detection']}, {said['bytes_changed'] / MIB:,.0f} MiB changed"
    print(f"{name:44} {seconds:8.2f} s  {facts}", flush=True)
    return seconds


def measure(live: Live, size: int, used: int, rounds: int) -> None:
    """Measure and print."""
    taken("first image", live.run)
    call("cp", "--sparse=always", live.backing, live.copy)
    for _ in range(rounds):
        taken("nothing written but by the file system", live.run)
    ours: dict[str, float] = {}
    for what, total in (("the disk", size // 100), ("what is in use", used // 100)):
        for piece in (MIB, 64 << 10):
            name = f"1 % of {what}, in pieces of {piece >> 10} KiB"
            for _ in range(rounds):
                live.write(total, piece)
                ours[name] = min(ours.get(name, 1e9), taken(name, live.run))
    full = taken("full comparison, free space known", lambda: live.run(full_comparison=True))
    live.write(used // 100, MIB)
    rsync = taken("rsync of the file", live.rsync)
    subprocess.run(["umount", live.folder], check=True)
    whole = taken("full comparison, not mounted", lambda: live.run(full_comparison=True))
    call("mount", live.device, live.folder)
    for name, seconds in ours.items():
        ratios = ((full, "full comparison"), (whole, "all of it"), (rsync, "rsync"))
        told = ", ".join(f"{other / seconds:.1f}x {word}" for other, word in ratios)
        print(f"{name}: {told}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=64, help="GiB of the disk")
    parser.add_argument("--used", type=int, default=2, help="GiB of it in use")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    size, used = given.size * GIB, given.used * GIB
    with (
        tempfile.TemporaryDirectory(prefix="smc-bench-", dir=given.folder) as name,
        disk(Path(name), size, used) as live,
    ):
        measure(live, size, used, given.rounds)


if __name__ == "__main__":
    main()
