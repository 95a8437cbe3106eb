"""Tables as values, and as aligned text for pipes and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under headings.

    ``right`` names the columns that hold numbers; ``title`` stands above.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    right: frozenset[str] = frozenset()
    title: str = ""


def plain_lines(table: Table) -> list[str]:
    """Return a table as lines with aligned columns, two blanks between them."""
    lines = [table.columns, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    last = len(table.columns) - 1

    def cell(text: str, column: int) -> str:
        if table.columns[column] in table.right:
            return text.rjust(widths[column])
        return text if column == last else text.ljust(widths[column])

    shown = ["  ".join(cell(text, at) for at, text in enumerate(line)).rstrip() for line in lines]
    return [table.title, *shown] if table.title else shown
