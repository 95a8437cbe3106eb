"""Any history of a store: writes, images, deletions, collections, crashes, damage.

Hypothesis makes up the histories; a plain table of what every image must hold
is the other side. Two jobs and sessions that stay open across other steps are
part of it, and after every step each image reads back byte for byte.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from smc_tui.images import NO_CHUNKS, ChangeMap, name_of
from smc_tui.images.blocks import split
from smc_tui.images.packs import HEADER
from tests.images.world import ALGORITHM, Disk, World, block, image_of, names_of, put

PLACES = st.sampled_from([0, 1, 256])
SEEDS = st.integers(0, 5)
JOB_IDS = ["j-00000001", "j-00000002"]
JOBS = st.sampled_from(JOB_IDS)


class Run:
    """A run of a job under way, in three steps that others may come between."""

    def __init__(self, world: World, job: str, disk: Disk) -> None:
        self.world = world
        self.disk = dict(disk)
        self.held = ExitStack()
        self.session = self.held.enter_context(world.store.session(job))
        path = world.home / "staging" / job / "disk0.map"
        self.known = self.held.enter_context(ChangeMap.open(path, world.size, ALGORITHM))
        self.heal = world.store.segments_to_heal(self.known)
        self.root = b""
        self.changed: dict[int, bytes] = {}
        self.have: set[bytes] = set()
        self.look()

    def look(self) -> None:
        """Compare with the change map; ask the store for what changed."""
        for segment in range(self.world.segments):
            names = names_of(self.disk, segment)
            record = None if segment in self.heal else self.known.get(segment)
            if record is None or record[1] != name_of(names):
                self.changed[segment] = names
                self.have |= self.session.have(split(names))
            self.root += name_of(names)

    def fill(self) -> None:
        """Transfer what was lacking then; believe what was there."""
        wanted = {name for names in self.changed.values() for name in split(names)}
        texts = {name_of(text): text for text in self.disk.values()}
        put(self.session, [texts[name] for name in sorted(wanted - self.have)])
        for segment, names in self.changed.items():
            self.known.set(segment, NO_CHUNKS, self.session.put_list(names))
        self.changed = {}
        self.session.checkpoint()
        self.known.flush()

    def publish(self, image: str) -> None:
        self.session.publish(image_of(image, [(self.world.size, self.root)]))
        self.held.close()

    def kill(self) -> None:
        self.session.close(keep=False)
        self.known.close()


class Store(RuleBasedStateMachine):
    """The store beside the table of what it must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.world = World(self.folder / "home")
        self.disks: dict[str, Disk] = {job: {0: block(1), 1: block(2)} for job in JOB_IDS}
        self.kept: dict[str, Disk] = {}
        self.runs: dict[str, Run] = {}
        self.count = 0
        self.rotten: set[bytes] = set()

    def teardown(self) -> None:
        for run in self.runs.values():
            run.held.close()
        self.world.close()
        shutil.rmtree(self.folder)

    # What happens to sources and runs ----------------------------------------

    @rule(job=JOBS, place=PLACES, seed=SEEDS)
    def write(self, job: str, place: int, seed: int) -> None:
        if seed:
            self.disks[job][place] = block(seed)
        else:
            self.disks[job].pop(place, None)

    @rule(job=JOBS)
    def step(self, job: str) -> None:
        """Do the next step of a job's run: look, fill, publish."""
        run = self.runs.get(job)
        if run is None:
            self.runs[job] = Run(self.world, job, self.disks[job])
        elif run.changed:
            self._fill(run)
        else:
            self._publish(job)

    @rule(job=JOBS)
    def finish(self, job: str) -> None:
        """Do all steps of a job's run, or the rest of them."""
        if job not in self.runs:
            self.runs[job] = Run(self.world, job, self.disks[job])
        self._fill(self.runs[job])
        self._publish(job)

    def _fill(self, run: Run) -> None:
        run.fill()
        self.rotten -= {name_of(text) for text in run.disk.values()}

    def _publish(self, job: str) -> None:
        self.count += 1
        image = f"m-{self.count:08x}"
        run = self.runs.pop(job)
        run.publish(image)
        self.kept[image] = run.disk

    @precondition(lambda self: self.runs)
    @rule(job=JOBS)
    def kill(self, job: str) -> None:
        if job in self.runs:
            self.runs.pop(job).kill()

    @rule(job=JOBS)
    def release(self, job: str) -> None:
        if job not in self.runs:
            shutil.rmtree(self.world.home / "staging" / job, ignore_errors=True)

    # What happens to the store -----------------------------------------------

    @precondition(lambda self: self.kept)
    @rule(which=st.integers(0, 9))
    def remove(self, which: int) -> None:
        image = sorted(self.kept)[which % len(self.kept)]
        self.world.store.remove(image)
        del self.kept[image]

    @rule()
    def collect(self) -> None:
        self.world.store.collect()

    @rule()
    def check(self) -> None:
        report = self.world.store.check()
        assert report.ok or self.rotten

    @precondition(lambda self: not self.runs)
    @rule()
    def rebuild_the_index(self) -> None:
        self.world.store.rebuild_index()
        if self.rotten:  # the new index has never heard of the rotten ones
            self.world.store.check()

    @precondition(lambda self: not self.runs)
    @rule()
    def reopen(self) -> None:
        self.world.close()
        self.world = World(self.world.home)

    @precondition(lambda self: self.kept and not self.runs)
    @rule(which=st.integers(0, 9))
    def rot(self, which: int) -> None:
        """Spoil a record on the disk; the check finds it, the next transfer heals it."""
        kept = {name_of(text) for disk in self.kept.values() for text in disk.values()}
        names = sorted(kept - self.rotten)
        if not names:
            return
        name = names[which % len(names)]
        pack, offset, length = self.world.store._index().places([name])[name][:3]
        with (self.world.store.paths.packs / f"{pack:016x}.pack").open("r+b") as file:
            file.seek(offset + HEADER + length // 2)
            (byte,) = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte ^ 0x55]))
        if not self.world.store.check().ok:  # else a second copy, put meanwhile, took its place
            self.rotten.add(name)

    # What is always so -------------------------------------------------------

    @invariant()
    def every_image_is_whole_but_for_the_rot(self) -> None:
        assert self.world.store.images() == sorted(self.kept)
        for image, disk in self.kept.items():
            if not self.rotten & {name_of(text) for text in disk.values()}:
                assert self.world.read(image) == disk

    @precondition(lambda self: not self.runs and not self.rotten)
    @rule()
    def nothing_is_kept_in_vain(self) -> None:
        for job in self.disks:
            self.release(job)
        self.world.store.collect()
        stats = self.world.store.stats()
        assert stats.blocks == self.world.blocks_on(*self.kept.values())
        assert (stats.condemned, stats.damaged, stats.removed, stats.sessions) == (0, 0, 0, 0)
        assert stats.bytes_dead <= stats.bytes_on_disk / 5


TestStore = Store.TestCase
TestStore.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
