"""The item on one instant: for each disk the method that ``auto`` takes, and why.

In the order of preference: nothing writes; an LVM snapshot, which is told of but not
taken yet; writes recorded and a short freeze; none. What the freeze needs is what the
program on the source asks for: ``source/live``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from smc_tui.drill.facts import DiskFound, Facts
from smc_tui.drill.rules import Verdict, passed, unknown, warning
from smc_tui.model.units import bytes_text
from smc_tui.source.live.mounts import FREEZABLE

#: File systems named for a disk; more are counted.
_NAMED = 3
#: What cannot be frozen, and is hardly ever written to: an EFI system partition.
_QUIET = ("vfat", "msdos")

_STOP = "stop the services before the last synchronisation: it then shows one instant"


def instant(facts: Facts) -> Verdict:
    """Tell for each disk how its images come to be of one instant, and why so."""
    told, advice = [], []
    for disk in facts.disks:
        if disk.error:
            continue
        words, lacks = _disk(disk, facts)
        told.append(f"{disk.path}: {words}")
        advice += [lacks] if lacks else []
    if not told:
        return unknown("no disk could be opened")
    if advice:
        return warning("; ".join(told), "; ".join(dict.fromkeys(advice)))
    return passed("; ".join(told))


def _disk(disk: DiskFound, facts: Facts) -> tuple[str, str]:
    """Return what is possible for one disk, and what would make one instant possible."""
    mounts = _row(disk, facts).get("mounts", [])
    if not disk.mounted and not mounts:
        if disk.written:
            why = "it is written to, but by no mounted file system that could be frozen"
            return f"none ({why}): its images are fuzzy", _STOP
        return "nothing writes to it: any image shows one instant", ""
    named = f"{_list(mounts)} mounted for writing" if mounts else "it is mounted for writing"
    why, lacks = _lacking(facts)
    if lacks:
        return f"{named}; none ({why}): its images are fuzzy", lacks
    others = [each for each in mounts if each["type"] not in FREEZABLE]
    parts = [named, "freeze: writes are recorded and the last ones read while it stands still"]
    if others:
        parts.append(
            f"{_list(others)} cannot be frozen, so flushed and watched: if written to in the"
            " freeze, it is tried again, then fuzzy"
        )
    parts += [snapshot] if (snapshot := _snapshot(disk, facts)) else []
    busy = any(each["type"] not in _QUIET for each in others)
    return "; ".join(parts), _STOP if busy else ""


def _lacking(facts: Facts) -> tuple[str, str]:
    """Return why writes cannot be recorded, and what to do about it; empty if they can."""
    found = facts.probe.get("tracing")
    if found is None:
        return "whether writes can be recorded is not known", _STOP
    if not found["root"]:
        return (
            "recording writes and freezing need root",
            "reach the source as root, or allow its user sudo without a password",
        )
    if not found["mounted"]:
        if not found["known"]:
            return "its kernel has no tracefs", _STOP
        return (
            "tracefs is not mounted",
            "on the source: mount -t tracefs tracefs /sys/kernel/tracing",
        )
    if not found["points"]:
        return "its kernel does not tell of block events", _STOP
    if not found["instances"]:
        return "tracefs can only be read, as in a container", _STOP
    return "", ""


def _snapshot(disk: DiskFound, facts: Facts) -> str:
    """Return whether LVM could make a snapshot of what stands on a disk."""
    under = set(_row(disk, facts).get("disks", []))
    groups = facts.probe.get("volume_groups", {}).get("groups", {})
    for name, group in groups.items():
        if not under & set(group["disks"]):
            continue
        if not group["thin"] and not group["free"]:
            return f"no LVM snapshot: {name} has no room"
        how = "a thin pool" if group["thin"] else f"{bytes_text(group['free'])} free"
        return f"an LVM snapshot is possible too ({how} in {name}), but the freeze is used"
    return ""


def _row(disk: DiskFound, facts: Facts) -> dict[str, Any]:
    rows: list[dict[str, Any]] = facts.probe.get("asked_disks", [])
    return next((row for row in rows if row["path"] == disk.path), {})


def _list(mounts: Sequence[dict[str, Any]]) -> str:
    named = [f"{each['type']} on {each['point']}" for each in mounts[:_NAMED]]
    more = len(mounts) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
