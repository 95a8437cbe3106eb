"""Proving an image: every list and every block of it read and hashed.

Bytes that fit their names, lists that fit theirs and a manifest that fits its
digest make the root digest of the image a proof of all its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from smc_tui.images.blocks import NAME
from smc_tui.images.index import Index
from smc_tui.images.manifest import DiskManifest, ImageManifest
from smc_tui.images.objects import Harm
from smc_tui.images.paths import Paths
from smc_tui.images.progress import Progress, no_progress
from smc_tui.images.stream import Segment, stream
from smc_tui.model.geometry import BLOCK, SEGMENT

NAMED = 1000
"""How much damage is named one by one; beyond, it is counted."""


@dataclass(frozen=True)
class Damage:
    """A stretch of a disk that cannot be read.

    Args:
        image: the image.
        disk: the disk's index.
        offset: where on the disk, in bytes.
        length: a block's, or a whole segment's if its list is what is wrong.
        name: of the block or the list, hexadecimal.
        harm: what is wrong.
    """

    image: str
    disk: int
    offset: int
    length: int
    name: str
    harm: Harm


@dataclass
class Verification:
    """What was proven of an image.

    Args:
        image: the image.
        root: its root digest.
        bytes: bytes of its disks that were gone through, zeros included.
        stored: bytes read and hashed.
        damaged: how many places are damaged.
        damage: the first NAMED of them.
    """

    image: str
    root: str
    bytes: int = 0
    stored: int = 0
    damaged: int = 0
    damage: list[Damage] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every byte was proven."""
        return not self.damaged


def verify(
    paths: Paths,
    index: Callable[[], Index],
    manifest: ImageManifest,
    progress: Progress = no_progress,
) -> Verification:
    """Read and prove all of an image; damage is quarantined and reported, not raised.

    Raises:
        SmcError: Store.Unreadable, Store.IndexDamaged.
    """
    done = Verification(manifest.id, manifest.root)
    for disk in manifest.disks:
        for segment in stream(paths, index, disk, texts=False):
            for harm in damages(manifest.id, disk, segment):
                done.damaged += 1
                if len(done.damage) < NAMED:
                    done.damage.append(harm)
            done.bytes += min(SEGMENT, disk.size - segment.number * SEGMENT)
            done.stored += segment.stored * BLOCK
            progress("verifying", done.bytes, manifest.size)
    return done


def damages(image: str, disk: DiskManifest, segment: Segment) -> Iterator[Damage]:
    """Yield every place of a segment that is damaged."""
    if not segment.harms:
        return
    start = segment.number * SEGMENT
    digest = disk.segments[segment.number * NAME : (segment.number + 1) * NAME]
    if digest in segment.harms:
        length = min(SEGMENT, disk.size - start)
        yield Damage(image, disk.index, start, length, digest.hex(), segment.harms[digest])
    for number, name in enumerate(segment.names):
        offset = start + number * BLOCK
        if name in segment.harms:
            length = min(BLOCK, disk.size - offset)
            yield Damage(image, disk.index, offset, length, name.hex(), segment.harms[name])
