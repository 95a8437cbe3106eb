"""What a dead writer leaves in its pack: kept as far as it proves whole."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from smc_tui.images import BLOCK, name_of
from smc_tui.images.files import Files
from smc_tui.images.packs import HEADER
from tests.images.world import World, block, put

TEXTS = [block(seed) for seed in (1, 2, 4, 5, 7)]
NAMES = [name_of(text) for text in TEXTS]


def _die(world: World, checkpoint_after: int = 0) -> Path:
    """Write the texts, acknowledge some, and end without a farewell; return the pack."""
    session = world.store.session("r")
    for text in TEXTS[:checkpoint_after]:
        put(session, [text])
    session.checkpoint()
    for text in TEXTS[checkpoint_after:]:
        put(session, [text])
    session.close(keep=False)
    (pack,) = world.store.paths.packs.iterdir()
    return pack


@pytest.mark.parametrize("acknowledged", [0, 2])
def test_the_next_session_has_all_that_reached_the_file(world: World, acknowledged: int) -> None:
    _die(world, acknowledged)
    with world.store.session("r") as session:
        assert session.have(NAMES) == set(NAMES)
    report = world.store.check()
    assert report.ok
    assert report.records == len(TEXTS)


@pytest.mark.parametrize("cut", [1, BLOCK // 2, BLOCK, BLOCK + HEADER - 1])
def test_a_torn_end_is_cut_off(world: World, cut: int) -> None:
    pack = _die(world, 2)
    size = pack.stat().st_size
    os.truncate(pack, size - cut)
    with world.store.session("r") as session:
        assert session.have(NAMES) == set(NAMES[:4])
        put(session, [TEXTS[4]])
    assert pack.stat().st_size == 4 * (HEADER + BLOCK)
    assert world.store.check().records == len(TEXTS)


def test_rot_in_a_tail_costs_one_record(world: World) -> None:
    pack = _die(world, 1)
    with pack.open("r+b") as file:
        file.seek(2 * (HEADER + BLOCK) + HEADER)
        file.write(b"rotten")
    with world.store.session("r") as session:
        assert session.have(NAMES) == {*NAMES[:2], *NAMES[3:]}


@pytest.mark.parametrize("kept", [0, 3])
def test_a_tail_of_zeros_is_cut_off(world: World, kept: int) -> None:
    """What a power cut may leave: the length is there, the bytes are not."""
    pack = _die(world, 0)
    length = kept * (HEADER + BLOCK)
    os.truncate(pack, length)
    os.truncate(pack, 5 * (HEADER + BLOCK))
    with world.store.session("r") as session:
        assert session.have(NAMES) == set(NAMES[:kept])
    if kept:
        assert pack.stat().st_size == length
    else:
        assert not pack.exists()


def test_the_living_are_left_alone(world: World) -> None:
    with world.store.session("living") as living:
        put(living, TEXTS)
        with world.store.session("other") as other:
            assert other.have(NAMES) == set()
        world.store.collect()
        assert living.have(NAMES) == set(NAMES)
        living.checkpoint()
        with world.store.session("other") as other:
            assert other.have(NAMES) == set(NAMES)


def test_two_sessions_recover_one_tail(world: World) -> None:
    pack = _die(world, 0)
    with pack.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)  # somebody is at it already
        with world.store.session("late") as late:
            assert late.have(NAMES) == set()
    with world.store.session("late") as late:
        assert late.have(NAMES) == set(NAMES)


def test_a_pack_is_read_back_from_the_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that a failed fsync left clean are dropped before they are believed."""
    calls: list[str] = []

    class Telling(Files):
        def before(self, call: str, path: Path) -> None:
            if path.suffix == ".pack" or path.name == "packs":
                calls.append(call)

    def advise(fd: int, offset: int, length: int, advice: int) -> None:
        assert (offset % 4096, length, advice) == (0, 0, os.POSIX_FADV_DONTNEED)
        calls.append("drop")

    world = World(home)
    _die(world, 1)
    world.close()
    world = World(home, Telling())
    monkeypatch.setattr(os, "posix_fadvise", advise)
    with world.store.session("r") as session:
        assert session.have(NAMES) == set(NAMES)
    assert calls == ["fsync", "fsync_dir", "drop"]
    world.close()
