"""What a drill finds out, each step within bounds of time and bytes.

A source that cannot be reached is no finding: it raises, and the drill is not made. A
disk that is missing or another one is a finding, and the rest is still looked at.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smc_tui.drill.shapes import sorted_out
from smc_tui.model.errors import SmcError
from smc_tui.model.geometry import SEGMENT
from smc_tui.source import protocol
from smc_tui.source.client import AgentClient, OpenDisk
from smc_tui.source.inventory import converse, disk_facts, look
from smc_tui.source.link import SshTarget

PROBE = Path(__file__).with_name("probe.py")
#: The probe answers within its own limits, which add up to less than this, seconds.
_PROBE_TIMEOUT = 300.0
_TRIPS = 8
#: Reading and hashing is measured for so long and over so many segments at most.
_READ_SECONDS = 1.5
_READ_SEGMENTS = 8

_DISK_ERRORS = ("Disk.NotFound", "Disk.ReadFailed", "Disk.Shrank", "Disk.Replaced", "Disk.TooSmall")


@dataclass(frozen=True)
class Wanted:
    """What a drill is told: the first line of its standard input.

    Attributes:
        at: RFC 3339 instant of the engine's clock.
        keep: maximum of reserved images.
        once: whether the job ends with its first image.
        limit_mbit: speed limit on the wire in Mbit/s, 0 for none.
        disks: ``index``, ``path``, ``size``, ``identity`` as imported.
    """

    home: Path
    at: str
    keep: int
    once: bool
    limit_mbit: float
    ssh: SshTarget | None
    disks: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, document: dict[str, Any]) -> Wanted:
        """Return what the engine's document asks for.

        Raises:
            KeyError, TypeError: the document is not one of the engine's.
            SmcError: Source.BadAddress.
        """
        home = Path(document["home"])
        source = document["source"]
        return cls(
            home=home,
            at=document["at"],
            keep=document["keep"],
            once=document["once"],
            limit_mbit=float(document["limit_mbit"]),
            ssh=source["ssh"] and SshTarget.of(source["ssh"], home / "known_hosts"),
            disks=tuple(source["disks"]),
        )


@dataclass
class DiskFound:
    """One disk of the job as it is now.

    Attributes:
        size: bytes as imported.
        error: why it cannot be migrated.
        used: bytes in use, as far as its file systems tell; None: not known.
        filesystems: types of what is on it.
        mounted: something on it is mounted for writing.
        written: something wrote to it while the drill looked.
    """

    path: str
    size: int
    error: SmcError | None = None
    used: int | None = None
    filesystems: tuple[str, ...] = ()
    mounted: bool = False
    written: bool | None = None


@dataclass(frozen=True)
class Room:
    """The destination's file system: bytes and inodes, and what the image store takes."""

    free: int
    total: int
    inodes_free: int | None
    stored: int


@dataclass
class Facts:
    """All that the rules judge by.

    Attributes:
        local: the source is disks of this host.
        probe: the probe's answers that can be relied on, by probe.
        missing: why the others are not there.
        skew: seconds that the source's clock is ahead of this host's.
        link_bps, read_bps: bytes a second; None: not measured.
        trip: seconds of a round trip.
    """

    wanted: Wanted
    local: bool = False
    disks: list[DiskFound] = field(default_factory=list)
    probe: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    skew: float | None = None
    hash: str = ""
    link_bps: float | None = None
    trip: float | None = None
    read_bps: float | None = None
    room: Room | None = None

    @property
    def total(self) -> int:
        """Bytes of all disks."""
        return sum(disk.size for disk in self.disks)

    @property
    def used(self) -> int:
        """Bytes in use; of a disk that does not tell, all of it."""
        return sum(disk.size if disk.used is None else disk.used for disk in self.disks)

    @property
    def used_known(self) -> bool:
        """Whether all disks tell what is in use."""
        return all(disk.used is not None for disk in self.disks)


Say = Callable[[str], None]


def gather(wanted: Wanted, say: Say) -> Facts:
    """Look at source, link and destination.

    Args:
        wanted: what the drill is told.
        say: told what is looked at now.

    Raises:
        SmcError: the source cannot be reached or does not speak sense.
    """
    facts = Facts(wanted, local=wanted.ssh is None)
    say("Looking at the disks")
    with closing(_Agents(wanted.ssh)) as agents:
        opened = [_open(agents, disk) for disk in wanted.disks]
        facts.hash = agents.client.hash
        say("Measuring the link")
        facts.link_bps, _ = agents.client.measure_link()
        facts.trip = agents.client.measure_trip(_TRIPS)
        say("Measuring how fast the disks are read")
        facts.read_bps = _read_speed(agents, opened)
        say("Looking at the server" if wanted.ssh else "Looking at what stands on the disks")
        survey = look(wanted.ssh, [disk["path"] for disk in wanted.disks])
        _probe(facts)
        facts.disks = [
            _found(agents, survey, facts, disk, was)
            for disk, was in zip(wanted.disks, opened, strict=True)
        ]
    say("Looking at the destination")
    facts.room = _room(wanted.home)
    return facts


class _Agents:
    """One conversation after the other: an agent that refuses a disk ends."""

    def __init__(self, ssh: SshTarget | None) -> None:
        self._ssh = ssh
        self.opened: dict[int, OpenDisk] = {}
        self.client = self._begin()

    def _begin(self) -> AgentClient:
        client = AgentClient(self._ssh)
        try:
            client.open()
        except BaseException:
            client.close()
            raise
        return client

    def open(self, index: int, path: str) -> OpenDisk | SmcError:
        """Open a disk, or return why that cannot be; what was open stays so."""
        try:
            self.opened[index] = self.client.open_disk(index, path)
        except SmcError as error:
            if error.code not in _DISK_ERRORS:
                raise
            self.client.close()
            self.client = self._begin()
            for number, disk in self.opened.items():
                self.client.open_disk(number, disk.path)
            return error
        return self.opened[index]

    def close(self) -> None:
        self.client.close()


def _open(agents: _Agents, disk: dict[str, Any]) -> OpenDisk | SmcError:
    """Open a disk and see that it is the imported one and no smaller."""
    found = agents.open(disk["index"], disk["path"])
    if isinstance(found, SmcError):
        return found
    if found.size < disk["size"]:
        detail = f"{disk['path']} has {found.size} bytes, at import it had {disk['size']}"
        return SmcError("Disk.Shrank", detail)
    known = {name: fact for name, fact in disk["identity"].items() if name in found.identity}
    if known != {name: found.identity[name] for name in known} or (disk["identity"] and not known):
        return SmcError("Disk.Replaced", f"{disk['path']} is not the disk that was imported")
    return found


def _read_speed(agents: _Agents, opened: list[OpenDisk | SmcError]) -> float | None:
    """Return the bytes a second that a source reads and hashes, over a short sample."""
    disks = [disk for disk in opened if isinstance(disk, OpenDisk) and disk.size >= SEGMENT]
    if not disks:
        return None
    disk = max(disks, key=lambda each: each.size)
    whole = disk.size // SEGMENT
    sample = sorted({whole * place // _READ_SEGMENTS for place in range(_READ_SEGMENTS)})
    client, read, began = agents.client, 0, time.monotonic()
    for segment in sample:
        client.scan(disk.index, segment, protocol.NO_EXPECTATION)
        frame = client.read(_PROBE_TIMEOUT)
        if frame is None or frame[0] != b"a":
            raise protocol.malformed("a scan that is not answered")
        answer = protocol.parse_answer(frame[1])
        if answer.keeps:
            client.want(disk.index, segment, 0, last=True, blocks=0)
        read += (answer.changed & ~answer.zeros).bit_count() * (SEGMENT // 16)
        if time.monotonic() - began > _READ_SECONDS:
            break
    took = time.monotonic() - began
    # Holes and zeros are told without being read: too few of the rest say nothing.
    return read / took if read >= SEGMENT and took > 0 else None


def _probe(facts: Facts) -> None:
    """Run the probe; of a local source, only what concerns the disks."""
    wanted = facts.wanted
    question = {"host": not facts.local, "disks": [disk["path"] for disk in wanted.disks]}
    answers = converse(PROBE, wanted.ssh, question, _PROBE_TIMEOUT)
    with closing(answers):
        clock = next(answers).get("now")
        here = time.time()
        answer = next(answers)
    if isinstance(clock, int | float) and abs(clock) < 1e11 and clock == clock:
        facts.skew = float(clock) - here + (facts.trip or 0.0) / 2
    facts.probe, facts.missing = sorted_out(answer)


def _found(
    agents: _Agents,
    survey: dict[str, Any],
    facts: Facts,
    disk: dict[str, Any],
    was: OpenDisk | SmcError,
) -> DiskFound:
    """Return a disk with what stands on it."""
    found = DiskFound(disk["path"], disk["size"])
    if isinstance(was, SmcError):
        found.error = was
        return found
    now = agents.open(disk["index"], disk["path"])
    if isinstance(now, SmcError):
        found.error = now
        return found
    found.written = now.state != was.state
    try:
        seen = disk_facts(was, survey)
        types = [str(each["type"]) for each in seen["filesystems"]]
        told = [each["used"] for each in seen["filesystems"] if each.get("mount_point")]
    except SmcError as error:
        found.error = error
        return found
    except (KeyError, TypeError, ValueError, AttributeError):
        return found  # a survey without sense: nothing is known of the disk's use
    found.mounted = bool(seen["mounted"])
    found.filesystems = tuple(dict.fromkeys(types))
    if told:
        found.used = min(int(seen["used"]), disk["size"])
    elif not was.block_device:
        rows = facts.probe.get("asked_disks", [])
        row = next((row for row in rows if row["path"] == disk["path"]), None)
        found.used = min(row["allocated"], disk["size"]) if row else None
    return found


def _room(home: Path) -> Room | None:
    """Return the destination's room; None where it cannot be asked."""
    folder = home / "images"
    try:
        found = os.statvfs(folder if folder.is_dir() else home)
    except OSError:
        return None
    stored = 0
    try:
        stored = sum(pack.stat().st_size for pack in (folder / "packs").glob("**/*.pack"))
    except OSError:
        stored = 0
    return Room(
        free=found.f_bavail * found.f_frsize,
        total=found.f_blocks * found.f_frsize,
        inodes_free=found.f_favail if found.f_files else None,
        stored=stored,
    )
