"""Cells: a text and what it means. What a meaning looks like is the theme's business."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
    """Return how many columns a line takes; every text here is one column a character."""
    return sum(len(cell.text) for cell in line)


def fit(text: str, columns: int, *, right: bool = False, more: str = "…") -> str:
    """Return a text of exactly so many columns, cut with a sign where it is too long."""
    if columns <= 0:
        return ""
    if len(text) > columns:
        return text[: columns - len(more)] + more if columns > len(more) else text[:columns]
    return text.rjust(columns) if right else text.ljust(columns)
