"""The columns of a table: which of them there is room for, and how wide they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from smc_tui.console.render.cells import Cell

GUTTER = 1  # the cursor's or the mark's sign, before the first column
GAP = 1


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        width: the least it takes.
        rank: columns of the highest rank are dropped first when there is no room; 0 stays.
        grows: takes its part of the room that is left.
    """

    key: str
    title: str
    width: int
    rank: int = 0
    right: bool = False
    grows: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row: as many cells as the table has columns."""

    key: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A column on show: which, from where, how wide."""

    index: int
    column: Column
    at: int
    width: int


def place(columns: Sequence[Column], room: int) -> tuple[Placed, ...]:
    """Return the columns that fit, left to right.

    Args:
        columns: all of them.
        room: columns of the terminal.
    """
    chosen = list(enumerate(columns))

    def needed() -> int:
        return GUTTER + sum(column.width + GAP for _, column in chosen) - GAP

    while needed() > room:
        droppable = [each for each in chosen if each[1].rank]
        if not droppable:
            break
        chosen.remove(max(droppable, key=lambda each: (each[1].rank, each[0])))
    spare = max(0, room - needed())
    growing = [index for index, column in chosen if column.grows]
    placed = []
    at = GUTTER
    for index, column in chosen:
        extra = 0
        if index in growing:
            share, rest = divmod(spare, len(growing))
            extra = share + (growing.index(index) < rest)
        wide = min(column.width + extra, max(0, room - at))
        placed.append(Placed(index, column, at, wide))
        at += wide + GAP
    return tuple(each for each in placed if each.width)
