"""Things to try rules on."""

from __future__ import annotations

from dataclasses import replace

from smc_tui.model.lifecycle import Consistency, ImageState, RunKind, SourceState, State, Status
from smc_tui.model.things import (
    INTERMEDIATE,
    Disk,
    Image,
    Job,
    JobSettings,
    Resource,
    ResourceState,
    Run,
    Source,
    Ssh,
)
from smc_tui.model.units import DAY, HOUR

NOW = 1_800_000_000.0

SOURCE = Source(
    id="s-0000000a",
    name="web01",
    state=SourceState.AVAILABLE,
    ssh=Ssh("root@web01", 2222, None),
    disks=(Disk(0, "/dev/vda", 40 << 30, role="system"), Disk(1, "/dev/vdb", 10 << 30)),
    created=NOW,
    checked=NOW,
    host_key={"fingerprint": "SHA256:abc", "type": "ssh-ed25519"},
    inventory={"os": "Debian 12", "used_bytes": 7 << 30},
    link_bps=1e8,
    tags=("env=prod", "wave-1"),
)

JOB = Job(
    id="j-0000000a",
    name="web01-1",
    source_id=SOURCE.id,
    source_name=SOURCE.name,
    settings=JobSettings(
        image_name="web01-1", interval=6 * HOUR, keep=3, valid_until=NOW + 30 * DAY
    ),
    status=Status.READY,
    phase=None,
    created=NOW,
    tags=("wave-1",),
    drill_report={"result": "Passed", "items": []},
)

RUN = Run("r-0000000a", JOB.id, RunKind.FULL, "m-0000000a", "web01-1_x", NOW)

IMAGE = Image(
    id="m-0000000a",
    name="web01-1_x",
    job_id=JOB.id,
    job_name=JOB.name,
    run_id=RUN.id,
    source_id=SOURCE.id,
    source_name=SOURCE.name,
    created=NOW,
    state=ImageState.AVAILABLE,
    consistency=Consistency.STOPPED,
    root="ab" * 32,
    disks=({"index": 0, "path": "/dev/vda", "size": 40 << 30, "role": "system"},),
)

RESOURCE = Resource("t-0000000a", INTERMEDIATE, JOB.id, ResourceState.HELD, NOW)


def job_in(state: State, **changes) -> Job:
    return replace(JOB, status=state.status, phase=state.phase, **changes)


def once(job: Job) -> Job:
    return replace(job, settings=replace(job.settings, interval=0))
