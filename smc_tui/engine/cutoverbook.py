"""Every change that a cutover makes to a job, each one transaction.

    1  Running:Cutover, what was named, the checklist begun
    2  the checklist's end: which services run, and are to be stopped; the forecast
    3  the stop begun: from here on the downtime counts; then each service that stopped
    4  the quiet check; then the final sync's run (``Ledger.begin_run``)
    5  its image, the point of no return (``Ledger.publish``); then Finished

Each line is on the disk before the next thing happens on the source. So whatever a crash
leaves, the job tells which services may be stopped: all that ran, from the moment that the
first was to be stopped, until the source has said what became of them. Turning back is
written down first too; what is then started again is what may have been stopped, and
starting what runs is harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from smc_tui.engine.answers import (
    finish_awaited,
    gone_awaited,
    returned_awaited,
    run_awaited,
    stop_awaited,
)
from smc_tui.engine.ledger import ENGINE, Ledger
from smc_tui.jobstore.requests import Request
from smc_tui.model import schedule
from smc_tui.model.cutover import Cutover, Stage, Step, under_way
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import WORKING, Move, RunKind, after
from smc_tui.model.things import Fault, Job, Run, Wish


class CutoverBook:
    """The one writer of cutovers."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._clock = ledger.clock

    def begin(self, job: Job, request: Request, cutover: Cutover) -> Job:
        """Start a cutover; the request waits for the job's end, or for the way back's."""
        now = self._clock.now()
        begun = cutover.begun(Step.CHECKLIST, now).kept()
        with self._store.transaction():
            changes: dict[str, Any] = {"next_run": None, "fault": None, "wish": Wish.NONE}
            live = {"step": str(Step.CHECKLIST)}
            job = self._put(job, Move.CUT_OVER, cutover=begun, live=live, **changes)
            kind = "rehearsal started" if cutover.rehearsal else "cutover started"
            facts = {"services": list(cutover.patterns), "budget": cutover.budget or None}
            self._ledger.event(request.actor, kind, str(job.state), job, **facts)
            self._ledger.accept(request, {"job": job.id}, finish_awaited(job.id))
        return job

    def change(
        self,
        job_id: str,
        how: Callable[[Cutover, float], Cutover],
        action: str,
        result: str,
        **facts: Any,
    ) -> Cutover:
        """Write a cutover down as it now is, with its event. Returns it.

        Args:
            job_id: whose.
            how: told the cutover and the engine's clock.
            action: the event's.
            result: likewise.
            facts: likewise.
        """
        with self._store.transaction():
            job = self._store.job(job_id)
            found = how(self.of(job), self._clock.now())
            step = found.current
            live = {"step": str(step.step)} if step and job.state not in WORKING else job.live
            self._store.put_job(replace(job, cutover=found.kept(), live=live))
            self._ledger.event(ENGINE, action, result, job, **facts)
        return found

    def of(self, job: Job) -> Cutover:
        """Return a job's cutover, which is there."""
        found = Cutover.of(job.cutover)
        if found is None:
            raise SmcError("JobStore.Damaged", f"job {job.id} is {job.state} without a cutover")
        return found

    def sync(self, job: Job) -> tuple[Job, Run]:
        """Begin the run of the final sync."""
        cutover = self.of(job).begun(Step.SYNC, self._clock.now())

        def also(begun: Job, run: Run) -> None:
            known = replace(cutover, run_id=run.id).kept()
            self._store.put_job(replace(begun, cutover=known))
            self._ledger.event(ENGINE, "cutover step", f"{Step.SYNC} began", begun, run_id=run.id)

        job = replace(job, completing=not cutover.rehearsal)
        return self._ledger.begin_run(
            job, Move.CUTOVER_SYNC, RunKind.LAST, cutover.actor, also=also
        )

    # The way back

    def turn(
        self, job: Job, actor: str, error: SmcError, request: Request | None, wish: Wish
    ) -> Job:
        """Write down that a cutover goes back; a run under way is to stop for it.

        Args:
            job: as just read.
            actor: who wants it.
            error: why.
            request: what to accept with it.
            wish: CANCEL where the job is to go afterwards.
        """
        turned = self.of(job).turned(error.code, error.detail, self._clock.now())
        if wish is Wish.NONE and job.wish is not Wish.NONE:
            wish = job.wish
        elif wish is Wish.NONE and job.state in WORKING:
            wish = Wish.PAUSE  # how a worker is told to stop and to keep what it has
        with self._store.transaction():
            job = replace(job, cutover=turned.kept(), wish=wish)
            self._store.put_job(job)
            self._ledger.event(actor, "cutover turned back", error.code, job, detail=error.detail)
            if request is not None:
                gone = wish is Wish.CANCEL
                awaits = gone_awaited(job.id) if gone else returned_awaited(job.id)
                self._ledger.accept(request, {"job": job.id}, awaits)
        return job

    def back(self, job: Job, run: Run, error: SmcError) -> None:
        """Record that the final sync made no image, and go back for it."""
        now = self._clock.now()
        cutover = self.of(job).turned(error.code, error.detail, now)
        error = SmcError(cutover.why, cutover.detail)
        fault = Fault(error.code, error.detail, now)
        wish = Wish.CANCEL if job.wish is Wish.CANCEL else Wish.NONE
        changes: dict[str, Any] = {"run_id": None, "completing": False, "live": {}, "wish": wish}
        with self._store.transaction():
            self._store.put_run(replace(run, ended=now, fault=fault))
            job = self._put(job, Move.CUTOVER_BACK, cutover=cutover.kept(), **changes)
            facts = {"run_id": run.id, "detail": error.detail}
            self._ledger.event(ENGINE, "run failed", error.code, job, **facts)
            self._ledger.answer(run_awaited(run.id), error)
            self._ledger.answer(stop_awaited(run.id), error)

    def waits(self, job_id: str, error: SmcError, attempt: int) -> None:
        """Write down that services could not be started again yet."""
        with self._store.transaction():
            job = self._store.job(job_id)
            told = f"the source, to start its services again: {error.detail}"
            self._store.put_job(replace(job, live={"waiting_for": told}))
            if attempt & (attempt - 1) == 0:  # 1, 2, 4, 8: a night of them fills no history
                facts = {"detail": error.detail, "attempt": attempt}
                self._ledger.event(ENGINE, "services not started yet", error.code, job, **facts)

    def returned(self, job_id: str, left: Sequence[str]) -> Job:
        """Record the end of the way back: the job waits as before, or goes."""
        now = self._clock.now()
        job = self._store.job(job_id)
        started = [name for name in self.of(job).to_start if name not in left]
        cutover = self.of(job).returned(now, left)
        error = _outcome(cutover)
        fault = Fault(error.code, error.detail, now) if error is not None and left else None
        with self._store.transaction():
            job = self._put(
                job,
                Move.CUTOVER_RETURNED,
                cutover=cutover.kept(),
                next_run=schedule.next_run(now, job.settings.interval),
                wish=Wish.CANCEL if job.wish is Wish.CANCEL else Wish.NONE,
                fault=fault,
                live={},
            )
            facts = {"started": started, "left_stopped": list(left), "why": cutover.why or None}
            told = {name: value for name, value in facts.items() if value}
            self._ledger.event(ENGINE, "cutover gone back", str(job.state), job, **told)
            result = {"job": job.id, "status": str(job.status)}
            self._ledger.answer(finish_awaited(job.id), result if error is None else error)
            self._ledger.answer(returned_awaited(job.id), result if not left else error or result)
        return job

    def _put(self, job: Job, move: Move, **changes: Any) -> Job:
        state = after(move, job.state)
        moved = replace(job, status=state.status, phase=state.phase, **changes)
        self._store.put_job(moved)
        return moved


def _outcome(cutover: Cutover) -> SmcError | None:
    """Return what a cutover that has gone back failed of; None for a good rehearsal."""
    if cutover.left:
        return SmcError("Cutover.LeftStopped", ", ".join(cutover.left), left=list(cutover.left))
    if not cutover.why:
        return None
    return SmcError(cutover.why, cutover.detail)


def turns_back(job: Job) -> bool:
    """Tell whether a job's cutover is on its way back."""
    found = under_way(job)
    return found is not None and found.stage is Stage.BACK
