"""This side of the conversation with the agent.

Opening it: the agent says hello with its Python, C library and processor; we
answer with our own copy of blake3 (and of zstd, when blocks are to be
compressed) if theirs is the same platform and lacks it; the agent says which
hash it uses from then on. After that every call here is one frame out, and
``frames`` hands in whatever comes back, in any order.
"""

from __future__ import annotations

import importlib.util
import select
import struct
import sysconfig
import time
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from smc_tui.model.errors import SmcError
from smc_tui.model.geometry import BLOCK
from smc_tui.source import protocol
from smc_tui.source.link import Link, SshTarget

AGENT = Path(__file__).with_name("agent.py")
AGENT_VERSION = 1

CLOSING = 5.0  # s that an agent is given to end by itself

_PACKING = 6  # zlib's level for the way; 9 takes five times as long for 2 % less
_OPENING_TIMEOUT = 60.0  # s; a login through jump hosts and PAM modules can be slow
_BLAKE3 = "blake3.blake3"
_THREADS = 4  # readers on the source, at most; a disk is rarely faster with more
_PING_SIZES = (64 << 10, 256 << 10, 1 << 20, 4 << 20)
_PING_ENOUGH = 0.4  # s of transfer after which the rate is believed


@dataclass(frozen=True)
class OpenDisk:
    """A disk as the agent found it when it opened it.

    Attributes:
        size: bytes.
        state: equal states at two moments prove that nothing was written between.
    """

    index: int
    path: str
    size: int
    sector_size: int
    block_device: bool
    identity: dict[str, Any]
    state: list[Any]


class Interrupted(Exception):
    """The bell rang while the source was waited for."""


#: What only says that the way to the source broke: another connection may hold.
_BROKEN_WAY = ("Link.Lost", "SourceServer.Offline")


@lru_cache
def _packed_extension(module: str) -> bytes:
    """Return one of our own extension modules, compressed for the way."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".so"):
        return b""
    return zlib.compress(Path(spec.origin).read_bytes(), _PACKING)


class AgentClient:
    """A conversation with an agent; requests go out at once, answers come by ``read``.

    Attributes:
        hash: ``blake3`` or ``blake2b``, what the agent's digests are of.
        zstd: whether the agent compresses with zstd rather than zlib.
        hello: what the agent said of itself.
    """

    def __init__(self, ssh: SshTarget | None, bell: int | None = None) -> None:
        """Begin the connection.

        Args:
            ssh: the way to the source, None for this host.
            bell: a descriptor that becomes readable to end all waiting for an answer.
        """
        self.link = Link.start(AGENT, ssh)
        self._bell = bell
        self._reader = protocol.FrameReader(self.link.source, bell)
        self._accused = False
        self.sent = 0
        self.hash = ""
        self.zstd = False
        self.hello: dict[str, Any] = {}

    @property
    def received(self) -> int:
        """Bytes that came over the wire so far."""
        return self._reader.received

    @property
    def wire(self) -> int:
        """Bytes that went over the wire so far, both ways."""
        return self.received + self.sent

    def broke(self, error: SmcError) -> bool:
        """Tell whether an error is the connection's: it ended, and the agent said no reason.

        An agent that ends before its hello could not run there; one that ends after it
        was ended by something, and another one may fare better.
        """
        if self._accused:
            return False
        died = error.code == "Agent.Died" and self.link.connected
        return died or error.code in _BROKEN_WAY

    def open(self, *, compressing: bool = False, hashing: str = "blake3") -> None:
        """Settle with the agent what it will use; the connection began at construction.

        Args:
            compressing: blocks will be compressed.
            hashing: the hash that is wanted; an agent that lacks blake3 uses blake2b.

        Raises:
            Interrupted: the bell rang.
            SmcError: the source cannot be reached, or no agent can run there.
        """
        _packed_extension(_BLAKE3)  # while ssh logs in, which takes longer
        self.hello = self.expect(b"h")
        self.link.connected = True
        if self.hello.get("version") != AGENT_VERSION:
            raise protocol.malformed("an agent of another version")
        ours = sysconfig.get_config_var("EXT_SUFFIX")
        if self.hello.get("abi") == ours:
            if hashing == "blake3" and not self.hello.get("blake3"):
                self._send_extension("blake3", _BLAKE3)
            if compressing:
                self._send_extension("backend_c", "zstandard.backend_c")
        self._send(protocol.json_frame(b"H", {"hash": hashing, "threads": _THREADS}))
        chosen = self.expect(b"h")
        self.hash = str(chosen.get("hash"))
        self.zstd = bool(chosen.get("zstd"))
        if self.hash not in ("blake3", "blake2b"):
            raise protocol.malformed(f"an unknown hash {self.hash!r}")

    def _send_extension(self, name: str, module: str) -> None:
        packed = _packed_extension(module)
        if packed:
            self.send_part(name, packed)

    def send_part(self, name: str, packed: bytes) -> None:
        """Send a module along that the agent loads: one of ours, or a part of itself."""
        self._send(protocol.frame(b"X", name.encode(), b"\0", packed))

    def send_json(self, kind: bytes, value: dict[str, Any]) -> None:
        """Send a request whose body is JSON."""
        self._send(protocol.json_frame(kind, value))

    def _send(self, data: bytes) -> None:
        self.sent += len(data)
        self.link.write(data)

    def read(self, timeout: float | None) -> tuple[bytes, memoryview] | None:
        """Return the next frame, or None when none began in time or the bell rang.

        Raises:
            SmcError: the agent's own error, or why the connection ended.
        """
        try:
            frame = self._reader.read(timeout)
        except (EOFError, OSError):
            raise self.link.failure() from None
        if frame is not None and frame[0] == b"e":
            self._accused = True
            facts = protocol.parse_json(frame[1])
            detail = str(facts.get("detail", ""))[:1000]
            try:
                raise SmcError(str(facts.get("code")), detail)
            except KeyError:
                raise protocol.malformed(f"an unknown error: {detail}") from None
        return frame

    def expect(self, kind: bytes) -> dict[str, Any]:
        """Wait for one JSON frame of a kind.

        Raises:
            SmcError: anything else came, or nothing did.
            Interrupted: the bell rang.
        """
        came, body = self.frame(_OPENING_TIMEOUT)
        if came != kind:
            raise protocol.malformed(f"a frame of kind {came!r} where {kind!r} was due")
        return protocol.parse_json(body)

    def frame(self, timeout: float) -> tuple[bytes, memoryview]:
        """Wait for the next frame.

        Raises:
            SmcError: as ``read``, and SourceServer.Offline where none began in time.
            Interrupted: the bell rang.
        """
        frame = self.read(timeout)
        if frame is not None:
            return frame
        if self._bell is not None and select.select([self._bell], [], [], 0)[0]:
            raise Interrupted
        raise SmcError("SourceServer.Offline", f"no answer within {timeout:.0f} s")

    def open_disk(self, index: int, path: str) -> OpenDisk:
        """Open a disk for reading.

        Raises:
            SmcError: Disk.NotFound, Disk.ReadFailed.
        """
        self._send(protocol.json_frame(b"O", {"disk": index, "path": path}))
        facts = self.expect(b"o")
        size, identity, state = facts.get("size"), facts.get("identity"), facts.get("state")
        sector = facts.get("sector_size")
        if (
            not isinstance(size, int)
            or not isinstance(sector, int)
            or not isinstance(identity, dict)
            or not isinstance(state, list)
            or not 0 <= size < 1 << 56
            or not 512 <= sector <= BLOCK
        ):
            raise protocol.malformed("a disk without size, identity or state")
        block_device = bool(facts.get("block_device"))
        return OpenDisk(index, path, size, sector, block_device, identity, state)

    def scan(self, disk: int, segment: int, flags: int, expected: bytes = b"") -> None:
        """Ask for a comparison of a segment."""
        self._send(protocol.scan_frame(disk, segment, flags, expected))

    def want(self, disk: int, segment: int, level: int, last: bool, blocks: int) -> None:
        """Ask for blocks of an answered segment; ``last`` frees it on the source."""
        self._send(protocol.want_frame(disk, segment, level, last, blocks))

    def finish(self) -> dict[str, Any]:
        """Return the disks' states now and the agent's footprint; all else must be answered."""
        self._send(protocol.frame(b"F"))
        return self.expect(b"f")

    def measure_trip(self, count: int) -> float:
        """Return the shortest of so many round trips of a byte, seconds."""
        trips = []
        for _ in range(count):
            started = time.monotonic()
            self._ping(1)
            trips.append(time.monotonic() - started)
        return min(trips)

    def measure_link(self) -> tuple[float, float]:
        """Return (bytes a second, seconds of a round trip), as the link really is now."""
        started = time.monotonic()
        self._ping(1)
        trip = time.monotonic() - started
        rate = 0.0
        for size in _PING_SIZES:
            started = time.monotonic()
            self._ping(size)
            took = time.monotonic() - started
            rate = size / max(took - trip, took / 10, 1e-6)
            if took > _PING_ENOUGH:
                break
        return rate, trip

    def _ping(self, size: int) -> None:
        self._send(protocol.frame(b"P", struct.pack("<I", size)))
        frame = self.read(_OPENING_TIMEOUT)
        if frame is None or frame[0] != b"p" or len(frame[1]) != size:
            raise protocol.malformed("a ping that is not answered")

    def close(self, *, lost: bool = False) -> None:
        """End the agent and the connection; one that is lost is not waited for."""
        self.link.close(0 if lost else CLOSING)
