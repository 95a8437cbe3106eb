"""A process that uses the store until it is killed: ``python -m tests.images.churn``.

Arguments: the home, what to do (``write`` or ``collect``), a number. It tells
on standard output what it has done, one line each, at once.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from tests.images.world import Disk, World, sample


def disk_of(image: str) -> Disk:
    """Return what an image holds: its id tells."""
    chance = random.Random(image)
    return sample(2, *chance.sample(range(1, 40), 8))


def _write(world: World, number: int) -> None:
    chance = random.Random()
    mine: list[str] = []
    world.map_path = world.home / "staging" / f"j-{number:08x}" / "disk0.map"
    while True:
        image = f"m-{number:02x}{chance.randrange(1 << 24):06x}"
        world.synchronise(image, disk_of(image))
        print("published", image, flush=True)
        mine.append(image)
        if chance.random() < 0.2:
            world.forget_map()
        while len(mine) > 2:
            print("removing", mine[0], flush=True)
            world.store.remove(mine.pop(0))


def _collect(world: World) -> None:
    while True:
        print("collected", world.store.collect().swept, flush=True)


if __name__ == "__main__":
    home, what, number = sys.argv[1:]
    {"write": lambda w: _write(w, int(number)), "collect": _collect}[what](World(Path(home)))
