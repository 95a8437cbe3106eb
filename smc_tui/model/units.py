"""Quantities in words and back: bytes, rates, durations, instants.

Bytes are shown in binary units (KiB, MiB), link speeds in decimal megabits as
network people and SMC's ``bandwidth_limit`` count them. Instants are RFC 3339
in UTC everywhere outside a person's screen.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_SUFFIXES = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_DURATION_PART = re.compile(r"(\d+)\s*([smhd])")
_SECONDS = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY}


def bytes_text(count: float) -> str:
    """Return a size in words, three significant digits: ``3.12 GiB``."""
    if abs(count) < KIB:
        return f"{int(count)} B"
    value = float(count)
    for suffix in _SUFFIXES:
        value /= KIB
        if abs(value) < 999.5 or suffix == _SUFFIXES[-1]:
            break
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f} {suffix}"


def rate_text(bytes_per_second: float) -> str:
    """Return a speed in words: ``182 MiB/s``."""
    return f"{bytes_text(bytes_per_second)}/s"


def duration_text(seconds: float) -> str:
    """Return a duration by its two largest parts: ``2m 51s``, ``3d 4h``."""
    left = round(seconds)
    if left < MINUTE:
        return f"{left}s"
    parts: list[str] = []
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count}{unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0")) or "0s"


def parse_duration(text: str) -> int:
    """Return the seconds that ``90m``, ``6h``, ``1d 12h`` stand for.

    Raises:
        ValueError: the text is no duration.
    """
    compact = text.strip().lower()
    position = 0
    total = 0
    while position < len(compact):
        part = _DURATION_PART.match(compact, position)
        if part is None:
            raise ValueError(f"{text!r} is no duration; write for example 90m, 6h or 1d")
        total += int(part[1]) * _SECONDS[part[2]]
        position = part.end()
        while position < len(compact) and compact[position] == " ":
            position += 1
    if not compact:
        raise ValueError("an empty text is no duration; write for example 90m, 6h or 1d")
    return total


def rfc3339(at: float) -> str:
    """Return a POSIX time as RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stamp(at: float) -> str:
    """Return a POSIX time in a form fit for names: ``20261122T214803Z``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")


def parse_instant(text: str) -> float:
    """Return the POSIX time of an RFC 3339 text; one without a zone is local time.

    Raises:
        ValueError: the text is no instant.
    """
    return datetime.fromisoformat(text.strip()).timestamp()


def printable(text: str) -> str:
    """Return a text with every control and unprintable character replaced.

    Whatever comes from a source server passes through here before it reaches a
    terminal or a log: an escape sequence in a hostname must not move a cursor.
    """
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
