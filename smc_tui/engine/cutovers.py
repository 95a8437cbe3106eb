"""Cutovers: the services of a source stopped, the final sync, or the way back.

One task a cutover, outside of its final sync, which is a run like any other. It takes the
steps that are left, looks after each whether it has been turned back meanwhile, and on the
way back starts again what was stopped, for as long as it takes: a source that does not
answer is asked again and again, since nobody else knows what stands still there.
``cutoverbook`` says what is written when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from smc_tui.engine.answers import WORK, gone_awaited
from smc_tui.engine.context import Closing, Context, in_thread
from smc_tui.engine.cutoverbook import CutoverBook, turns_back
from smc_tui.engine.keeping import Keeper
from smc_tui.engine.ledger import ENGINE, Ledger
from smc_tui.engine.runs import Runs
from smc_tui.jobstore.requests import Request
from smc_tui.model import forecast
from smc_tui.model.cutover import (
    Cutover,
    Mark,
    Stage,
    Step,
    abort_refusal,
    under_way,
)
from smc_tui.model.cutoverdoc import problems, rehearsal_document, warnings
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import WORKING, Phase
from smc_tui.model.things import Job, Run, Wish
from smc_tui.model.units import bytes_text

#: A service that does not start is tried so often; so is a source out of reach, where the
#: job is to go anyway.
ATTEMPTS = 3
#: Pauses between them, seconds: the first, and what none is longer than.
PAUSE_FIRST, PAUSE_LATEST = 1.0, 30.0

Document = dict[str, Any]


class Cutovers:
    """All cutovers under way."""

    def __init__(self, context: Context, ledger: Ledger, runs: Runs, keeper: Keeper) -> None:
        self._context = context
        self._store = context.store
        self._ledger = ledger
        self._book = CutoverBook(ledger)
        self._runs = runs
        self._keeper = keeper
        runs.turned_back = self._begin_back
        self._deeds: Mapping[Step, Callable[[str, Cutover], Awaitable[None]]] = {
            Step.CHECKLIST: self._checklist,
            Step.STOP: self._stop,
            Step.QUIET: self._quiet,
        }

    # What others ask of it

    def plan(self, request: Request, job: Job, cutover: Cutover) -> None:
        """Look what a cutover would do; nothing is changed."""
        with self._store.transaction():
            self._ledger.accept(request, {"job": job.id}, WORK)
        self._context.spawn(self._plan(request, job, cutover), f"cutover looked at: {job.id}")

    def start(self, job: Job, request: Request, cutover: Cutover) -> None:
        """Begin a cutover."""
        before = Cutover.of(job.cutover)
        record = before.record if before else ()
        self._book.begin(job, request, replace(cutover, record=record))
        self._begin(job)

    def resume(self, job: Job) -> None:
        """Take up a cutover whose engine is gone: go on with its step, or back."""
        found = self._book.of(job)
        if found.stage is Stage.BACK:
            told = f"starts again: {', '.join(found.to_start) or 'nothing'}"
        else:
            step = found.current
            told = f"goes on: {step.step}" if step else "goes on"
        self._book.change(job.id, lambda kept, _: kept, "cutover taken up", told)
        if found.stage is Stage.BACK:
            self._begin_back(job)
        else:
            self._begin(job)

    def abort(self, job: Job, request: Request) -> None:
        """Turn a cutover back because a person wants it.

        Raises:
            SmcError: Cutover.NotUnderWay.
        """
        refused = abort_refusal(job)
        if refused is not None:
            raise refused
        self._turn(job, request.actor, SmcError("Cutover.Aborted"), request)

    def cancel(self, job: Job, request: Request) -> None:
        """Turn a cutover back because its job is being cancelled."""
        error = SmcError("ReplicationJob.Cancelled", f"{job.name} was cancelled")
        if job.wish is Wish.CANCEL:  # a second press waits with the first
            with self._store.transaction():
                self._ledger.accept(request, {"job": job.id}, gone_awaited(job.id))
            return
        self._turn(job, request.actor, error, request, Wish.CANCEL)

    def over_budget(self, job: Job) -> None:
        """Tell that the downtime allowed is used up, and go back where that was chosen."""
        found = self._book.of(job)
        self._book.change(
            job.id, lambda kept, _: replace(kept, over=True), "cutover over budget",
            "goes back" if found.hold else "goes on", budget=found.budget,
        )  # fmt: skip
        job = self._store.job(job.id)
        if found.hold and abort_refusal(job) is None:
            self._turn(job, ENGINE, SmcError("Cutover.OverBudget", f"{found.budget} s"))

    def _turn(
        self,
        job: Job,
        actor: str,
        error: SmcError,
        request: Request | None = None,
        wish: Wish = Wish.NONE,
    ) -> None:
        already = turns_back(job)
        job = self._book.turn(job, actor, error, request, wish)
        if job.state in WORKING and not already:
            self._runs.stop(job)

    # The steps

    def _begin(self, job: Job) -> None:
        self._context.spawn(self._forward(job.id), f"cutover of {job.id}")

    async def _forward(self, job_id: str) -> None:
        try:
            for step, deed in self._deeds.items():
                if self._cutover(job_id).step(step).state is Mark.DONE:
                    continue
                await self._context.persist(partial(self._step, job_id, step))
                await deed(job_id, self._cutover(job_id))
                if turns_back(self._store.job(job_id)):
                    break
        except Closing:
            raise
        except Exception as error:
            await self._context.persist(partial(self._failed, job_id, error))
        begun = await self._context.persist(partial(self._sync, job_id))
        if begun is None:
            await self._back(job_id)
        else:
            self._runs.start(*begun)

    def _sync(self, job_id: str) -> tuple[Job, Run] | None:
        """Begin the final sync, unless it was turned back while that could not be written."""
        job = self._store.job(job_id)
        return None if turns_back(job) else self._book.sync(job)

    def _cutover(self, job_id: str) -> Cutover:
        return self._book.of(self._store.job(job_id))

    def _step(self, job_id: str, step: Step) -> None:
        if self._cutover(job_id).step(step).state is not Mark.RUNNING:
            self._book.change(
                job_id, lambda kept, now: kept.begun(step, now), "cutover step", f"{step} began"
            )
        self._context.wakeup.set()  # the budget may count from here

    async def _end(self, job_id: str, step: Step, told: str, **changes: Any) -> None:
        def settle() -> None:
            self._book.change(
                job_id,
                lambda kept, now: replace(kept.ended(step, now, told), **changes),
                "cutover step", f"{step} ended", told=told,
            )  # fmt: skip

        await self._context.persist(settle)

    def _failed(self, job_id: str, error: Exception) -> None:
        """Turn back because a step failed."""
        if not isinstance(error, SmcError):
            self._context.log.exception("cutover of %s", job_id, exc_info=error)
            error = SmcError("Engine.Internal", f"{type(error).__name__}: {error}")
        self._book.turn(self._store.job(job_id), ENGINE, error, None, Wish.NONE)

    async def _checklist(self, job_id: str, cutover: Cutover) -> None:
        """See what runs on the source, and what the cutover will take."""
        found = await self._ask(job_id, {"do": "look", "units": list(cutover.patterns)})
        wrong = problems(found)
        if wrong:
            raise SmcError("Cutover.NoUnits", "; ".join(wrong))
        units = tuple(unit["name"] for unit in found["units"] if unit["active"])
        thought = self._forecast(self._store.job(job_id), len(units), cutover)
        told = f"{len(units)} of {len(found['units'])} services run: {', '.join(units) or 'none'}"
        told = "; ".join((told, *warnings(found)))
        await self._end(job_id, Step.CHECKLIST, told, units=units, forecast=thought)

    async def _stop(self, job_id: str, cutover: Cutover) -> None:
        """Stop what runs, one by one: after each there is a look whether to turn back."""
        for unit in cutover.units:
            if any(each["name"] == unit for each in self._cutover(job_id).results):
                continue
            answer = await self._ask(job_id, {"do": "stop", "units": [unit]})
            (done,) = answer["units"] or (_unanswered(unit),)
            await self._context.persist(partial(self._stopped, job_id, done))
            if done["result"] == "failed":
                raise SmcError("Cutover.StopFailed", f"{unit}: {done['why']}", unit=unit)
            if turns_back(self._store.job(job_id)):
                return
        await self._end(job_id, Step.STOP, f"{len(cutover.units)} stopped")

    def _stopped(self, job_id: str, done: Document) -> None:
        facts = {"why": done["why"]} if done["why"] else {}
        self._book.change(
            job_id, lambda kept, _: replace(kept, results=(*kept.results, done)),
            f"service {done['result']}", done["name"], **facts,
        )  # fmt: skip

    async def _quiet(self, job_id: str, cutover: Cutover) -> None:
        """See how much is still written, all that waited to be written being written."""
        source = self._store.source(self._store.job(job_id).source_id)
        asked = {"do": "quiet", "disks": [disk.path for disk in source.disks]}
        found = await self._ask(job_id, asked)
        counts = [disk["written"] for disk in found["disks"] if disk["written"] is not None]
        written = f"{bytes_text(sum(counts))} written in {found['seconds']:g} s"
        await self._end(job_id, Step.QUIET, written if counts else "its disks do not tell")

    # The way back

    def _begin_back(self, job: Job) -> None:
        self._context.spawn(self._back(job.id), f"way back of {job.id}")

    async def _back(self, job_id: str) -> None:
        left = await self._start_again(job_id)
        job = await self._context.persist(lambda: self._book.returned(job_id, left))
        if job.wish is Wish.CANCEL:
            self._keeper.delete(self._ledger.delete(job, ENGINE))
        self._context.wakeup.set()

    async def _start_again(self, job_id: str) -> list[str]:
        """Start what was stopped; return what could not be started."""
        pause, attempt = PAUSE_FIRST, 0
        while wanted := self._cutover(job_id).to_start:
            attempt += 1
            last = attempt >= ATTEMPTS
            try:
                answer = await self._ask(job_id, {"do": "start", "units": list(wanted)})
                runs = [each["name"] for each in answer["units"] if each["result"] != "failed"]
                left = [unit for unit in wanted if unit not in runs]
                if not left or last:
                    return left
                error = SmcError("Cutover.LeftStopped", ", ".join(left))
            except SmcError as failure:
                if last and self._store.job(job_id).wish is Wish.CANCEL:
                    return list(wanted)
                error = failure
            await self._context.persist(partial(self._book.waits, job_id, error, attempt))
            await self._context.unless_closing(asyncio.sleep(pause))
            pause = min(PAUSE_LATEST, pause * 2)
        return []

    # Asking the source

    async def _ask(self, job_id: str, question: Document) -> Document:
        """Ask the source's services program something.

        Raises:
            SmcError: whatever came of it.
            Closing: the engine ends.
        """
        source = self._store.source(self._store.job(job_id).source_id)
        target = {
            "ssh": None if source.ssh is None else asdict(source.ssh),
            "known_hosts": str(self._context.home.known_hosts),
            "alias": source.id,
        }
        asked = in_thread(self._context.seams.services, target, question)
        return await self._context.unless_closing(asked)

    # Looking only

    def _forecast(self, job: Job, units: int, cutover: Cutover) -> forecast.Forecast | None:
        runs, events = self._store.runs(job.id), self._store.events(job.id)
        now = self._context.clock.now()
        return forecast.forecast(job, runs, events, units, now, cutover.record)

    async def _plan(self, request: Request, job: Job, cutover: Cutover) -> None:
        outcome: Document | SmcError
        try:
            found = await self._ask(job.id, {"do": "look", "units": list(cutover.patterns)})
            active = sum(unit["active"] for unit in found["units"])
            before = Cutover.of(job.cutover)
            known = replace(cutover, record=before.record if before else ())
            outcome = rehearsal_document(job, known, found, self._forecast(job, active, known))
        except SmcError as error:
            outcome = error
        except Closing:
            raise
        except Exception as error:
            self._context.log.exception("cutover of %s looked at", job.id)
            outcome = SmcError("Engine.Internal", f"{type(error).__name__}: {error}")

        def settle() -> None:
            with self._store.transaction():
                now = self._context.clock.now()
                if isinstance(outcome, SmcError):
                    self._store.fail(request, now, outcome)
                else:
                    self._store.finish(request, now, {"job": job.id, "document": outcome})

        await self._context.persist(settle)


def _unanswered(unit: str) -> Document:
    return {"name": unit, "result": "failed", "why": "no answer", "seconds": 0.0}


def in_time(job: Job) -> bool:
    """Tell whether a job has a cutover under way that can still go back."""
    return under_way(job) is not None and (job.phase is Phase.CUTOVER or job.state in WORKING)
