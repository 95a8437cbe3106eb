"""Tables and lines as values: aligned for pipes and files, fitted to narrow terminals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from textwrap import wrap

#: Blanks between two columns.
GAP = 2

#: What is kept in one piece as long as there is room: words, and an instant as one.
_PIECE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\S+")


class Hanging(str):
    """A line whose value a narrow terminal goes on with below itself, not at the edge."""

    __slots__ = ("indent",)
    indent: int

    def __new__(cls, text: str, indent: int) -> Hanging:
        """Make a line whose value begins at a column."""
        line = super().__new__(cls, text)
        line.indent = indent
        return line

    def folded(self, text: str, width: int) -> list[str]:
        """Return a text, this one as it may be shown, in lines of at most ``width``.

        Words stay whole where they can: what is to be typed or copied is one of them.
        """
        room = width - self.indent
        if len(text) <= width or room < _LEAST_ROOM:
            return [text]
        first, *further = wrap(
            text[self.indent :], room, break_long_words=False, break_on_hyphens=False
        ) or [""]
        return [text[: self.indent] + first, *(" " * self.indent + line for line in further)]


#: Columns without which a value is better left to the terminal.
_LEAST_ROOM = 20


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under headings.

    ``right`` names the columns that hold numbers; ``title`` stands above. ``spare`` names
    those that a terminal may do without, the first to go first: they are told elsewhere.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    right: frozenset[str] = frozenset()
    title: str = ""
    spare: tuple[str, ...] = ()

    def without(self, column: str) -> Table:
        """Return the table with a column less."""
        at = self.columns.index(column)
        return replace(
            self,
            columns=self.columns[:at] + self.columns[at + 1 :],
            rows=[row[:at] + row[at + 1 :] for row in self.rows],
            spare=tuple(each for each in self.spare if each != column),
        )


def fitted(table: Table, width: int) -> tuple[Table, list[int]]:
    """Return a table as a terminal of some width can show it, and its columns' widths.

    First the spare columns go; then cells are folded between words, the widest first; only
    then within them.
    """
    while table.spare and _taken(_natural(table)) > width:
        table = table.without(table.spare[0])
    widths = _natural(table)
    for least in (_pieces(table), [1] * len(widths)):
        while _taken(widths) > width:
            loose = [at for at, size in enumerate(widths) if size > least[at]]
            if not loose:
                break
            widths[max(loose, key=lambda at: widths[at])] -= 1
    return table, widths


def _taken(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _natural(table: Table) -> list[int]:
    """Return the width of each column's longest text."""
    return [max(map(len, texts)) for texts in zip(table.columns, *table.rows, strict=True)]


def _pieces(table: Table) -> list[int]:
    """Return the width of each column's longest piece."""
    return [
        max(len(piece) for text in texts for piece in _PIECE.findall(text) or [""])
        for texts in zip(table.columns, *table.rows, strict=True)
    ]


def plain_lines(table: Table) -> list[str]:
    """Return a table as lines with aligned columns, two blanks between them."""
    lines = [table.columns, *table.rows]
    widths = _natural(table)
    last = len(table.columns) - 1

    def cell(text: str, column: int) -> str:
        if table.columns[column] in table.right:
            return text.rjust(widths[column])
        return text if column == last else text.ljust(widths[column])

    shown = [
        (" " * GAP).join(cell(text, at) for at, text in enumerate(line)).rstrip() for line in lines
    ]
    return [table.title, *shown] if table.title else shown
