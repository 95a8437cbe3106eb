"""What a person types after ``ssh``, taken apart."""

from __future__ import annotations

import re

from smc_tui.model import settings

_BRACKETED = re.compile(r"((?:[^@]*@)?)\[([^\]]*)\](?::(.*))?", re.DOTALL)


def address(text: str) -> tuple[str, int | None]:
    """Take ``[USER@]HOST[:PORT]`` apart; an IPv6 address with a port has brackets.

    Returns:
        What is handed to ssh as its destination, and the port, None where ssh's own
        configuration says it.

    Raises:
        SmcError: Source.BadAddress.
    """
    bracketed = _BRACKETED.fullmatch(text)
    port: str | None = None
    if bracketed:
        target, port = bracketed[1] + bracketed[2], bracketed[3]
    elif text.count(":") == 1:
        target, _, port = text.partition(":")
    else:
        target = text
    return settings.ssh_target(target), settings.port(port)
