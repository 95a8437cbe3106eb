"""What a rule is, and what several of them need."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from smc_tui.drill.facts import Facts
from smc_tui.model.drill import Area, Level

#: Level, finding, advice.
Verdict = tuple[Level, str, str]

#: Names told one by one; more are counted.
_MOST_NAMES = 5

#: The probes by which it is told whether the root file system is copied.
ON_COPIED = ("filesystems", "asked_disks")

NOT_COPIED = (
    "the disks to be migrated do not hold the server's root file system, "
    "so what it boots from is not copied"
)


class Scope(Enum):
    """What a rule is about, and so when it makes sense.

    COPY always; HOST for a server; BOOT for a server whose root file system is copied.
    """

    COPY = "copy"
    HOST = "host"
    BOOT = "boot"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the tables of items.

    Attributes:
        threshold: what makes it worse than Passed, in words.
        needs: the probes without whose answer there is nothing to judge.
        judge: pure.
    """

    area: Area
    name: str
    scope: Scope
    threshold: str
    needs: tuple[str, ...]
    judge: Callable[[Facts], Verdict]


def passed(finding: str) -> Verdict:
    """Return that all is well."""
    return Level.PASSED, finding, ""


def warning(finding: str, advice: str) -> Verdict:
    """Return what a person should know."""
    return Level.WARNING, finding, advice


def critical(finding: str, advice: str) -> Verdict:
    """Return what makes the migration impossible."""
    return Level.CRITICAL, finding, advice


def unknown(finding: str) -> Verdict:
    """Return what could not be told, and why."""
    return Level.NOT_CHECKED, finding, ""


def named(names: Iterable[str]) -> str:
    """Return names in one text, the first few of many."""
    each = list(dict.fromkeys(names))
    more = len(each) - _MOST_NAMES
    return ", ".join(each[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def copied_disks(facts: Facts) -> set[str]:
    """Return the kernel's names of the disks that are to be migrated."""
    rows = facts.probe.get("asked_disks", [])
    return {name for row in rows for name in row["disks"]}


def mounted(facts: Facts, point: str) -> dict[str, Any] | None:
    """Return the file system mounted at a point, None where none is."""
    rows: list[dict[str, Any]] = facts.probe.get("filesystems", [])
    return next((row for row in rows if row["point"] == point), None)


def copies_root(facts: Facts) -> bool:
    """Tell whether the server's root file system is, at least in part, on the copied disks."""
    root = mounted(facts, "/")
    return root is not None and bool(copied_disks(facts) & set(root["disks"]))


def on_copied(facts: Facts) -> list[dict[str, Any]]:
    """Return the file systems that are, at least in part, on the copied disks."""
    copied = copied_disks(facts)
    return [row for row in facts.probe.get("filesystems", []) if copied & set(row["disks"])]
