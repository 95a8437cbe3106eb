"""Cells: a text and what it means. What a meaning looks like is the theme's business."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rich.cells import cell_len, set_cell_size

from smc_tui.model.units import printable


class Tone(StrEnum):
    """What a text means. No meaning rests on colour alone: the words say it too."""

    PLAIN = "plain"
    DIM = "dim"
    GOOD = "good"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table, or one stretch of a line."""

    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Cell, ...]

NOTHING = Cell("-", Tone.DIM)


def width(line: Line) -> int:
    """Return how many columns a line takes."""
    return sum(columns_of(cell.text) for cell in line)


def columns_of(text: str) -> int:
    """Return how many columns a text takes; the free texts of people may be wide."""
    return len(text) if text.isascii() else cell_len(text)


def shown(text: str) -> str:
    """Return a text as a cell may hold it: printable, and every character with a width."""
    if text.isascii() and text.isprintable():
        return text
    # Marks that combine with the character before them have no column of their own, and
    # terminals differ in what they make of them.
    return "".join(each for each in printable(text) if cell_len(each))


def fit(text: str, columns: int, *, right: bool = False, more: str = "…") -> str:
    """Return a text of exactly so many columns, cut with a sign where it is too long."""
    if columns <= 0:
        return ""
    plain = shown(text)
    wide = columns_of(plain)
    if wide > columns:
        return _cut(plain, columns, more if columns > len(more) else "")
    blank = " " * (columns - wide)
    return blank + plain if right else plain + blank


def _cut(text: str, columns: int, more: str) -> str:
    """Return the beginning of a text and the sign; a wide character is not cut in two."""
    room = columns - len(more)
    return (text[:room] if text.isascii() else set_cell_size(text, room)) + more
