"""Rounds on one disk, in a process of their own: ``python -m tests.live.lane KIND ROUNDS DIR MB``.

MB is how many megabytes a second are written to it, by all of its writers together.
So two disks are tried side by side, and each one's freezes are told from the other's.
Findings and figures go to standard error as they come; the last line on standard
output is a JSON document of the figures.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.live.disks import live_disk, unqueued_disk
from tests.live.freezing import FreezeWitness
from tests.live.rounds import Images, Record, drive, percentile
from tests.live.writers import Load, writing

#: Discards a second: XFS discards all its free space again each time, ext4 only what was
#: freed since.
TRIMS = {"ext4": 1.0, "xfs": 0.1, "unqueued": 1.0}


def tell(line: str) -> None:
    """Say something on the way."""
    print(line, file=sys.stderr, flush=True)


def rounds(kind: str, count: int, folder: Path, megabytes: float) -> Record:
    """Take and check so many images of a disk that so much a second is written to.

    Args:
        kind: ext4 or xfs, on a loop device; unqueued: ext4 on a device without queues.
        count: of rounds.
        folder: for everything.
        megabytes: a second.
    """
    load = replace(Load().times(megabytes / Load().megabytes), trims=TRIMS[kind])
    memory = Path("/dev/shm")  # handing out is synced: here that costs nothing
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else folder) as out,
        FreezeWitness() as witness,
        unqueued_disk(folder) if kind == "unqueued" else live_disk(folder, kind) as disk,
    ):
        images = Images(folder, Path(out), [disk], witness)
        log = folder / f"{kind}.log"
        try:
            with writing(disk.filesystems[0], log, load) as writers:
                return drive(kind, count, images.take, [disk], [writers], tell)
        finally:
            images.close()


def figures(record: Record) -> dict[str, Any]:
    """Return what a test asserts."""
    frozen = record.frozen_ms() or [0.0]
    return {
        "summary": record.summary(),
        "rounds": len(record.rounds),
        "failures": record.failures,
        "consistencies": record.consistencies(),
        "frozen_ms": {share: percentile(frozen, share) for share in (50, 95, 100)},
        "rows": record.rounds[-1].verdict.last,
        "turns": record.rounds[-1].verdict.turns,
        "events": record.total("events"),
    }


def main() -> None:
    """Do the rounds; a signal to end leaves nothing mounted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    kind, count, folder, megabytes = sys.argv[1:]
    print(json.dumps(figures(rounds(kind, int(count), Path(folder), float(megabytes)))))


if __name__ == "__main__":
    main()
