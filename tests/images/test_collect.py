"""Collecting beside sessions: whatever happens between any two of its steps, nothing is lost.

The intruder acts at a chosen point of a running collection: before or after
each of its transactions, before each of its other durable calls, between the
roots that it reads. All points are tried, and every third pair of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import combinations_with_replacement
from pathlib import Path

import pytest

from smc_tui.images import ImageManifest, Session, name_of
from smc_tui.images.files import Files
from smc_tui.images.index import Index, Use
from tests.images.world import Disk, World, block, image_of, names_of, put, sample

A, B, C, D = "m-0000000a", "m-0000000b", "m-0000000c", "m-0000000d"
OLD = sample(2, *range(1, 8))
KEPT = {0: block(20), 1: block(21), 300: block(1)}

Act = Callable[[], None]


class Intruder(Files):
    """Does the given acts, in order, at the given points of what a store does."""

    def __init__(self) -> None:
        self.plan: list[tuple[int, Act]] = []
        self.points = 0
        self._busy = False

    def before(self, call: str, path: Path) -> None:
        if call != "commit":  # there a transaction is open: nobody else gets in
            self.point()

    def progress(self, _doing: str, _done: int, _total: int) -> None:
        self.point()

    def point(self) -> None:
        if self._busy:
            return
        self.points += 1
        while self.plan and self.plan[0][0] <= self.points:
            self._act()

    def finish(self) -> None:
        """Do what is left of the plan."""
        while self.plan:
            self._act()

    def _act(self) -> None:
        act = self.plan.pop(0)[1]
        self._busy = True
        try:
            act()
        finally:
            self._busy = False


@pytest.fixture
def intruder(monkeypatch: pytest.MonkeyPatch) -> Intruder:
    made = Intruder()
    plain = Index.writing

    @contextmanager
    def writing(index: Index) -> Iterator[None]:
        made.point()
        with plain(index):
            yield
        made.point()

    def usage(index: Index) -> dict[int, Use]:
        made.point()
        used = plain_usage(index)
        made.point()
        return used

    plain_usage = Index.usage
    monkeypatch.setattr(Index, "writing", writing)
    monkeypatch.setattr(Index, "usage", usage)
    return made


class Job:
    """A run in pieces, to be put between the steps of a collection."""

    def __init__(self, world: World, image: str, disk: Disk) -> None:
        self.world = world
        self.image = image
        self.disk = disk
        self.held = ExitStack()
        self.session: Session
        self.old: ImageManifest

    def open(self) -> None:
        self.session = self.held.enter_context(self.world.store.session(self.image))

    def look(self) -> None:
        names = [name_of(text) for text in self.disk.values()]
        have = self.session.have(names)
        self.lacking = [text for text in self.disk.values() if name_of(text) not in have]

    def take(self, image: str) -> None:
        self.old = self.world.store.manifest(image)

    def fill(self) -> None:
        put(self.session, self.lacking)
        for segment in range(self.world.segments):
            self.session.put_list(names_of(self.disk, segment))
        self.session.checkpoint()

    def publish(self) -> None:
        lists = b"".join(name_of(names_of(self.disk, n)) for n in range(self.world.segments))
        self.session.publish(image_of(self.image, [(self.world.size, lists)]))

    def publish_old(self) -> None:
        self.session.publish(image_of(self.image, [(self.world.size, self.old.disks[0].segments)]))

    def close(self) -> None:
        self.held.close()


def _collect(world: World, intruder: Intruder) -> None:
    intruder.points = 0
    world.store.collect(intruder.progress)


def _settle(world: World, images: dict[str, Disk]) -> None:
    """Hold the store against what it must have, with nobody at work; let it become empty."""
    for _ in range(2):
        world.store.collect()
        for image, disk in images.items():
            assert world.read(image) == disk
    assert world.store.check().ok
    assert world.store.stats().blocks == world.blocks_on(*images.values())
    for image in images:
        world.store.remove(image)
    world.store.collect()
    assert world.store.stats().bytes_on_disk == 0


def _tries(home: Path, intruder: Intruder, acts: int) -> Iterator[tuple[World, Sequence[int]]]:
    """Yield a store with an image A that was removed, and every choice of points."""
    whole = home.with_name("whole")
    world = World(whole, intruder)
    world.synchronise(A, OLD)
    world.synchronise(C, KEPT)
    world.forget_map()
    world.store.remove(A)
    world.close()
    shutil.copytree(whole, home)
    world = World(home, intruder)
    _collect(world, intruder)
    last = intruder.points + 1
    world.close()
    choices = list(combinations_with_replacement(range(1, last + 1), acts))
    # Of pairs every third: each point still stands first and second many times.
    for points in choices[:: 1 if acts == 1 else 3]:
        shutil.rmtree(home)
        shutil.copytree(whole, home)
        world = World(home, intruder)
        yield world, points
        world.close()


def test_a_session_that_comes_and_goes_meanwhile(home: Path, intruder: Intruder) -> None:
    tried = 0
    for world, (first, second) in _tries(home, intruder, 2):
        job = Job(world, B, OLD)

        def begin(job: Job = job) -> None:
            job.open()
            job.look()

        def end(job: Job = job) -> None:
            job.fill()
            job.publish()
            job.close()

        intruder.plan = [(first, begin), (second, end)]
        _collect(world, intruder)
        intruder.finish()
        _settle(world, {B: OLD, C: KEPT})
        tried += 1
    assert tried > 100


def test_a_session_that_stays_open(home: Path, intruder: Intruder) -> None:
    """It has looked; whatever is collected while it is open, what it saw is there at its end."""
    for world, (first,) in _tries(home, intruder, 1):
        job = Job(world, B, OLD)

        def begin(job: Job = job) -> None:
            job.open()
            job.look()

        intruder.plan = [(first, begin)]
        _collect(world, intruder)
        intruder.finish()
        for _ in range(3):
            world.store.collect()
        job.fill()
        job.publish()
        job.close()
        _settle(world, {B: OLD, C: KEPT})


def test_an_image_that_is_removed_while_a_session_builds_on_it(
    home: Path, intruder: Intruder
) -> None:
    """The hardest case: what the session takes over was condemned, and published since."""
    for world, (first, second) in _tries(home, intruder, 2):
        earlier, later = Job(world, B, OLD), Job(world, D, OLD)
        with world.store.session("first"):
            world.store.collect()  # A is gone, but stays a root until this session ends
            earlier.open()
            earlier.look()
            earlier.fill()
        assert world.store.collect().condemned > 0

        earlier.publish()
        earlier.close()
        later.open()
        later.take(B)

        def remove(world: World = world) -> None:
            world.store.remove(B)

        def end(later: Job = later) -> None:
            later.publish_old()
            later.close()

        intruder.plan = [(first, remove), (second, end)]
        _collect(world, intruder)
        _collect(world, intruder)
        intruder.finish()
        _settle(world, {C: KEPT, D: OLD})


def test_collections_go_on_although_a_session_is_always_open(world: World) -> None:
    world.synchronise(A, OLD)
    world.forget_map()
    previous = world.store.session("0")
    world.store.remove(A)
    rounds = 0
    while world.store.stats().blocks or world.store.stats().condemned:
        rounds += 1
        following = world.store.session(str(rounds))
        previous.close()
        previous = following
        world.store.collect()
        assert rounds < 6
    previous.close()


def test_a_condemned_block_is_readable_and_comes_back(world: World) -> None:
    world.synchronise(A, OLD)
    world.forget_map()
    names = [name_of(text) for text in OLD.values()]
    with world.store.session("early"):
        world.store.remove(A)
        world.store.collect()  # the removed image waits for the session
        early_gone = world.store.stats().removed
    assert early_gone == 1
    with world.store.session("late"):
        done = world.store.collect()
        assert done.waiting
        assert done.condemned > 0
        assert world.store.stats().condemned == done.condemned
        assert world.store.block(names[0]) in OLD.values()
        with world.store.session("user") as session:
            assert session.have(names) == set(names)
        assert world.store.stats().condemned == done.condemned - len(names)
    world.store.collect()
    assert world.store.stats().blocks == 0


def test_a_pack_being_written_is_left_alone(world: World) -> None:
    with world.store.session("r") as session:
        put(session, [block(1), block(2)])
        session.checkpoint()
        put(session, [block(4)])
        for _ in range(3):
            world.store.collect()
        put(session, [block(5)])
    assert world.store.check().records >= 2
    with world.store.session("r") as session:
        names = [name_of(block(seed)) for seed in (1, 2, 4, 5)]
        assert session.have(names) == set(names)


def test_packs_mostly_dead_are_rewritten_together(world: World) -> None:
    disks = [{number: block(10 * n + number) for number in range(10)} for n in range(1, 6)]
    for n, disk in enumerate(disks):
        world.synchronise(f"m-0000000{n}", disk)
    world.forget_map()
    last = {number: disk[number] for number, disk in enumerate(disks)}
    world.synchronise(A, last)
    world.forget_map()
    for n in range(5):
        world.store.remove(f"m-0000000{n}")
    done = world.store.collect()
    assert done.packs_rewritten == 5
    assert done.bytes_freed > 0
    assert world.read(A) == last
    stats = world.store.stats()
    assert stats.blocks == 5
    assert stats.bytes_dead == 0
    assert stats.packs <= 2


def test_what_the_dead_left_is_swept_away(world: World) -> None:
    world.synchronise(A, OLD)
    strays = [
        world.store.paths.manifests / "m-00000001.manifest.12345678.tmp",
        world.map_path.parent / "disk0.map.12345678.tmp",
        world.store.paths.sessions / "0123456789abcdef.session",
        world.store.paths.packs / "00000000000000aa.pack",
    ]
    for path in strays:
        path.write_bytes(b"")
    world.store.collect()
    assert not any(path.exists() for path in strays)
    assert world.read(A) == OLD
