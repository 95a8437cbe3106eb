"""A home full of jobs, written as an engine writes them, with no engine behind it."""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from smc_tui.jobstore import Home, Request
from smc_tui.jobstore.presence import short_path
from smc_tui.jobstore.writer import JobWriter
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Phase, RunKind, SourceState, State, Status
from smc_tui.model.things import Counters, Fault, Image, Job, Run, Source, Ssh
from smc_tui.model.units import GIB, HOUR, MIB, MINUTE
from tests.model.samples import IMAGE, JOB, NOW, RESOURCE, RUN, SOURCE

SYNCING = State(Status.RUNNING, Phase.SYNCING)
WAITING = State(Status.WAITING)
IN_ERROR = State(Status.IN_ERROR)

#: A worker's progress line, held by the disk.
COMPARING = {
    "bytes_per_second": 1900 * MIB,
    "read_bps": 1900 * MIB,
    "remaining_seconds": 160,
    "held_by": "disk",
    "total": 400 * GIB,
    "compared": 72 * GIB,
    "changed": GIB,
    "needed": GIB,
    "sent": GIB,
    "wire": GIB // 2,
}
#: The same, held by the link.
TRANSFERRING = {**COMPARING, "bytes_per_second": 182 * MIB, "held_by": "link"}


class Fleet:
    """A job store, its writer, and a socket that makes it look served."""

    def __init__(self, path: Path) -> None:
        self.home = Home(path)
        self.writer = JobWriter.open(self.home)
        self._waker: socket.socket | None = None

    def close(self) -> None:
        """End what was opened."""
        self.engine_ends()
        self.writer.close()

    # The engine

    def engine_starts(self, time_lapse: float = 1.0) -> Fleet:
        """Look like a home that is served."""
        self.engine_ends()
        self.home.socket.unlink(missing_ok=True)
        self._waker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        with short_path(self.home.socket) as address:
            self._waker.bind(address)
        with self.writer.transaction():
            self.writer.engine_started("0.1.0", NOW, 0.0, time_lapse)
        return self

    def engine_ends(self) -> None:
        """Look like one whose engine was killed."""
        if self._waker is not None:
            self._waker.close()
            self._waker = None

    # Jobs

    def add(self, name: str, state: State = WAITING, **changes: Any) -> Job:
        """Write a source and its job, with a run and an image if it is past its first."""
        source = self.source(name)
        number = int(source.id[2:], 16)
        job = replace(
            JOB,
            id=f"j-{number:08x}",
            name=f"{name}-1",
            source_id=source.id,
            source_name=source.name,
            created=NOW + number,
            status=state.status,
            phase=state.phase,
            tags=(),
            **changes,
        )
        with self.writer.transaction():
            self.writer.put_job(job)
            self.event(job, "job.create", "done")
        return job

    def source(self, name: str, **changes: Any) -> Source:
        """Write a source."""
        number = len(self.writer.sources()) + 1
        ssh = Ssh(f"root@{name}", None, None)
        made = replace(
            SOURCE, id=f"s-{number:08x}", name=name, ssh=ssh, created=NOW + number, **changes
        )
        with self.writer.transaction():
            self.writer.put_source(made)
        return made

    def event(self, job: Job, action: str, result: str) -> None:
        """Write a line of history; inside a transaction."""
        self.writer.write_event(
            NOW, "console (ops)", action, result, source_id=job.source_id, job_id=job.id
        )

    def ran(self, job: Job, number: int = 1, **changes: Any) -> tuple[Run, Image]:
        """Write a run of a job and its image."""
        place = f"{int(job.id[2:], 16):06x}{number:02x}"
        run = replace(
            RUN,
            id=f"r-{place}",
            job_id=job.id,
            kind=RunKind.FULL if number == 1 else RunKind.SCHEDULE,
            image_id=f"m-{place}",
            image_name=f"{job.name}_{number}",
            started=NOW + number * HOUR,
            ended=NOW + number * HOUR + 382,
            seconds=382.0,
            counters=Counters(412 * GIB, 412 * GIB, 3 * GIB, 3 * GIB, GIB, GIB),
            published=True,
        )
        image = replace(
            IMAGE,
            id=run.image_id,
            name=run.image_name,
            job_id=job.id,
            job_name=job.name,
            run_id=run.id,
            source_id=job.source_id,
            source_name=job.source_name,
            created=run.ended,
            **changes,
        )
        with self.writer.transaction():
            self.writer.put_run(run)
            self.writer.put_image(image)
            self.event(job, "run.publish", "done")
        return run, image

    def holds(self, job: Job, size: int = 3 * GIB) -> None:
        """Write an intermediate resource of a job."""
        held = replace(RESOURCE, id=f"t-{job.id[2:]}", job_id=job.id, created=NOW, size=size)
        with self.writer.transaction():
            self.writer.put_resource(held)

    def change(self, job: Job, *, told: bool = False, **changes: Any) -> Job:
        """Write a job anew; ``told``: with a line of history."""
        changed = replace(job, **changes)
        with self.writer.transaction(durable=False):
            self.writer.put_job(changed)
            if told:
                self.event(changed, "job.modify", "done")
        return changed

    # Requests

    def asked(self) -> list[Request]:
        """Return the requests that nobody has answered."""
        return self.writer.new_requests()

    def accept(self) -> None:
        """Accept and finish every request."""
        for request in self.asked():
            with self.writer.transaction():
                assert self.writer.accept(request, NOW, {}, "")
            (accepted,) = self.writer.accepted_requests()
            with self.writer.transaction():
                assert self.writer.finish(accepted, NOW, {})

    def refuse(self, error: SmcError) -> None:
        """Refuse every request."""
        for request in self.asked():
            with self.writer.transaction():
                assert self.writer.refuse(request, NOW, error)


def sample(fleet: Fleet) -> dict[str, Job]:
    """Write a job in each state that a night has; return them by their sources."""
    fault = Fault("Link.Lost", "the connection ended after 8.4 GiB", NOW)
    made = {
        "web01": fleet.add("web01", SYNCING, progress=63.0, live=TRANSFERRING, run_id="r-00000102"),
        "db-primary": fleet.add("db-primary", SYNCING, progress=18.0, live=COMPARING),
        "mail-gw": fleet.add("mail-gw", WAITING, next_run=NOW + 6 * HOUR),
        "erp-app": fleet.add("erp-app", WAITING, next_run=NOW + 41 * MINUTE),
        "build-04": fleet.add("build-04", IN_ERROR, fault=fault, progress=41.0),
        "files-nas": fleet.add("files-nas", State(Status.FINISHED), progress=100.0),
        "proxy-b": fleet.add("proxy-b", State(Status.STOPPED), progress=30.0),
        "ci-1": fleet.add("ci-1", State(Status.READY)),
    }
    for name, count in (("web01", 2), ("db-primary", 3), ("mail-gw", 1), ("erp-app", 3)):
        for number in range(1, count + 1):
            fleet.ran(made[name], number, verified=NOW if number == count else None)
        fleet.holds(made[name])
    fleet.ran(made["files-nas"])
    fleet.source("ldap-1")
    fleet.source("ldap-2", state=SourceState.UNAVAILABLE)
    return made


#: A migration drill's report, with one item of each level.
DRILL: dict[str, Any] = {
    "result": "Critical",
    "at": "2027-01-15T07:00:00Z",
    "seconds": 4.2,
    "items": [
        {"area": "source", "name": "Python", "level": "Passed", "finding": "3.11 is there",
         "threshold": "older than 3.6", "advice": ""},
        {"area": "destination", "name": "Room", "level": "Critical",
         "finding": "120 GiB are free, 412 GiB are needed",
         "threshold": "less room than the disks in use need",
         "advice": "free room where the images are kept, or use another home folder"},
        {"area": "link", "name": "Round trip", "level": "Warning", "finding": "180 ms",
         "threshold": "more than 100 ms", "advice": "expect the first run to take longer"},
        {"area": "source", "name": "SMART", "level": "Not checked",
         "finding": "smartctl is not installed", "threshold": "", "advice": ""},
    ],
    "estimate": {"bytes_used": 412 * GIB, "link_bytes_per_second": 100e6, "full_seconds": 4424.0},
}  # fmt: skip


def detailed(fleet: Fleet, job: Job) -> Job:
    """Give a running job all that its details can show; return it."""
    disks = [
        {"index": 0, "total": 80 * GIB, "compared": 60 * GIB, "needed": GIB, "sent": GIB // 2},
        {"index": 1, "total": 320 * GIB, "compared": 12 * GIB, "needed": 2 * GIB, "sent": GIB},
    ]
    live = {
        **TRANSFERRING, "wire_bps": 182 * MIB, "changed": 3 * GIB, "needed": 3 * GIB,
        "sent": 3 * GIB // 2, "wire": GIB, "disks": disks,
    }  # fmt: skip
    (first, *_) = fleet.writer.runs(job.id)
    failed = replace(
        first, id="r-0000fffe", image_id="m-0000fffe", kind=RunKind.SCHEDULE, published=False,
        started=NOW + 3 * HOUR, ended=NOW + 4 * HOUR,
        fault=Fault("Link.Lost", "the connection ended after 8.4 GiB", NOW + 4 * HOUR),
    )  # fmt: skip
    now = replace(
        failed, id="r-0000ffff", image_id="m-0000ffff", kind=RunKind.MANUAL,
        started=NOW + 5 * HOUR, ended=None, seconds=68.0, fault=None,
        counters=Counters(400 * GIB, 72 * GIB, 3 * GIB, GIB, GIB, GIB),
    )  # fmt: skip
    with fleet.writer.transaction():
        fleet.writer.put_run(failed)
        fleet.writer.put_run(now)
        for after, actor, action, result in (
            (0, "console (ops)", "run started", "Running:Preparing"),
            (4, "engine", "phase", "Running:Syncing"),
        ):
            fleet.writer.write_event(
                now.started + after, actor, action, result,
                job_id=job.id, source_id=job.source_id, run_id=now.id,
            )  # fmt: skip
    log = fleet.home.run_log(job.id, now.id)
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"02:00:{second:02} block {second} compared\n" for second in range(40)))
    return fleet.change(job, told=True, live=live, run_id=now.id, drill_report=DRILL)


def many(fleet: Fleet, count: int) -> list[Job]:
    """Write many jobs, every tenth of them running, in one transaction each kind."""
    jobs = []
    with fleet.writer.transaction(durable=False):
        for number in range(1, count + 1):
            state = SYNCING if number % 10 == 1 else WAITING
            source = replace(SOURCE, id=f"s-{number:08x}", name=f"server-{number:04}", tags=())
            job = replace(
                JOB,
                id=f"j-{number:08x}",
                name=f"server-{number:04}-1",
                source_id=source.id,
                source_name=source.name,
                created=NOW + number,
                status=state.status,
                phase=state.phase,
                live=COMPARING if state is SYNCING else {},
                progress=number % 100,
                next_run=None if state is SYNCING else NOW + number * MINUTE,
            )
            fleet.writer.put_source(source)
            fleet.writer.put_job(job)
            fleet.event(job, "job.create", "done")
            jobs.append(job)
    return jobs


def main() -> None:
    """Serve a home for a test of another process: obey the lines on standard input.

    ``tick N``: write N jobs with their bars moved on. The answer is a line.
    """
    fleet = Fleet(Path(sys.argv[1])).engine_starts()
    running = [job for job in fleet.writer.jobs() if job.status is Status.RUNNING]
    waiting = [job for job in fleet.writer.jobs() if job.status is not Status.RUNNING]
    turn = 0
    for line in sys.stdin:
        word, _, rest = line.partition(" ")
        if word == "tick":
            turn += 1
            chosen = [*running, *waiting][: int(rest)]
            with fleet.writer.transaction(durable=False):
                for at, job in enumerate(chosen):
                    speed = (1900 + (turn * 7 + at) % 90) * MIB
                    live = {
                        **COMPARING,
                        "bytes_per_second": speed,
                        "read_bps": speed,
                        "compared": COMPARING["compared"] + turn * 950 * MIB,
                        "remaining_seconds": 900 - turn,
                    }
                    share = (job.progress + turn * 0.7) % 100
                    fleet.writer.put_job(replace(job, progress=share, live=live))
        elif word == "down":
            fleet.engine_ends()
        elif word == "up":
            fleet.engine_starts()
        elif word == "pid\n":
            json.dump(os.getpid(), sys.stdout)
        print(flush=True)


if __name__ == "__main__":
    main()
