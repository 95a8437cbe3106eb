"""What a job left on its source, taken away when the job is at its end.

The source's kernel goes on recording writes between two runs of a job. The last run ends
that itself; a job that is cancelled, expires or is completed without one is over without
a word to its source. So whoever releases what such a job holds also has this word said,
beside the loop: a source that does not answer keeps no job from its end. It is then told
so, and the record, a bounded buffer in the kernel's memory, goes with the source's next
start or the next run of any job of its.
"""

from __future__ import annotations

from pathlib import Path

from smc_tui.engine import orders
from smc_tui.engine.context import Context
from smc_tui.engine.ledger import ENGINE, Ledger
from smc_tui.engine.worker import Failed, Result, Worker
from smc_tui.model.things import Job, Source

#: Seconds that a source may take to answer.
LONGEST = 30.0


class Tidying:
    """Tells sources that nobody needs their records any more."""

    def __init__(self, context: Context, ledger: Ledger) -> None:
        self._context = context
        self._ledger = ledger

    def begin(self, job_id: str, staging: Path) -> None:
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
        seams = self._context.seams
        order = orders.tidying(source, self._context.home.path)
        try:
            worker = await Worker.start(seams.commands.sync, order, None, seams.patience.term)
        except OSError as error:
            self._tell(job, str(error))
            return
        worker.end_after(LONGEST)
        ending = await worker.listen(lambda line: None)
        if isinstance(ending, Failed):
            self._tell(job, str(ending.error))
        elif not isinstance(ending, Result):
            self._tell(job, f"no answer within {LONGEST:.0f} s")

    def _tell(self, job: Job, why: str) -> None:
        text = f"the source still records its writes in memory until it starts again: {why}"
        self._context.log.warning("%s: %s", job.id, text)
        with self._context.store.transaction():
            self._ledger.event(ENGINE, "source not tidied", text, job)


def _named(staging: Path) -> bool:
    # Here: the engine starts without what runs need.
    from smc_tui.sync.record import Record

    return bool(Record.load(staging).name)
