"""The engine itself: wiring and the loop.

The loop answers requests, does what is due, and waits for whichever comes first: a
wake-up on the socket, a worker's end, the next instant that the clock asks for.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable

from smc_tui import __version__
from smc_tui.engine.answers import WORK, Withdrawn
from smc_tui.engine.claim import Claim
from smc_tui.engine.clock import Clock
from smc_tui.engine.collecting import Collecting
from smc_tui.engine.context import RETRY_FIRST, RETRY_LATEST, Context, Seams
from smc_tui.engine.cutovers import Cutovers
from smc_tui.engine.drills import Drills
from smc_tui.engine.keeping import ImageShelf, Keeper
from smc_tui.engine.ledger import ENGINE, SCHEDULER, Ledger
from smc_tui.engine.recovery import Recovery
from smc_tui.engine.runs import Runs
from smc_tui.engine.verbs import known_args
from smc_tui.engine.verbs.images import ImageVerbs
from smc_tui.engine.verbs.jobs import JobVerbs
from smc_tui.engine.verbs.settings import SettingsVerbs
from smc_tui.engine.verbs.sources import SourceVerbs
from smc_tui.engine.verbs.tags import TagVerbs
from smc_tui.engine.works import Works
from smc_tui.jobstore.home import Home
from smc_tui.jobstore.requests import Request
from smc_tui.jobstore.writer import JobWriter
from smc_tui.model import schedule
from smc_tui.model.actions import abilities_of
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Move, RunKind, Status
from smc_tui.model.options import Config, changed
from smc_tui.model.things import Job
from smc_tui.model.units import MINUTE

#: Longest sleep, real seconds: timers stand still while the machine sleeps, and this
#: is how late a run may be after it wakes.
LONGEST_WAIT = 30.0

#: The clock is written down at least this often, seconds of its own.
SAVE_EVERY = 15 * MINUTE


def production_seams(home: Home) -> Seams:
    """Return the real source and image rooms, imported when they are first used."""

    def inventory(target: dict[str, object]) -> dict[str, object]:
        from smc_tui.source.inventory import take

        return take(target)

    return Seams(inventory=inventory, shelf=ImageShelf(home))


class Engine:
    """One home's engine. Create it with the claim held; ``run`` it once."""

    def __init__(
        self,
        claim: Claim,
        store: JobWriter,
        clock: Clock,
        seams: Seams,
        log: logging.Logger,
        config: Config | None = None,
    ) -> None:
        self._claim = claim
        self._context = Context(store.home, store, clock, seams, log, config or Config())
        self._store = store
        self._ledger = Ledger(store, clock)
        self._keeper = Keeper(self._context, self._ledger)
        self._runs = Runs(self._context, self._ledger, self._keeper)
        self._drills = Drills(self._context, self._ledger, self._runs, self._keeper)
        self._cutovers = Cutovers(self._context, self._ledger, self._runs, self._keeper)
        self._works = Works(self._context, self._ledger)
        self._collecting = Collecting(self._context)
        self._pause = RETRY_FIRST
        self._saved_offset = -1.0
        self._saved_now = 0.0
        self._verbs: dict[str, Callable[[Request], None]] = {
            **SourceVerbs(self._context, self._ledger).verbs(),
            **TagVerbs(self._context, self._ledger).verbs(),
            **SettingsVerbs(self._context, self._ledger, self._runs, self._drills).verbs(),
            **self._job_verbs().verbs(),
            **ImageVerbs(self._context, self._ledger, self._keeper, self._works).verbs(),
            "engine.stop": self._stop_verb,
        }

    def _job_verbs(self) -> JobVerbs:
        parts = (self._ledger, self._runs, self._drills, self._cutovers, self._keeper)
        return JobVerbs(self._context, *parts)

    async def recover(self) -> None:
        """Put right what the last engine left."""
        parts = (self._ledger, self._runs, self._drills, self._cutovers, self._keeper)
        await Recovery(self._context, *parts).run()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until told to stop.

        Args:
            ready: called once requests are taken.

        Raises:
            SmcError: the home cannot be served.
        """
        clock = self._context.clock
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop)
        with self._store.transaction():
            self._store.engine_started(__version__, clock.now(), clock.offset(), clock.factor)
            self._ledger.event(
                ENGINE, "engine started", __version__,
                time_lapse=clock.factor, config=changed(self._context.config),
                abilities=sorted(abilities_of(self._verbs)),
            )  # fmt: skip
        try:
            await self.recover()
            waker = self._claim.serve()
            loop.add_reader(waker, self._woken)
            try:
                ready()
                self._context.log.info("ready")
                while not self._context.closing.is_set():
                    await self._wait(self._round())
            finally:
                loop.remove_reader(waker)
        finally:
            self._context.closing.set()
            await self._leave()

    def stop(self) -> None:
        """Have the engine end: workers stop at safe points, jobs go on with the next one."""
        self._context.closing.set()
        self._context.wakeup.set()

    # The loop

    def _woken(self) -> None:
        self._claim.drain()
        self._context.wakeup.set()

    def _round(self) -> float:
        """Do all there is to do; return the real seconds until the clock asks again."""
        self._context.wakeup.clear()
        try:
            for request in self._store.new_requests():
                self._handle(request)
            jobs = self._store.jobs()
            for job in jobs:
                self._attend(job)
                self._keeper.visits.attend(job)
            self._collecting.attend()
            self._save_clock()
            self._pause = RETRY_FIRST
            return self._idle_seconds()
        except SmcError as error:
            # The job store cannot be written. Nothing was answered, so nothing is lost:
            # all of it is found again by the next round.
            self._context.log.error("trying again in %.2g s: %s", self._pause, error)
            wait, self._pause = self._pause, min(RETRY_LATEST, self._pause * 2)
            return wait

    def _idle_seconds(self) -> float:
        nearest = min(
            (at for job in self._store.jobs() if (at := schedule.next_instant(job)) is not None),
            default=None,
        )
        longest = min(LONGEST_WAIT, self._keeper.visits.seconds())
        if nearest is None:
            return longest
        return min(longest, self._context.clock.seconds_until(nearest))

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._context.wakeup.wait(), seconds)
        except TimeoutError:
            return

    def _save_clock(self) -> None:
        """Write down where the clock is: the next engine's never goes back behind that."""
        clock = self._context.clock
        now, offset = clock.now(), clock.offset()
        if abs(offset - self._saved_offset) < 1.0 and now - self._saved_now < SAVE_EVERY:
            return
        with self._store.transaction(durable=False):
            self._store.save_clock(now, offset)
        self._saved_now, self._saved_offset = now, offset

    # Requests

    def _handle(self, request: Request) -> None:
        """Bring a request to its answer.

        Raises:
            SmcError: JobStore.*: it could not be written, and is still new.
        """
        try:
            verb = self._verbs.get(request.verb)
            if verb is None:
                raise SmcError("InvalidParameter.Unknown", f"there is no verb {request.verb}")
            verb(request)
        except Withdrawn:
            return
        except SmcError as error:
            if error.code.startswith("JobStore."):
                raise
            self._ledger.refuse(request, error, self._job_of(request))
        except Exception as error:
            self._context.log.exception("%s %s", request.verb, request.target)
            failure = SmcError("Engine.Internal", f"{type(error).__name__}: {error}")
            self._ledger.refuse(request, failure, None)

    def _job_of(self, request: Request) -> Job | None:
        if not request.verb.startswith("job."):
            return None
        found = (job for job in self._store.jobs() if request.target in (job.id, job.name))
        return next(found, None)

    def _stop_verb(self, request: Request) -> None:
        known_args(request)
        with self._store.transaction():
            self._ledger.event(request.actor, request.verb, "stopping")
            self._ledger.accept(request, {})
        self.stop()

    # What is due

    def _attend(self, job: Job) -> None:
        """Do what the clock asks of a job."""
        match schedule.due(job, self._context.clock.now()):
            case schedule.Due.RUN:
                if job.status is Status.READY:
                    self._drills.start_job(job, RunKind.SCHEDULE, SCHEDULER)
                    return
                begun = self._ledger.begin_run(job, Move.SYNC, RunKind.SCHEDULE, SCHEDULER)
                self._runs.start(*begun)
            case schedule.Due.BUDGET:
                self._cutovers.over_budget(job)
            case schedule.Due.EXPIRE:
                expired = self._ledger.expire(job)
                self._context.spawn(self._keeper.release(job.id), f"release of {expired.id}")
            case schedule.Due.DELETE:
                self._keeper.delete(self._ledger.delete(job, SCHEDULER))

    # The end

    async def _leave(self) -> None:
        """Let the workers stop at safe points; one that takes too long is ended.

        That costs it nothing that is durable, and the next engine goes on from there.
        """
        patience = self._context.seams.patience
        self._runs.leave(patience.leave)
        self._drills.leave(patience.leave)
        self._works.leave(patience.leave)
        self._keeper.visits.leave(patience.leave)
        loop = asyncio.get_running_loop()
        limit = loop.time() + patience.leave + 2 * patience.term
        # Again and again: what ends may be followed by what takes note of its end.
        while (tasks := set(self._context.tasks)) and loop.time() < limit:
            await asyncio.wait(tasks, timeout=limit - loop.time())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            with self._store.transaction():
                now = self._context.clock.now()
                self._ledger.answer(WORK, SmcError("Engine.Stopped"))
                self._ledger.event(ENGINE, "engine stopped", __version__)
                self._store.save_clock(now, self._context.clock.offset())
                self._store.engine_stopped(now)
        except SmcError as error:
            self._context.log.error("cannot write the end down: %s", error)


def open_clock(store: JobWriter, factor: float) -> Clock:
    """Return a clock that goes on from where the last engine's was.

    How far ahead of the wall clock that was counts only if it had been made to run
    ahead. Otherwise the wall clock had been set back, and may have been put right since:
    then to be as far ahead again would be to live in the future, where jobs expire.
    """
    row = store.engine()
    ahead = row.clock_offset if row is not None and row.time_lapse != 1.0 else 0.0
    return Clock(factor, offset=ahead, not_before=store.newest_instant())
