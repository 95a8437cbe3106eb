"""What the writers write, so that an image can be held to every byte of it.

A big file is written a page at a time, the pages in a fixed order that scatters them
over the file, again and again, each page filled with the number of its turn. One
writer does one write after another, so at any instant the file is exactly what some
number of turns makes of it: two pages that disagree about how far the writer had come
were read at different instants. No other evidence is needed.

A small file is made of chunks that say which file they belong to, and where.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from math import gcd
from pathlib import Path

PAGE = 4096
CHUNK = 2048
_WORDS = PAGE // 8


def stride(places: int) -> int:
    """Return how far the next turn's page is: without a common divisor, all are visited."""
    step = int(places * 0.618)
    while gcd(step, places) != 1:
        step += 1
    return step


def order(places: int) -> Iterator[int]:
    """Return the page that each turn writes, turns being counted from 1, without end."""
    step, at = stride(places), 0
    while True:
        at = (at + step) % places
        yield at


def page(turn: int) -> bytes:
    """Return what a turn fills its page with."""
    return struct.pack("<Q", turn) * _WORDS


def chunk(number: int, index: int) -> bytes:
    """Return a chunk of a small file."""
    return struct.pack("<QQ", number, index) * (CHUNK // 16)


def check_pages(path: Path, torn_allowed: bool) -> tuple[int, list[str]]:
    """Hold a big file to what a number of turns makes of it.

    Args:
        path: the file.
        torn_allowed: whether a write can have stopped within its page: one through a
            mapping waits in the middle when its page is being written back.

    Returns:
        The number of turns that the file has seen, and what contradicts it.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        places = len(memory) // PAGE
        firsts = [struct.unpack_from("<Q", memory, at * PAGE)[0] for at in range(places)]
        torn = [
            at
            for at, turn in enumerate(firsts)
            if memory[at * PAGE : (at + 1) * PAGE] != page(turn)
        ]
    if torn_allowed and len(torn) == 1 and firsts[torn[0]] == max(firsts):
        firsts[torn.pop()] -= places  # the last turn, which had only begun
    last = max(firsts)
    back = pow(stride(places), -1, places)
    found = [f"page {at} of turn {firsts[at]} is torn" for at in torn]
    for at, turn in enumerate(firsts):
        first = at * back % places or places  # the first turn that wrote this page
        expected = last - (last - first) % places if last >= first else 0
        if max(turn, 0) != expected:
            found.append(f"page {at} is of turn {turn}, not {expected}, and the last is {last}")
    return last, found


def check_files(folder: Path) -> list[str]:
    """Hold each small file to its number and its length."""
    found = []
    for path in folder.glob("dir*/file*"):
        text = path.read_bytes()
        number = struct.unpack_from("<Q", text)[0] if text else 0
        expected = b"".join(chunk(number, index) for index in range(len(text) // CHUNK))
        if text != expected:
            found.append(f"{path.name}, {len(text)} bytes, holds what was never written to it")
    return found
