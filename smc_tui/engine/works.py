"""Work on the images in processes of its own: verify, export, check, collect, stats.

Such work belongs to one request and changes no job. What it reads is held meanwhile
(retention leaves a held image alone); the hold, the request and what was found out
about the image are settled in one transaction when the process has ended.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from smc_tui.engine.answers import WORK
from smc_tui.engine.context import Context
from smc_tui.engine.ledger import Ledger
from smc_tui.engine.worker import PROGRESS_EVERY, Died, Document, Ending, Failed, Result, Worker
from smc_tui.jobstore.requests import Request
from smc_tui.model.errors import SmcError

#: Told what came of the work, inside the transaction that settles it; returns what is to
#: be added to the result.
Settle = Callable[[Document | SmcError], Document]


@dataclass(frozen=True, slots=True)
class Order:
    """One piece of work.

    Attributes:
        do: what the images worker is to do.
        facts: the rest of its description.
        image_id: what is held meanwhile; empty: nothing.
        job_id: whose image that is, for the history.
        settle: what else is recorded with its end.
        why: what its first line in the history says besides.
        tells: the parts of its result that the last line repeats.
    """

    do: str
    facts: Document
    image_id: str = ""
    job_id: str = ""
    settle: Settle | None = None
    why: str = ""
    tells: tuple[str, ...] = ()

    @property
    def about(self) -> Document:
        """What its events are about."""
        return {"image_id": self.image_id, "job_id": self.job_id}


class Works:
    """All such work under way."""

    def __init__(self, context: Context, ledger: Ledger) -> None:
        self._context = context
        self._ledger = ledger
        self._workers: set[Worker] = set()

    def start(self, request: Request, order: Order) -> None:
        """Accept a request and begin its work."""
        store = self._context.store
        with store.transaction():
            if order.image_id:
                store.hold(order.image_id, self._holder(request, order))
            why: Document = {"why": order.why} if order.why else {}
            self._ledger.event(request.actor, request.verb, "started", **order.about, **why)
            self._ledger.accept(request, {}, WORK)
        self._context.spawn(self._work(request, order), f"{request.verb} {request.id}")

    def leave(self, patience: float) -> None:
        """Let every worker go: each stops by itself, or is ended."""
        for worker in self._workers:
            worker.leave()
            worker.end_after(patience)

    def _holder(self, request: Request, order: Order) -> str:
        return f"{order.do}:{request.id}"

    async def _work(self, request: Request, order: Order) -> None:
        try:
            ending = await self._run(request, order)
        except OSError as error:
            ending = Died(str(error))
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            # A fault of ours; the request must not stay open for ever because of it.
            self._context.log.exception("%s %s", request.verb, request.id)
            ending = Died(f"{type(error).__name__}: {error}")
        outcome = self._outcome(ending)
        await self._context.persist(lambda: self._settle(request, order, outcome))

    async def _run(self, request: Request, order: Order) -> Ending:
        worker = await Worker.start(
            self._context.seams.commands.images,
            {"home": str(self._context.home.path), "do": order.do, **order.facts},
            self._context.home.path / "logs" / "images.log",
            self._context.seams.patience.term,
        )
        self._workers.add(worker)
        written = 0.0

        def hear(line: Document) -> None:
            nonlocal written
            if line.get("kind") != "progress" or time.monotonic() - written < PROGRESS_EVERY:
                return
            written = time.monotonic()
            store = self._context.store
            with contextlib.suppress(SmcError), store.transaction(durable=False):
                store.write_request_progress(request.id, line)

        try:
            if self._context.closing.is_set():
                worker.leave()
            return await worker.listen(hear)
        finally:
            self._workers.discard(worker)

    def _outcome(self, ending: Ending) -> Document | SmcError:
        match ending:
            case Result(document):
                return {name: value for name, value in document.items() if name != "kind"}
            case Failed(error):
                return error
            case Died(how) if not self._context.closing.is_set():
                return SmcError("Images.Died", how)
        return SmcError("Engine.Stopped")

    def _settle(self, request: Request, order: Order, outcome: Document | SmcError) -> None:
        store, now = self._context.store, self._context.clock.now()
        with store.transaction():
            if order.image_id:
                store.release(order.image_id, self._holder(request, order))
            added = order.settle(outcome) if order.settle is not None else {}
            word, told = "done", Document()
            if isinstance(outcome, SmcError):
                store.fail(request, now, outcome)
                word = outcome.code
            else:
                store.finish(request, now, {**outcome, **added})
                told = {name: outcome[name] for name in order.tells if name in outcome}
            self._ledger.event(request.actor, request.verb, word, **order.about, **told)
