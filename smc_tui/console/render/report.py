"""Sections of a report as lines of a terminal: tables where they fit, else row by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from smc_tui.console.render.cells import Cell, Line, Tone, columns_of, fit, shown
from smc_tui.console.render.runpage import folded, heading, labelled
from smc_tui.model.reportpage import Section
from smc_tui.model.words import NOTHING

#: Columns between two of a table, and before the first.
_GAP, _INDENT = 2, 3


def lines(sections: Iterable[Section], columns: int) -> list[Line]:
    """Return a report for a width; nothing of it is cut.

    Args:
        sections: its parts.
        columns: room.
    """
    made: list[Line] = []
    for section in sections:
        if section.title:
            made += [(), heading(section.title)]
        if section.note:
            made += folded(shown(section.note), columns)
        if section.columns:
            made += _table(section, columns)
    return made


def _table(section: Section, columns: int) -> list[Line]:
    if not section.rows:
        return [(Cell("   none", Tone.DIM),)]
    rows = [[shown(str(cell)) or NOTHING for cell in row] for row in section.rows]
    if len(section.columns) == 2:
        return [line for label, text in rows for line in labelled(label, text, columns)]
    widths = [
        max(columns_of(text) for text in column)
        for column in zip(section.columns, *rows, strict=True)
    ]
    if _INDENT + sum(widths) + _GAP * (len(widths) - 1) <= columns:
        head = _row(section.columns, widths, Tone.DIM)
        return [head, *(_row(row, widths, Tone.PLAIN) for row in rows)]
    return [line for row in rows for line in _record(section.columns, row, columns)]


def _row(texts: Sequence[str], widths: Sequence[int], tone: Tone) -> Line:
    cells = (" " * _GAP).join(fit(text, wide) for text, wide in zip(texts, widths, strict=True))
    return (Cell(" " * _INDENT + cells.rstrip(), tone),)


def _record(names: Sequence[str], row: Sequence[str], columns: int) -> list[Line]:
    """Return a row as a line of its own a cell: the first names it."""
    made: list[Line] = [(Cell(" " * _INDENT + row[0], Tone.STRONG),)]
    for name, text in zip(names[1:], row[1:], strict=True):
        if text != NOTHING:
            made += labelled(f"  {name}", text, columns)
    return made
