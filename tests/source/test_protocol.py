"""Frames: what is written can be read, and nothing else is believed."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smc_tui.model.errors import SmcError
from smc_tui.model.geometry import BLOCK, DIGEST, Encoding
from smc_tui.source import protocol
from smc_tui.source.protocol import FrameReader


def answer_body(changed: int, zeros: int, digests: bytes) -> memoryview:
    return memoryview(struct.pack("<HIHH", 0, 7, changed, zeros) + digests)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.randoms(use_true_random=False))
def test_an_answer_names_each_changed_chunk_once(changed, zeros, random):
    zeros &= changed
    named = [c for c in range(16) if changed >> c & 1 and not zeros >> c & 1]
    pieces = {c: random.randbytes(17 * DIGEST) for c in named}
    answer = protocol.parse_answer(answer_body(changed, zeros, b"".join(pieces.values())))
    told = {chunk: (digest, blocks) for chunk, digest, blocks in answer.chunks()}
    assert set(told) == {c for c in range(16) if changed >> c & 1}
    for chunk, (digest, blocks) in told.items():
        if zeros >> chunk & 1:
            assert digest is None
            assert blocks is None
        else:
            assert digest + blocks == pieces[chunk]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(9),
        bytes(answer_body(1, 0, b"")),
        bytes(answer_body(1, 0, bytes(17 * 32 + 1))),
        bytes(answer_body(0, 1, b"")),
    ],
)
def test_an_answer_that_does_not_fit_is_malformed(body):
    with pytest.raises(SmcError) as raised:
        protocol.parse_answer(memoryview(body))
    assert raised.value.code == "Protocol.Malformed"


def data_body(rows: list[tuple[int, int, bytes]]) -> bytes:
    head = struct.pack("<HIH", 1, 2, len(rows))
    table = b"".join(struct.pack("<BBI", b, e, len(p)) for b, e, p in rows)
    return head + table + b"".join(p for _, _, p in rows)


def test_data_is_cut_where_its_rows_say():
    rows = [(3, Encoding.RAW, bytes([3]) * BLOCK), (255, Encoding.ZSTD, b"abc")]
    data = protocol.parse_data(memoryview(data_body(rows)))
    assert (data.disk, data.segment) == (1, 2)
    assert [(b, e, bytes(p)) for b, e, p in data.rows] == rows


@pytest.mark.parametrize(
    "body",
    [
        b"\0" * 7,
        data_body([]),
        data_body([(0, Encoding.RAW, b"short")]),
        data_body([(0, Encoding.ZSTD, b"")]),
        data_body([(0, Encoding.ZLIB, bytes(BLOCK))]),
        data_body([(0, 9, b"x")]),
        data_body([(0, Encoding.ZSTD, b"x")]) + b"left over",
        data_body([(0, Encoding.ZSTD, b"xy")])[:-1],
        struct.pack("<HIH", 0, 0, 65535),
    ],
)
def test_data_that_does_not_fit_is_malformed(body):
    with pytest.raises(SmcError) as raised:
        protocol.parse_data(memoryview(body))
    assert raised.value.code == "Protocol.Malformed"


@given(st.binary(max_size=300))
def test_no_body_does_worse_than_an_error_of_ours(body):
    for parse in (protocol.parse_answer, protocol.parse_data, protocol.parse_json):
        with contextlib.suppress(SmcError):
            parse(memoryview(body))


def read_all(stream: bytes) -> list[tuple[bytes, bytes]]:
    """Return the frames that a reader finds in a stream, until it gives up."""
    source, sink = os.pipe()

    def feed() -> None:
        with os.fdopen(sink, "wb") as file:
            file.write(stream)

    feeder = threading.Thread(target=feed)
    feeder.start()
    frames = []
    try:
        reader = FrameReader(source)
        while True:
            frame = reader.read(5)
            assert frame is not None, "a reader that waits for what never comes"
            frames.append((frame[0], bytes(frame[1])))
    except (EOFError, SmcError):
        return frames
    finally:
        while os.read(source, 1 << 16):
            pass
        feeder.join()
        os.close(source)


@given(st.lists(st.tuples(st.sampled_from([b"h", b"a", b"f"]), st.binary(max_size=2000))))
def test_frames_come_out_as_they_went_in(frames):
    assert read_all(b"".join(protocol.frame(k, body) for k, body in frames)) == frames


@given(st.binary(max_size=200))
def test_a_stream_of_anything_ends_soon_and_small(stream):
    tracemalloc.start()
    try:
        read_all(stream)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [b"a", b"d", b"h", b"p", b"?"])
def test_a_huge_length_is_refused_before_it_is_read(kind):
    source, sink = os.pipe()
    os.write(sink, struct.pack("<cI", kind, 0xFFFFFFFF))
    try:
        with pytest.raises(SmcError) as raised:
            FrameReader(source).read(5)
        assert raised.value.code == "Protocol.Malformed"
    finally:
        os.close(source)
        os.close(sink)
