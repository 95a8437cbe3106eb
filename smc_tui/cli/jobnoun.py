"""The noun ``job`` and what its verbs share: settings as options, and their checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from smc_tui.cli.grammar import Function, Noun
from smc_tui.model import settings

_MAKING, _LISTS, _VERBS = "smc_tui.cli.jobs", "smc_tui.cli.joblist", "smc_tui.cli.jobverbs"
_DRILLS, _VIEWS = "smc_tui.cli.drills", "smc_tui.cli.jobviews"
_CUTOVERS, _WINDOWS = "smc_tui.cli.cutovers", "smc_tui.cli.windows"

#: The verbs in the order of a migration -> the module that has them.
_PLACES = {
    "create": _MAKING, "list": _LISTS, "show": _LISTS, "drill": _DRILLS, "start": _VERBS,
    "sync": _VERBS, "interval": _VERBS, "pause": _VERBS, "window": _WINDOWS, "complete": _VERBS,
    "cutover-abort": _CUTOVERS, "retry": _VERBS,
    "cancel": _VERBS, "release": _VERBS, "modify": _MAKING, "tag": _MAKING, "wait": _MAKING,
    "actions": _VIEWS, "errors": _VIEWS, "history": _VIEWS, "report": _VIEWS,
}  # fmt: skip

noun = Noun("job", places=_PLACES, help="Migrations: create, start, keep in step, complete.")


def checked(given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that were given, each within its limits.

    The engine checks them again; here it saves starting one for a slip of the pen.

    Raises:
        SmcError: InvalidParameter.*.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    for name, value in chosen.items():
        if name in settings.CHECKS:
            settings.CHECKS[name](value)
    return chosen


def setting(flag: str, name: str, metavar: str, text: str) -> Callable[[Function], Function]:
    """Return an option that holds a setting as it was typed."""
    return click.option(flag, name, metavar=metavar, help=text)


NAME = setting("--name", "name", "N", "Name of the job.")
IMAGE_NAME = setting("--image-name", "image_name", "N", "What its images are called.")
DESCRIPTION = setting("--description", "description", "TEXT", "One line for people.")
INTERVAL = setting("--interval", "interval", "1h..7d", "Time from a run's end to the next.")
KEEP = setting("--keep", "keep", "1..10", "Maximum of reserved images.")
LIMIT = setting("--limit", "limit_mbit", "MBIT", "Speed limit on the wire in Mbit/s, 0: none.")
COMPRESSION = setting("--compression", "compression", "auto|0..10", "Compression of the link.")
DRILL = setting("--drill", "drill", "before|only|off", "Migration drill before the first run.")
INSTANT = setting(
    "--instant", "instant", "auto|freeze|none", "How a server at work gives one instant."
)
BEFORE_FREEZE = setting(
    "--before-freeze", "before_freeze", "CMD", "Program of the source to run before the freeze."
)
AFTER_THAW = setting(
    "--after-thaw", "after_thaw", "CMD", "Program of the source that undoes it, run in any case."
)
HOOK_TIMEOUT = setting("--hook-timeout", "hook_timeout", "1..60", "Seconds for each of these.")
TAG = click.option(
    "--tag", "tags", multiple=True, metavar="T", help="A tag; may be given several times."
)
VALID = setting("--valid", "valid", "7d..90d", "Time until an unfinished job expires.")
REF = click.argument("ref", metavar="J")
