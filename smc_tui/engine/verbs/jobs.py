"""The verbs of jobs: start, sync, pause, complete, cancel and their like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from smc_tui.engine.answers import gone_awaited, stop_awaited
from smc_tui.engine.context import Context
from smc_tui.engine.cutovers import Cutovers, in_time
from smc_tui.engine.drills import Drills
from smc_tui.engine.holdings import Holdings
from smc_tui.engine.keeping import Keeper
from smc_tui.engine.ledger import Ledger
from smc_tui.engine.runs import Runs
from smc_tui.engine.verbs import flag, known_args
from smc_tui.jobstore.requests import Request
from smc_tui.model import settings
from smc_tui.model.actions import BY_VERB, refusal
from smc_tui.model.cutover import Cutover
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Move, Phase, RunKind, Status
from smc_tui.model.things import Job, Resource, Wish

#: What of ``job.complete`` asks for a cutover.
_CUTOVER = ("stop_services", "budget", "hold", "rehearse", "dry_run")


class JobVerbs:
    """What may be asked of a job that exists."""

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

    def verbs(self) -> Mapping[str, Callable[[Request], None]]:
        """Return the verbs by their names."""
        return {
            "job.start": self.start,
            "job.retry": self.start,
            "job.drill": self.drill,
            "job.sync": self.sync,
            "job.pause": self.pause,
            "job.complete": self.complete,
            "job.cancel": self.cancel,
            "job.cutover-abort": self.abort,
            "job.release": self.release,
        }

    def _allowed(self, request: Request) -> Job:
        """Return the request's job.

        Raises:
            SmcError: there is none, or the action table does not offer the verb now.
        """
        job = self._store.job(request.target)
        error = refusal(BY_VERB[request.verb], job)
        if error is not None:
            raise error
        return job

    def start(self, request: Request) -> None:
        """Start a job, with its drill where one is owed; a paused run goes on."""
        known_args(request)
        job = self._allowed(request)
        self._drills.start_job(job, RunKind.MANUAL, request.actor, request)

    def drill(self, request: Request) -> None:
        """Make a migration drill, or make the one again that holds up a start."""
        known_args(request)
        self._drills.drill(self._allowed(request), request)

    def sync(self, request: Request) -> None:
        """Start a manual incremental synchronisation."""
        known_args(request)
        job = self._allowed(request)
        self._begin(job, Move.SYNC, RunKind.MANUAL, request)

    def _begin(self, job: Job, move: Move, kind: RunKind, request: Request) -> None:
        self._runs.start(*self._ledger.begin_run(job, move, kind, request.actor, request))

    def pause(self, request: Request) -> None:
        """Pause: a waiting job at once, a run when it has come to a safe point."""
        known_args(request)
        job = self._allowed(request)
        if job.status is Status.WAITING:
            self._ledger.hold_back(job, request)
            return
        if job.wish is Wish.CANCEL or in_time(job):
            raise _stopping(job)
        self._wish(job, Wish.PAUSE, request, stop_awaited(job.run_id or ""))

    def cancel(self, request: Request) -> None:
        """Delete a job; a running one first stops safely."""
        known_args(request)
        job = self._store.job(request.target)
        if job.status is Status.DELETING:  # a second press waits with the first
            with self._store.transaction():
                self._ledger.event(request.actor, request.verb, str(job.state), job)
                self._ledger.accept(request, {"job": job.id}, gone_awaited(job.id))
            return
        job = self._allowed(request)
        if job.phase is Phase.DRILLING:
            self._drills.cancel(job, request)
        elif in_time(job):
            self._cutovers.cancel(job, request)
        elif job.status is Status.RUNNING:
            self._wish(job, Wish.CANCEL, request, gone_awaited(job.id))
        else:
            self._keeper.delete(self._ledger.delete(job, request.actor, request))

    def _wish(self, job: Job, wish: Wish, request: Request, awaits: str) -> None:
        """Have a run stop; a second press waits with the first."""
        wished = job.wish is wish
        self._ledger.wish(job, wish, request, awaits)
        if not wished and job.phase is not Phase.CLEANING:
            self._runs.stop(replace(job, wish=wish))

    def complete(self, request: Request) -> None:
        """Complete a job, with or without one last synchronisation."""
        args = known_args(request, "last_sync", *_CUTOVER)
        last_sync = flag(args, "last_sync")
        job = self._allowed(request)
        if any(args.get(name) for name in _CUTOVER):
            self._cut_over(job, request, args)
        elif last_sync:
            job = replace(job, completing=True)
            self._begin(job, Move.COMPLETE_WITH_LAST_SYNC, RunKind.LAST, request)
        else:
            self._keeper.clean(self._ledger.complete(job, request))

    def _cut_over(self, job: Job, request: Request, args: dict[str, Any]) -> None:
        """Complete a job by a cutover, or rehearse it, or only look what it would do."""
        if "stop_services" not in args or not flag(args, "last_sync"):
            raise SmcError(
                "InvalidParameter.Combination", "a cutover has last_sync and stop_services"
            )
        allowed = settings.budget(args["budget"]) if args.get("budget") else 0
        if flag(args, "hold") and not allowed:
            raise SmcError("InvalidParameter.Combination", "hold without a budget")
        cutover = Cutover(
            started=self._context.clock.now(),
            actor=request.actor,
            patterns=settings.units(args["stop_services"]),
            budget=allowed,
            hold=flag(args, "hold"),
            rehearsal=flag(args, "rehearse"),
        )
        if flag(args, "dry_run"):
            self._cutovers.plan(request, job, cutover)
        else:
            self._cutovers.start(job, request, cutover)

    def abort(self, request: Request) -> None:
        """Abort a cutover: what it has stopped is started again, the job waits as before."""
        known_args(request)
        self._cutovers.abort(self._store.job(request.target), request)

    def release(self, request: Request) -> None:
        """Release a stopped job's intermediate resource; a retry then starts anew."""
        known_args(request)
        job = self._allowed(request)
        resource = self._store.resource(job.id)
        self._holdings.release(job, resource, request)
        if resource is not None:
            self._keeper.set_aside(resource)
        self._context.spawn(self._release(request, resource), f"release of {job.id}")

    async def _release(self, request: Request, resource: Resource | None) -> None:
        if resource is not None:
            await self._keeper.finish_release(resource)

        def settle() -> None:
            with self._store.transaction():
                self._store.finish(request, self._context.clock.now(), {})

        await self._context.persist(settle)


def _stopping(job: Job) -> SmcError:
    return SmcError(
        "ReplicationJob.InvalidBusinessStatus",
        f"{job.name} is {job.state} and being cancelled",
        status=str(job.status),
        phase=str(job.phase or ""),
        allowed=[],
    )
