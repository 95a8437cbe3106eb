"""The agent as it runs: a process here, fed over pipes, reading real files."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from blake3 import blake3

from smc_tui.model import geometry
from smc_tui.model.errors import SmcError
from smc_tui.model.geometry import BLOCK, CHUNK, SEGMENT, Encoding
from smc_tui.source import protocol
from smc_tui.source.client import AGENT, AGENT_VERSION, AgentClient
from smc_tui.source.link import Link
from tests.support.pythons import old_pythons

ALL = (1 << 256) - 1


def disk_bytes(chunks: dict[int, bytes], size: int) -> bytes:
    """Return a disk's content: chunk number -> its repeated content, holes elsewhere."""
    content = bytearray(size)
    for chunk, piece in chunks.items():
        content[chunk * CHUNK : (chunk + 1) * CHUNK] = piece
    return bytes(content)


@pytest.fixture
def disk(tmp_path):
    """A disk of 20 MiB and a bit: two segments, holes, an odd end."""
    content = disk_bytes({0: os.urandom(CHUNK), 3: b"text" * (CHUNK // 4)}, 20 * CHUNK + 1000)
    content = content[:-1000] + os.urandom(1000)
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(len(content))
        for at in range(0, len(content), CHUNK):
            if any(content[at : at + CHUNK]):
                file.seek(at)
                file.write(content[at : at + CHUNK])
    return path


@pytest.fixture
def client():
    with contextlib.closing(AgentClient(None)) as client:
        client.open()
        yield client


def answer(client: AgentClient) -> protocol.Answer:
    frame = client.read(10)
    assert frame is not None
    assert frame[0] == b"a"
    return protocol.parse_answer(frame[1])


def chunk_of(path: Path, chunk: int) -> bytes:
    with path.open("rb") as file:
        file.seek(chunk * CHUNK)
        return file.read(CHUNK).ljust(CHUNK, b"\0")


def test_everything_is_told_when_nothing_is_expected(client, disk):
    found = client.open_disk(0, str(disk))
    assert found.size == disk.stat().st_size
    client.scan(0, 0, protocol.NO_EXPECTATION)
    told = answer(client)
    assert told.changed == 0xFFFF
    assert told.zeros == 0xFFFF & ~(1 << 0 | 1 << 3)
    for chunk, digest, blocks in told.chunks():
        if digest is None:
            continue
        content = chunk_of(disk, chunk)
        assert digest == blake3(content).digest()
        names = [blake3(content[at : at + BLOCK]).digest() for at in range(0, CHUNK, BLOCK)]
        assert blocks == b"".join(names)


def test_nothing_is_told_when_nothing_differs(client, disk):
    client.open_disk(0, str(disk))
    expected = b"".join(blake3(chunk_of(disk, c)).digest() for c in range(16))
    client.scan(0, 0, protocol.EXPECT_DIGESTS, expected)
    assert answer(client).changed == 0
    client.scan(0, 1, protocol.EXPECT_ZERO)
    told = answer(client)
    assert told.changed == 1 << 4, "only the chunk with the odd end differs from zeros"


def test_wanted_blocks_are_those_that_were_named_even_if_the_disk_changes(client, disk):
    client.open_disk(0, str(disk))
    client.scan(0, 0, protocol.NO_EXPECTATION)
    told = answer(client)
    before = chunk_of(disk, 0)
    with disk.open("r+b") as file:
        file.write(bytes(range(256)) * (CHUNK // 256))
    client.want(0, 0, 0, True, 0b1001)
    frame = client.read(10)
    data = protocol.parse_data(frame[1])
    assert [(b, bytes(p)) for b, _, p in data.rows] == [
        (0, before[:BLOCK]),
        (3, before[3 * BLOCK : 4 * BLOCK]),
    ]
    names = next(blocks for chunk, _, blocks in told.chunks() if chunk == 0)
    assert blake3(bytes(data.rows[1][2])).digest() == names[3 * 32 : 4 * 32]


def test_the_end_of_a_disk_is_padded_with_zeros(client, disk):
    client.open_disk(0, str(disk))
    client.scan(0, 1, protocol.NO_EXPECTATION)
    told = answer(client)
    assert told.changed == 0xFFFF
    (named,) = [row for row in told.chunks() if row[1] is not None]
    assert named[0] == 4
    assert named[1] == blake3(chunk_of(disk, 20)).digest()


def test_blocks_are_compressed_when_asked_and_when_it_pays(client, disk):
    client.open_disk(0, str(disk))
    client.scan(0, 0, protocol.NO_EXPECTATION)
    answer(client)
    client.want(0, 0, 3, True, 1 << 0 | 1 << 48)
    data = protocol.parse_data(client.read(10)[1])
    rows = {block: (encoding, len(payload)) for block, encoding, payload in data.rows}
    assert rows[0] == (Encoding.RAW, BLOCK), "random bytes do not shrink"
    assert rows[48][0] == Encoding.ZSTD
    assert rows[48][1] < BLOCK // 100


def test_many_segments_go_round_in_bounded_memory(client, tmp_path):
    path = tmp_path / "large"
    count = 24
    with path.open("wb") as file:
        for number in range(count):
            file.write((number + 1).to_bytes(4, "little") * (SEGMENT // 4))
    client.open_disk(0, str(path))
    for number in range(count):
        client.scan(0, number, protocol.NO_EXPECTATION)
    done = 0
    while done < count:
        frame = client.read(30)
        assert frame is not None
        if frame[0] == b"a":
            told = protocol.parse_answer(frame[1])
            client.want(0, told.segment, 0, True, ALL)
        else:
            data = protocol.parse_data(frame[1])
            word = (data.segment + 1).to_bytes(4, "little")
            assert all(bytes(p[:4]) == word for _, _, p in data.rows)
            done += any(block == 255 for block, _, _ in data.rows)
    footprint = client.finish()
    assert footprint["bytes_read"] == count * SEGMENT
    assert footprint["most_memory"] < 150 << 20


def test_slices_of_a_segment_are_sent_before_its_buffers_are_used_again(client, tmp_path):
    """Two workers may send slices of one segment; the last to end frees it, not the last asked."""
    path = tmp_path / "large"
    count = 24
    with path.open("wb") as file:
        for _ in range(count):
            file.write(os.urandom(SEGMENT))
    client.open_disk(0, str(path))
    for number in range(count):
        client.scan(0, number, protocol.NO_EXPECTATION)
    digests = {}
    arrived = 0
    while arrived < count * 256:
        frame = client.read(30)
        assert frame is not None
        if frame[0] == b"a":
            told = protocol.parse_answer(frame[1])
            digests[told.segment] = b"".join(blocks for _, _, blocks in told.chunks())
            for at in range(0, 256, 8):
                client.want(0, told.segment, 0, at == 248, 0xFF << at)
        else:
            for block, _, payload in protocol.parse_data(frame[1]).rows:
                name = digests[protocol.parse_data(frame[1]).segment][block * 32 :][:32]
                assert blake3(payload).digest() == name
                arrived += 1


def test_the_state_tells_of_writes(client, disk):
    before = client.open_disk(0, str(disk)).state
    assert client.finish()["states"]["0"] == before
    with disk.open("r+b") as file:
        file.write(b"written")
    assert client.finish()["states"]["0"] != before


def agent_module(**names):
    """Return what the agent's text defines, with some of it put in another's place."""
    text = AGENT.read_text()
    agent = {}
    exec(text[: text.rindex("main()")], agent)
    agent.update(names)
    return SimpleNamespace(**agent)


def state_of(path, **names):
    """Return a disk's state as an agent of its own tells it."""
    disk = agent_module(**names).Disk(str(path))
    try:
        return disk.state()
    finally:
        os.close(disk.handle)


def test_a_state_is_comparable_only_within_one_start_of_the_system(disk, tmp_path):
    """What another agent sees is the same, unless the system was started in between."""
    assert state_of(disk) == state_of(disk)
    other = tmp_path / "boot_id"
    other.write_text("another start")
    assert state_of(disk, BOOT_ID=str(other)) != state_of(disk)
    nowhere = str(tmp_path / "nowhere")
    assert state_of(disk, BOOT_ID=nowhere) != state_of(disk, BOOT_ID=nowhere)


@pytest.mark.parametrize(
    ("kernel", "seq", "same"),
    [("6.1.0-1", "7", True), ("4.14", "", True), ("3.10.0-el7", "", False), ("odd", "", False)],
)
def test_a_device_is_told_from_a_later_one_in_its_place(kernel, seq, same):
    """Where the kernel cannot tell, no two agents see the same state."""

    here = SimpleNamespace(
        major=os.major, minor=os.minor, stat=lambda path: SimpleNamespace(st_ino=42)
    )

    def instance():
        agent = agent_module(os=here, platform=SimpleNamespace(release=lambda: kernel))
        disk = object.__new__(agent.Disk)
        disk.device, disk.sysfs = 0, lambda name: seq
        return disk.instance()

    assert (instance() == instance()) is same


def test_a_scan_on_the_heels_of_the_last_want_of_its_segment(tmp_path):
    """The scan may be done before the want is: each has its own chunks, and all get free."""
    path = tmp_path / "disk"
    path.write_bytes(os.urandom(SEGMENT))
    frames = []
    agent = agent_module().Agent(
        SimpleNamespace(
            write=lambda kind, *parts: frames.append((kind, b"".join(parts))),
            write_json=lambda kind, value: None,
        )
    )
    agent.hasher = agent_module().Blake2b()
    agent.zero_chunk = agent.hasher.chunk(bytes(CHUNK))[0]
    agent.open(b'{"disk": 0, "path": "%s"}' % bytes(path))
    whole = agent.desk.left

    def asked(request):
        return request[5:]

    def work_off(kind):
        found, body = agent.desk.next()
        assert found == kind
        return body

    files = {}
    scan = asked(protocol.scan_frame(0, 0, protocol.NO_EXPECTATION))
    agent.scan_later(scan)
    agent.scan(files, work_off(b"S"))
    agent.send_later(asked(protocol.want_frame(0, 0, 0, True, 0)))
    slow = work_off(b"W")
    agent.scan_later(scan)
    agent.scan(files, work_off(b"S"))
    agent.send(*slow)
    agent.send_later(asked(protocol.want_frame(0, 0, 0, True, 1)))
    agent.send(*work_off(b"W"))
    assert [kind for kind, _ in frames] == [b"a", b"a", b"d"]
    assert agent.desk.left == whole
    assert agent.kept == {}
    files[0].close()
    os.close(agent.disks[0].handle)


@pytest.mark.parametrize(
    ("path", "code"),
    [("/nowhere/disk", "Disk.NotFound"), ("/tmp", "Disk.NotFound"), ("/dev/null", "Disk.NotFound")],
)
def test_what_is_no_disk_is_refused(client, path, code):
    with pytest.raises(SmcError) as raised:
        client.open_disk(0, path)
    assert raised.value.code == code


def test_a_disk_that_ends_early_is_told(client, disk):
    client.open_disk(0, str(disk))
    os.truncate(disk, 3 * CHUNK + 5)
    with disk.open("r+b") as file:  # no hole where the end now is
        file.seek(3 * CHUNK)
        file.write(b"x")
    client.scan(0, 0, protocol.NO_EXPECTATION)
    with pytest.raises(SmcError) as raised:
        client.read(10)
    assert raised.value.code == "Disk.Shrank"


@pytest.mark.parametrize(
    "request_bytes",
    [
        protocol.frame(b"?", b""),
        protocol.want_frame(0, 0, 0, True, 1),
        b"S" + (0xFFFFFFFF).to_bytes(4, "little"),
    ],
)
def test_the_agent_refuses_what_the_protocol_does_not_know(client, request_bytes):
    client.link.write(request_bytes)
    with pytest.raises(SmcError) as raised:
        client.read(10)
    assert raised.value.code == "Protocol.Malformed"


def test_the_agent_ends_with_its_input_and_leaves_nothing(disk, tmp_path):
    client = AgentClient(None)
    client.open()
    pid = client.link._process.pid
    client.close()
    assert not Path(f"/proc/{pid}").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk"]


OLD = old_pythons() or [pytest.param("", marks=pytest.mark.skip("no older Python here"))]


@pytest.mark.parametrize("python", OLD)
def test_an_old_python_without_blake3_does_the_same(python, disk, monkeypatch):
    monkeypatch.setattr("smc_tui.source.link.sys.executable", python)
    with contextlib.closing(AgentClient(None)) as client:
        client.open()
        assert client.hash == "blake2b"
        client.open_disk(0, str(disk))
        client.scan(0, 0, protocol.NO_EXPECTATION)
        told = answer(client)
        content = chunk_of(disk, 3)
        names = [
            hashlib.blake2b(content[at : at + BLOCK], digest_size=32).digest()
            for at in range(0, CHUNK, BLOCK)
        ]
        row = next(row for row in told.chunks() if row[0] == 3)
        assert row[2] == b"".join(names)
        assert row[1] == hashlib.blake2b(b"".join(names), digest_size=32).digest()
        client.want(0, 0, 6, True, 1 << 48)
        ((block, encoding, _),) = protocol.parse_data(client.read(10)[1]).rows
        assert (block, encoding) == (48, Encoding.ZLIB)


def test_our_blake3_is_lent_to_a_python_that_lacks_it(disk):
    """A bare interpreter of our own version has no blake3 until it is sent one."""
    bare = Link.start(AGENT, None)
    bare.close()
    client = AgentClient(None)
    try:
        client.hello = client.expect(b"h")
        client.link.connected = True
        client._send_extension("blake3", "blake3.blake3")
        client._send(protocol.json_frame(b"H", {"hash": "blake3"}))
        assert client.expect(b"h")["hash"] == "blake3"
    finally:
        client.close()


def test_the_agent_cuts_disks_as_everybody_else():
    """It repeats the table of model/geometry.py, for it runs alone."""
    text = AGENT.read_text()
    agent: dict[str, object] = {}
    exec(text[: text.index("class Refusal")], agent)
    for name in ("BLOCK", "CHUNK", "SEGMENT"):
        assert agent[name] == getattr(geometry, name)
    assert (agent["CHUNKS"], agent["BLOCKS"]) == (
        geometry.CHUNKS_PER_SEGMENT,
        geometry.BLOCKS_PER_CHUNK,
    )
    assert agent["VERSION"] == AGENT_VERSION
    assert agent["DATA_FRAME"] == protocol.BLOCKS_IN_DATA
    for encoding in Encoding:
        assert agent[encoding.name] == encoding


def test_a_disk_that_is_withheld_is_not_called_a_sick_one(client):
    # Nobody may read it, not even root.
    with pytest.raises(SmcError, match="withheld by a container or a policy") as caught:
        client.open_disk(0, "/sys/bus/cpu/uevent")
    assert caught.value.code == "Disk.ReadFailed"
