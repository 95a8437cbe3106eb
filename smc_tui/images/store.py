"""The store's one face: everything that the other rooms do with images."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from smc_tui.images import manifest as manifests
from smc_tui.images.blocks import ZERO_BLOCK, ZERO_LIST, Kind, split
from smc_tui.images.changemap import ChangeMap, read_lists
from smc_tui.images.check import Problem, Report, check
from smc_tui.images.collect import Collection, collect
from smc_tui.images.export import Exported, Format, Source, export
from smc_tui.images.files import Files, reading, writing
from smc_tui.images.index import Index, State
from smc_tui.images.manifest import DiskManifest, ImageManifest
from smc_tui.images.objects import Objects
from smc_tui.images.paths import Paths
from smc_tui.images.progress import Progress, no_progress
from smc_tui.images.reader import DiskReader
from smc_tui.images.rebuild import rebuild
from smc_tui.images.session import Session
from smc_tui.images.stats import Stats, bytes_on_disk, stats
from smc_tui.images.verify import Verification, verify
from smc_tui.model.errors import SmcError
from smc_tui.model.geometry import BLOCK, STORE_NAME, STORE_VERSION

_LISTS_AT_ONCE = 1024


class ImageStore:
    """The kept images of one home; a context manager.

    Threads may share it; any number of processes may have it open at once.
    """

    def __init__(self, paths: Paths, files: Files) -> None:
        self.paths = paths
        self._files = files
        self._lock = threading.Lock()
        self._connections: list[Index] = []  # the last is in use, others may have readers
        self._object_lock = threading.Lock()
        self._objects = Objects(paths, self._index)

    @classmethod
    def open(
        cls, root: Path, staging: Path, create: bool = True, files: Files | None = None
    ) -> ImageStore:
        """Open the store under ``root``, making it or its index if need be.

        Args:
            root: ``images/`` of the home.
            staging: ``staging/`` of the home, where the change maps are.
            create: make a store where there is none.
            files: the fault seam; the plain one by default.

        Raises:
            SmcError: Store.NotFound, Store.Newer, Store.Damaged, Store.Busy
                (no index, and sessions are open), Destination.Full, Destination.IoError.
        """
        paths, files = Paths(root.absolute(), staging.absolute()), files or Files()
        if not paths.format.exists():
            if not create:
                raise SmcError("Store.NotFound", f"{root}: there is no image store")
            files.mkdir(paths.root)
        with _door(paths):
            _prepare(paths, files)
        return cls(paths, files)

    def __enter__(self) -> ImageStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store's connections, its readers' too; sessions have their own."""
        with self._object_lock:
            self._objects.close()
        with self._lock:
            while self._connections:
                self._connections.pop().close()

    def _index(self) -> Index:
        """The connection for reading, a new one when another process has replaced the index."""
        with self._lock:
            if not self.paths.index.exists():
                with _door(self.paths):
                    _prepare(self.paths, self._files)
            if not self._connections or self._connections[-1].is_replaced():
                self._connections.append(Index(self.paths.index, self._files))
            return self._connections[-1]

    # Images ----------------------------------------------------------------

    def images(self) -> list[str]:
        """Return the ids of the published images, sorted."""
        return self.paths.images()

    def manifest(self, image_id: str) -> ImageManifest:
        """Return what an image is made of.

        Raises:
            SmcError: Image.NotFound, Image.ManifestDamaged, Store.Newer.
        """
        try:
            manifest = manifests.read(self.paths.manifest(image_id))
        except FileNotFoundError:
            raise SmcError("Image.NotFound", f"no image {image_id}", image=image_id) from None
        if manifest.id != image_id:
            raise SmcError(
                "Image.ManifestDamaged",
                f"the manifest of {image_id} is that of {manifest.id}",
                image=image_id,
            )
        return manifest

    def remove(self, image_id: str) -> None:
        """Remove an image; the collection frees later what nothing else refers to.

        The manifest is set aside rather than deleted: a session that has read
        its lists may still build on them (collect.py).

        Raises:
            SmcError: Image.NotFound, Destination.IoError.
        """
        path = self.paths.manifest(image_id)
        try:
            self._files.rename(path, self.paths.removed_manifest(image_id))
        except SmcError:
            if path.exists():
                raise
            raise SmcError("Image.NotFound", f"no image {image_id}", image=image_id) from None
        self._files.fsync_dir(self.paths.removed)
        self._files.fsync_dir(self.paths.manifests)

    def disk(self, image_id: str, index: int) -> DiskReader:
        """Return a reader of one disk of an image; close it, or use it in ``with``.

        Raises:
            SmcError: Image.NotFound (also for a disk the image has not),
                Image.ManifestDamaged.
        """
        disk = self._disk(image_id, index)
        return DiskReader(image_id, disk, Objects(self.paths, self._index))

    def _disk(self, image_id: str, index: int) -> DiskManifest:
        disks = self.manifest(image_id).disks
        if not 0 <= index < len(disks):
            raise SmcError("Image.NotFound", f"{image_id} has no disk {index}", image=image_id)
        return disks[index]

    # Writing ---------------------------------------------------------------

    def session(self, owner: str) -> Session:
        """Open a session to write blocks and images; use it in ``with``.

        First what dead writers left in their packs is taken up.

        Args:
            owner: who writes, for people: a run's id.

        Raises:
            SmcError: Store.Busy, Store.IndexDamaged, Destination.Full, Destination.IoError.
        """
        return Session(self.paths, self._files, owner)

    # Single objects --------------------------------------------------------

    def names_list(self, digest: bytes) -> bytes:
        """Return a segment's list of names, 8192 bytes, by its digest.

        Raises:
            SmcError: Image.BlockDamaged, Store.IndexDamaged, Store.Unreadable.
        """
        with self._object_lock:
            return self._objects.names_list(digest)

    def expect_lists(self, job_id: str) -> None:
        """Have the lists that a job's change maps name read from the disk betimes.

        Packs leave the page cache once they are durable, so the lists that the
        next comparison needs lie scattered on the disk: one by one they would
        cost a seek each, in the middle of the run.
        """
        objects = Objects(self.paths, self._index)
        try:
            for path in sorted((self.paths.staging / job_id).glob("*.map")):
                lists = read_lists(path)
                while names := list(islice(lists, _LISTS_AT_ONCE)):
                    objects.expect(names)
        finally:
            objects.close()

    def block(self, name: bytes) -> bytes:
        """Return a block's plain 64 KiB by its name.

        Raises:
            SmcError: Image.BlockDamaged, Store.IndexDamaged, Store.Unreadable.
        """
        if name == ZERO_BLOCK:
            return bytes(BLOCK)
        with self._object_lock:
            return bytes(self._objects.proven([name])[name])

    def reader(self) -> Objects:
        """Return a reader of many objects at once, for one thread at a time; close it."""
        return Objects(self.paths, self._index)

    # Damage ----------------------------------------------------------------

    def damaged(self) -> set[bytes]:
        """Return the names known to be damaged or missing."""
        return self._index().bad()

    def segments_to_heal(self, known: ChangeMap | bytes) -> set[int]:
        """Return the segments whose list, or any block of it, is damaged or missing.

        At once when nothing is known to be damaged; else every list is read and
        every name looked up.

        Args:
            known: the change map of a disk, or its root list, 32 bytes a segment.

        Raises:
            SmcError: Store.IndexDamaged, Store.Unreadable.
        """
        if not self._index().any_bad():
            return set()
        objects = Objects(self.paths, self._index)
        try:
            return {
                segment
                for segment, digest in _numbered_lists(known)
                if digest != ZERO_LIST and self._needs_healing(digest, objects)
            }
        finally:
            objects.close()

    def _needs_healing(self, digest: bytes, objects: Objects) -> bool:
        fetched = objects.fetch([digest], Kind.LIST)
        if digest in fetched.harms:
            return True
        names = set(split(bytes(fetched.texts[digest]))) - {ZERO_BLOCK}
        states = dict(self._index().states(list(names)))
        return len(states) < len(names) or State.BAD in states.values()

    def rebuild_index(self) -> int:
        """Make the index anew from the packs; return its rows.

        Raises:
            SmcError: Store.Busy (a session is open), Destination.Full, Destination.IoError.
        """
        with _door(self.paths):
            return rebuild(self.paths, self._files)

    # Care ------------------------------------------------------------------

    def verify(self, image_id: str, progress: Progress = no_progress) -> Verification:
        """Read and prove every byte of an image; damage is reported and quarantined.

        Raises:
            SmcError: Image.NotFound, Image.ManifestDamaged, Store.IndexDamaged, Store.Unreadable.
        """
        return verify(self.paths, self._index, self.manifest(image_id), progress)

    def check(self, progress: Progress = no_progress) -> Report:
        """Prove everything in the store; make the index anew if it is damaged.

        Raises:
            SmcError: Store.Busy, Store.IndexDamaged (and it cannot be made
                anew, for sessions are open), Store.Unreadable, Destination.Full,
                Destination.IoError.
        """
        try:
            first = check(self.paths, self._files, progress)
        except SmcError as error:
            if error.code != "Store.IndexDamaged":
                raise
            first = Report()
            first.add(Problem("index", self.paths.index.name, error.detail))
        if not first.index_damaged:
            return first
        try:
            self.rebuild_index()
        except SmcError as error:
            if error.code != "Store.Busy":
                raise
            first.notes.append("the index can be made anew when no session is open")
            return first
        report = check(self.paths, self._files, progress)
        report.index_rebuilt = True
        report.notes += [
            f"the index was damaged and has been made anew: {problem.detail}"
            for problem in first.problems
            if problem.kind == "index"
        ]
        return report

    def collect(self, progress: Progress = no_progress) -> Collection:
        """Free what no image, change map or session needs; never waits for sessions.

        Raises:
            SmcError: Store.Busy (a collection or a check runs), Store.IndexDamaged,
                Store.Unreadable, Destination.Full, Destination.IoError.
        """
        return collect(self.paths, self._files, progress)

    def bytes_on_disk(self) -> int:
        """Return the bytes of all packs, at once."""
        return bytes_on_disk(self.paths)

    def stats(self) -> Stats:
        """Return what the store holds.

        Raises:
            SmcError: Store.IndexDamaged.
        """
        return stats(self.paths, self._index())

    def export(
        self,
        image_id: str,
        index: int,
        file: Path,
        format: Format | str = Format.RAW,
        progress: Progress = no_progress,
        *,
        overwrite: bool = False,
    ) -> Exported:
        """Write a disk of an image to a file, sparse; it appears whole or not at all.

        Raises:
            SmcError: Image.NotFound, Image.ManifestDamaged, Image.BlockDamaged,
                Export.TargetExists, Store.IndexDamaged, Store.Unreadable,
                Destination.Full, Destination.IoError.
        """
        return export(
            Source(self.paths, self._index, image_id, self._disk(image_id, index)),
            self._files,
            file,
            Format(format),
            overwrite=overwrite,
            progress=progress,
        )


def _numbered_lists(known: ChangeMap | bytes) -> Iterator[tuple[int, bytes]]:
    if isinstance(known, bytes):
        yield from enumerate(split(known))
        return
    for segment in range(known.segments):
        record = known.get(segment)
        if record is not None:
            yield segment, record[1]


@contextmanager
def _door(paths: Paths) -> Iterator[None]:
    """Let one at a time make what the store needs; the next one waits and finds it made."""
    with writing(paths.root):
        fd = os.open(paths.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _prepare(paths: Paths, files: Files) -> None:
    """See that the store is of a version that is known and has all it needs."""
    for folder in paths.folders:
        files.mkdir(folder)
    if not paths.format.exists():
        files.replace(paths.format, [f"{STORE_NAME} {STORE_VERSION}\n".encode()])
    with reading(paths.format), paths.format.open("rb") as file:
        words = file.read(100).decode("ascii", "replace").rsplit(maxsplit=1)
    if len(words) != 2 or words[0] != STORE_NAME or not words[1].isdigit():
        detail = f'{paths.format} does not say "{STORE_NAME} {STORE_VERSION}"'
        raise SmcError("Store.Damaged", detail, path=str(paths.format))
    if int(words[1]) > STORE_VERSION:
        raise SmcError(
            "Store.Newer", f"{paths.root} has version {words[1]}, known is {STORE_VERSION}"
        )
    if not paths.index.exists():
        rebuild(paths, files)
