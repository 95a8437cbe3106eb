"""The verbs that set tags: labels by which jobs and sources are chosen together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from smc_tui.engine.context import Context
from smc_tui.engine.ledger import Ledger
from smc_tui.engine.verbs import known_args
from smc_tui.jobstore.requests import Request
from smc_tui.model import settings
from smc_tui.model.actions import ACTIONS, ActionId, refusal
from smc_tui.model.errors import SmcError


class TagVerbs:
    """job.tag and source.tag."""

    def __init__(self, context: Context, ledger: Ledger) -> None:
        self._store = context.store
        self._ledger = ledger

    def verbs(self) -> Mapping[str, Callable[[Request], None]]:
        """Return the verbs by their names."""
        return {"job.tag": self.job, "source.tag": self.source}

    def job(self, request: Request) -> None:
        """Add tags to a job and take tags from it."""
        job = self._store.job(request.target)
        error = refusal(ACTIONS[ActionId.MODIFY], job)
        if error is not None:
            raise error
        tags = _changed(job.tags, request)
        with self._store.transaction():
            self._store.put_job(replace(job, tags=tags))
            self._ledger.event(request.actor, request.verb, "changed", job, tags=list(tags))
            self._ledger.accept(request, {"job": job.id, "tags": list(tags)})

    def source(self, request: Request) -> None:
        """Add tags to a source and take tags from it."""
        source = self._store.source(request.target)
        tags = _changed(source.tags, request)
        with self._store.transaction():
            self._store.put_source(replace(source, tags=tags))
            self._ledger.event(
                request.actor, request.verb, "changed", source_id=source.id, tags=list(tags)
            )
            self._ledger.accept(request, {"source": source.id, "tags": list(tags)})


def _changed(tags: tuple[str, ...], request: Request) -> tuple[str, ...]:
    """Return the tags as they are after a request; taking comes before adding.

    Raises:
        SmcError: InvalidParameter.*.
    """
    args = known_args(request, "add", "remove")
    added, removed = (settings.tags(args.get(name, [])) for name in ("add", "remove"))
    if not added and not removed:
        raise SmcError("InvalidParameter.Missing", "tags to add or to remove")
    return settings.tags([*(set(tags) - set(removed)), *added])
