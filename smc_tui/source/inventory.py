"""Import and check of a source: host key, what the server is, its disks, the link.

Two short conversations: the survey tells what the server is and which disks it
has; the agent opens the disks that are to be migrated, which proves that it
may read them, and measures the link as it will be used.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from smc_tui.model.errors import SmcError
from smc_tui.model.units import printable
from smc_tui.source import hostkeys, protocol
from smc_tui.source.client import AgentClient, OpenDisk
from smc_tui.source.link import Link, SshTarget

SURVEY = Path(__file__).with_name("survey.py")
SMALLEST_DISK = 1 << 20  # no partition table with an aligned partition fits in less
_SURVEY_TIMEOUT = 60.0


def take(target: dict[str, Any]) -> dict[str, Any]:
    """Look at a source and its disks.

    Args:
        target: ``ssh`` (``target``, ``port``, ``config``) or None for this host,
            ``disks`` (paths; empty: all whole disks of the server),
            ``known_hosts`` (path), ``alias``, ``accept_key`` (fingerprint or None).

    Returns:
        The inventory as a JSON document: ``host_key``, ``os``, ``kernel``,
        ``hostname``, ``cpus``, ``memory``, ``python``, ``blake3``, ``boot_id``,
        ``machine_id``, ``disks`` (each ``index``, ``path``, ``size``,
        ``sector_size``, ``role``, ``identity``, ``filesystems``, ``mounted``),
        ``link_bps`` (bytes a second), ``link_trip`` (seconds), ``used_bytes``.

    Raises:
        SmcError: HostKey.*, Source.*, SourceServer.Offline, Disk.*.
    """
    ssh = None
    key = None
    if target["ssh"] is not None:
        facts = {**target["ssh"], "alias": target["alias"]}
        ssh = SshTarget.of(facts, Path(target["known_hosts"]))
        key = hostkeys.settle(ssh, target.get("accept_key"))
    survey = look(ssh, target["disks"])
    paths = list(target["disks"]) or [found["device"] for found in _whole_disks(survey)]
    if not paths:
        raise SmcError("Disk.NotFound", "no disk was found on the source")
    client = AgentClient(ssh)
    try:
        client.open()
        opened = [client.open_disk(index, path) for index, path in enumerate(paths)]
        rate, trip = client.measure_link()
    finally:
        client.close()
    disks = [disk_facts(disk, survey) for disk in opened]
    return {
        **{name: fact for name, fact in survey.items() if name != "disks"},
        "host_key": key and {"fingerprint": key.fingerprint, "type": key.type},
        "disks": disks,
        "hash": client.hash,
        "link_bps": rate,
        "link_trip": trip,
        "used_bytes": sum(disk["used"] for disk in disks),
    }


def look(ssh: SshTarget | None, disks: list[str]) -> dict[str, Any]:
    """Return what the survey found, every text printable.

    Raises:
        SmcError: the survey could not run, or answered nonsense.
    """
    with closing(converse(SURVEY, ssh, disks, _SURVEY_TIMEOUT)) as answers:
        found = next(answers)
    if not isinstance(found.get("disks"), list):
        raise protocol.malformed("a survey without disks")
    return found


def converse(
    program: Path, ssh: SshTarget | None, question: Any, timeout: float
) -> Generator[dict[str, Any], None, None]:
    """Run a program on the source and yield its answers, every text printable.

    Args:
        program: reads one line of JSON and answers with frames of kind ``s``.
        ssh: how to reach the source; None: here.
        question: a JSON value.
        timeout: seconds until each answer begins.

    Raises:
        SmcError: the program could not run, or answered nonsense.
    """
    link = Link.start(program, ssh)
    try:
        link.write(json.dumps(question).encode() + b"\n")
        reader = protocol.FrameReader(link.source)
        while True:
            try:
                frame = reader.read(timeout)
            except EOFError:
                raise link.failure() from None
            if frame is None:
                raise SmcError("SourceServer.Offline", f"no answer within {timeout:.0f} s")
            if frame[0] != b"s":
                raise protocol.malformed("no answer of this program's")
            yield _clean(protocol.parse_json(frame[1]))
    finally:
        link.close()


def _clean(value: Any, depth: int = 0) -> Any:
    """Return a JSON value whose texts can be printed, with bounds on its size."""
    if depth > 12:
        raise protocol.malformed("a survey nested too deep")
    if isinstance(value, str):
        return printable(value[:4096])
    if isinstance(value, dict):
        return {printable(str(k)[:256]): _clean(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value[:4096]]
    return value


def _parts(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a surveyed device and everything on it, depth first."""
    yield found
    for below in [*found.get("partitions", []), *found.get("holders", [])]:
        yield from _parts(below)


def _holds_root(found: dict[str, Any]) -> bool:
    return any(part.get("mount_point") == "/" for part in _parts(found))


def _whole_disks(survey: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the disks a migration takes when none is named, the system disk first."""
    whole = [disk for disk in survey["disks"] if not disk.get("removable")]
    return sorted(whole, key=lambda disk: (not _holds_root(disk), str(disk.get("device"))))


def disk_facts(disk: OpenDisk, survey: dict[str, Any]) -> dict[str, Any]:
    """Return one disk of the inventory.

    Raises:
        SmcError: Disk.TooSmall.
    """
    if disk.size < SMALLEST_DISK:
        raise SmcError("Disk.TooSmall", f"{disk.path} has {disk.size} bytes")
    found = next((f for f in survey["disks"] if f.get("device") == disk.path), None)
    parts = list(_parts(found)) if found else []
    filesystems = [
        {name: part.get(name) for name in ("device", "type", "size", "mount_point", "used")}
        for part in parts
        if part.get("type")
    ]
    mounted = [part for part in parts if part.get("mount_point") and not part.get("read_only")]
    in_use = sum(int(part["used"] or 0) for part in parts if part.get("mount_point"))
    return {
        "index": disk.index,
        "path": disk.path,
        "size": disk.size,
        "sector_size": disk.sector_size,
        "role": "system" if disk.index == 0 else "data",
        "identity": disk.identity,
        "filesystems": filesystems,
        "mounted": bool(mounted),
        "used": min(in_use or disk.size, disk.size),
    }
