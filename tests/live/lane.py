"""Rounds on one disk, in a process of their own: ``python -m tests.live.lane KIND ROUNDS FOLDER``.

So two disks are tried side by side, and each one's freezes are told from the other's.
Findings and figures go to standard error as they come; the last line on standard
output is a JSON document of the figures.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.live.disks import live_disk
from tests.live.freezing import FreezeWitness
from tests.live.rounds import Images, Record, drive, percentile
from tests.live.writers import Load, writing

#: XFS discards all its free space again each time, ext4 only what was freed since.
LOADS = {
    "ext4": Load(buffered=3, direct=400, mapped=200, trims=1, rows=50),
    "xfs": Load(buffered=3, direct=400, mapped=200, trims=0.1, rows=50),
}


def tell(line: str) -> None:
    """Say something on the way."""
    print(line, file=sys.stderr, flush=True)


def rounds(kind: str, count: int, folder: Path) -> Record:
    """Take and check so many images of a written disk."""
    memory = Path("/dev/shm")  # handing out is synced: here that costs nothing
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else folder) as out,
        FreezeWitness() as witness,
        live_disk(folder, kind) as disk,
    ):
        images = Images(folder, Path(out), [disk], witness)
        log = folder / f"{kind}.log"
        try:
            with writing(disk.filesystems[0], log, LOADS[kind]) as writers:
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
    kind, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    print(json.dumps(figures(rounds(kind, count, folder))))


if __name__ == "__main__":
    main()
