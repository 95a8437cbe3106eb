"""Which images go when a job has more than its maximum of reserved images.

The rule, in SMC's words "the oldest unused image is deleted", made exact:

- A *good* image (one instant, undamaged) counts against ``keep``. Images that are
  not good (fuzzy or damaged) are no kept images: they are counted apart, against
  ``keep`` too, so that they can neither push good ones out nor pile up.
- While the two together are over ``keep``, those that are not good and older than
  the newest good one go first: a better image has taken their place.
- Never an image that is used (pinned, being verified or exported, behind an
  instance), never the newest good one, never the newest of all: that one is what
  the run just ended was for. Without a good one, the newest undamaged stays too.

Used images count, so a job may be over its maximum; nothing else is deleted for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smc_tui.model.lifecycle import ImageState
from smc_tui.model.things import Image


@dataclass(frozen=True, slots=True)
class Kept:
    """What the rule needs to know of an image."""

    id: str
    good: bool
    used: bool
    damaged: bool = False


def kept(image: Image) -> Kept:
    """Return what the rule needs to know of an image."""
    damaged = image.state is ImageState.DAMAGED
    return Kept(image.id, image.good, bool(image.holds), damaged)


def to_remove(images: Sequence[Kept], keep: int) -> list[str]:
    """Return the ids of the images that go.

    Args:
        images: all of one job's images, oldest first.
        keep: the job's maximum of reserved images, at least 1.

    Returns:
        Ids in the order in which they go.
    """
    newest_good = _newest(images, lambda image: image.good)
    safe = {image.id for image in images if image.used}
    safe |= {images[index].id for index in (newest_good, len(images) - 1) if index >= 0}
    if newest_good < 0:
        undamaged = _newest(images, lambda image: not image.damaged)
        safe |= {images[undamaged].id} if undamaged >= 0 else set()

    gone: list[str] = []
    left = list(images)

    def drop(over: int, removable: Sequence[Kept]) -> None:
        victims = [image for image in removable if image.id not in safe][: max(over, 0)]
        gone.extend(image.id for image in victims)
        left[:] = [image for image in left if image not in victims]

    outdone = [image for image in images[: max(newest_good, 0)] if not image.good]
    drop(len(left) - keep, outdone)
    for good in (True, False):
        group = [image for image in left if image.good is good]
        drop(len(group) - keep, group)
    return gone


def outgoing(images: Sequence[Image], keep: int) -> list[Image]:
    """Return the images that go after a job's next good image, in the order in which they go.

    Args:
        images: all of one job's images, oldest first.
        keep: the job's maximum of reserved images, at least 1.
    """
    there = [image for image in images if image.state is not ImageState.DELETING]
    next_one = Kept("", good=True, used=False)
    gone = to_remove([*map(kept, there), next_one], keep)
    by_id = {image.id: image for image in there}
    return [by_id[identity] for identity in gone if identity in by_id]


def _newest(images: Sequence[Kept], fits: Callable[[Kept], bool]) -> int:
    return max((index for index, image in enumerate(images) if fits(image)), default=-1)
