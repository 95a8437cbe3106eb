"""The report of a job: all that is known of it, as one document.

Made from what outlives a job, so that a finished or cancelled one has the same report
as one under way: runs, images and events stay, and the event of a deletion keeps the
job as it last was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from smc_tui.model import cutoverdoc
from smc_tui.model.cutover import Cutover
from smc_tui.model.documents import (
    Document,
    event_document,
    image_document,
    instant,
    job_summary,
    run_document,
)
from smc_tui.model.things import Event, Image, Job, Run, Source

#: The event that ends a job's row; its facts keep the job as it was.
DELETED = "deleted"
#: The fact that does.
LAST = "last"

_VERIFY = "image.verify"
_BEGUN = "started"
_REMOVED = "image deleting"

#: What of a job's summary a person chose.
SETTINGS = (
    "target",
    "once",
    "interval",
    "keep",
    "limit_mbit",
    "compression",
    "drill",
    "instant",
    "before_freeze",
    "after_thaw",
    "hook_timeout",
    "image_name",
    "start_at",
    "valid_until",
)


@dataclass(frozen=True, slots=True)
class Known:
    """A job that is on the table, or one that is gone.

    ``job`` is None for one that is gone; ``last`` is then its summary as it last was,
    empty where that was not kept. ``events`` is its whole history.
    """

    id: str
    name: str
    job: Job | None
    last: Document = field(default_factory=dict)
    events: Sequence[Event] = ()

    @property
    def summary(self) -> Document:
        """The job's summary, or what it last was."""
        if self.job is not None:
            return {**job_summary(self.job), "deleted": False}
        return {"id": self.id, "name": self.name, "status": None, **self.last, "deleted": True}

    def cutover(self, now: float) -> Document | None:
        """The latest cutover; ``now`` is the engine's clock."""
        if self.job is not None:
            return cutoverdoc.document(Cutover.of(self.job.cutover), self.job, now, instant)
        return self.last.get("cutover")

    @property
    def drill(self) -> Document | None:
        """The latest migration drill's report."""
        found = self.job.drill_report if self.job is not None else self.last.get("drill_report")
        return found or None


def last_facts(job: Job) -> Document:
    """Return what the event of a job's deletion keeps of it."""
    told = cutoverdoc.document(Cutover.of(job.cutover), job, 0.0, instant)
    kept = {"drill_report": job.drill_report, "cutover": told, "live": None}
    return {LAST: {**job_summary(job), **kept}}


def report(
    known: Known,
    source: Source | None,
    runs: Sequence[Run],
    images: Sequence[Image],
    generated: float,
) -> Document:
    """Return the report.

    Args:
        known: the job.
        source: its source, None if that was removed.
        runs: all its runs, oldest first.
        images: its images that are there.
        generated: the engine's clock, POSIX seconds.
    """
    summary = known.summary
    return {
        "generated": instant(generated),
        "job": {
            name: summary.get(name)
            for name in (
                "id", "name", "status", "phase", "deleted", "description", "tags", "created",
                "next_run", "source_id", "source_name", "error",
            )
        },
        "settings": {name: summary.get(name) for name in SETTINGS},
        "source": _source(source),
        "totals": _totals(runs),
        "runs": [{**run_document(run), "image_name": run.image_name} for run in runs],
        "images": [image_document(image) for image in images],
        "images_removed": _removed(known.events),
        "verifications": _verifications(known.events, runs, images),
        "drill": known.drill,
        "cutover": known.cutover(generated),
        "events": [event_document(event) for event in known.events],
    }  # fmt: skip


def _source(source: Source | None) -> Document | None:
    if source is None:
        return None
    seen = source.inventory
    return {
        "id": source.id,
        "name": source.name,
        "kind": "ssh" if source.ssh else "local",
        "address": source.ssh.target if source.ssh else None,
        "host_key": source.host_key,
        **{name: seen.get(name) for name in ("hostname", "os", "kernel")},
        "bytes_total": source.total,
        "disks": [
            {"index": disk.index, "path": disk.path, "size": disk.size, "role": disk.role}
            for disk in source.disks
        ],
    }


def _totals(runs: Sequence[Run]) -> Document:
    """Return what all runs did together; ``seconds`` is working time."""
    ended = [run for run in runs if run.ended is not None]
    counted = ("compared", "changed", "sent", "wire", "stored")
    sums: dict[str, Any] = {
        f"bytes_{name}": sum(getattr(run.counters, name) for run in runs) for name in counted
    }
    return {
        "runs": len(runs),
        "published": sum(run.published for run in runs),
        "failed": sum(run.fault is not None for run in runs),
        "first_started": instant(min((run.started for run in runs), default=None)),
        "last_ended": instant(max((run.ended or 0.0 for run in ended), default=None)),
        "seconds": round(sum(run.seconds for run in runs), 3),
        **sums,
    }


def _removed(events: Sequence[Event]) -> list[Document]:
    return [
        {
            "id": event.image_id,
            "name": event.facts.get("name"),
            "at": instant(event.at),
            "why": event.result,
        }
        for event in events
        if event.action == _REMOVED
    ]


def _verifications(
    events: Sequence[Event], runs: Sequence[Run], images: Sequence[Image]
) -> list[Document]:
    names = {run.image_id: run.image_name for run in runs}
    names |= {image.id: image.name for image in images}
    return [
        {
            "image_id": event.image_id,
            "image_name": names.get(event.image_id),
            "at": instant(event.at),
            "actor": event.actor,
            "result": "passed" if event.result == "done" else event.result,
        }
        for event in events
        if event.action == _VERIFY and event.result != _BEGUN
    ]
