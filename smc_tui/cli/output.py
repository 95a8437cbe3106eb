"""What is said, where: results on standard output, talk on standard error.

With ``--json`` standard output carries exactly one JSON document and everything
else is talk. Every text passes through ``printable``, because names of hosts and
disks come from other machines and must not move a cursor; JSON is pure ASCII for
the same reason.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from smc_tui.cli.tables import Table, plain_lines
from smc_tui.model.units import printable

#: What a page is made of.
Part = str | Table

#: For terminals and fonts that have nothing else.
_ASCII = str.maketrans(
    {"…": "...", "–": "-", "—": "-", "→": "->", "·": "-", "×": "x", "\ufffd": "?"}
)


class Closed(Exception):
    """Nobody reads standard output any more (``| head``)."""


class Output:
    """One command's voice."""

    def __init__(self) -> None:
        self.json = False
        self.ascii = False
        self.plain = False
        self.documents = 0

    def document(self, document: Any) -> None:
        """Print the one JSON document."""
        self.documents += 1
        self._write(sys.stdout, json.dumps(document, indent=2) + "\n")

    def present(self, document: Any, page: Iterable[Part]) -> None:
        """Print a result: as JSON if that was asked for, else as a page for people."""
        if self.json:
            self.document(document)
        else:
            self.page(page)

    def page(self, page: Iterable[Part]) -> None:
        """Print lines and tables on standard output."""
        for part in page:
            if isinstance(part, str):
                self.line(part)
            elif self.drawing(sys.stdout):
                # Here, because rich costs as much time as all the rest of a command.
                from smc_tui.cli.drawing import print_table

                print_table(part, self.clean)
            else:
                for line in plain_lines(part):
                    self.line(line)

    def line(self, text: str) -> None:
        """Print one line on standard output."""
        self._write(sys.stdout, self.clean(text) + "\n")

    def talk(self, text: str) -> None:
        """Print one line on standard error."""
        self._write(sys.stderr, self.clean(text) + "\n")

    def clean(self, text: str) -> str:
        """Return a text as it may be shown here."""
        shown = printable(text)
        if self.ascii:
            shown = shown.translate(_ASCII).encode("ascii", "replace").decode()
        return shown

    def drawing(self, stream: TextIO) -> bool:
        """Tell whether rich may draw on a stream."""
        return not self.plain and stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(text)
            stream.flush()
        except BrokenPipeError:
            raise Closed from None


def settle_streams() -> None:
    """Let characters that a stream's encoding lacks become ``?`` instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
