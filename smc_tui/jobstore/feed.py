"""What a console shows, kept in step with the job store at the cost of what changed.

``look`` asks SQLite for its data version (3 microseconds) and returns at once when no
process has written anything. Otherwise it reads the jobs, decodes those whose rows
differ from the last look, and takes in the rest only when the history has grown:
everything but progress comes with an event.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from smc_tui.jobstore import rows
from smc_tui.jobstore.store import JobStore
from smc_tui.model.actions import NO_ABILITIES, Ability
from smc_tui.model.things import Event, Image, Job, Resource, Source

#: Lines of history that a snapshot carries.
EVENTS = 200


@dataclass(frozen=True, slots=True)
class EngineView:
    """The engine as others see it.

    Attributes:
        alive: whether one serves the home now.
        started: when the last one started, POSIX seconds; None: there was none.
        ahead: seconds that its clock is ahead of this machine's.
        abilities: what it is able to beyond what every engine is.
        down: when it was first seen not to be there, POSIX seconds of this machine.
    """

    alive: bool = False
    pid: int = 0
    version: str = ""
    started: float | None = None
    time_lapse: float = 1.0
    ahead: float = 0.0
    abilities: frozenset[Ability] = NO_ABILITIES
    down: float | None = None

    def here(self, at: float) -> float:
        """Return what this machine's clock shows at an instant of the engine's.

        Of a clock in time-lapse the instant itself: what is an hour to it is none here.
        """
        return at if self.time_lapse != 1.0 else at - self.ahead


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of the job store. Jobs and sources keep their order and identity."""

    version: int = 0
    jobs: Mapping[str, Job] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)
    resources: Mapping[str, Resource] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    engine: EngineView = EngineView()
    read: float = 0.0

    def images_of(self, job_id: str) -> list[Image]:
        """Return a job's images, oldest first."""
        return [image for image in self.images.values() if image.job_id == job_id]


class Feed:
    """The newest snapshot, read again when asked.

    Args:
        store: an open job store; no other thread uses it meanwhile.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._raw: dict[str, tuple[object, ...]] = {}
        self._events: deque[Event] = deque(maxlen=EVENTS)
        self._newest = -1
        self.snapshot = Snapshot()

    def look(self) -> bool:
        """Bring the snapshot up to date; tell whether anything but its age changed.

        Raises:
            SmcError: JobStore.*, Home.*; the snapshot stays what it was.
        """
        self._store.check_place()
        version = self._store.data_version()
        alive = self._store.engine_alive()
        same = version == self.snapshot.version and self._newest >= 0
        if same and alive == self.snapshot.engine.alive:
            self.snapshot = replace(self.snapshot, read=time.time())
            return False
        with self._store.snapshot():
            fresh = self._fresh_events()
            jobs = self._jobs()
            engine = self._engine(alive)
            changed: dict[str, object] = {}
            if fresh or self.snapshot.read == 0.0:
                changed = self._rest()
        self.snapshot = replace(
            self.snapshot,
            version=version,
            jobs=jobs,
            engine=engine,
            events=tuple(self._events),
            read=time.time(),
            **changed,  # type: ignore[arg-type]
        )
        return True

    def _fresh_events(self) -> bool:
        fresh = self._store.recent_events(EVENTS, after=max(0, self._newest))
        self._events.extend(fresh)
        first = self._newest < 0
        self._newest = fresh[-1].id if fresh else max(0, self._newest)
        return bool(fresh) or first

    def _jobs(self) -> Mapping[str, Job]:
        before = self.snapshot.jobs
        raw: dict[str, tuple[object, ...]] = {}
        jobs: dict[str, Job] = {}
        for row in self._store.job_rows():
            cells = tuple(row)
            identity = row["id"]
            raw[identity] = cells
            same = self._raw.get(identity) == cells
            jobs[identity] = before[identity] if same else rows.job_of(row)
        self._raw = raw
        return jobs

    def _engine(self, alive: bool) -> EngineView:
        row = self._store.engine()
        down = None if alive else self.snapshot.engine.down or time.time()
        if row is None:
            return EngineView(alive, down=down)
        known = self.snapshot.engine
        return EngineView(
            alive,
            row.pid,
            row.version,
            row.started,
            row.time_lapse,
            ahead=max(0.0, row.clock_offset),
            abilities=known.abilities
            if known.started == row.started
            else self._store.engine_abilities(),
            down=down,
        )

    def _rest(self) -> dict[str, object]:
        images = {image.id: image for image in self._store.images()}
        kept: dict[str, int] = {}
        for image in images.values():
            kept[image.job_id] = kept.get(image.job_id, 0) + 1
        return {
            "sources": {source.id: source for source in self._store.sources()},
            "images": images,
            "kept": kept,
            "resources": {each.job_id: each for each in self._store.resources_held()},
        }
