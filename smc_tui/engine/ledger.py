"""Every change of a job, each one transaction, each with its event.

The crash argument. A run's life is written down in this order, every line a
transaction that is on the disk before the next thing happens:

    1  Running:Preparing, the run, its image's id and name, the intermediate resource
    2  (the staging folder, the worker; the image's manifest renamed into place)
    3  the image's row, the run's end, Waiting or Running:Cleaning, the answers
    4  (the staging folder removed)
    5  Finished, the resource released, the answers

A crash after 1 finds a Running job without a worker: it is resumed, same run, same
image id, with all that its staging area holds. After the manifest's rename and before
3 it finds an image whose run is open: that image is taken as the result, so no run is
made twice and no image lost. After 3 it finds Running:Cleaning: 4 is repeated, which
is harmless, and 5 follows. A resource is in the table before its folder is on the disk
and stays there until the folder is gone: nothing is ever orphaned.

A cancel is the same with Deleting for 3 and the job's row gone for 5; a removal of an
image says Deleting, removes the manifest, and forgets the row.

The methods expect a job just read, with no await in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from smc_tui.engine.answers import (
    Withdrawn,
    finish_awaited,
    gone_awaited,
    run_awaited,
    stop_awaited,
)
from smc_tui.engine.clock import Clock
from smc_tui.jobstore.requests import Request
from smc_tui.jobstore.writer import JobWriter
from smc_tui.model import schedule
from smc_tui.model.cutover import Stage, under_way
from smc_tui.model.errors import SmcError
from smc_tui.model.ids import Kind, new_id
from smc_tui.model.instants import Reading
from smc_tui.model.lifecycle import Move, RunKind, SourceState, Status, after, can
from smc_tui.model.report import DELETED, last_facts
from smc_tui.model.things import (
    INTERMEDIATE,
    Counters,
    Fault,
    Image,
    Job,
    Resource,
    ResourceState,
    Run,
    Wish,
)
from smc_tui.model.units import stamp

ENGINE = "engine"
SCHEDULER = "scheduler"


@dataclass(frozen=True, slots=True)
class Made:
    """What a run made: its image and what making it took."""

    image: Image
    counters: Counters
    reading: Reading
    report: dict[str, Any]


class Ledger:
    """The one writer of jobs, runs, images and their events."""

    def __init__(self, store: JobWriter, clock: Clock) -> None:
        self.store = store
        self.clock = clock

    # Small parts, used inside a transaction

    def event(
        self, actor: str, action: str, result: str, about: Job | None = None, **ids: Any
    ) -> None:
        """Add a line to the history, about a job where one is given."""
        if about is not None:
            ids = {"job_id": about.id, "source_id": about.source_id, **ids}
        self.store.write_event(self.clock.now(), actor, action, result, **ids)

    def accept(self, request: Request, result: dict[str, Any], awaits: str = "") -> None:
        """Accept a request; one that awaits nothing is done.

        Raises:
            Withdrawn: its writer took it back; the transaction must not be committed.
        """
        now = self.clock.now()
        if not self.store.accept(request, now, result, awaits):
            raise Withdrawn(request.id)
        if not awaits:
            self.store.finish(replace(request, result=result), now, {})

    def answer(self, awaits: str, answer: dict[str, Any] | SmcError) -> None:
        """End every request that waits for this."""
        now = self.clock.now()
        for request in self.store.awaiting(awaits):
            if isinstance(answer, SmcError):
                self.store.fail(request, now, answer)
            else:
                self.store.finish(request, now, answer)

    def _put(self, job: Job, move: Move, **changes: Any) -> Job:
        state = after(move, job.state)
        moved = replace(job, status=state.status, phase=state.phase, **changes)
        self.store.put_job(moved)
        return moved

    # Requests of no consequence for a run

    def refuse(self, request: Request, error: SmcError, job: Job | None) -> None:
        """Refuse a request, with an event that says so."""
        with self.store.transaction():
            if self.store.refuse(request, self.clock.now(), error):
                self.event(request.actor, request.verb, error.code, job, detail=error.detail)

    def create(self, job: Job, request: Request) -> None:
        """Write a new job; the request is accepted by whatever comes next."""
        self.store.put_job(job)
        self.event(request.actor, request.verb, str(job.status), job, name=job.name)

    # A run's life

    def begin_run(
        self,
        job: Job,
        move: Move,
        kind: RunKind,
        actor: str,
        request: Request | None = None,
        *,
        create: bool = False,
        also: Callable[[Job, Run], None] | None = None,
    ) -> tuple[Job, Run]:
        """Start a run, or go on with the paused one.

        Args:
            job: as just read, or new.
            move: START, SYNC, DRILL_PASSED or COMPLETE_WITH_LAST_SYNC.
            kind: why; the first run of a job is Full whatever is given.
            actor: who wants it.
            request: what to accept with it.
            create: the job is new.
            also: what else is written in the same transaction.
        """
        now = self.clock.now()
        with self.store.transaction():
            if create and request is not None:
                self.create(job, request)
            run = self._continued(job) or self._new_run(job, kind, now)
            resource = self.store.resource(job.id)
            if resource is None or resource.state is not ResourceState.HELD:
                self.store.put_resource(
                    Resource(new_id(Kind.RESOURCE), INTERMEDIATE, job.id, ResourceState.HELD, now)
                )
            self.store.put_run(run)
            job = self._put(
                job,
                move,
                run_id=run.id,
                next_run=None,
                wish=Wish.NONE,
                fault=None,
                starting=False,
                live={},
                progress=job.progress if run.attempts > 1 else 0.0,
            )
            if also is not None:
                also(job, run)
            action = "run continued" if run.attempts > 1 else "run started"
            self.event(actor, action, str(job.state), job, run_id=run.id, kind=str(run.kind))
            if request is not None:
                self.accept(request, {"job": job.id, "run": run.id}, run_awaited(run.id))
        return job, run

    def _continued(self, job: Job) -> Run | None:
        run = self.store.run(job.run_id) if job.run_id else None
        if run is None or run.ended is not None:
            return None
        return replace(run, attempts=run.attempts + 1)

    def _new_run(self, job: Job, kind: RunKind, now: float) -> Run:
        if not any(run.published for run in self.store.runs(job.id)):
            kind = RunKind.FULL
        elif job.completing:
            kind = RunKind.LAST
        image_id = new_id(Kind.IMAGE)
        return Run(
            id=new_id(Kind.RUN),
            job_id=job.id,
            kind=kind,
            image_id=image_id,
            image_name=self._image_name(job, image_id, now),
            started=now,
        )

    def _image_name(self, job: Job, image_id: str, now: float) -> str:
        """Return a name that no other image has: SMC's ``_<job id>`` where it is taken."""
        stem = job.settings.image_name
        if not job.settings.once:
            stem = f"{stem[:100]}_{stamp(now)}"
        names = (stem, f"{stem[:116]}_{job.id}", f"{stem[:116]}_{image_id}")
        return next(name for name in names if not self.store.name_taken(name))

    def resume(self, job: Job, run: Run, why: str) -> Run:
        """Note that a run whose worker is gone gets another one."""
        run = replace(run, attempts=run.attempts + 1)
        with self.store.transaction():
            self.store.put_run(run)
            job = self._put(job, Move.RESUME, live={})
            self.event(ENGINE, "run resumed", why, job, run_id=run.id, attempt=run.attempts)
        return run

    def enter(self, job: Job, move: Move) -> None:
        """Take a running job to its next phase; a phase already passed is no news."""
        if not can(move, job.state):
            return
        with self.store.transaction():
            moved = self._put(job, move)
            self.event(ENGINE, "phase", str(moved.state), moved, run_id=job.run_id or "")

    def note(self, run: Run, text: str) -> None:
        """Write down what a worker has to say."""
        with self.store.transaction():
            job = self.store.job(run.job_id)
            self.event(ENGINE, "note", text, job, run_id=run.id)

    def publish(self, job: Job, run: Run, made: Made) -> Job:
        """Record a run's image and what comes after it. Returns the job as it is now."""
        now = self.clock.now()
        ended = replace(
            run,
            ended=now,
            published=True,
            counters=made.counters,
            reading=made.reading,
            report=made.report,
        )
        last = job.completing or job.settings.once
        with self.store.transaction():
            self.store.put_image(made.image)
            self.store.put_run(ended)
            self._seen(job.source_id)
            facts = {"run_id": run.id, "image_id": made.image.id}
            self.event(ENGINE, "image published", made.image.name, job, **facts)
            changes: dict[str, Any] = {
                "progress": 100.0,
                "run_id": None,
                "live": {},
                "next_run": None,
            }
            cutover = under_way(job)
            if cutover is not None:
                cutover = cutover.synced(now)
                changes["cutover"] = cutover.kept()
            if cutover is not None and cutover.stage is Stage.BACK:
                wish = Wish.CANCEL if job.wish is Wish.CANCEL else Wish.NONE
                job = self._put(job, Move.CUTOVER_BACK, **changes, completing=False, wish=wish)
                self._run_over(run, {"image": made.image.id, "status": str(job.status)})
            elif job.wish is Wish.CANCEL:
                job = self._put(job, Move.DELETE, **changes)
                self._run_over(run, {"image": made.image.id, "status": str(job.status)})
            elif last:
                job = self._put(job, Move.LAST_IMAGE_MADE, **{**changes, "run_id": run.id})
            else:
                job = self._put(job, Move.IMAGE_MADE, **changes)
                job = self._after_image(job, run, made.image)
            done = {f"bytes_{name}": count for name, count in asdict(made.counters).items()}
            self.event(ENGINE, "run ended", str(job.state), job, **facts, **done)
        return job

    def _seen(self, source_id: str) -> None:
        """Note that a source that was thought to be gone has just been read to its end."""
        source = self.store.source(source_id)
        if source.state is SourceState.UNAVAILABLE:
            self.store.put_source(replace(source, state=SourceState.AVAILABLE, fault=None))

    def _after_image(self, job: Job, run: Run, image: Image) -> Job:
        """Set the next run; a pause that came too late for this run holds the next one."""
        if job.wish is Wish.PAUSE:
            job = self._put(job, Move.PAUSE, wish=Wish.NONE)
        else:
            next_run = schedule.next_run(self.clock.now(), job.settings.interval)
            job = replace(job, next_run=next_run, wish=Wish.NONE)
            self.store.put_job(job)
        self._run_over(run, {"image": image.id, "status": str(job.status)})
        return job

    def _run_over(self, run: Run, result: dict[str, Any]) -> None:
        self.answer(run_awaited(run.id), result)
        self.answer(stop_awaited(run.id), result)

    def wish(self, job: Job, wish: Wish, request: Request, awaits: str) -> None:
        """Write down that a person wants a run stopped."""
        with self.store.transaction():
            self.store.put_job(replace(job, wish=wish))
            self.event(request.actor, request.verb, "stopping safely", job, run_id=job.run_id or "")
            self.accept(request, {"job": job.id, "run": job.run_id}, awaits)

    def hold_back(self, job: Job, request: Request) -> None:
        """Pause a job between its runs."""
        with self.store.transaction():
            job = self._put(job, Move.PAUSE, next_run=None)
            self.event(request.actor, request.verb, str(job.state), job)
            self.accept(request, {"job": job.id, "status": str(job.status)})

    def complete(self, job: Job, request: Request) -> Job:
        """Complete a job without another run."""
        with self.store.transaction():
            job = self._put(job, Move.COMPLETE, next_run=None, completing=True)
            self.event(request.actor, request.verb, str(job.state), job)
            self.accept(request, {"job": job.id}, finish_awaited(job.id))
        return job

    def stop_run(self, job: Job, run: Run, counters: Counters) -> None:
        """Record that a run has stopped at a safe point because a person paused it."""
        with self.store.transaction():
            self.store.put_run(replace(run, counters=counters))
            job = self._put(job, Move.PAUSE, wish=Wish.NONE, live={})
            self.event(ENGINE, "paused", str(job.state), job, run_id=run.id)
            self.answer(stop_awaited(run.id), {"status": str(job.status)})
            paused = SmcError("ReplicationJob.Paused", f"{job.name} was paused")
            self.answer(run_awaited(run.id), paused)

    def fail_run(self, job: Job, run: Run, error: SmcError) -> None:
        """Record a run's failure: the resource and all it holds are kept."""
        fault = Fault(error.code, error.detail, self.clock.now(), dict(error.facts))
        with self.store.transaction():
            self.store.put_run(replace(run, ended=fault.at, fault=fault))
            job = self._put(job, Move.FAIL, wish=Wish.NONE, fault=fault, run_id=None, live={})
            self.event(ENGINE, "run failed", error.code, job, run_id=run.id, detail=error.detail)
            self.answer(run_awaited(run.id), error)
            self.answer(stop_awaited(run.id), error)

    # The end of a job

    def delete(self, job: Job, actor: str, request: Request | None = None) -> Job:
        """Take a job whose worker has stopped, or that has none, to Deleting."""
        with self.store.transaction():
            self.end_paused(job, SmcError("ReplicationJob.Cancelled", f"{job.name} was cancelled"))
            job = self._put(job, Move.DELETE, live={}, next_run=None, run_id=None)
            self.event(actor, "deleting", str(job.state), job)
            if request is not None:
                self.accept(request, {"job": job.id}, gone_awaited(job.id))
        return job

    def end_paused(self, job: Job, error: SmcError) -> None:
        """End with this error the run that was stopped and will not go on; in a transaction."""
        run = self.store.run(job.run_id) if job.run_id else None
        if run is None or run.ended is not None:
            return
        now = self.clock.now()
        fault = Fault(error.code, error.detail, now)
        self.store.put_run(replace(run, ended=now, fault=fault))
        self.answer(run_awaited(run.id), error)
        self.answer(stop_awaited(run.id), error)

    def finish(self, job: Job) -> Job:
        """Take a cleaned job to Finished; a cancel that came meanwhile then deletes it."""
        with self.store.transaction():
            run = self.store.run(job.run_id) if job.run_id else None
            cancelled = job.wish is Wish.CANCEL
            changes: dict[str, Any] = {"run_id": None, "completing": False, "wish": Wish.NONE}
            facts: dict[str, Any] = {}
            cutover = under_way(job)
            if cutover is not None:
                cutover = cutover.completed(self.clock.now())
                changes["cutover"] = cutover.kept()
                facts = cutover.account()
            job = self._put(job, Move.CLEANED, **changes)
            self.event(ENGINE, "finished", str(job.state), job, **facts)
            result = {"status": str(job.status)}
            self.answer(finish_awaited(job.id), result)
            if run is not None:
                self.answer(run_awaited(run.id), {"image": run.image_id, **result})
                late = SmcError(
                    "ReplicationJob.InvalidStatus", f"{job.name} is {job.state} already"
                )
                self.answer(stop_awaited(run.id), late)
            if cancelled:
                job = self._put(job, Move.DELETE)
                self.event(ENGINE, "deleting", str(job.state), job)
        return job

    def forget(self, job: Job) -> None:
        """Take a Deleting job off the table."""
        with self.store.transaction():
            self.store.delete_job(job.id)
            self.event(ENGINE, DELETED, job.name, job, **last_facts(job))
            self.answer(gone_awaited(job.id), {"status": str(Status.DELETING)})

    def expire(self, job: Job) -> Job:
        """Record that a job's valid time has passed."""
        now = self.clock.now()
        with self.store.transaction():
            self.end_paused(job, SmcError("ReplicationJob.Expired", "the valid time has passed"))
            job = self._put(job, Move.EXPIRE, expired=now, next_run=None, run_id=None)
            self.event(SCHEDULER, "expired", str(job.state), job)
        return job
