"""What the migration speaks of: sources, jobs, runs, images, resources, events.

Facts only, frozen: a thing changes by a new one taking its place in the job
store. Instants are POSIX seconds of the engine's clock, sizes are bytes,
durations seconds. JSON documents of what a source reported stay dictionaries:
the program shows them and hands them on, it does not decide by them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from smc_tui.model.instants import DEFAULT_HOOK_TIMEOUT, Reading, Wanted
from smc_tui.model.lifecycle import (
    Consistency,
    ImageState,
    Phase,
    RunKind,
    SourceState,
    State,
    Status,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure as it is kept: the code, this case's detail, when it was."""

    code: str
    detail: str
    at: float
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ssh:
    """How a source is reached: what the user would type after ``ssh``."""

    target: str
    port: int | None = None
    config: str | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk of a source as it was at import; ``identity`` tells it from another."""

    index: int
    path: str
    size: int
    sector_size: int = 512
    role: str = "data"
    identity: dict[str, Any] = field(default_factory=dict)
    filesystems: list[Any] = field(default_factory=list)
    mounted: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A migration source: a server over SSH, or (``ssh`` None) disks of this host.

    ``inventory`` is the last one taken, as the source gave it; ``disks`` are those
    that were imported, and stay what they were until they are imported anew.
    """

    id: str
    name: str
    state: SourceState
    ssh: Ssh | None
    disks: tuple[Disk, ...]
    created: float
    checked: float
    host_key: dict[str, Any] | None = None
    inventory: dict[str, Any] = field(default_factory=dict)
    link_bps: float | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    fault: Fault | None = None

    @property
    def total(self) -> int:
        """Bytes of all its disks."""
        return sum(disk.size for disk in self.disks)


class DrillMode(StrEnum):
    """What a migration drill is to a job: SMC's "drill and migrate", "drill only", none."""

    BEFORE = "before"
    ONLY = "only"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class JobSettings:
    """What a person chose for a job. Checked by ``settings.py`` before it gets here.

    ``interval`` is 0 for a once-only job; ``limit_mbit`` 0 is no limit;
    ``compression`` is ``auto`` or ``0`` to ``10``. ``before_freeze`` and ``after_thaw`` are
    commands of the source, word by word, empty where there is none; each has
    ``hook_timeout`` seconds.
    """

    image_name: str
    interval: int
    keep: int
    valid_until: float
    target: str = "image"
    start_at: float | None = None
    limit_mbit: int = 0
    compression: str = "auto"
    drill: DrillMode = DrillMode.BEFORE
    instant: Wanted = Wanted.AUTO
    before_freeze: tuple[str, ...] = ()
    after_thaw: tuple[str, ...] = ()
    hook_timeout: int = DEFAULT_HOOK_TIMEOUT

    @property
    def once(self) -> bool:
        """Whether the job ends with its first image."""
        return self.interval == 0


class Wish(StrEnum):
    """What a person asked of a run that has not stopped yet."""

    NONE = ""
    PAUSE = "pause"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Job:
    """One source's migration.

    ``run_id`` is the run under way, or the paused one that a start continues.
    ``completing``: the job ends with the next image (a last sync was asked for).
    ``live`` is the running worker's latest progress line. ``drill_report`` is the
    latest migration drill's, empty before the first. ``cutover`` is the latest cutover's
    (``model/cutover.py``), empty before the first. ``starting``: a start is under way
    or was held up by its drill, so the drill's passing goes on to the migration.
    """

    id: str
    name: str
    source_id: str
    source_name: str
    settings: JobSettings
    status: Status
    phase: Phase | None
    created: float
    progress: float = 0.0
    description: str = ""
    next_run: float | None = None
    run_id: str | None = None
    wish: Wish = Wish.NONE
    completing: bool = False
    expired: float | None = None
    fault: Fault | None = None
    live: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    drill_report: dict[str, Any] = field(default_factory=dict)
    starting: bool = False
    cutover: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """Status and phase as one value."""
        return State(self.status, self.phase)


@dataclass(frozen=True, slots=True)
class Counters:
    """What a run has done, in bytes.

    ``changed`` and ``sent`` count uncompressed blocks, ``wire`` what came over the
    link, ``stored`` what the image store grew by.
    """

    total: int = 0
    compared: int = 0
    changed: int = 0
    sent: int = 0
    wire: int = 0
    stored: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One synchronisation. A pause does not end it; a failure does.

    ``attempts`` counts its workers (a crash or a pause starts another);
    ``seconds`` is real working time, whatever the engine's clock makes of it.
    """

    id: str
    job_id: str
    kind: RunKind
    image_id: str
    image_name: str
    started: float
    ended: float | None = None
    attempts: int = 1
    seconds: float = 0.0
    counters: Counters = Counters()
    published: bool = False
    reading: Reading = field(default_factory=Reading)
    report: dict[str, Any] = field(default_factory=dict)
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A kept image of all a source's disks. ``holds`` says who uses it."""

    id: str
    name: str
    job_id: str
    job_name: str
    run_id: str
    source_id: str
    source_name: str
    created: float
    state: ImageState
    consistency: Consistency
    root: str
    disks: tuple[dict[str, Any], ...]
    reason: str = ""
    holds: tuple[str, ...] = ()
    verified: float | None = None
    fault: Fault | None = None

    @property
    def size(self) -> int:
        """Bytes of all its disks."""
        return sum(int(disk["size"]) for disk in self.disks)

    @property
    def good(self) -> bool:
        """Whether it shows one instant and is not known to be damaged."""
        return self.consistency.one_instant and self.state is ImageState.AVAILABLE

    @property
    def pinned(self) -> bool:
        """Whether a person pinned it."""
        return PIN in self.holds


#: The hold a person puts on an image; other holds are ``verification:<id>``, ``export:<id>``.
PIN = "pin"

#: What an image job holds at the destination while it is unfinished.
INTERMEDIATE = "No_Delete_SMC_Transition_Instance"


class ResourceState(StrEnum):
    """Where an intermediate resource is; recorded before the thing itself changes."""

    HELD = "Held"
    RELEASING = "Releasing"
    RELEASED = "Released"


@dataclass(frozen=True, slots=True)
class Resource:
    """What a job holds at the destination: its staging area."""

    id: str
    name: str
    job_id: str
    state: ResourceState
    created: float
    size: int = 0
    released: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of history: when, who, what, about which job, source or image, result."""

    id: int
    at: float
    actor: str
    action: str
    result: str
    source_id: str = ""
    job_id: str = ""
    run_id: str = ""
    image_id: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
