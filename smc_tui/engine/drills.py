"""Migration drills: when one is owed, its worker, and what follows from its report.

Until it has a run a job owes a drill (``model.drill.owed``): its first start drills first,
unless a drill by itself has passed within the last day; a start after a drill that failed
or could not be made drills again; once there is a run nothing does. So whether a drill
stands before a start is told by the job's mode, status, runs and latest report, never by a
note that could be lost. What follows a drill is told by ``Job.starting`` and the mode at
the time; see ``drillbook`` for what is written when.

Stopping a drill is ending its process: it keeps nothing, and only reads.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from smc_tui.engine import logs, orders
from smc_tui.engine.context import Context
from smc_tui.engine.drillbook import DrillBook
from smc_tui.engine.keeping import Keeper
from smc_tui.engine.ledger import Ledger
from smc_tui.engine.runs import Runs
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
from smc_tui.jobstore.requests import Request
from smc_tui.model.drill import Level, Report, owed
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Move, RunKind, Status
from smc_tui.model.things import DrillMode, Job, Wish
from smc_tui.model.units import printable, stamp

#: A drill that takes longer has met something that its own limits do not know, seconds.
LONGEST = 600.0


@dataclass
class Active:
    """A drill with its worker, once that has started."""

    log: str
    worker: Worker | None = None
    written: float = 0.0


class Drills:
    """All drills under way, and the starts that wait behind them."""

    def __init__(self, context: Context, ledger: Ledger, runs: Runs, keeper: Keeper) -> None:
        self._context = context
        self._store = context.store
        self._ledger = ledger
        self._book = DrillBook(ledger)
        self._runs = runs
        self._keeper = keeper
        self._active: dict[str, Active] = {}

    # What others ask of it

    def start_job(
        self,
        job: Job,
        kind: RunKind,
        actor: str,
        request: Request | None = None,
        *,
        create: bool = False,
    ) -> None:
        """Start a job: with its drill where one is owed, else with its run.

        Args:
            job: as just read, or new.
            kind: why; see ``Ledger.begin_run``.
            actor: who wants it.
            request: what to accept with it.
            create: the job is new.
        """
        if not self._owed(job):
            begun = self._ledger.begin_run(job, Move.START, kind, actor, request, create=create)
            self._runs.start(*begun)
            return
        # A retry repeats what failed, which may have been a drill by itself.
        again = job.status is Status.IN_ERROR and _is(request, "job.retry")
        starting = job.settings.drill is DrillMode.BEFORE and (job.starting or not again)
        job = self._book.begin(job, actor, request, starting=starting, ordered=False, create=create)
        self._begin(job)

    def drill(self, job: Job, request: Request) -> None:
        """Make a drill by itself, or again the one that a start waits behind."""
        held_up = job.status is Status.DRILL_EXCEPTION and job.starting
        starting = held_up and job.settings.drill is DrillMode.BEFORE
        job = self._book.begin(job, request.actor, request, starting=starting, ordered=True)
        self._begin(job)

    def resume(self, job: Job) -> None:
        """Drill again for an engine that is gone; what was wished meanwhile comes first."""
        if job.wish is Wish.CANCEL:
            self._keeper.delete(self._book.cancelled(job))
            return
        self._book.again(job, "the engine was restarted")
        self._begin(job)

    def cancel(self, job: Job, request: Request) -> None:
        """End a drill because its job is being cancelled; a second press waits with the first."""
        self._book.wish_cancel(job, request)
        active = self._active.get(job.id)
        if active is not None and active.worker is not None:
            active.worker.end_after(0)

    def leave(self, patience: float) -> None:
        """Let every worker go; the next engine drills again."""
        for active in self._active.values():
            if active.worker is not None:
                active.worker.leave()
                active.worker.end_after(patience)

    def _owed(self, job: Job) -> bool:
        return owed(job, bool(self._store.runs(job.id)), self._context.clock.now())

    # A drill from its start to its settlement

    def _begin(self, job: Job) -> None:
        self._active[job.id] = Active(f"drill-{stamp(self._context.clock.now())}")
        self._context.spawn(self._work(job.id), f"drill of {job.id}")

    async def _work(self, job_id: str) -> None:
        active = self._active[job_id]
        try:
            try:
                ending = await self._run_worker(job_id, active)
            except OSError as error:
                ending = Died(f"could not be started: {error}")
            wish = self._store.job(job_id).wish
            if self._context.closing.is_set() and wish is Wish.NONE and _cut_short(ending):
                return
            await self._context.persist(lambda: self._settle(job_id, active, ending))
        finally:
            del self._active[job_id]
            self._context.wakeup.set()

    async def _run_worker(self, job_id: str, active: Active) -> Ending:
        seams = self._context.seams
        job = self._store.job(job_id)
        log = self._context.home.run_log(job.id, active.log)
        logs.make_room(log, self._context.config.logs_kept)
        worker = await Worker.start(
            seams.commands.drill,
            orders.drill(self._context, job, self._store.source(job.source_id)),
            log,
            seams.patience.term,
        )
        active.worker = worker
        worker.end_after(LONGEST)
        if self._context.closing.is_set():
            worker.leave()
        if self._store.job(job_id).wish is not Wish.NONE:
            worker.end_after(0)
        return await worker.listen(lambda line: self._hear(job_id, active, line))

    def _hear(self, job_id: str, active: Active, line: Document) -> None:
        """Show what the drill is looking at; a store that is full loses only that."""
        now = time.monotonic()
        if line.get("kind") != "progress" or now - active.written < PROGRESS_EVERY:
            return
        active.written = now
        job = self._store.job(job_id)
        live = {"step": printable(str(line.get("step", "")))[:100]}
        try:
            with self._store.transaction(durable=False):
                self._store.write_live(replace(job, live=live))
        except SmcError as error:
            self._context.log.warning("drill of %s: a line is lost: %r", job_id, error)

    def _settle(self, job_id: str, active: Active, ending: Ending) -> None:
        """Bring a drill whose worker has ended to its end."""
        job = self._store.job(job_id)
        facts = {"log": active.log}
        if job.wish is Wish.CANCEL:
            self._keeper.delete(self._book.cancelled(job))
            return
        outcome = _outcome(ending)
        if isinstance(outcome, SmcError):
            self._book.failed(job, outcome, facts)
        elif outcome.result is not Level.CRITICAL and job.starting:
            self._runs.start(*self._book.passed(job, outcome, facts))
        else:
            self._book.ended(job, outcome, facts)


def _is(request: Request | None, verb: str) -> bool:
    return request is not None and request.verb == verb


def _cut_short(ending: Ending) -> bool:
    return isinstance(ending, Cancelled | Died | Paused)


def _outcome(ending: Ending) -> Report | SmcError:
    match ending:
        case Result(document):
            try:
                return Report.of(document["report"])
            except (KeyError, ValueError) as error:
                return SmcError("Drill.Died", f"a strange report: {error}")
        case Failed(error):
            return error
        case Died(how):
            return SmcError("Drill.Died", how)
    return SmcError("Drill.Died", "it stopped without having been told to")
