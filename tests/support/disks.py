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
                file.write(log_text(source, length))
    return path


def log_text(source: random.Random, length: int) -> bytes:
    """Return lines as a web server logs them; zstd makes them six times smaller.

    No two lines are alike: text that repeats itself flatters whoever compresses it.
    """
    count = length // 64 + 1
    marks = source.randbytes(4 * count).hex()  # addresses, times and sizes in real logs
    texts = source.choices(_PATHS, k=count)
    lines = [f"{marks[8 * at : 8 * at + 8]} {text}" for at, text in enumerate(texts)]
    return "".join(lines).encode()[:length]


def _requests(source: random.Random) -> list[str]:
    words = [source.randbytes(source.randrange(2, 5)).hex() for _ in range(300)]
    return [
        "GET /{}/{}/{}?session={} HTTP/1.1 {} in worker {:02}\n".format(
            *source.choices(words, k=4), source.choice((200, 200, 304, 404)), source.randrange(32)
        )
        for _ in range(4096)
    ]


_PATHS = _requests(random.Random(0))


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
