"""What the store holds, in numbers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from smc_tui.images.blocks import Kind
from smc_tui.images.index import Index, State
from smc_tui.images.packs import HEADER, pack_ids, pack_path
from smc_tui.images.paths import Paths
from smc_tui.model.geometry import BLOCK


@dataclass(frozen=True)
class Stats:
    """Numbers of a store.

    Args:
        images: published images.
        removed: removed images that a session may still build on.
        packs: files.
        blocks, lists: good ones.
        bytes_plain: of all good blocks, uncompressed.
        bytes_used: of all records that the index knows, as stored.
        bytes_on_disk: of the packs.
        bytes_dead: of the packs, what no row points to; a collection frees it in part.
        condemned: records that nothing referred to at the last collection.
        damaged: names damaged or missing.
        sessions: registered writers.
    """

    images: int
    removed: int
    packs: int
    blocks: int
    lists: int
    bytes_plain: int
    bytes_used: int
    bytes_on_disk: int
    bytes_dead: int
    condemned: int
    damaged: int
    sessions: int


def bytes_on_disk(paths: Paths) -> int:
    """Return the bytes of all packs, without looking into any."""
    total = 0
    for pack in pack_ids(paths.packs):
        with suppress(FileNotFoundError):
            total += pack_path(paths.packs, pack).stat().st_size
    return total


def stats(paths: Paths, index: Index) -> Stats:
    """Count; reads the whole index.

    Raises:
        SmcError: Store.IndexDamaged.
    """
    blocks = lists = used = condemned = damaged = 0
    for kind, state, count, size in index.query(
        "SELECT kind, state, count(*), sum(CASE WHEN pack THEN length + ? ELSE 0 END)"
        " FROM blocks GROUP BY kind, state",
        [HEADER],
    ):
        used += size
        condemned += count if state == State.CONDEMNED else 0
        damaged += count if state == State.BAD else 0
        if state == State.GOOD:
            blocks += count if kind == Kind.BLOCK else 0
            lists += count if kind == Kind.LIST else 0
    on_disk = bytes_on_disk(paths)
    ((sessions,),) = index.query("SELECT count(*) FROM sessions")
    return Stats(
        images=len(paths.images()),
        removed=len(paths.removed_images()),
        packs=len(pack_ids(paths.packs)),
        blocks=blocks,
        lists=lists,
        bytes_plain=blocks * BLOCK,
        bytes_used=used,
        bytes_on_disk=on_disk,
        bytes_dead=max(0, on_disk - used),
        condemned=condemned,
        damaged=damaged,
        sessions=sessions,
    )
