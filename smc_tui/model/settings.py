"""The limits of what a person may choose, and the checks that hold them.

Each check takes what came over the command line or out of a request and returns
the value that is kept, or raises an SmcError that names the limit. They are the
only gate: past them a name is safe to print, to look up and to make a file of.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from smc_tui.model.errors import SmcError
from smc_tui.model.instants import Wanted
from smc_tui.model.things import DrillMode
from smc_tui.model.units import (
    DAY,
    HOUR,
    MINUTE,
    duration_text,
    parse_duration,
    parse_instant,
    rfc3339,
)

NAME_LENGTH = (2, 128)
DESCRIPTION_LENGTH = 256
INTERVAL = (1 * HOUR, 7 * DAY)
KEEP = (1, 10)
VALID = (7 * DAY, 90 * DAY)
START_AHEAD = (10 * MINUTE, 30 * DAY)
LIMIT_MBIT = (0, 1_000_000)
COMPRESSION = (0, 10)
HOOK_TIMEOUT = (1, 60)
HOOK_LENGTH = 1000
TARGETS = ("image",)

DEFAULT_INTERVAL = 1 * DAY
DEFAULT_KEEP = 3
DEFAULT_VALID = 30 * DAY

AUTO = "auto"

#: SMC allows 20 tags a resource, each part up to 128 characters.
TAGS = 20
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/=+@-]{0,127}", re.ASCII)

#: How many services may be named for a cutover, and how a unit's name or pattern looks:
#: nothing that systemctl could take for an option, nothing that a shell would look at twice.
UNITS = 64
UNIT_KINDS = (".service", ".socket", ".timer", ".path")
_UNIT = re.compile(r"[A-Za-z0-9_*?][A-Za-z0-9:_.@*?-]{0,254}", re.ASCII)
_OTHER_KINDS = (
    ".target", ".mount", ".automount", ".swap", ".slice", ".scope", ".device", ".snapshot"
)  # fmt: skip
BUDGET = (10, 7 * DAY)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_:-]*", re.ASCII)
_LOOKS_LIKE_ID = re.compile(r"[a-z]-[0-9a-f]{8}")


def name(value: Any) -> str:
    """Check a name of a source, a job or an image.

    Raises:
        SmcError: InvalidParameter.Name.
    """
    low, high = NAME_LENGTH
    if not isinstance(value, str) or not value:
        raise SmcError("InvalidParameter.Name", "the name is empty")
    if not low <= len(value) <= high:
        raise SmcError(
            "InvalidParameter.Name",
            f"the name {_short(value)} has {len(value)} characters; {low} to {high} are allowed",
        )
    if not _NAME.fullmatch(value):
        raise SmcError(
            "InvalidParameter.Name",
            f"the name {_short(value)} must start with a letter and then have only "
            "letters, digits, '_', ':' and '-'",
        )
    if _LOOKS_LIKE_ID.fullmatch(value):
        raise SmcError("InvalidParameter.Name", f"the name {value} has the form of an id")
    return value


def description(value: Any) -> str:
    """Check a description: one printable line.

    Raises:
        SmcError: InvalidParameter.Description.
    """
    if not isinstance(value, str) or len(value) > DESCRIPTION_LENGTH or not value.isprintable():
        raise SmcError(
            "InvalidParameter.Description",
            f"a description is one line of at most {DESCRIPTION_LENGTH} printable characters",
        )
    return value


def interval(value: Any) -> int:
    """Check a synchronisation interval: seconds, or a text such as ``6h``.

    Raises:
        SmcError: InvalidParameter.Interval.
    """
    return _duration(value, INTERVAL, "InvalidParameter.Interval", "the interval")


def valid(value: Any) -> int:
    """Check a valid time: seconds, or a text such as ``30d``.

    Raises:
        SmcError: InvalidParameter.ValidTime.
    """
    return _duration(value, VALID, "InvalidParameter.ValidTime", "the valid time")


def keep(value: Any) -> int:
    """Check the maximum of reserved images.

    Raises:
        SmcError: InvalidParameter.Keep.
    """
    return _integer(value, KEEP, "InvalidParameter.Keep", "the number of reserved images")


def limit(value: Any) -> int:
    """Check a speed limit in Mbit/s on the wire; 0 is none.

    Raises:
        SmcError: InvalidParameter.Limit.
    """
    return _integer(value, LIMIT_MBIT, "InvalidParameter.Limit", "the speed limit in Mbit/s")


def compression(value: Any) -> str:
    """Check a compression level: ``auto``, or 0 (none) to 10.

    Raises:
        SmcError: InvalidParameter.Compression.
    """
    if value == AUTO:
        return AUTO
    what = "the compression level, if it is not 'auto',"
    return str(_integer(value, COMPRESSION, "InvalidParameter.Compression", what))


def target(value: Any) -> str:
    """Check a destination type.

    Raises:
        SmcError: InvalidParameter.Target.
    """
    if value not in TARGETS:
        raise SmcError(
            "InvalidParameter.Target",
            f"the destination type {_short(str(value))} is none of: {', '.join(TARGETS)}",
        )
    return str(value)


def drill(value: Any) -> DrillMode:
    """Check what a migration drill is to a job.

    Raises:
        SmcError: InvalidParameter.Drill.
    """
    try:
        return DrillMode(value)
    except ValueError:
        raise SmcError(
            "InvalidParameter.Drill",
            f"the drill {_short(str(value))} is none of: {', '.join(DrillMode)}",
        ) from None


def one_instant(value: Any) -> Wanted:
    """Check how images come to be of one instant.

    Raises:
        SmcError: InvalidParameter.Instant.
    """
    try:
        return Wanted(value)
    except ValueError:
        raise SmcError(
            "InvalidParameter.Instant",
            f"the instant {_short(str(value))} is none of: {', '.join(Wanted)}",
        ) from None


def hook(value: Any) -> tuple[str, ...]:
    """Check a command of the source and split it into its words; empty is none.

    It is split here, and no shell sees it there: ``;``, ``|`` and ``$`` mean nothing.

    Raises:
        SmcError: InvalidParameter.Hook.
    """
    if not isinstance(value, str) or len(value) > HOOK_LENGTH or not value.isprintable():
        raise SmcError(
            "InvalidParameter.Hook",
            f"a command is one line of at most {HOOK_LENGTH} printable characters",
        )
    try:
        words = tuple(shlex.split(value))
    except ValueError as error:
        raise SmcError("InvalidParameter.Hook", f"{_short(value)}: {error}") from None
    if words and not words[0]:
        raise SmcError("InvalidParameter.Hook", f"{_short(value)} names no program")
    return words


def hook_timeout(value: Any) -> int:
    """Check the seconds that a command before or after the freeze has.

    Raises:
        SmcError: InvalidParameter.HookTimeout.
    """
    what = "the seconds for a command around the freeze"
    return _integer(value, HOOK_TIMEOUT, "InvalidParameter.HookTimeout", what)


def tags(value: Any) -> tuple[str, ...]:
    """Check the tags of a source or a job; returned sorted, each once.

    Raises:
        SmcError: InvalidParameter.Tag.
    """
    if not isinstance(value, list | tuple):
        raise SmcError("InvalidParameter.Tag", "tags are a list of texts")
    for tag in value:
        if not isinstance(tag, str) or not _TAG.fullmatch(tag):
            raise SmcError(
                "InvalidParameter.Tag",
                f"the tag {_short(str(tag))} must start with a letter or digit and have only "
                "letters, digits and _ . : / = + @ -",
            )
    if len(set(value)) > TAGS:
        raise SmcError("InvalidParameter.Tag", f"{len(set(value))} tags; {TAGS} are allowed")
    return tuple(sorted(set(value)))


def units(value: Any) -> tuple[str, ...]:
    """Check the services that a cutover stops: a list, or a text with commas or blanks.

    Returned in the order given, each once. A pattern (``*``, ``?``) must say something: one
    that is little more than an asterisk would stop the whole server.

    Raises:
        SmcError: InvalidParameter.Units.
    """
    given = re.split(r"[,\s]+", value.strip(" ,")) if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not given or not all(given):
        raise SmcError("InvalidParameter.Units", "no unit was named")
    for unit in given:
        if not isinstance(unit, str) or not _UNIT.fullmatch(unit):
            raise SmcError(
                "InvalidParameter.Units",
                f"{_short(str(unit))} is no unit such as nginx.service, and no pattern",
            )
        if unit.endswith(_OTHER_KINDS):
            raise SmcError(
                "InvalidParameter.Units",
                f"{unit} is none of the kinds that are stopped: {', '.join(UNIT_KINDS)}",
            )
        stem = unit.removesuffix(next((k for k in UNIT_KINDS if unit.endswith(k)), ""))
        if wild(unit) and sum(each.isalnum() for each in stem) < 2:
            raise SmcError("InvalidParameter.Units", f"{unit} matches far too much")
    if len(set(given)) > UNITS:
        raise SmcError("InvalidParameter.Units", f"{len(set(given))} units; {UNITS} are allowed")
    return tuple(dict.fromkeys(given))


def wild(unit: str) -> bool:
    """Tell whether this is a pattern for units rather than the name of one."""
    return "*" in unit or "?" in unit


def budget(value: Any) -> int:
    """Check the downtime that a cutover may take: seconds, or a text such as ``10m``.

    Raises:
        SmcError: InvalidParameter.Budget.
    """
    return _duration(value, BUDGET, "InvalidParameter.Budget", "the budget")


def start_at(value: Any, now: float) -> float:
    """Check an instant at which a job is to start.

    Args:
        value: RFC 3339 text, or POSIX seconds.
        now: the engine's clock.

    Raises:
        SmcError: InvalidParameter.StartTime.
    """
    try:
        at = float(value) if isinstance(value, int | float) else parse_instant(str(value))
    except (ValueError, OverflowError):
        raise SmcError(
            "InvalidParameter.StartTime",
            f"{_short(str(value))} is no instant such as 2027-01-31T02:00Z",
        ) from None
    low, high = START_AHEAD
    if not low <= at - now <= high:
        raise SmcError(
            "InvalidParameter.StartTime",
            f"the start must be {duration_text(low)} to {duration_text(high)} ahead",
        )
    return at


def instant(text: str) -> str:
    """Return an instant with its zone; one without is this machine's.

    Raises:
        SmcError: InvalidParameter.StartTime.
    """
    try:
        return rfc3339(parse_instant(text))
    except (ValueError, OverflowError, OSError):
        raise SmcError(
            "InvalidParameter.StartTime", f"{text!r} is no instant such as 2027-01-31T02:00"
        ) from None


def ssh_target(value: Any) -> str:
    """Check what is handed to ``ssh`` as its destination: never taken for an option.

    Raises:
        SmcError: Source.BadAddress.
    """
    if (
        not isinstance(value, str)
        or not re.fullmatch(r"[A-Za-z0-9_.:][^\s'\"`\\;&|<>$(){}*?!#~]*", value)
        or not value.isprintable()
    ):
        raise SmcError(
            "Source.BadAddress",
            f"{_short(str(value))} is no [USER@]HOST: no spaces, no quotes, no leading '-'",
        )
    return value


def absolute(value: Any) -> str:
    """Check a path: absolute, because the engine has a working folder of its own.

    Raises:
        SmcError: InvalidParameter.Path.
    """
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise SmcError("InvalidParameter.Path", f"{_short(str(value))} is no absolute path")
    return value


def port(value: Any) -> int | None:
    """Check a port number; None leaves it to the ssh configuration.

    Raises:
        SmcError: Source.BadAddress.
    """
    if value is None:
        return None
    return _integer(value, (1, 65535), "Source.BadAddress", "the port")


def _duration(value: Any, limits: tuple[int, int], code: str, what: str) -> int:
    try:
        seconds = parse_duration(value) if isinstance(value, str) else int(value)
    except (TypeError, ValueError, OverflowError):
        raise SmcError(
            code, f"{what} {_short(str(value))} is no duration such as 6h or 7d"
        ) from None
    low, high = limits
    if not low <= seconds <= high:
        raise SmcError(
            code,
            f"{what} is {duration_text(seconds)}; "
            f"{duration_text(low)} to {duration_text(high)} are allowed",
        )
    return seconds


def _integer(value: Any, limits: tuple[int, int], code: str, what: str) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII):
        raise SmcError(code, f"{what} must be a whole number, not {_short(text)}")
    low, high = limits
    if not low <= int(text) <= high:
        raise SmcError(code, f"{what} is {int(text)}; {low} to {high} are allowed")
    return int(text)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


#: setting of a job -> the check that whoever asks for it makes before it is sent.
CHECKS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "name": name,
        "image_name": name,
        "description": description,
        "target": target,
        "interval": interval,
        "keep": keep,
        "limit_mbit": limit,
        "compression": compression,
        "valid": valid,
        "drill": drill,
        "instant": one_instant,
        "before_freeze": hook,
        "after_thaw": hook,
        "hook_timeout": hook_timeout,
        "tags": tags,
    }
)
