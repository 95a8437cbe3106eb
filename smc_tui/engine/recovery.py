"""What a new engine finds, and how it puts it right.

Called once, with the lock held, before the socket says that the engine is ready. The
order matters: first what nobody works on any more is let go, then the images are
brought in step with the image store, then every job goes on from where it was. Each
step may be cut short by another crash and is simply done again.
"""

from __future__ import annotations

from dataclasses import replace

from smc_tui.engine.answers import WORK
from smc_tui.engine.context import Context, in_thread
from smc_tui.engine.cutovers import Cutovers
from smc_tui.engine.drills import Drills
from smc_tui.engine.holdings import Holdings
from smc_tui.engine.keeping import ASIDE, Keeper, image_of_manifest, lock_free, remove_tree
from smc_tui.engine.ledger import ENGINE, Ledger
from smc_tui.engine.logs import forget_gone
from smc_tui.engine.runs import Runs
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import UNFINISHED, ImageState, Phase, Status
from smc_tui.model.things import PIN, Fault, Image, Job, ResourceState

#: The code of an image whose row is there and whose manifest is not.
_LOST = "Image.NotFound"


class Recovery:
    """One engine's first look at its home."""

    def __init__(
        self,
        context: Context,
        ledger: Ledger,
        runs: Runs,
        drills: Drills,
        cutovers: Cutovers,
        keeper: Keeper,
    ) -> None:
        self._context = context
        self._store = context.store
        self._ledger = ledger
        self._holdings = Holdings(ledger)
        self._runs = runs
        self._drills = drills
        self._cutovers = cutovers
        self._keeper = keeper

    async def run(self) -> None:
        """Put everything right that the last engine left."""
        self._let_go()
        try:
            await self._reconcile_images()
        except SmcError as error:
            # The jobs do not depend on it: they go on, and each run says what is wrong.
            self._context.log.error("cannot look at the images: %s", error)
        jobs = self._store.jobs()
        for job in jobs:
            self._take_up(job)
        forget_gone(
            self._context.home.logs, {job.id for job in jobs}, self._context.config.logs_kept
        )
        self._release_leftovers()
        self._reconcile_staging()

    def _let_go(self) -> None:
        """End the requests whose work died with its engine, and the holds of such work."""
        now = self._context.clock.now()
        with self._store.transaction():
            for request in self._store.awaiting(WORK):
                self._store.fail(request, now, SmcError("Engine.Stopped"))
                self._ledger.event(ENGINE, request.verb, "Engine.Stopped", detail=request.target)
            self._store.release_all_but(PIN)
            self._store.prune_requests()

    # Images

    async def _reconcile_images(self) -> None:
        shelf = self._context.seams.shelf
        published = set(await in_thread(shelf.ids))
        promised = {run.image_id for run in self._store.open_runs()}
        known = {image.id: image for image in self._store.images()}
        for image in known.values():
            if image.state is ImageState.DELETING:
                self._context.spawn(self._keeper.remove(image), f"removal of {image.id}")
            elif image.id not in published:
                self._lost(image)
            elif image.fault is not None and image.fault.code == _LOST:
                self._found(image)
        for image_id in sorted(published - known.keys() - promised):
            await self._adopt(image_id)

    def _lost(self, image: Image) -> None:
        if image.state is ImageState.DAMAGED:
            return
        error = SmcError(_LOST, f"{image.name} is not in the image store")
        fault = Fault(error.code, error.detail, self._context.clock.now())
        with self._store.transaction():
            self._store.put_image(replace(image, state=ImageState.DAMAGED, fault=fault))
            self._ledger.event(
                ENGINE, "image lost", error.code, job_id=image.job_id, image_id=image.id
            )

    def _found(self, image: Image) -> None:
        """Take back an image that was lost: the store's disk was not there, say."""
        with self._store.transaction():
            self._store.put_image(replace(image, state=ImageState.AVAILABLE, fault=None))
            self._ledger.event(
                ENGINE, "image found", image.name, job_id=image.job_id, image_id=image.id
            )

    async def _adopt(self, image_id: str) -> None:
        """Take in an image that no row tells of: an old job store was put back, say."""
        try:
            manifest = await in_thread(self._context.seams.shelf.manifest, image_id)
            if manifest is None:
                return
            names = {job.id: job.name for job in self._store.jobs()}
            source_name = str(manifest.provenance.get("source", ""))
            image = image_of_manifest(manifest, names.get(manifest.job_id, ""), source_name)
        except (SmcError, ValueError) as error:
            self._context.log.error("cannot take in %s: %s", image_id, error)
            return
        if self._store.name_taken(image.name):
            image = replace(image, name=f"{image.name[:116]}_{image.id}")
        with self._store.transaction():
            self._store.put_image(image)
            self._ledger.event(
                ENGINE, "image adopted", image.name, job_id=image.job_id, image_id=image.id
            )

    # Jobs

    def _take_up(self, job: Job) -> None:
        """Have a job go on from where it was."""
        if job.status is Status.DELETING:
            self._keeper.delete(job)
        elif job.phase is Phase.CLEANING:
            self._keeper.retain(job)
            self._keeper.clean(job)
        elif job.status is Status.EXPIRED:
            self._context.spawn(self._keeper.release(job.id), f"release of {job.id}")
        elif job.phase is Phase.DRILLING:
            self._drills.resume(job)
        elif job.phase is Phase.CUTOVER:
            self._cutovers.resume(job)
        elif job.status is Status.RUNNING:
            run = self._store.run(job.run_id) if job.run_id else None
            if run is None:
                raise SmcError("JobStore.Damaged", f"job {job.id} is {job.state} without a run")
            self._runs.resume(job, run)

    def _release_leftovers(self) -> None:
        """Release what is held by nobody, and folders that no job tells of."""
        jobs = {job.id for job in self._store.jobs()}
        ending = {job.id for job in self._store.jobs() if _releases_by_itself(job)}
        held = self._store.resources_held()
        for resource in held:
            leftover = resource.state is ResourceState.RELEASING or resource.job_id not in jobs
            if leftover and resource.job_id not in ending:
                self._context.spawn(
                    self._keeper.release_leftover(resource), f"release of {resource.id}"
                )
        owned = jobs | {resource.job_id for resource in held}
        owned |= {f"{resource.id}{ASIDE}" for resource in held}
        staging = self._context.home.staging
        for folder in sorted(staging.iterdir()) if staging.is_dir() else ():
            if folder.name not in owned:
                self._context.spawn(self._sweep(folder.name), f"sweep of {folder.name}")

    def _reconcile_staging(self) -> None:
        """Bring the books of jobs and their folders in step, and measure what is held.

        A record without a folder: someone removed it, and the job starts again. A folder
        without a record (a job store put back from a backup): it is taken on the books,
        or removed where its job needs none any more. A Running job's folder is its
        worker's business: the record comes before it.
        """
        for job in self._store.jobs():
            if _releases_by_itself(job):
                continue
            folder = self._context.home.job_staging(job.id)
            resource = self._store.resource(job.id)
            if resource is None and folder.is_dir():
                if job.status not in UNFINISHED:
                    self._context.spawn(self._sweep(job.id), f"sweep of {job.id}")
                    continue
                self._holdings.adopt(job)
            elif resource is not None and resource.state is ResourceState.HELD:
                if job.status is not Status.RUNNING and not folder.is_dir():
                    self._holdings.lost(job, resource)
                    continue
            else:
                continue
            self._context.spawn(self._keeper.measure(job.id), f"size of {job.id}")

    async def _sweep(self, name: str) -> None:
        folder = self._context.home.staging / name
        await self._context.unless_closing(lock_free(folder))
        await in_thread(remove_tree, folder)
        with self._store.transaction():
            self._ledger.event(ENGINE, "leftover removed", name)


def _releases_by_itself(job: Job) -> bool:
    """Tell whether taking a job up releases what it holds."""
    return job.status in (Status.DELETING, Status.EXPIRED) or job.phase is Phase.CLEANING
