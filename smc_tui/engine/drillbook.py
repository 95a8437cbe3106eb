"""Every change that a migration drill makes to a job, each one transaction.

A drill changes nothing but its job's row: it reads, and holds nothing at the
destination. So its life is short:

    1  Running:Drilling, and whether a start waits behind it
    2  (the worker; nothing of it is kept)
    3  the report, the move that follows from it, the answers; where a start waited, also
       the run, its image's name and the intermediate resource (``Ledger.begin_run``)

A crash after 1 finds Running:Drilling without a worker, and drills again: the requests
still wait by their notes, ``starting`` still tells what was wanted. A crash during 3
finds 1. After 3 it is a run's crash, or there is nothing to take up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from smc_tui.engine.answers import begun_awaited, drill_awaited, gone_awaited, run_awaited
from smc_tui.engine.ledger import ENGINE, Ledger
from smc_tui.jobstore.requests import Request
from smc_tui.model.drill import Level, Report
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Move, RunKind, after
from smc_tui.model.things import Fault, Job, Run, Wish


class DrillBook:
    """The one writer of drills."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._clock = ledger.clock

    def begin(
        self,
        job: Job,
        actor: str,
        request: Request | None,
        *,
        starting: bool,
        ordered: bool,
        create: bool = False,
    ) -> Job:
        """Start a drill.

        Args:
            job: as just read, or new.
            actor: who wants it.
            request: what to accept with it.
            starting: the migration follows when it passes.
            ordered: the drill was asked for by itself, so a scheduled start stays set.
            create: the job is new.
        """
        with self._store.transaction():
            if create and request is not None:
                self._ledger.create(job, request)
            kept = {} if ordered else {"next_run": None}
            job = self._put(job, Move.DRILL, starting=starting, fault=None, wish=Wish.NONE, **kept)
            self._ledger.event(actor, "drill started", str(job.state), job)
            if request is not None:
                awaits = drill_awaited(job.id) if ordered else begun_awaited(job.id)
                self._ledger.accept(request, {"job": job.id}, awaits)
        return job

    def again(self, job: Job, why: str) -> None:
        """Note that a drill whose engine is gone is made again."""
        with self._store.transaction():
            self._store.put_job(replace(job, live={}))
            self._ledger.event(ENGINE, "drill repeated", why, job)

    def passed(self, job: Job, report: Report, facts: dict[str, Any]) -> tuple[Job, Run]:
        """Record a drill that passed and begin the run that waited behind it."""
        job = replace(job, drill_report=report.document())

        def also(begun: Job, run: Run) -> None:
            self._ended(begun, "drill passed", report, facts)
            for request in self._store.awaiting(begun_awaited(job.id)):
                self._store.hand_on(request, {"run": run.id}, run_awaited(run.id))

        return self._ledger.begin_run(job, Move.DRILL_PASSED, RunKind.FULL, ENGINE, also=also)

    def ended(self, job: Job, report: Report, facts: dict[str, Any]) -> Job:
        """Record a drill behind which nothing waits, or whose finding holds that up."""
        critical = report.result is Level.CRITICAL
        move = Move.DRILL_FAILED if critical else Move.DRILL_ENDED
        held_up = SmcError("ReplicationJob.DrillException", "; ".join(_criticals(report)))
        changes = {
            "drill_report": report.document(),
            "starting": critical and job.starting,
            "fault": self._fault(held_up) if critical else None,
        }
        with self._store.transaction():
            job = self._put(job, move, **changes)
            word = "drill failed" if critical else "drill ended"
            self._ended(job, word, report, facts)
            result = {"status": str(job.status), "result": str(report.result)}
            self._ledger.answer(begun_awaited(job.id), held_up if critical else result)
        return job

    def failed(self, job: Job, error: SmcError, facts: dict[str, Any]) -> Job:
        """Record that a drill could not be made."""
        with self._store.transaction():
            job = self._put(job, Move.FAIL, fault=self._fault(error))
            self._ledger.event(
                ENGINE, "drill not made", error.code, job, detail=error.detail, **facts
            )
            self._ledger.answer(drill_awaited(job.id), error)
            self._ledger.answer(begun_awaited(job.id), error)
        return job

    def cancelled(self, job: Job) -> Job:
        """Record that a drill was stopped because its job is being cancelled."""
        error = SmcError("ReplicationJob.Cancelled", f"{job.name} was cancelled")
        with self._store.transaction():
            job = self._put(job, Move.DELETE, next_run=None)
            self._ledger.event(ENGINE, "deleting", str(job.state), job)
            self._ledger.answer(drill_awaited(job.id), error)
            self._ledger.answer(begun_awaited(job.id), error)
        return job

    def wish_cancel(self, job: Job, request: Request) -> None:
        """Write down that a person wants a drilling job gone."""
        with self._store.transaction():
            self._store.put_job(replace(job, wish=Wish.CANCEL))
            self._ledger.event(request.actor, request.verb, "stopping the drill", job)
            self._ledger.accept(request, {"job": job.id}, gone_awaited(job.id))

    def _fault(self, error: SmcError) -> Fault:
        return Fault(error.code, error.detail, self._clock.now(), dict(error.facts))

    def _put(self, job: Job, move: Move, **changes: Any) -> Job:
        state = after(move, job.state)
        moved = replace(job, status=state.status, phase=state.phase, live={}, **changes)
        self._store.put_job(moved)
        return moved

    def _ended(self, job: Job, word: str, report: Report, facts: dict[str, Any]) -> None:
        """Write the line of history and answer who waited for the drill itself."""
        names = _criticals(report)
        told = {**facts, **({"critical": names} if names else {})}
        self._ledger.event(ENGINE, word, str(report.result), job, **told)
        answer = {"status": str(job.status), "result": str(report.result)}
        self._ledger.answer(drill_awaited(job.id), answer)


def _criticals(report: Report) -> list[str]:
    """Return what is critical, each in one line."""
    found = (item for item in report.items if item.level is Level.CRITICAL)
    return [f"{item.name}: {item.finding}" for item in found]
