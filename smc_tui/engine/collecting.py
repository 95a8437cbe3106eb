"""Collections of the image store that nobody asked for.

When one is worth it (``model/collection.py``), the engine asks itself for it: the
request is in the job store like a person's, so it is in the history with its reason,
shows its progress, is refused or fails like any other, and ends with the engine at a
safe point. What the policy needs to know is read from that history; so nothing has to
be kept, and a crash forgets nothing.
"""

from __future__ import annotations

from smc_tui.engine.context import Context, in_thread
from smc_tui.engine.ledger import ENGINE, SCHEDULER
from smc_tui.engine.worker import Document
from smc_tui.jobstore.requests import RequestState
from smc_tui.model.collection import Signs, worth
from smc_tui.model.documents import instant
from smc_tui.model.lifecycle import ImageState, Status
from smc_tui.model.things import Event
from smc_tui.model.units import MINUTE

VERB = "store.collect"

#: What a collection's line in the history tells of its result.
TOLD = ("bytes_freed", "bytes_on_disk", "waiting", "held")

#: How often the signs are looked at, seconds of the engine's clock.
LOOK_EVERY = 15 * MINUTE


class Collecting:
    """The engine's own collections."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store
        self._next_look = context.clock.now() + LOOK_EVERY

    def attend(self) -> None:
        """Look from time to time whether a collection is worth it; called each round.

        Raises:
            SmcError: JobStore.*.
        """
        now = self._context.clock.now()
        if now < self._next_look or self._at_work():
            return
        self._next_look = now + LOOK_EVERY
        self._context.spawn(self._look(), "look at what could be collected")

    def _at_work(self) -> bool:
        """Tell whether the store is being collected or checked already."""
        asked = [*self._store.new_requests(), *self._store.accepted_requests()]
        return any(request.verb.startswith("store.") for request in asked)

    async def _look(self) -> None:
        size = await in_thread(self._context.seams.shelf.size)
        # From here on nothing is awaited: what is seen is what is decided upon.
        if self._at_work() or self._context.closing.is_set():
            return
        reason = worth(self._signs(size), self._context.clock.now())
        if reason is not None:
            self._store.submit(VERB, "", {"why": str(reason)}, actor=SCHEDULER)
            self._context.wakeup.set()

    def _signs(self, size: int) -> Signs:
        jobs = self._store.jobs()
        busy = any(job.status in (Status.RUNNING, Status.DELETING) for job in jobs) or any(
            image.state is ImageState.DELETING for image in self._store.images()
        )
        done, tried = last(self._context), self._store.newest_event(VERB)
        # What went while it ran may have gone too late for it: it counts from its start.
        start = done and self._store.newest_event(VERB, "started", before=done.id)
        after = start.id if start else 0
        return Signs(
            since=done.at if done else self._store.oldest_instant(),
            tried=tried.at if tried and tried != done else None,
            bytes_then=int(done.facts.get("bytes_on_disk", 0)) if done else 0,
            bytes_now=size,
            retained=self._store.count_events("image deleting", after=after, by=ENGINE),
            given_up=self._store.count_events("image deleting", after=after, not_by=ENGINE)
            + self._store.count_events("resource released", after=after),
            waiting=bool(done and done.facts.get("waiting")),
            full=any(job.fault and job.fault.code == "Destination.Full" for job in jobs),
            busy=busy,
        )


def last(context: Context) -> Event | None:
    """Return the line of history of the last collection that was finished."""
    return context.store.newest_event(VERB, str(RequestState.DONE))


def collected(context: Context) -> Document:
    """Return what the store's statistics say of the last collection."""
    done = last(context)
    if done is None:
        return {"collected": None}
    told = {name: done.facts.get(name) for name in TOLD}
    return {"collected": {"at": instant(done.at), "by": done.actor, **told}}
