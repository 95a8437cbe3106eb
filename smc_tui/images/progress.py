"""How work on the store tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done and how much there is, in bytes
or in things. What it raises ends the work at a safe point."""


def no_progress(_doing: str, _done: int, _total: int) -> None:
    """Tell nobody."""
