"""Full copy, 1 % changed and nothing changed: ours beside the peers', as ratios."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.benchmarks.peers import (
    PEERS,
    Borg,
    Casync,
    Floor,
    Peer,
    Restic,
    Rsync,
    Scene,
    SmcTui,
    SshCat,
)
from tests.support.disks import BLOCK, change_share, make_disk
from tests.support.sshd import Sshd

Times = dict[str, dict[str, list[float]]]
FULL = (SmcTui, SshCat, Rsync, Restic, Borg, Casync)
CHANGED = (SmcTui, Floor, Rsync, Restic, Borg)
UNCHANGED = (SmcTui, Floor, Rsync)


def timed(work: Callable[[], None]) -> float:
    """Return the seconds that a piece of work takes."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


class Benchmark:
    """The rounds, and what they took."""

    def __init__(self, scene: Scene, only: set[str]) -> None:
        chosen = [peer(scene) for peer in PEERS if not only or peer.name.split()[0] in only]
        self.scene = scene
        self.peers = [peer for peer in chosen if peer.found()]
        self.missing = [peer.name for peer in chosen if not peer.found()]
        self.times: Times = defaultdict(lambda: defaultdict(list))

    def _take(self, task: str, kinds: tuple[type[Peer], ...], act: str, turn: int) -> None:
        """Run one round of a task, every side once, beginning with another one each time."""
        sides = [peer for peer in self.peers if isinstance(peer, kinds)]
        if not sides:
            return
        for peer in sides[turn % len(sides) :] + sides[: turn % len(sides)]:
            os.sync()  # what another side left to be written is not this one's to wait for
            took = timed(getattr(peer, act))
            self.times[task][peer.name].append(took)
            print(f"{task:12} {peer.name:34} {took:8.2f} s", file=sys.stderr)

    def full(self, rounds: int) -> None:
        """Measure full copies."""
        for turn in range(rounds):
            for peer in self.peers:
                peer.reset()
            self._take("full copy", FULL, "copy", turn)

    def incremental(self, rounds: int) -> None:
        """Measure copies of a disk of which 1 % has changed, then of which nothing has.

        Unchanged is a disk whose times say that it may be another; where they say nothing
        was written, ours does not compare it.
        """
        for turn in range(rounds):
            change_share(self.scene.disk, 0.01, seed=100 + turn)
            self._take("1 % changed", CHANGED, "again", turn)
            os.utime(self.scene.disk)
            self._take("unchanged", UNCHANGED, "again", turn)
            self._take("not written", (SmcTui,), "again", turn)

    def table(self) -> str:
        """Return the medians and the ratios to ours, as Markdown."""
        lines = ["| task | program | median s | x smc-tui |", "|---|---|---:|---:|"]
        for task, sides in self.times.items():
            ours = median(sides.get(SmcTui.name, [float("nan")]))
            for name, times in sides.items():
                lines.append(
                    f"| {task} | {name} | {median(times):.2f} | {median(times) / ours:.2f} |"
                )
        return "\n".join(lines)


def our_figures(ours: SmcTui) -> str:
    """Return what each of our runs sent and stored, from the jobs themselves."""
    ours.twin()
    names = ("kind", "bytes_total", "bytes_changed", "bytes_sent", "bytes_wire", "bytes_stored")
    rows = ["| job | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for job in ("job", "twin-job"):
        command = [sys.executable, "-m", "smc_tui", "--home", str(ours.place / "home"), "--json"]
        said = subprocess.run([*command, "job", "show", job], capture_output=True, check=True)
        for run in json.loads(said.stdout)["runs"]:
            cells = (f"{run[name]:,}" if name != "kind" else run[name] for name in names)
            rows.append(f"| {job} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=float, default=8, help="GiB of the sample disk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full-rounds", type=int, default=1)
    parser.add_argument("--only", default="", help="comma-separated first words of sides")
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="smc-bench-", dir=given.folder) as name:
        folder = Path(name)
        disk = make_disk(folder / "disk", int(given.size * 2**30) // BLOCK * BLOCK)
        server = Sshd.prepare(folder / "sshd")
        try:
            bench = Benchmark(Scene(folder, disk, server), set(filter(None, given.only.split(","))))
            bench.full(given.full_rounds)
            bench.incremental(given.rounds)
            print(bench.table())
            if bench.missing:
                print(f"\nNot found, left out: {', '.join(bench.missing)}")
            for peer in bench.peers:
                if isinstance(peer, SmcTui):
                    print("\n" + our_figures(peer))
                    peer.run("engine", "stop")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
