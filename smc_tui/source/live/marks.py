"""Which pages of a disk are marked as written, as pairs (first, end)."""

PAGE = 1 << 12
SECTORS = PAGE // 512
FRAME_PAGES = 1024  # 4 MiB in a frame
COMPACT = 1 << 16  # marks after which they are merged


class Doubt(Exception):
    """What was recorded is not all that happened."""


class Runs:
    """Numbers of pages as (first, end), gathered fast and merged now and then."""

    def __init__(self):
        self.pairs = []
        self.raw = 0

    def add(self, pairs):
        """Add pairs, in any order."""
        self.pairs.extend(pairs)
        self.raw += len(pairs)
        if self.raw > COMPACT:
            self.merge()

    def merge(self):
        """Return the pairs sorted and disjoint."""
        if not self.raw:
            return self.pairs
        merged = []
        for first, end in sorted(self.pairs):
            if merged and first <= merged[-1][1]:
                if end > merged[-1][1]:
                    merged[-1][1] = end
            else:
                merged.append([first, end])
        self.pairs, self.raw = [(first, end) for first, end in merged], 0
        return self.pairs

    def take(self, most=None):
        """Remove and return up to so many pages, as merged pairs."""
        pairs = self.merge()
        if most is None:
            self.pairs = []
            return pairs
        for number, (first, end) in enumerate(pairs):
            if end - first > most:
                # All before this one, and a part of it where there is room for any.
                cut = first + most
                self.pairs = [(cut, end)] + pairs[number + 1 :]
                return pairs[:number] + ([(first, cut)] if most else [])
            most -= end - first
        self.pairs = []
        return pairs

    def count(self):
        """Return how many pages there are."""
        return sum(end - first for first, end in self.merge())


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
