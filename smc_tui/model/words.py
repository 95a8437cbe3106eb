"""Values that may not be known, in words."""

from __future__ import annotations

from smc_tui.model.units import bytes_text, duration_text

#: What stands where there is nothing.
NOTHING = "-"


def size(count: object) -> str:
    """Return bytes in words."""
    return bytes_text(count) if isinstance(count, int | float) else NOTHING


def span(seconds: object) -> str:
    """Return a duration in words, to the tenth below ten seconds."""
    if not isinstance(seconds, int | float):
        return NOTHING
    return f"{seconds:.1f}s" if seconds < 10 else duration_text(seconds)
