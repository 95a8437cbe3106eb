"""Writing qcow2, version 3, as far as an export needs it.

A cluster is as large as a block, 64 KiB, and clusters are written once, in the
order of the disk: header, L1 table, then data clusters with an L2 table after
each 512 MiB of disk that has any data, then the reference counts, last the
header's bytes. Every cluster in the file is used exactly once, so all counts
are 1 and need no memory. What has no cluster reads as zeros.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from smc_tui.images.blocks import Bytes
from smc_tui.images.files import Files
from smc_tui.model.geometry import BLOCK

CLUSTER = BLOCK
SECTOR = 512
_L2_ENTRIES = CLUSTER // 8
_COUNTS_A_BLOCK = CLUSTER // 2  # of 16 bits
_COPIED = 1 << 63  # the count is exactly 1, it may be written in place
_HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")
_MAGIC = b"QFI\xfb"
_VERSION = 3
_CLUSTER_BITS = 16
_REFCOUNT_ORDER = 4


def _clusters(size: int) -> int:
    return -(-size // CLUSTER)


class Qcow2Writer:
    """A qcow2 file being written from front to back.

    Args:
        files: the fault seam.
        fd: an empty file.
        path: its name, for errors.
        size: of the disk in bytes; rounded up to sectors, as the format wants.
    """

    def __init__(self, files: Files, fd: int, path: Path, size: int) -> None:
        self._files = files
        self._fd = fd
        self._path = path
        self._size = -(-size // SECTOR) * SECTOR
        self._l1 = [0] * _clusters(_clusters(size) * 8)
        self._l2 = [0] * _L2_ENTRIES
        self._l2_number = 0
        self._next = 1 + _clusters(len(self._l1) * 8)

    def write(self, offset: int, blocks: Sequence[Bytes]) -> None:
        """Write adjacent whole clusters of the disk, behind all that was written before.

        Raises:
            SmcError: Destination.Full, Destination.IoError.
        """
        first = offset // CLUSTER
        buffers: list[Bytes] = []
        for cluster, block in enumerate(blocks, first):
            number, entry = divmod(cluster, _L2_ENTRIES)
            if number != self._l2_number:
                self._append(buffers)
                buffers = []
                self._finish_l2()
                self._l2_number = number
            self._l2[entry] = (self._next + len(buffers)) * CLUSTER | _COPIED
            buffers.append(block)
        self._append(buffers)

    def _append(self, clusters: Sequence[Bytes]) -> None:
        if clusters:
            self._files.write(self._fd, clusters, self._next * CLUSTER, self._path)
            self._next += len(clusters)

    def _finish_l2(self) -> None:
        if any(self._l2):
            self._l1[self._l2_number] = self._next * CLUSTER | _COPIED
            self._append([struct.pack(f">{_L2_ENTRIES}Q", *self._l2)])
            self._l2 = [0] * _L2_ENTRIES

    def finish(self) -> None:
        """Write tables, counts and header; the file is complete but not yet synced.

        Raises:
            SmcError: Destination.Full, Destination.IoError.
        """
        self._finish_l2()
        table, table_clusters = self._write_counts()
        l1 = struct.pack(f">{len(self._l1)}Q", *self._l1)
        self._files.write(self._fd, [_padded(l1)], CLUSTER, self._path)
        header = _HEADER.pack(
            _MAGIC,
            _VERSION,
            0,  # no backing file
            0,
            _CLUSTER_BITS,
            self._size,
            0,  # not encrypted
            len(self._l1),
            CLUSTER,  # the L1 table follows the header
            table * CLUSTER,
            table_clusters,
            0,  # no snapshots
            0,
            0,  # no features
            0,
            0,
            _REFCOUNT_ORDER,
            _HEADER.size,
        )
        self._files.write(self._fd, [_padded(header)], 0, self._path)

    def _write_counts(self) -> tuple[int, int]:
        """Write the reference counts of all clusters, their own included.

        Returns:
            The cluster at which their table begins, and its clusters.
        """
        used = self._next
        blocks = table = 0
        while True:  # the counts count themselves: at most a few rounds
            total = used + blocks + table
            needed = -(-total // _COUNTS_A_BLOCK)
            if (needed, _clusters(needed * 8)) == (blocks, table):
                break
            blocks, table = needed, _clusters(needed * 8)
        full = struct.pack(">H", 1) * _COUNTS_A_BLOCK
        for number in range(blocks):
            ones = min(_COUNTS_A_BLOCK, total - number * _COUNTS_A_BLOCK)
            self._append([_padded(full[: ones * 2])])
        offsets = [(used + number) * CLUSTER for number in range(blocks)]
        self._append(_split(_padded(struct.pack(f">{blocks}Q", *offsets))))
        return used + blocks, table


def _padded(data: bytes) -> bytes:
    return data.ljust(_clusters(len(data)) * CLUSTER, b"\0")


def _split(data: bytes) -> list[bytes]:
    return [data[at : at + CLUSTER] for at in range(0, len(data), CLUSTER)]


assert _HEADER.size == 104
