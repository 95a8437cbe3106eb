"""Sample disks: compressible, random and empty parts, changed at random."""

from __future__ import annotations

import random
from pathlib import Path

MIB = 1 << 20
BLOCK = 1 << 16


def make_disk(path: Path, size: int, seed: int = 1) -> Path:
    """Write a sparse disk: half text, a quarter random bytes, a quarter holes."""
    source = random.Random(seed)
    with path.open("wb") as file:
        file.truncate(size)
        for at in range(0, size, MIB):
            kind = source.randrange(4)
            length = min(MIB, size - at)
            if kind == 0:
                continue
            file.seek(at)
            if kind == 1:
                file.write(source.randbytes(length))
            else:
                line = b"%08d a line of a log that a server writes, %d\n" % (at, seed)
                file.write((line * (MIB // len(line) + 1))[:length])
    return path


def change_disk(path: Path, count: int, seed: int) -> None:
    """Overwrite so many blocks at random places, one in eight of them with zeros."""
    source = random.Random(seed)
    blocks = max(1, path.stat().st_size // BLOCK)
    with path.open("r+b") as file:
        for block in source.sample(range(blocks), min(count, blocks)):
            file.seek(block * BLOCK)
            file.write(bytes(BLOCK) if source.randrange(8) == 0 else source.randbytes(BLOCK))


def change_share(path: Path, share: float, seed: int) -> None:
    """Overwrite a share of all blocks with random bytes at random places."""
    source = random.Random(seed)
    blocks = path.stat().st_size // BLOCK
    with path.open("r+b") as file:
        for block in source.sample(range(blocks), max(1, int(blocks * share))):
            file.seek(block * BLOCK)
            file.write(source.randbytes(BLOCK))
