"""What went wrong with a job and, for each code, what a person can do about it in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from smc_tui.model.things import Fault, Job, Run, Source


class Remedy(StrEnum):
    """Something a person can do about an error."""

    CHECK_SOURCE = "check the source"
    ACCEPT_KEY = "accept the host key it shows now"
    IMAGES = "delete images that are not needed"
    COLLECT = "free what nothing needs any more"
    STORE = "look at the engine, room and image store"
    MODIFY = "modify the job"
    DRILL_REPORT = "see what the migration drill found"
    DRILL = "make another migration drill"
    IMPORT = "import it anew, with the disk it has now"
    RETRY = "retry"
    RELEASE = "release the intermediate resource"


_R = Remedy
_SOURCE = (_R.CHECK_SOURCE, _R.RETRY)
_DISK = (_R.CHECK_SOURCE, _R.RETRY, _R.IMPORT)
_ROOM = (_R.IMAGES, _R.COLLECT, _R.STORE, _R.RETRY)
_STORE = (_R.STORE, _R.RETRY, _R.RELEASE)
_DRILL = (_R.DRILL_REPORT, _R.DRILL, _R.MODIFY)

#: Code -> what helps, the likeliest first. What is not here is retried.
_BY_CODE: Mapping[str, tuple[Remedy, ...]] = MappingProxyType(
    {
        "Source.UnknownHost": _SOURCE,
        "SourceServer.Offline": _SOURCE,
        "HostKey.NotAccepted": (_R.ACCEPT_KEY, *_SOURCE),
        "HostKey.Changed": (_R.ACCEPT_KEY, *_SOURCE),
        "Source.AuthRefused": _SOURCE,
        "Source.NoSudo": _SOURCE,
        "Source.NoPython": _SOURCE,
        "Link.Lost": (_R.RETRY, _R.CHECK_SOURCE, _R.MODIFY),
        "Agent.Died": (_R.RETRY, _R.CHECK_SOURCE),
        "Protocol.Malformed": _SOURCE,
        "Disk.NotFound": _DISK,
        "Disk.ReadFailed": _SOURCE,
        "Disk.Shrank": _DISK,
        "Disk.Replaced": _DISK,
        "Destination.Full": _ROOM,
        "Destination.IoError": _STORE,
        "JobStore.Full": _ROOM,
        "Image.Incomplete": _STORE,
        "Image.BlockDamaged": _STORE,
        "Store.Damaged": _STORE,
        "Store.IndexDamaged": _STORE,
        "Store.Unreadable": _STORE,
        "ReplicationJob.DrillException": _DRILL,
        "Drill.Failed": (_R.RETRY, _R.CHECK_SOURCE, _R.MODIFY),
        "Drill.Died": (_R.RETRY, _R.STORE, _R.MODIFY),
        "Sync.Failed": (_R.RETRY, _R.CHECK_SOURCE, _R.RELEASE),
        "Sync.Died": (_R.RETRY, _R.STORE, _R.RELEASE),
    }
)


def remedies(code: str) -> tuple[Remedy, ...]:
    """Return what helps against an error, in the order in which to try it."""
    return _BY_CODE.get(code, (_R.RETRY, _R.CHECK_SOURCE))


def failed_run(job: Job, runs: Sequence[Run]) -> Run | None:
    """Return the run that a job's error is of; None: it is of no run."""
    return next((run for run in reversed(runs) if _same(run.fault, job.fault)), None)


def _same(one: Fault | None, other: Fault | None) -> bool:
    return one is not None and other is not None and (one.code, one.at) == (other.code, other.at)


def critical(job: Job) -> list[dict[str, Any]]:
    """Return the items of the latest drill that keep a job from going on."""
    items = job.drill_report.get("items", [])
    return [item for item in items if isinstance(item, dict) and item.get("level") == "Critical"]


def fingerprint(job: Job, source: Source | None) -> str:
    """Return the host key that the source was last seen with and that is not accepted."""
    for fault in (job.fault, source.fault if source else None):
        found = fault.facts.get("fingerprint") if fault else None
        if isinstance(found, str):
            return found
    return ""


def names(job: Job, source: Source | None) -> dict[str, str]:
    """Return what the placeholders of a job's next step stand for."""
    known = {"job": job.name, "source": job.source_name}
    if source is not None and source.ssh is not None:
        known["host"] = source.ssh.target
    found = job.fault.facts.get("fingerprint") if job.fault else None
    return known | ({"fingerprint": found} if isinstance(found, str) else {})
