"""Reports as Markdown: of a job, of a migration drill.

Names of hosts, disks and files come from other machines: every text passes through
``escaped``, after which a renderer shows it as it is, whatever is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from smc_tui.model.documents import Document
from smc_tui.model.drill import estimate_rows, summary
from smc_tui.model.reportpage import report_sections
from smc_tui.model.things import Event
from smc_tui.model.units import printable
from smc_tui.model.words import NOTHING, span

#: What can begin something within a line; what only can at its beginning never stands there.
_SPECIAL = re.compile(r"[\\`*_\[\]<>&|~$@]|(?<=www)\.|(?<=:)//")


def escaped(text: object) -> str:
    """Return a text that Markdown shows literally, in a line or a cell of a table."""
    clean = " ".join(printable(str(text)).split()) or NOTHING
    return _SPECIAL.sub(lambda found: "".join(f"\\{mark}" for mark in found[0]), clean)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Yield a table; where there is nothing to show, that."""
    if not rows:
        yield "None."
        return
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield f"| {' | '.join(map(escaped, row))} |"


def report_page(report: Document, events: Sequence[Event]) -> Iterator[str]:
    """Yield the report of a job, line by line."""
    yield f"# Migration report: {escaped(report['job']['name'])}"
    for section in report_sections(report, events):
        if section.title:
            yield ""
            yield f"## {section.title}"
        if section.note:
            yield ""
            yield escaped(section.note)
        if section.columns:
            yield ""
            yield from table(section.columns, section.rows)


def drill_page(report: Document, name: str) -> Iterator[str]:
    """Yield the report of a migration drill, line by line."""
    yield f"# Migration drill of {escaped(name)}: {report['result']}"
    yield ""
    at = escaped(report["at"])
    yield f"Made at {at} in {span(report['seconds'])}. {summary(report)}."
    yield ""
    keys = ("level", "area", "name", "finding", "threshold", "advice")
    columns = ("Level", "Where", "Item", "Finding", "Worse if", "What to do")
    yield from table(columns, [[item[key] for key in keys] for item in report["items"]])
    rows = estimate_rows(report)
    if rows:
        yield ""
        yield from table(("Estimate", "Value"), rows)
