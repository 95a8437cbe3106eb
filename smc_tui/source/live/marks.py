"""Which pages of a disk are marked as written, as pairs (first, end)."""

import threading

PAGE = 1 << 12
SECTORS = PAGE // 512
FRAME_PAGES = 1024  # 4 MiB in a frame
COMPACT = 1 << 16  # marks after which they are merged


class Doubt(Exception):
    """What was recorded is not all that happened."""


class Runs:
    """Numbers of pages as (first, end), gathered fast and merged now and then.

    One thread adds what the kernel records while another one counts and takes: no page
    that is added meanwhile may be lost, so each does it under the lock.
    """

    def __init__(self):
        self.lock = threading.RLock()
        self.pairs = []
        self.raw = 0

    def add(self, pairs):
        """Add pairs, in any order."""
        with self.lock:
            self.pairs.extend(pairs)
            self.raw += len(pairs)
            if self.raw > COMPACT:
                self.merge()

    def merge(self):
        """Sort the pairs and make them disjoint; the caller has the lock."""
        if not self.raw:
            return
        merged = []
        for first, end in sorted(self.pairs):
            if merged and first <= merged[-1][1]:
                if end > merged[-1][1]:
                    merged[-1][1] = end
            else:
                merged.append([first, end])
        self.pairs, self.raw = [(first, end) for first, end in merged], 0

    def all(self):
        """Return all pages, as merged pairs; they stay."""
        with self.lock:
            self.merge()
            return list(self.pairs)

    def take(self, most=None):
        """Remove and return up to so many pages, as merged pairs."""
        with self.lock:
            self.merge()
            pairs, self.pairs = self.pairs, []
            for number, (first, end) in enumerate(pairs if most is not None else ()):
                if end - first > most:
                    # All before this one, and a part of it where there is room for any.
                    cut = first + most
                    self.pairs = [(cut, end)] + pairs[number + 1 :]
                    return pairs[:number] + ([(first, cut)] if most else [])
                most -= end - first
            return pairs

    def count(self):
        """Return how many pages there are."""
        return sum(end - first for first, end in self.all())


def without(pairs, holes):
    """Return pairs with what lies wholly in one of the holes left out."""
    return [
        (first, end)
        for first, end in pairs
        if not any(low <= first and end <= high for low, high in holes)
    ]


def pieces(pairs, most=FRAME_PAGES):
    """Yield pairs cut to at most so many pages."""
    for first, end in pairs:
        for at in range(first, end, most):
            yield at, min(end, at + most)


def frames(pairs):
    """Yield lists of pairs that fill a frame."""
    batch, room = [], FRAME_PAGES
    for first, end in pieces(pairs):
        while first < end:
            cut = min(end, first + room)
            batch.append((first, cut))
            room -= cut - first
            first = cut
            if not room:
                yield batch
                batch, room = [], FRAME_PAGES
    if batch:
        yield batch
