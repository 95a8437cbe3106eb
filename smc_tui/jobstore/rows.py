"""Rows of the tables to things of the model and back, one pair a table."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from typing import Any

from smc_tui.model.lifecycle import Consistency, ImageState, Phase, RunKind, SourceState, Status
from smc_tui.model.things import (
    Counters,
    Disk,
    DrillMode,
    Event,
    Fault,
    Image,
    Job,
    JobSettings,
    Resource,
    ResourceState,
    Run,
    Source,
    Ssh,
    Wish,
)

Row = dict[str, Any]

_SETTINGS = (
    "image_name",
    "interval",
    "keep",
    "valid_until",
    "target",
    "start_at",
    "limit_mbit",
    "compression",
    "drill",
)


def dump(value: Any) -> str:
    """Return a value as the JSON that the tables hold."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def fault_text(fault: Fault | None) -> str | None:
    """Return a failure as the tables hold it."""
    return None if fault is None else dump(asdict(fault))


def _fault(text: str | None) -> Fault | None:
    return None if text is None else Fault(**json.loads(text))


def source_row(source: Source) -> Row:
    """Return a source's row."""
    return {
        "id": source.id,
        "name": source.name,
        "state": str(source.state),
        "ssh": None if source.ssh is None else dump(asdict(source.ssh)),
        "disks": dump([asdict(disk) for disk in source.disks]),
        "created": source.created,
        "checked": source.checked,
        "host_key": None if source.host_key is None else dump(source.host_key),
        "inventory": dump(source.inventory),
        "link_bps": source.link_bps,
        "description": source.description,
        "tags": dump(source.tags),
        "fault": fault_text(source.fault),
    }


def source_of(row: sqlite3.Row) -> Source:
    """Return the source of a row."""
    return Source(
        id=row["id"],
        name=row["name"],
        state=SourceState(row["state"]),
        ssh=None if row["ssh"] is None else Ssh(**json.loads(row["ssh"])),
        disks=tuple(Disk(**disk) for disk in json.loads(row["disks"])),
        created=row["created"],
        checked=row["checked"],
        host_key=None if row["host_key"] is None else json.loads(row["host_key"]),
        inventory=json.loads(row["inventory"]),
        link_bps=row["link_bps"],
        description=row["description"],
        tags=tuple(json.loads(row["tags"])),
        fault=_fault(row["fault"]),
    )


def job_row(job: Job) -> Row:
    """Return a job's row."""
    return {
        "id": job.id,
        "name": job.name,
        "description": job.description,
        "source_id": job.source_id,
        "source_name": job.source_name,
        **{name: getattr(job.settings, name) for name in _SETTINGS},
        "status": str(job.status),
        "phase": str(job.phase) if job.phase else None,
        "progress": job.progress,
        "created": job.created,
        "next_run": job.next_run,
        "run_id": job.run_id,
        "wish": str(job.wish),
        "completing": int(job.completing),
        "expired": job.expired,
        "fault": fault_text(job.fault),
        "live": dump(job.live),
        "tags": dump(job.tags),
        "drill_report": dump(job.drill_report),
        "starting": int(job.starting),
    }


def job_of(row: sqlite3.Row) -> Job:
    """Return the job of a row."""
    return Job(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        source_id=row["source_id"],
        source_name=row["source_name"],
        settings=JobSettings(
            **{**{name: row[name] for name in _SETTINGS}, "drill": DrillMode(row["drill"])}
        ),
        status=Status(row["status"]),
        phase=Phase(row["phase"]) if row["phase"] else None,
        progress=row["progress"],
        created=row["created"],
        next_run=row["next_run"],
        run_id=row["run_id"],
        wish=Wish(row["wish"]),
        completing=bool(row["completing"]),
        expired=row["expired"],
        fault=_fault(row["fault"]),
        live=json.loads(row["live"]),
        tags=tuple(json.loads(row["tags"])),
        drill_report=json.loads(row["drill_report"]),
        starting=bool(row["starting"]),
    )


def run_row(run: Run) -> Row:
    """Return a run's row."""
    return {
        "id": run.id,
        "job_id": run.job_id,
        "kind": str(run.kind),
        "image_id": run.image_id,
        "image_name": run.image_name,
        "started": run.started,
        "ended": run.ended,
        "attempts": run.attempts,
        "seconds": run.seconds,
        "counters": dump(asdict(run.counters)),
        "published": int(run.published),
        "report": dump(run.report),
        "fault": fault_text(run.fault),
    }


def run_of(row: sqlite3.Row) -> Run:
    """Return the run of a row."""
    return Run(
        id=row["id"],
        job_id=row["job_id"],
        kind=RunKind(row["kind"]),
        image_id=row["image_id"],
        image_name=row["image_name"],
        started=row["started"],
        ended=row["ended"],
        attempts=row["attempts"],
        seconds=row["seconds"],
        counters=Counters(**json.loads(row["counters"])),
        published=bool(row["published"]),
        report=json.loads(row["report"]),
        fault=_fault(row["fault"]),
    )


def image_row(image: Image) -> Row:
    """Return an image's row; its holds have a table of their own."""
    return {
        "id": image.id,
        "name": image.name,
        "job_id": image.job_id,
        "job_name": image.job_name,
        "run_id": image.run_id,
        "source_id": image.source_id,
        "source_name": image.source_name,
        "created": image.created,
        "state": str(image.state),
        "consistency": str(image.consistency),
        "reason": image.reason,
        "root": image.root,
        "disks": dump(image.disks),
        "verified": image.verified,
        "fault": fault_text(image.fault),
    }


def image_of(row: sqlite3.Row) -> Image:
    """Return the image of a row that carries its holds as a JSON list."""
    return Image(
        id=row["id"],
        name=row["name"],
        job_id=row["job_id"],
        job_name=row["job_name"],
        run_id=row["run_id"],
        source_id=row["source_id"],
        source_name=row["source_name"],
        created=row["created"],
        state=ImageState(row["state"]),
        consistency=Consistency(row["consistency"]),
        reason=row["reason"],
        root=row["root"],
        disks=tuple(json.loads(row["disks"])),
        holds=tuple(json.loads(row["holds"])),
        verified=row["verified"],
        fault=_fault(row["fault"]),
    )


def resource_row(resource: Resource) -> Row:
    """Return a resource's row."""
    return {**asdict(resource), "state": str(resource.state)}


def resource_of(row: sqlite3.Row) -> Resource:
    """Return the resource of a row."""
    return Resource(**{**dict(row), "state": ResourceState(row["state"])})


def event_of(row: sqlite3.Row) -> Event:
    """Return the event of a row."""
    return Event(**{**dict(row), "facts": json.loads(row["facts"])})
