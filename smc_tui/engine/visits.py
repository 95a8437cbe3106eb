"""Words with the sources of jobs that wait: what was written, and that a job is over.

Between two runs a source's kernel records its writes in a bounded buffer. A *visit*
fetches what it holds before it is full: every so often, and sooner where the last visit
found it more than half full. A visit that fails is told in the log only: the next one
may succeed, and if none does the next run compares everything.

When a job is over its record is taken away (*tidying*), beside the loop: a source that
does not answer keeps no job from its end. It is told so then, and the record, memory of
the kernel, goes with the source's next start or the next run of any job of its.

Both run in workers of their own. Against a run stands the staging area's lock; a tidying
waits for the visit of its job to end, because nobody can remove what another reads.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from smc_tui.engine import hours, orders
from smc_tui.engine.context import Context
from smc_tui.engine.ledger import ENGINE, Ledger
from smc_tui.engine.worker import Document, Ending, Failed, Result, Worker
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Status
from smc_tui.model.things import Job, Source
from smc_tui.model.units import printable

#: Seconds that a source may take to answer.
LONGEST = 60.0
#: Seconds that lie between two visits at the least.
SHORTEST = 30.0
#: A buffer as full as this is visited sooner.
FULL_ENOUGH = 0.5


class Visits:
    """Who is to be visited, when, and who is being visited."""

    def __init__(self, context: Context, ledger: Ledger) -> None:
        self._context = context
        self._ledger = ledger
        self._due: dict[str, float] = {}
        self._pace: dict[str, float] = {}
        self._busy: dict[str, asyncio.Event] = {}
        self._workers: set[Worker] = set()

    # Visits

    def attend(self, job: Job) -> None:
        """Visit a waiting job's source when it is time."""
        usual = float(self._context.config.visit_every)
        if job.status is not Status.WAITING or not usual:
            self._due.pop(job.id, None)
            self._pace.pop(job.id, None)
            return
        now = time.monotonic()
        if now < self._due.setdefault(job.id, now + self._pace.get(job.id, usual)):
            return
        self._due[job.id] = now + self._pace.get(job.id, usual)
        if job.id not in self._busy and _named(self._context.home.job_staging(job.id)):
            self._busy[job.id] = asyncio.Event()
            self._context.spawn(self._visit(job), f"visit of {job.source_id}")

    def seconds(self) -> float:
        """Return the real seconds until somebody is to be visited."""
        now = time.monotonic()
        return max(0.0, min(self._due.values(), default=now + 86_400.0) - now)

    def leave(self, patience: float) -> None:
        """Let every worker go: each stops by itself, or is ended."""
        for worker in self._workers:
            worker.leave()
            worker.end_after(patience)

    async def _visit(self, job: Job) -> None:
        try:
            source = self._context.store.source(job.source_id)
            ending = await self._ask(orders.visit(self._context, job, source))
            if isinstance(ending, Result):
                self._learn(job, ending.document)
                hours.learn(self._context, job.source_id, ending.document.get("states"))
            else:
                self._context.log.info("visit of %s: %s", job.source_id, _why(ending))
        finally:
            self._busy.pop(job.id).set()

    def _learn(self, job: Job, said: dict[str, Any]) -> None:
        """Set the pace by how full the buffer was; tell a record that is lost."""
        usual = float(self._context.config.visit_every)
        fill = said.get("fill")
        if isinstance(fill, float) and fill > 0:
            pace = self._pace.get(job.id, usual) * FULL_ENOUGH / fill
            self._pace[job.id] = max(min(SHORTEST, usual), min(usual, pace))
            self._due[job.id] = time.monotonic() + self._pace[job.id]
        if said.get("lost") is True:
            why = printable(str(said.get("reason", "")))[:200]
            text = f"{why}: the next synchronisation compares everything"
            self._tell(job, "writes not recorded", text)

    # Tidying

    def tidy(self, job_id: str, staging: Path) -> None:
        """Have the record removed that a staging area names, if it names one.

        Args:
            job_id: whose it is; nothing is done for one that is no more.
            staging: its folder, which may be removed when this returns.
        """
        job = next((job for job in self._context.store.jobs() if job.id == job_id), None)
        if job is None or not _named(staging):
            return
        source = self._context.store.source(job.source_id)
        self._context.spawn(self._tidy(job, source), f"tidying of {source.id}")

    async def _tidy(self, job: Job, source: Source) -> None:
        visited = self._busy.get(job.id)
        if visited is not None:
            await visited.wait()
        ending = await self._ask(orders.tidying(source, self._context.home.path))
        if not isinstance(ending, Result):
            why = f"it still records its writes, in memory, until it starts again: {_why(ending)}"
            self._tell(job, "source not tidied", why)

    # Means

    async def _ask(self, order: Document) -> Ending | OSError:
        seams = self._context.seams
        try:
            worker = await Worker.start(seams.commands.sync, order, None, seams.patience.term)
        except OSError as error:
            return error
        self._workers.add(worker)
        worker.end_after(LONGEST)
        if self._context.closing.is_set():
            worker.end_after(seams.patience.leave)
        try:
            return await worker.listen(lambda line: None)
        finally:
            self._workers.discard(worker)

    def _tell(self, job: Job, action: str, text: str) -> None:
        self._context.log.warning("%s: %s: %s", job.id, action, text)
        try:
            with self._context.store.transaction():
                self._ledger.event(ENGINE, action, text, job)
        except SmcError as error:
            self._context.log.warning("%s: not written down: %s", job.id, error)


def _why(ending: Ending | OSError) -> str:
    if isinstance(ending, Failed):
        return str(ending.error)
    return str(ending) if isinstance(ending, OSError) else f"no answer within {LONGEST:.0f} s"


def _named(staging: Path) -> bool:
    """Tell whether a staging area names a record."""
    # Here: the engine starts without what runs need.
    from smc_tui.sync.record import Record

    return bool(Record.load(staging).name)
