"""The sync workers: started in their turn, told, heard, their endings settled in one place.

A run that has been begun is Running in the job store, whether or not there is a place for
its worker (``places``): while it waits it says what for, and a pause or a cancel ends the
wait at once. A restarted engine finds it Running without a worker, like any other, and
lets it wait again.

``_settle`` is that place. Whatever a worker's last words are, and whether it had
any, the order of the questions is the same: is its image published? then the run has
succeeded, whatever was said or wished later. Did a person want it stopped? then it
has stopped. Did it fail? Only then is the job InError.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from smc_tui.engine import hours, logs, orders
from smc_tui.engine.activity import Active, attempt_counters, live, needed
from smc_tui.engine.context import Closing, Context, in_thread
from smc_tui.engine.cutoverbook import CutoverBook
from smc_tui.engine.keeping import Keeper, image_of_manifest, image_of_result, lock_free
from smc_tui.engine.ledger import ENGINE, Ledger, Made
from smc_tui.engine.orders import compression_level
from smc_tui.engine.places import Places
from smc_tui.engine.worker import (
    PROGRESS_EVERY,
    Cancelled,
    Died,
    Document,
    Ending,
    Failed,
    Paused,
    Result,
    Worker,
)
from smc_tui.model import estimate
from smc_tui.model.cutover import under_way
from smc_tui.model.errors import SmcError
from smc_tui.model.instants import Reading
from smc_tui.model.lifecycle import Move, Phase, RunKind, Status
from smc_tui.model.things import Image, Job, JobSettings, Run, Wish
from smc_tui.model.units import printable

_REPORTED = ("hash", "footprint")
_PHASES = {Phase.SYNCING: Move.TRANSFER, Phase.PROCESSING: Move.PROCESS}


class Runs:
    """All runs under way."""

    def __init__(self, context: Context, ledger: Ledger, keeper: Keeper) -> None:
        self._context = context
        self._ledger = ledger
        self._keeper = keeper
        self._active: dict[str, Active] = {}
        self._cutovers = CutoverBook(ledger)
        #: What takes a job back whose final sync has ended without completing it.
        self.turned_back: Callable[[Job], None] = lambda job: None
        self._places = Places(context.config.syncs_at_once, self._show_queue)

    # What others ask of it

    def start(self, job: Job, run: Run) -> None:
        """Start the worker of a run that the ledger has begun."""
        self._active[job.id] = Active.of(run)
        self._context.spawn(self._work(job.id), f"run {run.id}")

    def resume(self, job: Job, run: Run) -> None:
        """Take up a run whose engine is gone."""
        self._active[job.id] = Active.of(run)
        self._context.spawn(self._take_up(job.id), f"run {run.id}")

    def adopt(self, before: JobSettings, job: Job) -> None:
        """Tell a running worker what of the job's settings takes effect at once.

        Without a worker there is nobody to tell: the next description has them.
        """
        active, now = self._active.get(job.id), job.settings
        if active is None or active.worker is None:
            return
        if now.limit_mbit != before.limit_mbit:
            active.worker.tell({"do": "limit", "mbit": now.limit_mbit})
        if now.compression != before.compression:
            level = compression_level(now.compression)
            active.worker.tell({"do": "compression", "level": level})

    def stop(self, job: Job) -> None:
        """Have a run stop as its job wishes."""
        active = self._active.get(job.id)
        if active is None:
            return
        self._places.give_up(job.id)
        if active.worker is None:
            return  # ``_in_turn`` looks at the wish before and after it starts one
        patience = self._context.seams.patience
        active.worker.tell({"do": str(job.wish)})
        active.worker.end_after(patience.cancel if job.wish is Wish.CANCEL else patience.pause)

    def leave(self, patience: float) -> None:
        """Let every worker go: each stops at a safe point, or is ended where it is."""
        for active in self._active.values():
            if active.worker is not None:
                active.worker.leave()
                active.worker.end_after(patience)

    # A run from its start to its settlement

    async def _take_up(self, job_id: str) -> None:
        """Resume a run: first its old worker ends, then what it left is looked at."""
        active = self._active[job_id]
        try:
            staging = self._context.home.job_staging(job_id)
            await self._context.unless_closing(lock_free(staging))
        except Closing:
            del self._active[job_id]
            raise
        job = self._context.store.job(job_id)
        if job.wish is not Wish.NONE or await self._published(job, active.run):
            await self._settle(job_id, Died("its engine ended"))
            return
        active.run = await self._context.persist(
            lambda: self._ledger.resume(
                self._context.store.job(job_id), active.run, "the engine was restarted"
            )
        )
        await self._work(job_id)

    async def _work(self, job_id: str) -> None:
        active = self._active[job_id]
        try:
            ending = await self._in_turn(job_id, active)
        except Closing:
            del self._active[job_id]
            raise
        await self._settle(job_id, ending)

    async def _in_turn(self, job_id: str, active: Active) -> Ending:
        """Run the worker once there is a place for it."""
        if self._context.store.job(job_id).wish is not Wish.NONE:
            return Cancelled()
        place = self._places.ask(job_id, first=active.run.kind is RunKind.LAST)
        if not place.done():
            self._say(active.run, f"waits for {self._full()}")
        try:
            if not await self._context.unless_closing(place):
                return Cancelled()
            if self._context.closing.is_set():
                raise Closing  # a drill that passed at the very end: the next engine goes on
            return await self._run_worker(job_id, active)
        except OSError as error:
            return Died(f"could not be started: {error}")
        finally:
            self._places.give_up(job_id)
            self._places.leave(job_id)

    async def _run_worker(self, job_id: str, active: Active) -> Ending:
        context, store = self._context, self._context.store
        job = store.job(job_id)
        active.began = time.monotonic()
        active.created = context.clock.now()
        log = context.home.run_log(job.id, active.run.id)
        logs.make_room(log, context.config.logs_kept)
        worker = await Worker.start(
            context.seams.commands.sync,
            orders.synchronisation(
                context, job, active.run, store.source(job.source_id), active.created
            ),
            log,
            context.seams.patience.term,
        )
        active.worker = worker
        if context.closing.is_set():
            worker.leave()
        described, job = job.settings, store.job(job_id)
        # While it was being started there was nobody to tell of a change.
        self.adopt(described, job)
        if job.wish is not Wish.NONE:
            self.stop(job)
        return await worker.listen(lambda line: self._hear(job_id, active, line))

    # The queue

    def _full(self) -> str:
        most = self._places.most
        return f"a free place: {most} of {most} synchronisations run"

    def _show_queue(self) -> None:
        """Let every job that waits say for what; one that has a place says nothing more."""
        queue = self._places.queue()
        ahead = {job_id: number for number, job_id in enumerate(queue)}
        try:
            with self._context.store.transaction(durable=False):
                for job_id, active in self._active.items():
                    self._show_turn(job_id, active, ahead.get(job_id))
        except SmcError as error:
            self._context.log.warning("the queue is not shown: %s", error)

    def _show_turn(self, job_id: str, active: Active, ahead: int | None) -> None:
        if ahead is None and not active.queued:
            return
        active.queued = ahead is not None
        job = self._context.store.job(job_id)
        told = f"{self._full()}, {ahead} wait before it" if ahead else self._full()
        live = {"waiting_for": told} if active.queued else {}
        if job.live != live:
            self._context.store.write_progress(replace(job, live=live), active.run)

    # Hearing

    def _hear(self, job_id: str, active: Active, line: Document) -> None:
        """Take in a line that is not the last; a store that is full loses only a bar."""
        try:
            match line.get("kind"):
                case "progress":
                    self._progress(job_id, active, line)
                case "event":
                    self._say(active.run, printable(str(line.get("text", ""))))
        except (SmcError, TypeError, ValueError) as error:
            self._context.log.warning("run %s: a line is lost: %r", active.run.id, error)

    def _say(self, run: Run, text: str) -> None:
        """Write a note into the history; a store that is full loses only that."""
        try:
            self._ledger.note(run, text)
        except SmcError as error:
            self._context.log.warning("run %s: %s: %s", run.id, text, error)

    def _progress(self, job_id: str, active: Active, line: Document) -> None:
        job = self._context.store.job(job_id)
        phase = line.get("phase")
        if phase in _PHASES and job.phase != phase:
            self._ledger.enter(job, _PHASES[Phase(phase)])
            job = self._context.store.job(job_id)
        elif time.monotonic() - active.written < PROGRESS_EVERY and job.live.get(
            "retry"
        ) == line.get("retry"):
            return
        active.written = time.monotonic()
        attempt = attempt_counters(line)
        to_send = needed(line, attempt)
        shown = live(line, attempt, to_send, active, active.written)
        run = replace(active.run, counters=active.counters(attempt), seconds=active.seconds())
        active.run = run
        progress = estimate.progress(attempt, to_send, job.progress)
        job = replace(job, progress=progress, live=shown)
        with self._context.store.transaction(durable=False):
            self._context.store.write_progress(job, run)

    # Settling

    async def _settle(self, job_id: str, ending: Ending) -> None:
        """Bring a run whose worker has ended to its end. See the module's words."""
        active = self._active[job_id]
        active.run = replace(active.run, seconds=active.seconds())
        try:
            made = await self._made(job_id, active, ending)
            if made is None and self._left(job_id, ending):
                return
            job = await self._context.persist(
                lambda: self._record(self._context.store.job(job_id), active, ending, made)
            )
        finally:
            del self._active[job_id]
        self._go_on(job, made)

    def _left(self, job_id: str, ending: Ending) -> bool:
        """Tell whether the worker stopped only because this engine is ending."""
        wish = self._context.store.job(job_id).wish
        return (
            self._context.closing.is_set()
            and wish is Wish.NONE
            and isinstance(ending, Paused | Cancelled | Died)
        )

    async def _made(self, job_id: str, active: Active, ending: Ending) -> Made | None:
        """Return what the run made, by the worker's word or by the image store's."""
        job = self._context.store.job(job_id)
        if isinstance(ending, Result):
            document = ending.document
            hours.learn(self._context, job.source_id, document.get("states"))
            report = {name: document.get(name) for name in _REPORTED if name in document}
            try:
                image = image_of_result(document, job, active.run, active.created)
                counters = active.counters(attempt_counters(document))
                return Made(image, counters, self._reading(active.run, document), report)
            except (KeyError, TypeError, ValueError) as error:
                self._context.log.error("run %s: a strange result: %r", active.run.id, error)
        published = await self._published(job, active.run)
        if published is None:
            return None
        return Made(published, active.run.counters, Reading(), {})

    def _reading(self, run: Run, document: Document) -> Reading:
        """Return how a run read its disks; what is strange is not kept, its image is."""
        try:
            return Reading.of(document)
        except ValueError as error:
            self._context.log.error("run %s: a strange account: %s", run.id, error)
            return Reading()

    async def _published(self, job: Job, run: Run) -> Image | None:
        """Return the run's image if it is in the image store, whatever was said of it."""
        try:
            manifest = await in_thread(self._context.seams.shelf.manifest, run.image_id)
            if manifest is None:
                return None
            return image_of_manifest(manifest, job.name, job.source_name)
        except (SmcError, ValueError) as error:
            self._context.log.error("run %s: %s", run.id, error)
            return None

    def _record(self, job: Job, active: Active, ending: Ending, made: Made | None) -> Job:
        run = active.run
        if made is not None:
            return self._ledger.publish(job, run, made)
        if under_way(job) is not None:
            self._cutovers.back(job, run, _failure(ending))
            return self._context.store.job(job.id)
        if job.wish is Wish.CANCEL:
            return self._ledger.delete(job, ENGINE)
        if job.wish is Wish.PAUSE and not isinstance(ending, Failed):
            counted = ending.document if isinstance(ending, Paused) else None
            counters = active.counters(attempt_counters(counted)) if counted else run.counters
            self._ledger.stop_run(job, run, counters)
        else:
            self._ledger.fail_run(job, run, _failure(ending))
        return self._context.store.job(job.id)

    def _go_on(self, job: Job, made: Made | None) -> None:
        """Do what the job's new state asks for."""
        if made is not None:
            self._keeper.retain(job)
        if job.status is Status.DELETING:
            self._keeper.delete(job)
        elif job.phase is Phase.CLEANING:
            self._keeper.clean(job)
        elif job.phase is Phase.CUTOVER:
            self.turned_back(job)
        else:
            self._context.spawn(self._keeper.measure(job.id), f"size of {job.id}")
        self._context.wakeup.set()


def _failure(ending: Ending) -> SmcError:
    match ending:
        case Failed(error):
            return error
        case Died(how):
            return SmcError("Sync.Died", how)
    return SmcError("Sync.Died", "it stopped without having been told to")
