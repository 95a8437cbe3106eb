"""Freeing what nothing refers to, beside running sessions and without blocking them.

What is live: all that is reachable from the change maps, the manifests and the
removed manifests. A collection has three steps, each of which may be the last
one that a process lives through:

    mark      walk the roots, note what is live (roots.py)
    condemn   rows that are good and not live become condemned; then note the
              barrier: the sessions that live now
    sweep     once all sessions up to the barrier have ended: walk the roots
              again; condemned and live -> good; condemned and not live -> deleted;
              then the packs (compact.py)

Why no row is deleted that an image needs, whatever runs meanwhile. Let a
session S put a name N into a list. S has N in one of four ways (session.py):

    put     N is entered as good when S's checkpoint commits, whatever the row
            was; until then the pack is flocked and not in the index at all.
            If N is condemned after that, this is the next case
    have, before N was condemned: S lived when the barrier was noted, or had
            ended by then. Either way S's manifest and maps are complete before
            the sweep's walk, which finds N live
    have, after N was condemned: ``have`` has cleared the flag in a transaction.
            Transactions are serial: if the sweep deleted the row first, ``have``
            did not answer yes. If a later collection condemns N again, this is
            the case before
    root    N stood in a list that S read, while it lived, from an image or from
            the same segment of its change map, without asking. That root is met
            by the sweep's walk: a map keeps N in that segment until S's own new
            list, which has N, takes its place; a manifest stays, or is set aside
            among the removed, where it stays a root until every session that
            lived when the collection first saw it there has ended. The walk
            reads maps, manifests, removed in this order, which is the only order
            in which a name moves between them, so it misses none that moves

A walk that cannot read a manifest or a list cannot know what it refers to:
then nothing is condemned and nothing is swept, and the report says what holds
it. Removing the image or healing the list lets the next collection go on.

A crash after any commit leaves condemned rows, which still are readable and
resurrectable; condemned rows without a barrier get one from the next
collection, noted later and so only safer. A collection never waits for
sessions: it says that it is waiting, and the next call goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from smc_tui.images.compact import Compaction, compact
from smc_tui.images.files import Files, try_lock, writing
from smc_tui.images.index import Index, State
from smc_tui.images.objects import Objects
from smc_tui.images.paths import Paths
from smc_tui.images.progress import Progress, no_progress
from smc_tui.images.recover import recover
from smc_tui.images.registry import (
    barrier,
    drop_barrier,
    has_passed,
    hold_store,
    living,
    set_barrier,
)
from smc_tui.images.roots import LiveSet
from smc_tui.images.stats import bytes_on_disk
from smc_tui.model.errors import SmcError

_CONDEMNED = "condemned"


@dataclass
class Collection:
    """What a collection did.

    Args:
        condemned: rows newly condemned.
        swept: rows deleted.
        rescued: condemned rows found live again.
        packs_removed: packs removed because nothing in them was left.
        packs_rewritten: packs removed after their rest was copied to new ones.
        bytes_freed: bytes of disk freed.
        bytes_on_disk: of the packs that are left.
        waiting: sessions must end before all that nothing refers to can be freed.
        held: why nothing was condemned or swept, or not all rewritten; "" if nothing is.
    """

    condemned: int = 0
    swept: int = 0
    rescued: int = 0
    packs_removed: int = 0
    packs_rewritten: int = 0
    bytes_freed: int = 0
    bytes_on_disk: int = 0
    waiting: bool = False
    held: str = ""


@contextmanager
def alone(paths: Paths, files: Files) -> Iterator[Index]:
    """Be the one collection or check, on an index that nobody replaces meanwhile.

    Raises:
        SmcError: Store.Busy, Store.IndexDamaged.
    """
    store_fd = hold_store(paths)
    try:
        with writing(paths.collect_lock):
            fd = os.open(paths.collect_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not try_lock(fd):
                raise SmcError("Store.Busy", f"{paths.root}: it is being collected or checked")
            index = Index(paths.index, files)
            try:
                yield index
            finally:
                index.close()
        finally:
            os.close(fd)
    finally:
        os.close(store_fd)


def collect(paths: Paths, files: Files, progress: Progress = no_progress) -> Collection:
    """Free what nothing refers to, as far as the open sessions allow it now.

    Raises:
        SmcError: Store.Busy, Store.IndexDamaged, Store.Unreadable,
            Destination.Full, Destination.IoError.
    """
    with alone(paths, files) as index:
        return _Collector(paths, files, index, progress).run()


class _Collector:
    """One collection under way."""

    def __init__(self, paths: Paths, files: Files, index: Index, progress: Progress) -> None:
        self.paths = paths
        self.files = files
        self.index = index
        self.progress = progress
        self.done = Collection()

    def run(self) -> Collection:
        for folder in (self.paths.root, self.paths.manifests, *self.paths.staging.glob("*")):
            self.files.sweep_temporary(folder)
        recover(self.paths, self.files, self.index)
        self._forget_removed()
        objects = Objects(self.paths, lambda: self.index)
        try:
            with LiveSet(self.paths) as live:
                self._mark_and_sweep(live, objects)
        except SmcError as error:
            if error.code != "Image.ManifestDamaged":
                raise
            self.done.held = error.detail
        finally:
            objects.close()
        self._count(compact(self.paths, self.files, self.index, self.progress))
        if self.paths.removed_images():
            self.done.waiting = True
        self.done.bytes_on_disk = bytes_on_disk(self.paths)
        return self.done

    def _forget_removed(self) -> None:
        """Let go of removed images on which no session can build any more.

        They are listed before the living are: who lived when an image was
        removed still lives now or has ended.
        """
        removed = self.paths.removed_images()
        alive = living(self.paths, self.files, self.index)
        for image in removed:
            subject = f"removed {image}"
            number = barrier(self.index, subject)
            if number is None and alive:
                set_barrier(self.index, subject, alive)
            elif not alive or (number is not None and has_passed(number, alive)):
                self.files.unlink(self.paths.removed_manifest(image))
                self.files.fsync_dir(self.paths.removed)
                drop_barrier(self.index, subject)

    def _mark_and_sweep(self, live: LiveSet, objects: Objects) -> None:
        if not self._may_go_on():
            return
        pending = barrier(self.index, _CONDEMNED) is not None
        if not self._walk(live, objects):
            return
        if pending:
            self._sweep(live)
        # A bad row that nothing refers to is of use to nobody: have() denies it anyway.
        self._delete(live, State.BAD)
        self._condemn(live)
        if self.index.any_condemned():
            set_barrier(self.index, _CONDEMNED, living(self.paths, self.files, self.index))
            if self._may_go_on() and self._walk(live, objects):
                self._sweep(live)

    def _may_go_on(self) -> bool:
        """Tell whether every session up to the barrier, if there is one, has ended."""
        number = barrier(self.index, _CONDEMNED)
        alive = living(self.paths, self.files, self.index)
        self.done.waiting = number is not None and not has_passed(number, alive)
        return not self.done.waiting

    def _walk(self, live: LiveSet, objects: Objects) -> bool:
        unreadable = live.walk(self.paths, objects, self.progress)
        if unreadable:
            name = min(unreadable).hex()
            self.done.held = f"{len(unreadable)} segment lists are damaged, one is {name}"
        return not unreadable

    def _condemn(self, live: LiveSet) -> None:
        for page in live.pages(State.GOOD, live=False):
            with self.index.writing():
                self.done.condemned += self.index.execute(
                    "UPDATE blocks SET state = 1 WHERE name = ? AND state = 0",
                    [(name,) for name in page],
                )

    def _sweep(self, live: LiveSet) -> None:
        for page in live.pages(State.CONDEMNED, live=True):
            self.done.rescued += len(self.index.resurrect(page))
        self._delete(live, State.CONDEMNED)
        drop_barrier(self.index, _CONDEMNED)

    def _delete(self, live: LiveSet, state: State) -> None:
        for page in live.pages(state, live=False):
            with self.index.writing():
                self.done.swept += self.index.execute(
                    "DELETE FROM blocks WHERE name = ? AND state = ?",
                    [(name, state) for name in page],
                )

    def _count(self, packs: Compaction) -> None:
        self.done.packs_removed = packs.removed
        self.done.packs_rewritten = packs.rewritten
        self.done.bytes_freed = packs.freed
        self.done.held = self.done.held or packs.held
