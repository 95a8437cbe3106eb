"""Names of things: one letter for the kind, eight hexadecimal digits at random.

Random rather than counted, so that two homes can be merged or compared and an
id never tells how many jobs came before it.
"""

from __future__ import annotations

import os
import re
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of things that carry an id, by their letter."""

    SOURCE = "s"
    JOB = "j"
    RUN = "r"
    IMAGE = "m"
    INSTANCE = "i"
    RESOURCE = "t"
    REQUEST = "q"
    EVENT = "e"


_ID = re.compile(r"[a-z]-[0-9a-f]{8}")


def new_id(kind: Kind) -> str:
    """Return a fresh id such as ``j-8f2a91c4``."""
    # The same source as secrets.token_hex, whose import takes 10 ms of a command's start.
    return f"{kind.value}-{os.urandom(4).hex()}"


def is_id(text: str, kind: Kind) -> bool:
    """Tell whether ``text`` has the form of an id of this kind."""
    return _ID.fullmatch(text) is not None and text[0] == kind.value
