"""The kept images: blocks, packs, index, manifests.

One face: ``ImageStore``. What it is built of, from the ground up:

``blocks``     what a disk is cut into and how the pieces are named
``files``      the one way to the disk; where tests make it fail
``packs``      append-only files of self-describing records
``index``      where everything lies (SQLite), made from the packs
``manifest``   what an image is made of
``changemap``  what a source's disk was when last looked at
``paths``      where all this is kept
``registry``   which sessions live
``recover``, ``rebuild``  after a crash; after a loss of the index
``session``    writing: the durability order and its crash argument
``objects``, ``reader``   reading, every byte proven
``stream``     a whole disk read ahead, for ``verify`` and ``export``
``roots``      what is referred to
``collect``    freeing what nothing refers to, beside running sessions; ``compact`` packs
``check``      proving everything; ``export``, ``qcow2`` handing an image out
"""

from smc_tui.images.blocks import (
    LIST,
    MAX_STORED,
    NAME,
    ZERO_BLOCK,
    ZERO_LIST,
    ZERO_NAMES,
    PayloadError,
    name_of,
    plain,
)
from smc_tui.images.changemap import NO_CHUNKS, ChangeMap
from smc_tui.images.manifest import DiskManifest, ImageManifest
from smc_tui.images.objects import Objects
from smc_tui.images.reader import DiskReader, Extent
from smc_tui.images.session import Session
from smc_tui.images.store import ImageStore
from smc_tui.model.geometry import (
    BLOCK,
    BLOCKS_PER_SEGMENT,
    CHUNK,
    CHUNKS_PER_SEGMENT,
    SEGMENT,
    Encoding,
    segments_of,
)

__all__ = [
    "BLOCK",
    "BLOCKS_PER_SEGMENT",
    "CHUNK",
    "CHUNKS_PER_SEGMENT",
    "LIST",
    "MAX_STORED",
    "NAME",
    "NO_CHUNKS",
    "SEGMENT",
    "ZERO_BLOCK",
    "ZERO_LIST",
    "ZERO_NAMES",
    "ChangeMap",
    "DiskManifest",
    "DiskReader",
    "Encoding",
    "Extent",
    "ImageManifest",
    "ImageStore",
    "Objects",
    "PayloadError",
    "Session",
    "name_of",
    "plain",
    "segments_of",
]
