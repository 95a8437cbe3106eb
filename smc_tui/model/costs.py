"""What an intermediate resource costs, by the rate that was configured.

What it held over time is not recorded, so an amount is its present size times its
age: an estimate, and said to be one. With a rate of 0 there are no amounts at all.
"""

from __future__ import annotations

from smc_tui.model.options import Config
from smc_tui.model.units import DAY, GIB

#: The month of ``cost.per_gib_month``, seconds.
MONTH = 30 * DAY


def amount(size: int, seconds: float, config: Config) -> float | None:
    """Return what so many bytes cost for so long; None where nothing is charged."""
    if not config.cost_per_gib_month:
        return None
    return config.cost_per_gib_month * size / GIB * max(0.0, seconds) / MONTH


def money_text(value: float, config: Config) -> str:
    """Return an amount in words: ``EUR 1.20``, with more digits below a hundredth."""
    digits = 2 if value >= 0.01 or value == 0 else 4
    return f"{config.cost_currency} {value:.{digits}f}".strip()
