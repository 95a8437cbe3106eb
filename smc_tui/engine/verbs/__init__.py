"""What each request does: one module a noun, one method a verb.

A verb looks, refuses by raising an SmcError, or commits its effect together with the
request's acceptance; what goes on beside the loop is begun after that commit. It
never awaits, so nothing changes between its look and its commit.
"""

from __future__ import annotations

from typing import Any

from smc_tui.jobstore.requests import Request
from smc_tui.model.errors import SmcError


def known_args(request: Request, *names: str) -> dict[str, Any]:
    """Return a request's arguments without those that are null.

    Raises:
        SmcError: InvalidParameter.Unknown for one that the verb does not have.
    """
    for name in request.args:
        if name not in names:
            raise SmcError("InvalidParameter.Unknown", f"{request.verb} has no argument {name}")
    return {name: value for name, value in request.args.items() if value is not None}


def needed(args: dict[str, Any], name: str) -> Any:
    """Return an argument.

    Raises:
        SmcError: InvalidParameter.Missing.
    """
    if name not in args:
        raise SmcError("InvalidParameter.Missing", f"{name} was not given")
    return args[name]


def flag(args: dict[str, Any], name: str) -> bool:
    """Return a yes or no, no when it was not given.

    Raises:
        SmcError: InvalidParameter.Unknown.
    """
    value = args.get(name, False)
    if not isinstance(value, bool):
        raise SmcError("InvalidParameter.Unknown", f"{name} is true or false, not {value!r}")
    return value
