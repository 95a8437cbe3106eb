"""Every durable call of a small life of a store fails once, or is the last one made.

The life: a full image, two incremental ones, one image removed, a collection
that rewrites packs, the index made anew, an export. Whatever call is struck, whatever by:

    every image that is listed reads back byte for byte
    every image whose publishing was acknowledged is listed
    the store checks clean after it is opened again
    doing the rest of the life then works, and comes to the same end
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from smc_tui.images import BLOCK, ZERO_BLOCK, name_of
from smc_tui.images.files import Files
from smc_tui.model.errors import SmcError
from tests.images.faulty import Died, Fault, FaultyFiles
from tests.images.world import Disk, World, block, put, sample

A, B, C = "m-0000000a", "m-0000000b", "m-0000000c"

FIRST = sample(2, *range(1, 12))
SECOND = FIRST | {number: block(number + 50) for number in (0, 1, 300)}
THIRD = {number: text for number, text in SECOND.items() if number % 2} | {2: block(77)}
DISKS: dict[str, Disk] = {A: FIRST, B: SECOND, C: THIRD}


def _publish(image: str) -> Callable[[World], None]:
    def step(world: World) -> None:
        if image not in world.store.images():  # else it was adopted: the engine looks first
            world.synchronise(image, DISKS[image])

    return step


def _remove(image: str) -> Callable[[World], None]:
    def step(world: World) -> None:
        if image in world.store.images():
            world.store.remove(image)

    return step


def _collect(world: World) -> None:
    world.store.collect()


def _rebuild(world: World) -> None:
    world.store.rebuild_index()


def _export(world: World) -> None:
    target = world.home / "export.raw"
    if not target.exists():
        world.store.export(B, 0, target)


STEPS: list[tuple[Callable[[World], None], set[str]]] = [
    (_publish(A), {A}),
    (_publish(B), {A, B}),
    (_remove(A), {B}),
    (_publish(C), {B, C}),
    (_collect, {B, C}),
    (_rebuild, {B, C}),
    (_export, {B, C}),
]
"""What is done, and the images that there are after it."""


def _live(home: Path, files: Files, done: int) -> int:
    """Do the steps from the ``done``-th on; return how many were done when it ended."""
    world: World | None = None
    try:
        world = World(home, files)
        for step, _ in STEPS[done:]:
            step(world)
            done += 1
    except (SmcError, Died):
        pass
    finally:
        if world is not None:
            world.close()
    return done


def _examine(home: Path, done: int) -> None:
    """Hold the store against what must be true after ``done`` steps and perhaps half of one."""
    world = World(home)
    acknowledged = STEPS[done - 1][1] if done else set()
    under_way = STEPS[done][1] if done < len(STEPS) else acknowledged
    listed = set(world.store.images())
    assert listed in (acknowledged, under_way)
    for image in listed:
        assert world.read(image) == DISKS[image]
    report = world.store.check()
    assert report.ok, report
    assert not report.index_rebuilt
    world.close()
    target = home / "export.raw"
    if target.exists():
        _compare(target, SECOND, world.size)


def _compare(target: Path, disk: Disk, size: int) -> None:
    """Hold an exported file against a disk: its blocks, and nothing but holes beside them."""
    assert target.stat().st_size == size
    assert target.stat().st_blocks * 512 <= len(disk) * BLOCK
    with target.open("rb") as file:
        for number, text in disk.items():
            file.seek(number * BLOCK)
            assert file.read(BLOCK).ljust(BLOCK, b"\0") == text


@pytest.mark.parametrize("fault", list(Fault))
def test_any_call_may_fail(home: Path, fault: Fault) -> None:
    at = 0
    while True:
        at += 1
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        files = FaultyFiles(at, fault)
        done = _live(home, files, 0)
        if not files.struck:
            break
        _examine(home, done)
        assert _live(home, Files(), done) == len(STEPS)
        _examine(home, len(STEPS))
        _expect_the_same_end(home)
    assert at > (20 if "half" in fault else 60), "the life has become too short to be a test"


def _expect_the_same_end(home: Path) -> None:
    world = World(home)
    world.forget_map()
    world.store.collect()
    stats = world.store.stats()
    assert stats.blocks == world.blocks_on(SECOND, THIRD)
    assert stats.bytes_dead <= stats.bytes_on_disk / 5 + 1
    assert {path.name for path in world.store.paths.root.rglob("*.tmp")} == set()
    world.close()


def test_a_write_that_failed_counts_for_nothing_and_the_session_goes_on(home: Path) -> None:
    files = FaultyFiles(-9, Fault.TORN)
    world = World(home, files)
    with world.store.session("r") as session:
        put(session, [block(1), block(2)])
        files.at = files.calls + 1
        with pytest.raises(SmcError) as caught:
            put(session, [block(4), block(5)])
        assert caught.value.code == "Destination.Full"
        put(session, [block(7)])
    with world.store.session("r") as session:
        names = [name_of(block(seed)) for seed in (1, 2, 4, 5, 7)]
        assert session.have(names) == {names[0], names[1], names[4]}
    assert world.store.check().records == 3
    world.close()


@pytest.mark.parametrize("first", ["zeros", "a write that fails"])
def test_a_new_pack_is_in_its_folder_before_it_is_acknowledged(home: Path, first: str) -> None:
    """Also if the first thing that was to go into it did not, and a checkpoint came between."""
    calls: list[str] = []

    class Telling(FaultyFiles):
        def before(self, call: str, path: Path) -> None:
            calls.append(f"{call} {path.name}")
            super().before(call, path)

    files = Telling(-9, Fault.TORN)
    world = World(home, files)
    with world.store.session("r") as session:
        if first == "zeros":
            assert session.put([(ZERO_BLOCK, 0, memoryview(bytes(BLOCK)))]) == 0
        else:
            files.at = files.calls + 1
            with pytest.raises(SmcError):
                put(session, [block(1)])
        session.checkpoint()
        calls.clear()
        put(session, [block(2)])
        session.checkpoint()
    assert calls.index("fsync_dir packs") < calls.index("commit index.db")
    world.close()


def test_after_a_failed_fsync_nothing_is_believed(home: Path) -> None:
    """The kernel drops what it could not write and calls it clean: no second try may succeed."""

    class FailingSync(Files):
        failing = False

        def before(self, call: str, path: Path) -> None:
            if self.failing and call == "fsync" and path.suffix == ".pack":
                self.failing = False
                raise OSError(5, "Input/output error")

    files = FailingSync()
    world = World(home, files)
    kept, doubtful = block(1), block(2)
    with world.store.session("r") as session:
        put(session, [kept])
        session.checkpoint()
        put(session, [doubtful])
        files.failing = True
        for _ in range(2):
            with pytest.raises(SmcError) as caught:
                session.checkpoint()
            assert caught.value.code == "Destination.IoError"
        with pytest.raises(SmcError):
            put(session, [block(4)])
        with pytest.raises(SmcError):
            session.have([name_of(kept)])
    with world.store.session("r") as session:
        assert session.have([name_of(kept), name_of(doubtful)]) == {name_of(kept)}
    world.close()
