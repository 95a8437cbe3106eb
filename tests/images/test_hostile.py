"""Files that somebody has tampered with: a clear error or less known, soon, in little memory."""

from __future__ import annotations

import json
import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smc_tui.images import BLOCK, NAME, SEGMENT, ZERO_LIST, ChangeMap, Encoding, PayloadError, plain
from smc_tui.images import manifest as manifests
from smc_tui.images.changemap import map_health, read_lists
from smc_tui.images.packs import (
    HEADER,
    MAGIC,
    decode_header,
    encode_header,
    proven,
    scan,
)
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Consistency
from tests.images.world import block, image_of, name_of, packed

ALLOWED = 64 << 20
ROUNDS = 200

quick = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < ALLOWED
    finally:
        tracemalloc.stop()


def mutations(whole: bytes, seed: str, rounds: int = ROUNDS) -> Iterator[bytes]:
    """Yield the bytes cut, lengthened, overwritten, with bits flipped and parts repeated."""
    chance = random.Random(seed)
    for _ in range(rounds):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 5))):
            at = chance.randrange(len(data)) if data else 0
            match chance.randrange(6):
                case 0 if data:
                    data[at] ^= 1 << chance.randrange(8)
                case 1:
                    del data[at:]
                case 2:
                    data[at:at] = chance.randbytes(chance.randrange(100))
                case 3:
                    data[at : at + 4] = struct.pack(">I", chance.choice((0, 1 << 31, 0xFFFFFFFF)))
                case 4:
                    data[at : at + 8] = b"\xff" * 8
                case _:
                    data += data[at : at + 1000]
        yield bytes(data)


# Payloads ------------------------------------------------------------------


@quick
@given(st.integers(0, 255), st.binary(max_size=300))
def test_any_payload(encoding: int, payload: bytes) -> None:
    with pytest.raises(PayloadError):
        plain(encoding, payload)


@pytest.mark.parametrize("encoding", [Encoding.ZSTD, Encoding.ZLIB])
def test_payloads_tampered_with(encoding: int) -> None:
    text = block(3)
    wrong = 0
    with little_memory():
        for payload in mutations(packed(text, encoding), f"payload {encoding}"):
            try:
                assert len(plain(encoding, payload)) == BLOCK
            except PayloadError:
                wrong += 1
    assert wrong > ROUNDS / 2


@pytest.mark.parametrize("size", [0, BLOCK - 1, BLOCK + 1, 1 << 28])
def test_bombs(size: int) -> None:
    text = bytes(size)
    bombs = [
        (Encoding.ZLIB, zlib.compress(text, 9)),
        (Encoding.ZSTD, zstandard.ZstdCompressor(level=3).compress(text)),
        (Encoding.ZSTD, zstandard.ZstdCompressor(level=3, write_content_size=False).compress(text)),
    ]
    del text
    with little_memory():
        for encoding, payload in bombs:
            with pytest.raises(PayloadError):
                plain(encoding, payload)


def test_a_frame_that_wants_a_window_of_128_mib() -> None:
    parameters = zstandard.ZstdCompressionParameters(
        window_log=27, compression_level=1, write_content_size=False
    )
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    payload = stream.compress(block(3)) + stream.flush()
    with pytest.raises(PayloadError):
        plain(Encoding.ZSTD, payload)


# Packs ---------------------------------------------------------------------


def _record(text: bytes, encoding: int = 0) -> bytes:
    payload = packed(text, encoding)
    return encode_header(0, encoding, len(payload), name_of(text)) + payload


@quick
@given(st.binary(max_size=100))
def test_any_header(data: bytes) -> None:
    assert decode_header(data) is None


@quick
@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(min_size=32))
def test_headers_are_bounded(kind: int, encoding: int, length: int, name: bytes) -> None:
    header = decode_header(encode_header(kind, encoding, length, name[:32]))
    sound = kind <= 1 and encoding <= 2 and length <= BLOCK + 1024
    assert (header is not None) == sound
    if header is not None:
        assert header == (kind, encoding, length, name[:32])


def test_packs_tampered_with(tmp_path: Path) -> None:
    texts = [block(seed) for seed in (3, 6, 9, 12, 15)]
    whole = b"".join(_record(text, 1) for text in texts)
    names = {name_of(text) for text in texts}
    lost = 0
    path = tmp_path / "pack"
    with little_memory():
        for data in mutations(whole, "pack"):
            path.write_bytes(data)
            with path.open("rb") as file:
                found = [record.header.name for record in proven(file.fileno(), 0, len(data))]
            assert set(found) <= names
            lost += len(names - set(found))
    assert 0 < lost < ROUNDS * 3


@pytest.mark.parametrize(
    "gap",
    [b"", b"x", MAGIC, MAGIC * 1000, b"SMC", bytes(5 << 20)],
    ids=lambda gap: f"{gap[:8]!r} {len(gap)}",
)
def test_records_are_found_behind_a_gap(tmp_path: Path, gap: bytes) -> None:
    path = tmp_path / "pack"
    path.write_bytes(gap + _record(block(1)) + gap + _record(block(2)) + gap)
    with path.open("rb") as file:
        found = list(proven(file.fileno(), 0, path.stat().st_size))
    assert [record.header.name for record in found] == [name_of(block(1)), name_of(block(2))]
    assert [record.offset for record in found] == [len(gap), 2 * len(gap) + HEADER + BLOCK]


def test_a_pack_of_headers_alone(tmp_path: Path) -> None:
    """Each one sound, none with a payload that fits: linear time, little memory."""
    path = tmp_path / "pack"
    empty = encode_header(0, 0, 0, bytes(32))
    liar = encode_header(0, 0, BLOCK, bytes(32))
    path.write_bytes((empty + liar[:-1]) * 50_000 + liar * 3000)
    with little_memory(), path.open("rb") as file:
        assert list(proven(file.fileno(), 0, path.stat().st_size)) == []


def test_a_record_cut_at_any_place_is_none(tmp_path: Path) -> None:
    whole = _record(block(1)) + _record(block(3), 1)
    path = tmp_path / "pack"
    path.write_bytes(whole)
    with path.open("rb") as file:
        for end in (0, 1, HEADER - 1, HEADER, HEADER + BLOCK - 1):
            assert list(scan(file.fileno(), 0, end)) == []
        for end in (HEADER + BLOCK, HEADER + BLOCK + 1, len(whole) - 1):
            assert len(list(scan(file.fileno(), 0, end))) == 1
        assert len(list(scan(file.fileno(), 0, len(whole)))) == 2


# Manifests -----------------------------------------------------------------

IMAGE = image_of("m-0000000a", [(3 * SEGMENT, ZERO_LIST * 3), (5, ZERO_LIST)])
WHOLE = b"".join(manifests.encode(IMAGE))


def _read(path: Path, data: bytes) -> manifests.ImageManifest | None:
    path.write_bytes(data)
    try:
        return manifests.read(path)
    except SmcError as error:
        if error.code not in ("Image.ManifestDamaged", "Store.Newer"):
            raise
        return None


def test_manifests_tampered_with(tmp_path: Path) -> None:
    with little_memory():
        for data in mutations(WHOLE, "manifest", 1000):
            assert _read(tmp_path / "m", data) in (None, IMAGE)


def _sealed(header: bytes, lists: bytes, version: int = 1, length: int | None = None) -> bytes:
    """Return a manifest whose digest fits, so that the rest of its reading is tried."""
    data = struct.pack(">8sII", b"SMCIMAGE", version, len(header) if length is None else length)
    data += header + lists
    return data + blake3(data).digest()


def _header(**changes: Any) -> bytes:
    at = WHOLE.index(b"{")
    (length,) = struct.unpack_from(">I", WHOLE, 12)
    document = json.loads(WHOLE[at : at + length])
    for path, value in changes.items():
        target = document
        *parents, last = path.split("__")
        for parent in parents:
            target = target[int(parent) if parent.isdigit() else parent]
        target[last] = value
    return json.dumps(document).encode()


def test_a_sealed_manifest_is_read(tmp_path: Path) -> None:
    assert _read(tmp_path / "m", _sealed(_header(), ZERO_LIST * 4)) == IMAGE


@pytest.mark.parametrize("word", Consistency)
def test_every_consistency_is_kept_in_a_manifest(tmp_path: Path, word: Consistency) -> None:
    found = _read(tmp_path / "m", _sealed(_header(consistency=str(word)), ZERO_LIST * 4))
    assert found == replace(IMAGE, consistency=str(word))
    assert _read(tmp_path / "again", b"".join(manifests.encode(found))) == found


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "../../etc"},
        {"id": 5},
        {"name": None},
        {"name": "x" * 5000},
        {"consistency": "perfect"},
        {"consistency": "Frozen"},
        {"consistency": ["frozen"]},
        {"provenance": []},
        {"disks": []},
        {"disks": None},
        {"disks": [5]},
        {"disks": [{}]},
        {"disks__0__size": -1},
        {"disks__0__size": 0},
        {"disks__0__size": 10**30},
        {"disks__0__size": 2**60},
        {"disks__0__size": 5.5},
        {"disks__0__size": True},
        {"disks__0__size": 4 * SEGMENT},
        {"disks__0__size": 2 * SEGMENT},
        {"disks__0__index": 1},
        {"disks__1__index": 0},
        {"disks__0__sector_size": 0},
        {"disks__0__sector_size": 1 << 40},
        {"disks__0__path": {}},
        {"disks__0__role": ["x"]},
    ],
    ids=str,
)
def test_a_sealed_manifest_of_nonsense(tmp_path: Path, changes: dict[str, Any]) -> None:
    with little_memory():
        assert _read(tmp_path / "m", _sealed(_header(**changes), ZERO_LIST * 4)) is None


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"disks":' * 50_000,
        b"[" + b"[]," * 300_000 + b"[]]",
        b'{"disks": ' + b"9" * 100_000 + b"}",
    ],
    ids=lambda header: f"{header[:10]!r}",
)
def test_a_sealed_header_of_nonsense(tmp_path: Path, header: bytes) -> None:
    with little_memory():
        assert _read(tmp_path / "m", _sealed(header, ZERO_LIST * 4)) is None


@pytest.mark.parametrize("length", [0, 1, 1 << 20, 1 << 31, 0xFFFFFFFF])
def test_a_sealed_manifest_that_lies_about_its_header(tmp_path: Path, length: int) -> None:
    assert _read(tmp_path / "m", _sealed(_header(), ZERO_LIST * 4, length=length)) is None


def test_a_manifest_of_a_newer_version(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(_sealed(_header(), ZERO_LIST * 4, version=2))
    with pytest.raises(SmcError) as caught:
        manifests.read(tmp_path / "m")
    assert caught.value.code == "Store.Newer"


@pytest.mark.parametrize("size", [0, 47, 1 << 26, 1 << 40])
def test_a_manifest_of_an_impossible_size(tmp_path: Path, size: int) -> None:
    path = tmp_path / "m"
    with path.open("wb") as file:
        file.truncate(size)
    with little_memory(), pytest.raises(SmcError) as caught:
        manifests.read(path)
    assert caught.value.code == "Image.ManifestDamaged"


def test_what_could_not_be_read_is_not_written() -> None:
    with pytest.raises(ValueError, match="disk 0"):
        manifests.encode(image_of("m-0000000a", [(SEGMENT, b"")]))
    with pytest.raises(ValueError, match="larger"):
        manifests.encode(image_of("m-0000000a", [(SEGMENT << 22, b"")]))
    with pytest.raises(ValueError, match="id"):
        manifests.encode(image_of("m-A", [(SEGMENT, ZERO_LIST)]))


@quick
@given(
    name=st.text(max_size=200),
    sizes=st.lists(st.integers(1, 20 * SEGMENT), min_size=1, max_size=3),
    provenance=st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.booleans()),
)
def test_what_is_written_is_read_again(
    tmp_path: Path, name: str, sizes: list[int], provenance: dict[str, Any]
) -> None:
    lists = [
        (size, b"".join([name_of(b"%d" % n) for n in range(-(-size // SEGMENT))])) for size in sizes
    ]
    image = image_of("m-0000000a", lists)
    image = manifests.ImageManifest(**{**vars(image), "name": name, "provenance": provenance})
    assert _read(tmp_path / "m", b"".join(manifests.encode(image))) == image


# Change maps ---------------------------------------------------------------


def _open_and_use(path: Path) -> None:
    list(read_lists(path))
    map_health(path)
    with ChangeMap.open(path, 20 * SEGMENT, "blake3-1m") as known:
        for segment in range(20):
            record = known.get(segment)
            assert record is None or (len(record[0]), len(record[1])) == (512, NAME)
        known.set(3, bytes(512), bytes(NAME))
        known.flush()
        assert known.get(3) == (bytes(512), bytes(NAME))


def test_maps_tampered_with(tmp_path: Path) -> None:
    path = tmp_path / "disk0.map"
    with ChangeMap.open(path, 20 * SEGMENT, "blake3-1m") as known:
        for segment in range(20):
            known.set(segment, bytes([segment]) * 512, bytes([segment]) * NAME)
        known.flush()
    whole = path.read_bytes()
    with little_memory():
        for data in mutations(whole, "map"):
            path.write_bytes(data)
            _open_and_use(path)


@pytest.mark.parametrize("size", [0, 1, SEGMENT, 20 * SEGMENT, 2**63, 2**64 - 1])
@pytest.mark.parametrize("algorithm", [b"blake3-1m", b"\xff" * 16, b"", b"x" * 16])
def test_sealed_map_headers_of_nonsense(tmp_path: Path, size: int, algorithm: bytes) -> None:
    fields = struct.pack(">8s16sQ28x", b"SMCMAP01", algorithm, size)
    path = tmp_path / "disk0.map"
    path.write_bytes(fields + struct.pack(">I", zlib.crc32(fields)) + bytes(5000))
    with little_memory():
        _open_and_use(path)


def test_a_map_larger_than_its_disk_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "disk0.map"
    with ChangeMap.open(path, 20 * SEGMENT, "blake3-1m"):
        pass
    with path.open("r+b") as file:
        file.truncate(1 << 30)
    reading: list[Callable[[], object]] = [
        lambda: list(read_lists(path)),
        lambda: ChangeMap.open(path, 30 * SEGMENT, "blake3-1m").close(),
    ]
    with little_memory():
        for call in reading:
            call()
