"""Change maps: hints that may be lost, and may never be wrong."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from smc_tui.images import NO_CHUNKS, SEGMENT, ChangeMap
from smc_tui.images.changemap import CHUNKS, HEADER, RECORD, map_health, read_lists
from smc_tui.images.files import Files
from smc_tui.model.errors import SmcError
from tests.images.faulty import Fault, FaultyFiles

BLAKE3, BLAKE2 = "blake3-1m", "blake2b-1m"
SIZE = 10 * SEGMENT - 5


def _record(seed: int) -> tuple[bytes, bytes]:
    chance = random.Random(seed)
    return chance.randbytes(CHUNKS), chance.randbytes(32)


def _filled(path: Path, *segments: int, size: int = SIZE) -> None:
    with ChangeMap.open(path, size, BLAKE3) as known:
        for segment in segments:
            known.set(segment, *_record(segment))
        known.flush()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "staging" / "j-00000001" / "disk0.map"


def test_what_is_flushed_is_known_again(path: Path) -> None:
    _filled(path, 0, 1, 2, 7, 9)
    with ChangeMap.open(path, SIZE, BLAKE3) as known:
        assert [known.get(n) == _record(n) for n in (0, 1, 2, 7, 9)] == [True] * 5
        assert [known.get(n) for n in (3, 4, 5, 6, 8)] == [None] * 5
        assert list(known.lists()) == [_record(n)[1] for n in (0, 1, 2, 7, 9)]
    assert list(read_lists(path)) == [_record(n)[1] for n in (0, 1, 2, 7, 9)]


def test_what_is_not_flushed_is_known_here_and_forgotten_after(path: Path) -> None:
    with ChangeMap.open(path, SIZE, BLAKE3) as known:
        known.set(4, *_record(4))
        assert known.get(4) == _record(4)
        assert known.waiting == 1
        assert list(known.lists()) == []
    with ChangeMap.open(path, SIZE, BLAKE3) as known:
        assert known.get(4) is None


def test_a_batch_is_what_was_set_before_it_was_taken(path: Path) -> None:
    with ChangeMap.open(path, SIZE, BLAKE3) as known:
        known.set(1, *_record(1))
        batch = known.take()
        known.set(2, *_record(2))
        known.set(1, *_record(11))
        assert known.get(1) == _record(11)
        known.flush(batch)
        assert list(read_lists(path)) == [_record(1)[1]]
        assert known.get(1) == _record(11)
        assert known.get(2) == _record(2)
        assert known.waiting == 2
        known.flush()
        assert known.waiting == 0
    assert list(read_lists(path)) == [_record(11)[1], _record(2)[1]]


def test_another_algorithm_keeps_the_lists(path: Path) -> None:
    _filled(path, 0, 5, 9)
    with ChangeMap.open(path, SIZE, BLAKE2) as known:
        assert known.get(5) == (NO_CHUNKS, _record(5)[1])
        assert known.get(4) is None
        assert list(known.lists()) == [_record(n)[1] for n in (0, 5, 9)]


def test_a_shrunk_disk_starts_empty(path: Path) -> None:
    _filled(path, 0, 5, 9)
    with ChangeMap.open(path, SIZE - SEGMENT, BLAKE3) as known:
        assert list(known.lists()) == []
        assert known.get(0) is None


def test_a_grown_disk_keeps_what_it_knows(path: Path) -> None:
    _filled(path, 0, 5, 9)
    with ChangeMap.open(path, SIZE + 3 * SEGMENT, BLAKE3) as known:
        assert known.get(0) == _record(0)
        # The last segment had no whole end: its digests were of something else.
        assert known.get(9) == (NO_CHUNKS, _record(9)[1])
        assert known.get(12) is None
        known.set(12, *_record(12))
        known.flush()
    with ChangeMap.open(path, SIZE + 3 * SEGMENT, BLAKE3) as known:
        assert known.get(12) == _record(12)
        assert known.get(9) == (NO_CHUNKS, _record(9)[1])


def test_a_disk_grown_from_whole_segments_keeps_all(path: Path) -> None:
    _filled(path, 0, 9, size=10 * SEGMENT)
    with ChangeMap.open(path, 11 * SEGMENT, BLAKE3) as known:
        assert known.get(9) == _record(9)


@pytest.mark.parametrize("offset", [HEADER + 5 * RECORD, HEADER + 6 * RECORD - 1])
def test_a_damaged_record_is_unknown_and_no_other(path: Path, offset: int) -> None:
    _filled(path, 4, 5, 6)
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
    assert "1 records are damaged" in map_health(path)
    with ChangeMap.open(path, SIZE, BLAKE3) as known:
        assert known.get(5) is None
        assert list(known.lists()) == [_record(4)[1], _record(6)[1]]
        known.set(5, *_record(5))
        known.flush()
    assert map_health(path) == ""


@pytest.mark.parametrize("length", [0, 1, HEADER - 1, HEADER, HEADER + RECORD - 1])
def test_a_map_cut_short_knows_less(path: Path, length: int) -> None:
    _filled(path, 0, 1)
    with path.open("r+b") as file:
        file.truncate(length)
    with ChangeMap.open(path, SIZE, BLAKE3) as known:
        assert known.get(0) is None
        assert list(known.lists()) == []
        known.set(1, *_record(1))
        known.flush()
        assert known.get(1) == _record(1)


@pytest.mark.parametrize("segment", [-1, 10, 1 << 40])
def test_there_is_no_record_beside_the_disk(path: Path, segment: int) -> None:
    with ChangeMap.open(path, SIZE, BLAKE3) as known:
        with pytest.raises(ValueError, match="segment"):
            known.get(segment)
        with pytest.raises(ValueError, match="segment"):
            known.set(segment, *_record(1))
        with pytest.raises(ValueError, match="record"):
            known.set(0, b"", b"")
    with pytest.raises(ValueError, match="algorithm"):
        ChangeMap.open(path, SIZE, "an algorithm of a long name")


@pytest.mark.parametrize("fault", list(Fault))
def test_any_call_may_fail(path: Path, fault: Fault) -> None:
    """Whatever fails while a map is converted, grown and written: it tells no lies."""
    at = 0
    while True:
        at += 1
        path.unlink(missing_ok=True)
        _filled(path, *range(10))
        files = FaultyFiles(at, fault)
        _convert_grow_and_write(path, files)
        with ChangeMap.open(path, SIZE + SEGMENT, BLAKE2) as known:
            for segment in range(10):
                found = known.get(segment)
                assert found in (
                    None,
                    _record(segment),
                    (NO_CHUNKS, _record(segment)[1]),
                    _record(segment + 100),
                )
        if not files.struck:
            break
    assert at > 4


def _convert_grow_and_write(path: Path, files: Files) -> None:
    from tests.images.faulty import Died

    try:
        with ChangeMap.open(path, SIZE, BLAKE2, files) as known:
            known.set(9, *_record(9))
            known.flush()
        with ChangeMap.open(path, SIZE + SEGMENT, BLAKE2, files) as known:
            for segment in (2, 3, 4, 8):
                known.set(segment, *_record(segment + 100))
            known.flush()
    except (SmcError, Died):
        pass
