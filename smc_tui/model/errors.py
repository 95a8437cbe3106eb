"""The one exception that crosses rooms.

SmcError(code, detail, **facts)
  .code        a key of the catalogue
  .detail      the facts of this case, one printable line
  .entry       the catalogue's words: cause, what is safe, next step
  .exit_code   what the command line returns
"""

from __future__ import annotations

from typing import Any, Self

from smc_tui.model.advice import filled
from smc_tui.model.catalogue import CATALOGUE, ExitCode
from smc_tui.model.units import printable


class SmcError(Exception):
    """A failure with a code out of the catalogue.

    Args:
        code: a key of CATALOGUE.
        detail: the facts of this case in one line; made printable here.
        facts: further facts for programs (``--json``), JSON values.
    """

    def __init__(self, code: str, detail: str = "", **facts: Any) -> None:
        self.entry = CATALOGUE[code]
        self.code = code
        self.detail = printable(detail) or self.entry.cause
        self.facts = facts
        self._names: dict[str, str] = {}
        super().__init__(f"{code}: {self.detail}")

    @property
    def exit_code(self) -> ExitCode:
        """What the command line returns for it."""
        return self.entry.exit_code

    def about(self, **names: str) -> Self:
        """Return itself, knowing the names that its next step's placeholders stand for.

        Args:
            names: of the ``job``, ``source``, ``image``, ``host``, as ``advice.filled``.
        """
        self._names |= names
        return self

    @property
    def next_step(self) -> str:
        """The catalogue's next step, with the names that are known."""
        return filled(self.entry.next_step, self._names)

    @property
    def line(self) -> str:
        """The one line a person reads: code, cause, next step."""
        return f"{self.code}: {self.detail.rstrip('.')}. Next: {self.next_step}"

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "code": self.code,
            "detail": self.detail,
            "safe": self.entry.safe,
            "next_step": self.next_step,
            "resumes": self.entry.resumes,
            **self.facts,
        }
