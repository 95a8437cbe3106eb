"""Rot: one bit flips somewhere, a file is cut or lost. It is noticed, named and healed.

Whatever is done to the store, a read never returns a wrong byte: it returns
what was stored or raises an error with a code.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from smc_tui.images import BLOCK, ZERO_LIST, ImageStore, name_of
from smc_tui.images.check import Report
from smc_tui.images.packs import HEADER, scan
from smc_tui.model.errors import SmcError
from tests.images.world import Disk, World, block, image_of, names_of, put, sample

A, B, C = "m-0000000a", "m-0000000b", "m-0000000c"
FIRST = sample(2, *range(1, 16))
SECOND = FIRST | {number: block(number + 50) for number in (0, 1, 2, 300)}
DISKS: dict[str, Disk] = {A: FIRST, B: SECOND}
FLIPS = 25
"""Places tried for each kind of object; seeded, so that a failure comes again."""


@pytest.fixture
def home_with_images(home: Path) -> Path:
    world = World(home)
    for image, disk in DISKS.items():
        world.synchronise(image, disk)
    world.close()
    return home


def _flip(path: Path, offset: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))


def _places(home: Path, kind: str) -> list[tuple[Path, int, int]]:
    """Return (file, from, to) of every object of a kind."""
    images = home / "images"
    if kind == "manifest":
        files = list((images / "manifests").iterdir())
    elif kind == "index":
        files = [images / "index.db"]
    elif kind == "map":
        files = list(home.glob("staging/*/*.map"))
    else:
        return [
            (path, start, end)
            for path in (images / "packs").iterdir()
            for what, start, end in _records(path)
            if what == kind
        ]
    return [(path, 0, path.stat().st_size) for path in files]


def _records(path: Path) -> list[tuple[str, int, int]]:
    """Return the headers, blocks and lists of a pack: (what, from, to)."""
    with path.open("rb") as file:
        found = list(scan(file.fileno(), 0, path.stat().st_size))
    parts = []
    for offset, header, _ in found:
        parts.append(("header", offset, offset + HEADER))
        start = offset + HEADER
        parts.append(("list" if header.kind else "block", start, start + header.length))
    return parts


def _read_all(world: World) -> set[str]:
    """Read every image; return those that raise. What is returned is right."""
    broken = set()
    for image, disk in DISKS.items():
        try:
            assert world.read(image) == disk
        except SmcError as error:
            if error.code not in ("Image.BlockDamaged", "Image.ManifestDamaged"):
                raise
            broken.add(image)
    return broken


def _check(store: ImageStore) -> Report:
    report = store.check()
    assert len(report.problems) == report.found
    return report


EXPECTED: dict[str, set[str]] = {
    "header": {"block", "list"},
    "block": {"block"},
    "list": {"list"},
    "manifest": {"manifest"},
    "map": set(),
}


@pytest.mark.parametrize("kind", list(EXPECTED))
@pytest.mark.parametrize("first", ["check", "read"])
def test_one_flipped_bit_is_named_and_healed(home_with_images: Path, kind: str, first: str) -> None:
    chance = random.Random(f"{kind} {first}")
    whole = home_with_images.with_name("whole")
    home_with_images.rename(whole)
    places = _places(whole, kind)
    for _ in range(FLIPS):
        shutil.copytree(whole, home_with_images)
        path, start, end = chance.choice(places)
        path = home_with_images / path.relative_to(whole)
        _flip(path, chance.randrange(start, end), chance.randrange(8))
        _examine(home_with_images, kind, path, read_first=first == "read")
        shutil.rmtree(home_with_images)


def _examine(home: Path, kind: str, path: Path, *, read_first: bool) -> None:
    world = World(home)
    broken = _read_all(world) if read_first else set()
    report = _check(world.store)
    assert {problem.kind for problem in report.problems} <= EXPECTED[kind]
    if kind == "block" and not report.problems:
        # A compressed frame has bits without a meaning: the plain text still proves right.
        assert _read_all(world) == set()
    elif EXPECTED[kind]:
        assert report.problems, "it was not noticed"
        assert broken <= {problem.image for problem in report.problems}
        assert _read_all(world) == {problem.image for problem in report.problems}
    else:
        assert any(str(path) in note for note in report.notes), "it was not noticed"
        assert _read_all(world) == set()
    if kind == "manifest":
        assert [problem.name for problem in report.problems] == [path.stem]
    elif kind in ("block", "list"):
        damaged = {bytes.fromhex(problem.name) for problem in report.problems}
        assert damaged == world.store.damaged()
    _heal(world, set() if kind != "manifest" else {path.stem})
    world.close()


def _heal(world: World, lost: set[str]) -> None:
    """Synchronise a source that has everything: what is not lost is whole again."""
    world.synchronise(C, SECOND | FIRST)
    assert world.read(C) == SECOND | FIRST
    if world.store.damaged() - _names(SECOND):
        # Only the first image needs it: its source must be seen once more.
        world.synchronise("m-0000000d", FIRST)
    for image in lost:
        world.store.remove(image)
    report = _check(world.store)
    assert report.ok, report
    assert _read_all_but(world, lost) == set()


def _names(disk: Disk) -> set[bytes]:
    lists = {name_of(names_of(disk, segment)) for segment in range(2)}
    return lists | {name_of(text) for text in disk.values()}


def _read_all_but(world: World, lost: set[str]) -> set[str]:
    return {image for image in _read_all_listed(world) if image not in lost}


def _read_all_listed(world: World) -> set[str]:
    return {image for image in DISKS if image in world.store.images() and _is_broken(world, image)}


def _is_broken(world: World, image: str) -> bool:
    try:
        return world.read(image) != DISKS[image]
    except SmcError:
        return True


@pytest.mark.parametrize("where", ["anywhere", "rows"])
def test_one_flipped_bit_in_the_index_hurts_no_image(home_with_images: Path, where: str) -> None:
    chance = random.Random(where)
    whole = home_with_images.with_name("whole")
    home_with_images.rename(whole)
    ((path, _, size),) = _places(whole, "index")
    data = path.read_bytes()
    rows = [data.index(name_of(text)) for text in FIRST.values()]
    for _ in range(2 * FLIPS):
        shutil.copytree(whole, home_with_images)
        # A row is its name, then eight bytes of pack and some of offset.
        offset = chance.choice(rows) + chance.randrange(32 + 8)
        offset = offset if where == "rows" else chance.randrange(size)
        _flip(home_with_images / path.relative_to(whole), offset, chance.randrange(8))
        assert _examine_index(home_with_images) or where == "anywhere", "it was not noticed"
        shutil.rmtree(home_with_images)


def _examine_index(home: Path) -> bool:
    """Check, and be sure that all is right after; return whether the damage was noticed."""
    world = World(home)
    report = _check(world.store)
    assert report.ok, report
    noticed = report.index_rebuilt or report.repaired > 0
    assert not noticed or any("index" in note for note in report.notes)
    assert _read_all(world) == set()
    # A garbled name may be left, which is nobody's; a collection drops it.
    assert not world.store.damaged() & (_names(FIRST) | _names(SECOND))
    # Whatever went unnoticed is harmless to what comes, too.
    world.store.remove(A)
    world.store.collect()
    world.synchronise(C, FIRST)
    world.store.collect()
    assert world.read(B) == SECOND
    assert world.read(C) == FIRST
    assert _check(world.store).ok
    assert world.store.damaged() == set()
    world.close()
    return noticed


def test_an_index_that_is_no_database_is_made_anew(home_with_images: Path) -> None:
    (home_with_images / "images" / "index.db").write_bytes(b"nothing" * 1000)
    world = World(home_with_images)
    with pytest.raises(SmcError) as caught:
        world.store.stats()
    assert caught.value.code == "Store.IndexDamaged"
    report = world.store.check()
    assert report.ok
    assert report.index_rebuilt
    assert _read_all(world) == set()
    world.close()


def test_lost_rows_are_found_again_while_a_session_is_open(home_with_images: Path) -> None:
    world = World(home_with_images)
    with world.store.session("r"):
        with sqlite3.connect(world.store.paths.index) as db:
            lost = db.execute("DELETE FROM blocks WHERE name < x'80'").rowcount
        db.close()
        report = world.store.check()
        assert report.ok
        assert report.repaired == lost > 0
    assert _read_all(world) == set()
    world.close()


def test_a_damaged_index_waits_for_the_sessions_to_end(home_with_images: Path) -> None:
    world = World(home_with_images)
    with world.store.session("r"):
        with sqlite3.connect(world.store.paths.index) as db:
            db.execute("PRAGMA writable_schema = 1")
            db.execute("UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'packs'")
        db.close()
        report = world.store.check()
        assert not report.ok
        assert not report.index_rebuilt
        assert {problem.kind for problem in report.problems} == {"index"}
    assert world.store.check().index_rebuilt
    assert _read_all(world) == set()
    world.close()


def test_a_lost_pack_is_named_with_the_images(home_with_images: Path) -> None:
    world = World(home_with_images)
    packs = sorted(
        (home_with_images / "images" / "packs").iterdir(), key=lambda p: p.stat().st_size
    )
    lost = packs[-1]  # the first image's
    lost.unlink()
    report = _check(world.store)
    assert lost.name in {problem.name for problem in report.problems if problem.kind == "pack"}
    assert {problem.image for problem in report.problems} - {""} == {A, B}
    _heal(world, set())
    world.close()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_pack_cut_short_is_named_and_healed(home_with_images: Path, share: float) -> None:
    world = World(home_with_images)
    packs = sorted(
        (home_with_images / "images" / "packs").iterdir(), key=lambda p: p.stat().st_size
    )
    with packs[-1].open("r+b") as file:
        file.truncate(int(packs[-1].stat().st_size * share))
    report = _check(world.store)
    assert packs[-1].name in {problem.name for problem in report.problems}
    _heal(world, set())
    world.close()


def test_verify_names_the_places(home_with_images: Path) -> None:
    world = World(home_with_images)
    number, text = next((n, t) for n, t in FIRST.items() if n > 3)
    _rot(world, name_of(text))
    done = world.store.verify(A)
    assert not done.ok
    assert [(d.image, d.disk, d.offset, d.length, d.name, d.harm) for d in done.damage] == [
        (A, 0, number * BLOCK, BLOCK, name_of(text).hex(), "damaged")
    ]
    assert done.bytes == world.size
    assert world.store.damaged() == {name_of(text)}
    world.close()


def _rot(world: World, name: bytes) -> None:
    """Spoil the payload of a record."""
    with sqlite3.connect(world.store.paths.index) as db:
        rows = db.execute("SELECT pack, offset FROM blocks WHERE name = ?", [name])
        ((pack, offset),) = rows.fetchall()
    db.close()
    _flip(world.store.paths.packs / f"{pack:016x}.pack", offset + HEADER + 20, 3)


def test_a_damaged_block_is_denied_and_taken_again(home_with_images: Path) -> None:
    world = World(home_with_images)
    number, text = next(iter(FIRST.items()))
    _rot(world, name_of(text))
    with world.store.disk(A, 0) as reader, pytest.raises(SmcError) as caught:
        reader.read(number * BLOCK, 1)
    assert caught.value.code == "Image.BlockDamaged"
    assert caught.value.facts["offset"] == number * BLOCK
    with world.map() as known:
        assert world.store.segments_to_heal(known) == {number // 256}
    assert world.store.segments_to_heal(world.store.manifest(A).disks[0].segments) == {
        number // 256
    }
    with world.store.session("r") as session:
        assert session.have([name_of(text)]) == set()
        put(session, [text])
    assert world.store.damaged() == set()
    assert world.read(A) == FIRST
    world.close()


def test_no_segment_is_to_heal_when_all_is_well(home_with_images: Path) -> None:
    world = World(home_with_images)
    with world.map() as known:
        assert world.store.segments_to_heal(known) == set()
    world.close()


def test_an_image_that_names_a_damaged_list_is_not_published(home_with_images: Path) -> None:
    world = World(home_with_images)
    digest = next(d for d in world.store.manifest(B).disks[0].lists() if d != ZERO_LIST)
    _rot(world, digest)
    assert not world.store.check().ok
    with world.store.session("r") as session, pytest.raises(SmcError) as caught:
        session.publish(image_of(C, [(world.size, world.store.manifest(B).disks[0].segments)]))
    assert caught.value.code == "Image.Incomplete"
    assert C not in world.store.images()
    world.close()


def test_a_record_that_proves_whole_again_is_good_again(home_with_images: Path) -> None:
    world = World(home_with_images)
    name = name_of(next(iter(FIRST.values())))
    _rot(world, name)
    assert not world.store.check().ok
    _rot(world, name)  # the same bit: as it was
    report = world.store.check()
    assert report.ok
    assert report.restored == 1
    assert world.store.damaged() == set()
    world.close()


def test_a_collection_that_cannot_know_takes_nothing(home_with_images: Path) -> None:
    world = World(home_with_images)
    world.forget_map()
    digest = next(d for d in world.store.manifest(A).disks[0].lists() if d != ZERO_LIST)
    _rot(world, digest)
    before = world.store.stats()
    done = world.store.collect()
    assert "damaged" in done.held
    assert (done.condemned, done.swept, done.bytes_freed) == (0, 0, 0)
    assert world.store.stats().blocks == before.blocks

    world.store.remove(A)
    if digest in world.store.manifest(B).disks[0].lists():
        world.store.remove(B)
    done = world.store.collect()
    assert done.held == ""
    assert done.swept > 0
    assert world.store.check().ok
    world.close()


def test_a_collection_stops_at_a_damaged_manifest(home_with_images: Path) -> None:
    world = World(home_with_images)
    world.forget_map()
    _flip(world.store.paths.manifest(A), 100, 1)
    world.store.remove(B)
    assert A in world.store.collect().held
    with pytest.raises(SmcError) as caught:
        world.store.manifest(A)
    assert caught.value.code == "Image.ManifestDamaged"
    world.store.remove(A)
    assert world.store.collect().held == ""
    assert world.store.stats().blocks == 0
    world.close()


def test_rot_in_a_pack_to_rewrite_is_kept_as_evidence(home_with_images: Path) -> None:
    world = World(home_with_images)
    world.forget_map()
    shared = next(text for number, text in FIRST.items() if SECOND.get(number) == text)
    name = name_of(shared)
    only_first = {name_of(t) for t in FIRST.values()} - {name_of(t) for t in SECOND.values()}
    world.synchronise(C, {0: shared})
    world.forget_map()
    for image in (A, B):
        world.store.remove(image)
    _rot(world, name)
    done = world.store.collect()
    assert only_first is not None
    assert "damaged" in done.held
    assert world.store.damaged() == {name}
    with world.store.session("r") as session:
        put(session, [shared])
    assert world.store.collect().held == ""
    assert world.read(C) == {0: shared}
    assert world.store.stats().blocks == 1
    world.close()


@pytest.mark.parametrize("how", ["header", "payload"])
def test_damage_is_found_whoever_meets_it_first(
    home_with_images: Path, how: str, tmp_path: Path
) -> None:
    world = World(home_with_images)
    name = name_of(next(iter(FIRST.values())))
    with sqlite3.connect(world.store.paths.index) as db:
        ((pack, offset),) = db.execute(
            "SELECT pack, offset FROM blocks WHERE name = ?", [name]
        ).fetchall()
    db.close()
    path = world.store.paths.packs / f"{pack:016x}.pack"
    _flip(path, offset + (5 if how == "header" else HEADER + 1), 0)
    for call in (
        lambda: world.store.block(name),
        lambda: world.store.export(A, 0, tmp_path / "x"),
        lambda: world.read(A),
    ):
        _expect_damage(call)
    assert list(tmp_path.iterdir()) == []
    assert name.hex() in json.dumps([vars(p) for p in world.store.check().problems])
    world.close()


def _expect_damage(call: Callable[[], object]) -> None:
    with pytest.raises(SmcError) as caught:
        call()
    assert caught.value.code == "Image.BlockDamaged"
