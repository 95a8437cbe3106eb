"""Things as JSON documents: what ``--json`` prints and scripts rely on.

Bytes are integers, instants RFC 3339 in UTC, durations seconds, statuses the
lifecycle's words. A key once here stays here with its meaning; what is unknown is
null, never missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from smc_tui.model import advice, cutoverdoc, estimate
from smc_tui.model.catalogue import CATALOGUE
from smc_tui.model.cutover import Cutover
from smc_tui.model.delays import delay
from smc_tui.model.lifecycle import SourceState
from smc_tui.model.things import Event, Fault, Image, Job, Resource, ResourceState, Run, Source
from smc_tui.model.units import rfc3339

Document = dict[str, Any]


def instant(at: float | None) -> str | None:
    """Return an instant as RFC 3339, None as None."""
    return None if at is None else rfc3339(at)


def fault_document(fault: Fault | None, **names: str) -> Document | None:
    """Return a failure with the catalogue's words about it.

    Args:
        fault: the failure.
        names: what the next step's placeholders stand for, as ``advice.filled`` takes them.
    """
    if fault is None:
        return None
    entry = CATALOGUE.get(fault.code)
    return {
        **fault.facts,
        "code": fault.code,
        "detail": fault.detail,
        "at": instant(fault.at),
        "cause": entry.cause if entry else "",
        "safe": entry.safe if entry else "",
        "next_step": advice.filled(entry.next_step, names) if entry else "",
        "resumes": entry.resumes if entry else "",
    }


def source_document(source: Source, job: Job | None = None) -> Document:
    """Return a source; ``job`` is its unfinished job, where it has one.

    ``status`` is InUse while there is one, unless the source cannot be reached.
    """
    in_use = job is not None and source.state is SourceState.AVAILABLE
    ssh = source.ssh
    return {
        "id": source.id,
        "name": source.name,
        "status": str(SourceState.IN_USE if in_use else source.state),
        "kind": "ssh" if ssh else "local",
        "ssh": {"target": ssh.target, "port": ssh.port, "config": ssh.config} if ssh else None,
        "description": source.description,
        "tags": list(source.tags),
        "host_key": source.host_key,
        "created": instant(source.created),
        "checked": instant(source.checked),
        "bytes_total": source.total,
        "bytes_used": source.inventory.get("used_bytes"),
        "disks": [
            {
                "index": disk.index,
                "path": disk.path,
                "size": disk.size,
                "sector_size": disk.sector_size,
                "role": disk.role,
                "filesystems": disk.filesystems,
                "mounted": disk.mounted,
            }
            for disk in source.disks
        ],
        "link_bytes_per_second": source.link_bps,
        "estimate": _estimate(source),
        "inventory": source.inventory,
        "job": {"id": job.id, "name": job.name, "status": str(job.status)} if job else None,
        "error": fault_document(source.fault, **_source_names(source)),
    }


def _source_names(source: Source) -> dict[str, str]:
    names = {"source": source.name, "host": source.ssh.target if source.ssh else ""}
    fingerprint = source.fault.facts.get("fingerprint") if source.fault else None
    return names | ({"fingerprint": str(fingerprint)} if fingerprint else {})


def _estimate(source: Source) -> Document | None:
    used = source.inventory.get("used_bytes")
    known = used if isinstance(used, int) else source.total
    time = estimate.time_to_migrate(source.total, known, source.link_bps)
    if time is None:
        return None
    return {
        "seconds": round(time.total, 1),
        "transfer_seconds": round(time.transfer, 1),
        "compare_seconds": round(time.compare, 1),
    }


def job_summary(job: Job) -> Document:
    """Return a job as a row of ``job list``."""
    settings = job.settings
    return {
        "id": job.id,
        "name": job.name,
        "status": str(job.status),
        "phase": str(job.phase) if job.phase else None,
        "progress": job.progress,
        "source_id": job.source_id,
        "source_name": job.source_name,
        "description": job.description,
        "tags": list(job.tags),
        "target": settings.target,
        "once": settings.once,
        "interval": settings.interval or None,
        "keep": settings.keep,
        "limit_mbit": settings.limit_mbit,
        "compression": settings.compression,
        "drill": str(settings.drill),
        "instant": str(settings.instant),
        "before_freeze": list(settings.before_freeze),
        "after_thaw": list(settings.after_thaw),
        "hook_timeout": settings.hook_timeout,
        "image_name": settings.image_name,
        "start_at": instant(settings.start_at),
        "valid_until": instant(settings.valid_until),
        "created": instant(job.created),
        "next_run": instant(job.next_run),
        "run_id": job.run_id,
        "pending": str(job.wish) or None,
        "completing": job.completing,
        "error": fault_document(job.fault, job=job.name, source=job.source_name),
        "live": job.live or None,
        "delay": delay(job.live) or None,
    }


def job_document(
    job: Job,
    runs: Sequence[Run],
    images: Sequence[Image],
    resource: Resource | None,
    now: float = 0.0,
) -> Document:
    """Return a job with its runs (oldest first), its images (newest last) and what it holds.

    ``now`` is the engine's clock, POSIX seconds: for what is under way.
    """
    return {
        **job_summary(job),
        "drill_report": job.drill_report or None,
        "cutover": cutoverdoc.document(Cutover.of(job.cutover), job, now, instant),
        "images": [image_document(image) for image in images],
        "runs": [run_document(run) for run in runs],
        "intermediate": resource_document(resource) if resource else None,
    }


def run_document(run: Run) -> Document:
    """Return a run.

    ``image_id`` is null until its image is published; ``change_detection`` and ``instant``
    are null where that is not known, as of a run that made none.
    """
    counters = run.counters
    return {
        **run.report,
        **run.reading.document(),
        "id": run.id,
        "job_id": run.job_id,
        "kind": str(run.kind),
        "started": instant(run.started),
        "ended": instant(run.ended),
        "attempts": run.attempts,
        "seconds": round(run.seconds, 3),
        "bytes_total": counters.total,
        "bytes_compared": counters.compared,
        "bytes_changed": counters.changed,
        "bytes_sent": counters.sent,
        "bytes_wire": counters.wire,
        "bytes_stored": counters.stored,
        "image_id": run.image_id if run.published else None,
        "error": fault_document(run.fault),
    }


def image_document(image: Image) -> Document:
    """Return an image."""
    return {
        "id": image.id,
        "name": image.name,
        "status": str(image.state),
        "job_id": image.job_id,
        "job_name": image.job_name,
        "run_id": image.run_id,
        "source_id": image.source_id,
        "source_name": image.source_name,
        "created": instant(image.created),
        "consistency": str(image.consistency),
        "reason": image.reason,
        "root": image.root,
        "bytes": image.size,
        "disks": list(image.disks),
        "pinned": image.pinned,
        "used_by": list(image.holds),
        "verified": instant(image.verified),
        "error": fault_document(image.fault),
    }


def resource_document(resource: Resource) -> Document:
    """Return an intermediate resource."""
    return {
        "id": resource.id,
        "name": resource.name,
        "job_id": resource.job_id,
        "status": str(resource.state),
        "held": resource.state is not ResourceState.RELEASED,
        "created": instant(resource.created),
        "released": instant(resource.released),
        "bytes": resource.size,
    }


def event_document(event: Event) -> Document:
    """Return a line of history."""
    return {
        "id": event.id,
        "at": instant(event.at),
        "actor": event.actor,
        "action": event.action,
        "result": event.result,
        "source_id": event.source_id or None,
        "job_id": event.job_id or None,
        "run_id": event.run_id or None,
        "image_id": event.image_id or None,
        **event.facts,
    }
