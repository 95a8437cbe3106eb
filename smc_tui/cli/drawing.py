"""Tables on a terminal, with rich. Imported only when there is one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from smc_tui.cli.tables import GAP, Table, fitted

_WORRYING = ("Warning", "Note")
_ALARMING = (
    "InError",
    "Damaged",
    "fuzzy",
    "Unavailable",
    "Expired",
    "Drill Exc",
    "Critical",
    "Problem",
)


def print_table(table: Table, clean: Callable[[str], str]) -> None:
    """Print a table on the terminal; cells are plain text, never markup."""
    console = Console(file=sys.stdout, highlight=False)
    rows = [tuple(clean(text) for text in row) for row in table.rows]
    table, widths = fitted(replace(table, rows=rows), console.width)
    drawn = RichTable(
        title=Text(clean(table.title), style="bold") if table.title else None,
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, GAP, 0, 0),
        header_style="bold",
    )
    for column, width in zip(table.columns, widths, strict=True):
        justify: Any = "right" if column in table.right else "left"
        drawn.add_column(Text(clean(column)), justify=justify, overflow="fold", width=width)
    for row in table.rows:
        drawn.add_row(*map(_cell, row))
    console.print(drawn)


def _cell(text: str) -> Text:
    style = "red" if text.startswith(_ALARMING) else "yellow" if text in _WORRYING else ""
    return Text(text, style=style)
