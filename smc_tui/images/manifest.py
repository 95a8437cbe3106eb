"""Manifests: what an image is made of, one file an image.

    offset  size
    0       8     magic ``SMCIMAGE``
    8       4     version
    12      4     length of the header
    16      …     header: JSON, what is said of the image and its disks
    …       …     the root lists of the disks, in order: 32 bytes a segment
    end-32  32    blake3 of everything before

The root digest of an image covers sizes and root lists alone, not the image's
name or time: two images with equal bytes have equal roots, and because every
name below is the digest of its content, the root proves every byte.

A manifest is read as hostile: its size is bounded before anything is made of
it, every field is checked, and a wrong one is Image.ManifestDamaged.
"""

from __future__ import annotations

import errno
import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from smc_tui.images.blocks import NAME, name_of
from smc_tui.images.files import reading
from smc_tui.model.errors import SmcError
from smc_tui.model.geometry import SEGMENT, segments_of
from smc_tui.model.ids import Kind, is_id
from smc_tui.model.lifecycle import Consistency
from smc_tui.model.units import MIB

MAGIC = b"SMCIMAGE"
VERSION = 1
MAX_SEGMENTS = 56 * MIB // NAME
"""Of all disks of an image together: 28 TiB, so that a manifest is never read into more."""

_PREFIX = struct.Struct(">8sII")
_DISK = struct.Struct(">IQI")
_MAX_HEADER = MIB
_MAX_TEXT = 4096
_CONSISTENCIES = frozenset(Consistency)


@dataclass(frozen=True)
class DiskManifest:
    """One disk of an image.

    Args:
        index: its place among the source's disks, from 0.
        path: where it was on the source.
        size: bytes.
        sector_size: bytes.
        role: ``system`` or ``data``.
        segments: its root list, 32 bytes a segment.
    """

    index: int
    path: str
    size: int
    sector_size: int
    role: str
    segments: bytes

    def lists(self) -> Iterator[bytes]:
        """Yield the digest of each segment's list, in order."""
        for at in range(0, len(self.segments), NAME):
            yield self.segments[at : at + NAME]


@dataclass(frozen=True)
class ImageManifest:
    """An image: its disks and where it came from.

    Args:
        id: ``m-…``.
        name: as the user calls it.
        job_id: the job that made it.
        run_id: the run that made it.
        source_id: the server it shows.
        created: RFC 3339.
        consistency: a word of ``Consistency``.
        provenance: what else is known, JSON values.
        disks: in the order of their index.
    """

    id: str
    name: str
    job_id: str
    run_id: str
    source_id: str
    created: str
    consistency: str
    provenance: dict[str, Any]
    disks: tuple[DiskManifest, ...]

    @property
    def root(self) -> str:
        """The digest that proves every byte of every disk, in hexadecimal."""
        whole = blake3()
        for disk in self.disks:
            whole.update(_DISK.pack(disk.index, disk.size, disk.sector_size))
            whole.update(name_of(disk.segments))
        return whole.hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all disks."""
        return sum(disk.size for disk in self.disks)


def encode(manifest: ImageManifest) -> list[bytes]:
    """Return the file's bytes in parts.

    Raises:
        ValueError: the manifest breaks a rule that reading it would refuse.
    """
    header = json.dumps(_document(manifest)).encode("ascii")
    if len(header) > _MAX_HEADER:
        raise ValueError("too much is said of the image")
    _manifest(_document(manifest), [disk.segments for disk in manifest.disks])
    parts = [_PREFIX.pack(MAGIC, VERSION, len(header)), header]
    parts += [disk.segments for disk in manifest.disks]
    whole = blake3()
    for part in parts:
        whole.update(part)
    return [*parts, whole.digest()]


def _document(manifest: ImageManifest) -> dict[str, Any]:
    fields = ("id", "name", "job_id", "run_id", "source_id", "created", "consistency")
    disk_fields = ("index", "path", "size", "sector_size", "role")
    return {
        **{field: getattr(manifest, field) for field in fields},
        "provenance": manifest.provenance,
        "disks": [
            {field: getattr(disk, field) for field in disk_fields} for disk in manifest.disks
        ],
    }


def read(path: Path) -> ImageManifest:
    """Return the manifest in a file, every byte of it proven by its digest.

    Raises:
        FileNotFoundError: there is none.
        SmcError: Image.ManifestDamaged, Store.Newer, Store.Unreadable.
    """
    try:
        with reading(path), path.open("rb", buffering=0) as file:
            return _read(file.fileno(), os.fstat(file.fileno()).st_size)
    except (ValueError, RecursionError) as error:
        raise SmcError(
            "Image.ManifestDamaged", f"{path}: {error}", image=path.stem, path=str(path)
        ) from error


def _read(fd: int, size: int) -> ImageManifest:
    if not _PREFIX.size + NAME <= size <= _PREFIX.size + _MAX_HEADER + (MAX_SEGMENTS + 1) * NAME:
        raise ValueError(f"{size} bytes can't be a manifest")
    whole = blake3()
    at = 0

    def take(length: int) -> bytes:
        nonlocal at
        try:
            data = os.pread(fd, min(length, size - at), at)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            raise ValueError("the disk cannot read all of it") from error
        if len(data) != length:
            raise ValueError("it ends too early")
        at += length
        return data

    prefix = take(_PREFIX.size)
    magic, version, header_length = _PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise ValueError("it does not begin as a manifest does")
    if header_length > _MAX_HEADER:
        raise ValueError(f"a header of {header_length} bytes")
    header = take(header_length)
    whole.update(prefix)
    whole.update(header)
    # The digest is proven over the rest before a word of the header is believed,
    # in pieces, so that a wrong file costs no more memory than a right one.
    lists_at = at
    while at < size - NAME:
        whole.update(take(min(MIB, size - NAME - at)))
    if take(NAME) != whole.digest():
        raise ValueError("its digest does not fit its bytes")
    if version != VERSION:
        raise SmcError("Store.Newer", f"a manifest of version {version}, known is {VERSION}")
    document = json.loads(header)
    at = lists_at
    lists = [take(segments_of(_whole(disk, "size")) * NAME) for disk in _disks(document)]
    if at != size - NAME:
        raise ValueError("its root lists do not fit the sizes of its disks")
    return _manifest(document, lists)


def _disks(document: Any) -> list[Any]:
    disks = document.get("disks") if isinstance(document, dict) else None
    if not isinstance(disks, list) or not 1 <= len(disks) <= 1024:
        raise ValueError("it names no disks, or too many")
    if sum(segments_of(_whole(disk, "size")) for disk in disks) > MAX_SEGMENTS:
        raise ValueError("its disks are larger than an image can be")
    return disks


def _whole(document: Any, field: str) -> int:
    value = document.get(field) if isinstance(document, dict) else None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < SEGMENT << 32:
        raise ValueError(f"{field} is no number that can be")
    return value


def _text(document: Any, field: str) -> str:
    value = document.get(field) if isinstance(document, dict) else None
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise ValueError(f"{field} is no text, or too long")
    return value


def _manifest(document: Any, lists: list[bytes]) -> ImageManifest:
    disks = []
    for place, (disk, segments) in enumerate(zip(_disks(document), lists, strict=True)):
        size, sector_size = _whole(disk, "size"), _whole(disk, "sector_size")
        if _whole(disk, "index") != place or size < 1 or not 512 <= sector_size <= 1 << 16:
            raise ValueError(f"disk {place} is no disk")
        if len(segments) != segments_of(size) * NAME:
            raise ValueError(f"disk {place} has a root list of {len(segments)} bytes")
        path, role = _text(disk, "path"), _text(disk, "role")
        disks.append(DiskManifest(place, path, size, sector_size, role, segments))
    provenance = document.get("provenance")
    if not isinstance(provenance, dict):
        raise ValueError("its provenance is no table")
    fields = ("id", "name", "job_id", "run_id", "source_id", "created", "consistency")
    values = {field: _text(document, field) for field in fields}
    if not is_id(values["id"], Kind.IMAGE) or values["consistency"] not in _CONSISTENCIES:
        raise ValueError("its id or consistency is none")
    return ImageManifest(**values, provenance=provenance, disks=tuple(disks))
