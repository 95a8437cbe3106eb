"""Images kept, adopted and removed; staging areas released.

What touches files runs in a thread, what touches the job store on the loop. Each
pair is ordered so that a crash between them is found and finished by recovery: the
row says Deleting or Releasing before anything is removed, and is forgotten after.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from smc_tui.engine.context import Context, in_thread
from smc_tui.engine.holdings import Holdings
from smc_tui.engine.ledger import ENGINE, Ledger
from smc_tui.engine.visits import Visits
from smc_tui.jobstore.home import Home
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Consistency, ImageState, Status
from smc_tui.model.retention import kept, to_remove
from smc_tui.model.things import Image, Job, Resource, ResourceState, Run
from smc_tui.model.units import parse_instant

#: What a staging area is called while it is being removed.
ASIDE = ".released"


class ImageShelf:
    """The image store as the engine sees it; opened for each use, by a thread."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def _use(self, work: Callable[[Any], Any], nothing: Any) -> Any:
        from smc_tui.images import ImageStore

        try:
            store = ImageStore.open(self._home.images, self._home.staging, create=False)
        except SmcError as error:
            if error.code == "Store.NotFound":
                return nothing
            raise
        with store:
            return work(store)

    def ids(self) -> list[str]:
        """Return the ids of all published images."""
        found: list[str] = self._use(lambda store: store.images(), [])
        return found

    def manifest(self, image_id: str) -> Any:
        """Return an image's manifest, None if it is not published."""
        return self._unless_missing(lambda store: store.manifest(image_id))

    def remove(self, image_id: str) -> None:
        """Remove an image; one that is not there is removed already."""
        self._unless_missing(lambda store: store.remove(image_id))

    def size(self) -> int:
        """Return the bytes that all images take on the disk."""
        size: int = self._use(lambda store: store.bytes_on_disk(), 0)
        return size

    def _unless_missing(self, work: Callable[[Any], Any]) -> Any:
        try:
            return self._use(work, None)
        except SmcError as error:
            if error.code == "Image.NotFound":
                return None
            raise


def image_of_manifest(manifest: Any, job_name: str, source_name: str) -> Image:
    """Return the row of an image that only its manifest tells of."""
    disks = tuple(
        {"index": disk.index, "path": disk.path, "size": disk.size, "role": disk.role}
        for disk in manifest.disks
    )
    return Image(
        id=manifest.id,
        name=manifest.name,
        job_id=manifest.job_id,
        job_name=job_name,
        run_id=manifest.run_id,
        source_id=manifest.source_id,
        source_name=source_name,
        created=parse_instant(manifest.created),
        state=ImageState.AVAILABLE,
        consistency=Consistency(manifest.consistency),
        root=manifest.root,
        disks=disks,
    )


def image_of_result(document: dict[str, Any], job: Job, run: Run, created: float) -> Image:
    """Return the row of an image that a worker has just published.

    Raises:
        KeyError, TypeError, ValueError: the worker's document is not what was agreed.
    """
    made = document["image"]
    if made["id"] != run.image_id:
        raise ValueError(f"the run was to make {run.image_id}, not {made['id']}")
    return Image(
        id=run.image_id,
        name=run.image_name,
        job_id=job.id,
        job_name=job.name,
        run_id=run.id,
        source_id=job.source_id,
        source_name=job.source_name,
        created=created,
        state=ImageState.AVAILABLE,
        consistency=Consistency(made["consistency"]),
        reason=str(made.get("reason", "")),
        root=str(made["root"]),
        disks=tuple({**disk, "size": int(disk["size"])} for disk in made["disks"]),
    )


async def lock_free(staging: Path) -> None:
    """Wait until no worker of an engine that is gone is at work in a staging area."""
    await in_thread(_pass_lock, staging / "lock")


def _pass_lock(path: Path) -> None:
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    finally:
        os.close(lock)


class Keeper:
    """Retention, removal of images, release of what jobs held.

    Attributes:
        visits: words with sources, the last of which says that a job is over.
    """

    def __init__(self, context: Context, ledger: Ledger) -> None:
        self._context = context
        self._ledger = ledger
        self._holdings = Holdings(ledger)
        self.visits = Visits(context, ledger)
        self._store = context.store

    # Images

    def retain(self, job: Job) -> None:
        """Let the images go that are over a job's maximum, beside the loop."""
        self._context.spawn(self._retain(job.id, job.settings.keep), f"retention of {job.id}")

    async def _retain(self, job_id: str, keep: int) -> None:
        def choose() -> list[Image]:
            images = [
                image
                for image in self._store.images(job_id)
                if image.state is not ImageState.DELETING
            ]
            gone = to_remove([kept(image) for image in images], keep)
            victims = [image for image in images if image.id in gone]
            if victims:
                with self._store.transaction():
                    for image in victims:
                        self.condemn(image, ENGINE, f"retention: {keep} are kept")
            return victims

        for image in await self._context.persist(choose):
            try:
                await self.remove(image)
            except SmcError as error:
                # It stays Deleting; the engine's next start tries again.
                self._context.log.error("cannot remove %s: %s", image.id, error)

    def condemn(self, image: Image, actor: str, why: str) -> None:
        """Mark an image as going; inside a transaction."""
        self._store.put_image(replace(image, state=ImageState.DELETING))
        self._ledger.event(
            actor,
            "image deleting",
            why,
            job_id=image.job_id,
            source_id=image.source_id,
            image_id=image.id,
            name=image.name,
        )

    async def remove(self, image: Image) -> None:
        """Remove a condemned image and forget it.

        Raises:
            SmcError: it could not be removed; it stays Deleting.
        """
        await in_thread(self._context.seams.shelf.remove, image.id)

        def forget() -> None:
            with self._store.transaction():
                self._store.delete_image(image.id)
                self._ledger.event(
                    ENGINE, "image deleted", image.name, job_id=image.job_id, image_id=image.id
                )

        await self._context.persist(forget)

    # What jobs hold

    def clean(self, job: Job) -> None:
        """Release what a job in Running:Cleaning holds and finish it, beside the loop."""
        self._context.spawn(self._clean(job.id), f"cleaning of {job.id}")

    async def _clean(self, job_id: str) -> None:
        await self.release(job_id)
        job = await self._context.persist(lambda: self._ledger.finish(self._store.job(job_id)))
        if job.status is Status.DELETING:
            await self._delete(job_id)

    def delete(self, job: Job) -> None:
        """Release what a Deleting job holds and take it off the table, beside the loop."""
        self._context.spawn(self._delete(job.id), f"deletion of {job.id}")

    async def _delete(self, job_id: str) -> None:
        await self.release(job_id)
        await self._context.persist(lambda: self._ledger.forget(self._store.job(job_id)))

    async def release(self, job_id: str) -> None:
        """Release a job's intermediate resource, if it holds one."""
        resource = await self._context.persist(lambda: self._store.resource(job_id))
        if resource is not None:
            if resource.state is ResourceState.HELD:
                await self._context.persist(lambda: self._holdings.releasing(resource))
            self.set_aside(resource)
            await self.finish_release(resource)

    def set_aside(self, resource: Resource) -> None:
        """Rename a resource's folder, so that a run started a moment later makes its own.

        Only while the folder is this resource's: one that has been taken over by a
        resource held since then stays where it is.
        """
        if self._owns_folder(resource) and not self._aside(resource).exists():
            # A folder that cannot be renamed is met again by ``finish_release``.
            with contextlib.suppress(OSError):
                self._context.home.job_staging(resource.job_id).rename(self._aside(resource))

    async def finish_release(self, resource: Resource) -> None:
        """Remove what ``set_aside`` has renamed, and nothing else, then take it off the books.

        A folder that cannot be removed keeps no job from its end: the resource stays in
        the table as Releasing, and the engine's next start tries again.
        """
        staging = self._context.home.job_staging(resource.job_id)
        self.visits.tidy(resource.job_id, self._aside(resource))
        try:
            await in_thread(remove_tree, self._aside(resource))
            if self._owns_folder(resource) and staging.exists():
                raise OSError(f"{staging} cannot be renamed")
        except OSError as error:
            self._context.log.error("cannot release %s: %s", resource.id, error)
            return
        await self._context.persist(lambda: self._holdings.released(resource))

    def _owns_folder(self, resource: Resource) -> bool:
        current = self._store.resource(resource.job_id)
        return current is not None and current.id == resource.id

    async def release_leftover(self, resource: Resource) -> None:
        """Release what an engine before this one left held or half released."""
        staging = self._context.home.job_staging(resource.job_id)
        await self._context.unless_closing(lock_free(staging))
        if resource.state is ResourceState.HELD:
            await self._context.persist(lambda: self._holdings.releasing(resource))
        self.set_aside(resource)
        await self.finish_release(resource)

    def _aside(self, resource: Resource) -> Path:
        return self._context.home.staging / f"{resource.id}{ASIDE}"

    async def measure(self, job_id: str) -> None:
        """Write down how much a job holds."""
        size = await in_thread(tree_size, self._context.home.job_staging(job_id))

        def note() -> None:
            resource = self._store.resource(job_id)
            if resource is not None:
                with self._store.transaction(durable=False):
                    self._store.put_resource(replace(resource, size=size))

        await self._context.persist(note)


def remove_tree(folder: Path) -> None:
    """Remove a folder and all in it; what another removes meanwhile is removed too."""
    while folder.exists():
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)


def tree_size(folder: Path) -> int:
    """Return the bytes that the files under a folder take on the disk."""
    total = 0
    # Path.rglob would fail on a folder that is removed meanwhile.
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += (Path(parent) / name).stat().st_blocks * 512
    return total
