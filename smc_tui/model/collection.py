"""When a collection of the image store is worth it.

Removing an image frees nothing by itself: the blocks that only it had go with the
next collection, which walks all that is kept. How much that would free is not known
before the walk, but it can be told from outside: where retention lets one image go for
each new one, what becomes garbage is about what the store has grown by since the last
collection. So a collection follows when the store has grown by a share of itself, as
heaps are collected. What people give up (a deleted image, a cancelled job) frees more
than that can tell, and is collected soon; whatever it is, it is not left for longer
than a week.

Collections keep a distance from each other, and as long as there is time they wait for
a moment without a run: beside one they are as safe, but must leave for later what the
run may still use, and both want the disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from smc_tui.model.units import DAY, HOUR, MIB

#: The least time between the ends of two collections, seconds.
PAUSE = 6 * HOUR
#: Likewise after one that could not be finished.
RETRY = HOUR
#: How long what was removed waits for a moment without a run.
PATIENCE = DAY
#: How long it waits at all.
LATEST = 7 * DAY
#: The store has grown by this share of what it was, and by at least so many bytes.
SHARE = 0.1
FLOOR = 64 * MIB


class Reason(StrEnum):
    """Why a collection is worth it, as the history says it."""

    FULL = "a job has no room"
    GIVEN_UP = "images or intermediate resources were given up"
    WAITING = "the last collection left something for later"
    GROWN = "the store has grown since the last collection"
    OLD = "the last collection was long ago"


@dataclass(frozen=True, slots=True)
class Signs:
    """What can be told without looking into the store.

    Attributes:
        since: when the last collection ended, or when the home was made.
        tried: when one was last begun or failed; None: never.
        bytes_then: of the packs after the last collection.
        bytes_now: of the packs.
        retained: images that retention let go since then.
        given_up: images that people deleted and resources released since then.
        waiting: the last one could not free all.
        full: a job has stopped because the store has no room.
        busy: a run, or a removal, is under way.
    """

    since: float
    tried: float | None
    bytes_then: int
    bytes_now: int
    retained: int = 0
    given_up: int = 0
    waiting: bool = False
    full: bool = False
    busy: bool = False


def worth(signs: Signs, now: float) -> Reason | None:
    """Return why a collection is worth it now, None if it is not."""
    anything = signs.retained or signs.given_up or signs.waiting
    if not anything or not signs.bytes_now:
        return None
    if signs.tried is not None and now - signs.tried < RETRY:
        return None
    waited = now - signs.since
    if signs.full and waited >= RETRY:
        return Reason.FULL
    if waited < (PATIENCE if signs.busy else PAUSE):
        return None
    if signs.given_up:
        return Reason.GIVEN_UP
    if signs.waiting:
        return Reason.WAITING
    if signs.bytes_now - signs.bytes_then >= max(FLOOR, SHARE * signs.bytes_then):
        return Reason.GROWN
    return Reason.OLD if waited >= LATEST else None
