"""A migration drill's report as rows and lines: what is bad first."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from smc_tui.console.render.cells import Cell, Line, Tone
from smc_tui.console.render.columns import Column, Row
from smc_tui.console.render.runpage import labelled
from smc_tui.model.drill import Item, Level, Report, estimate_rows, summary
from smc_tui.model.units import duration_text, parse_instant

ITEMS = (
    Column("level", "Level", 11),
    Column("where", "Where", 11, 1),
    Column("item", "Item", 16),
    Column("finding", "Finding", 20, grows=True),
)

_ORDER = (Level.CRITICAL, Level.WARNING, Level.NOT_CHECKED, Level.PASSED)
_TONES: Mapping[Level, Tone] = MappingProxyType(
    {
        Level.CRITICAL: Tone.BAD,
        Level.WARNING: Tone.WARN,
        Level.NOT_CHECKED: Tone.DIM,
        Level.PASSED: Tone.GOOD,
    }
)

#: What of an estimate is told where there is little room.
_SHORT = frozenset({"First migration", "Each synchronisation"})


def ordered(report: Report) -> list[Item]:
    """Return the items of a report, what is bad first."""
    return sorted(report.items, key=lambda item: _ORDER.index(item.level))


def row(at: int, item: Item) -> Row:
    """Return an item; its key is its place."""
    tone = _TONES[item.level]
    cells = (
        Cell(str(item.level), tone),
        Cell(str(item.area), Tone.DIM),
        Cell(item.name),
        Cell(item.finding, tone if item.level is Level.CRITICAL else Tone.PLAIN),
    )
    return Row(str(at), cells)


def top(document: Mapping[str, Any], report: Report, when: str, whole: bool) -> list[Line]:
    """Return what a drill has come to, and what it estimates.

    Args:
        document: the report as it is kept.
        report: the same.
        when: when it was made.
        whole: every estimate, not only the main ones.
    """
    tone = _TONES[report.result]
    took = duration_text(report.seconds)
    lines: list[Line] = [
        (Cell(f" {summary(dict(document))}", tone), Cell(f"  {when}, in {took}", Tone.DIM))
    ]
    for label, words in estimate_rows({"estimate": report.estimate}):
        if whole or label in _SHORT:
            lines.append((Cell(f"   {label:<24}", Tone.DIM), Cell(words)))
    return lines


def made_at(report: Report, form: Any) -> str:
    """Return when a drill was made, by ``form``; as it was told where that is no instant."""
    try:
        return str(form(parse_instant(report.at)))
    except (ValueError, OverflowError, OSError):
        return report.at


def item_lines(item: Item | None, columns: int) -> list[Line]:
    """Return all of an item: what is so, what would be worse, what to do."""
    if item is None:
        return []
    rows = (
        ("Finding", item.finding),
        ("Worse if", item.threshold),
        ("What to do", item.advice),
    )
    return [line for label, text in rows if text for line in labelled(label, text, columns)]
