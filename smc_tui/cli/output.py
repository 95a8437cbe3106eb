"""What is said, where: results on standard output, talk on standard error.

With ``--json`` standard output carries exactly one JSON document and everything
else is talk. Every text passes through ``printable``, because names of hosts and
disks come from other machines and must not move a cursor; JSON is pure ASCII for
the same reason.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from smc_tui.cli.tables import Hanging, Table, plain_lines
from smc_tui.model.errors import SmcError
from smc_tui.model.units import printable

#: What a page is made of.
Part = str | Table

#: For terminals and fonts that have nothing else.
_ASCII = str.maketrans(
    {"…": "...", "–": "-", "—": "-", "→": "->", "·": "-", "×": "x", "\ufffd": "?"}
    | dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True))
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
            if isinstance(part, Hanging) and self.drawing(sys.stdout):
                width = shutil.get_terminal_size().columns
                for line in part.folded(self.clean(part), width):
                    self.line(line)
            elif isinstance(part, str):
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

    def ask(self, question: str) -> str:
        """Ask on standard error, whatever standard output is; an end of file is no word."""
        self._write(sys.stderr, self.clean(question) + " ")
        answer = sys.stdin.readline()
        if not answer.endswith("\n"):
            self.talk("")
        return answer.strip()

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
        except OSError as error:
            raise SmcError("Command.OutputFailed", str(error.strerror)) from error


def settle_streams() -> None:
    """See that there are streams, and that what their encoding lacks becomes ``?``."""
    # Also so that no file of ours gets the number of one that was closed.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
