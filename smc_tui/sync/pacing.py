"""How fast and how small: the speed limit and the compression level.

The limit counts bytes on the wire (SMC's ``bandwidth_limit``). The source only
sends what it is asked for, so the limit is kept by asking slower.
"""

from __future__ import annotations

from smc_tui.model.geometry import BLOCK

BYTES_IN_MBIT = 125_000

_BURST = 0.25  # s of the limit that may be asked for at once: a smooth rate, not a sawtooth
_SMALLEST = BLOCK  # the slowest limit must still let one through

# One core compresses 160-300 MB/s at zstd's level 1 and about a third of that with zlib;
# compression pays when the link carries less. (link below, level), the first that fits.
_ZSTD_LEVELS = ((1.25e6, 9), (12.5e6, 3), (120e6, 1))
_ZLIB_LEVELS = ((1.25e6, 6), (30e6, 1))


class TokenBucket:
    """Bytes that may be asked for, refilled as time passes.

    Attributes:
        rate: bytes a second, 0 for no limit.
    """

    def __init__(self, now: float) -> None:
        self.rate = 0.0
        self._tokens = 0.0
        self._at = now

    def set_limit(self, mbit: float) -> None:
        """Change the limit; what has been asked for stays owed."""
        self.rate = mbit * BYTES_IN_MBIT

    @property
    def _most(self) -> float:
        return max(self.rate * _BURST, _SMALLEST)

    def room(self, now: float) -> int:
        """Return how many bytes may be asked for now."""
        self._tokens = min(self._most, self._tokens + (now - self._at) * self.rate)
        self._at = now
        return int(self._tokens)

    def spend(self, count: float) -> None:
        """Count bytes asked for; a negative count gives back what came compressed."""
        self._tokens -= count

    def wait(self, count: int) -> float:
        """Return the seconds until ``count`` bytes (or a full burst) may be asked for."""
        return max(0.0, (min(count, self._most) - self._tokens) / self.rate)


def compression_level(
    setting: str | int, link_bps: float | None, limit_mbit: float, zstd: bool
) -> int:
    """Return the level at which the source compresses, 0 for not at all.

    Args:
        setting: ``auto``, or the level somebody chose (0 to 10).
        link_bps: what the link carries in bytes a second, None while unknown.
        limit_mbit: the speed limit, 0 for none; a limit makes a link slow.
        zstd: whether the source can compress with zstd; zlib is slower.
    """
    if setting != "auto":
        return int(setting)
    rates = [rate for rate in (link_bps, limit_mbit * BYTES_IN_MBIT) if rate]
    if not rates:
        return 0
    levels = _ZSTD_LEVELS if zstd else _ZLIB_LEVELS
    return next((level for below, level in levels if min(rates) < below), 0)
