"""What ``doctor`` makes of what it finds on this machine. Pure: values in, findings out.

ok        nothing to do
note      something to know, or something missing that not everybody needs
problem   something that smc-tui cannot do its work with, or that loses data
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from smc_tui.config import Fault
from smc_tui.model.geometry import STORE_NAME, STORE_VERSION
from smc_tui.model.units import DAY, GIB, MIB, MINUTE, bytes_text, duration_text, rfc3339

#: The first OpenSSH whose Ciphers option takes ``^``, with which the links are made faster.
SSH_NEEDED = (8, 1)
#: The first SQLite with STRICT tables.
SQLITE_NEEDED = (3, 37, 0)
PYTHON_NEEDED = (3, 11)

ROOM_NEEDED = GIB
ROOM_WANTED = 10 * GIB
INODES_WANTED = 1000
MEMORY_WANTED = 512 * MIB
FILES_NEEDED = 256
FILES_WANTED = 1024
#: A commit waits for one; more than this and every step of a job is felt.
FSYNC_WANTED = 0.2
#: A clock that was put back by less is no matter.
CLOCK_SLACK = 5 * MINUTE
SCREEN_WANTED = (80, 24)

_IN_MEMORY = {"tmpfs", "ramfs"}
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "9p", "afs", "ceph", "glusterfs", "vboxsf", "virtiofs"}
_VANISHING = {"overlay": "the changes of a container"}


class Level(StrEnum):
    """How bad a finding is, the better first."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, how bad that is, and what to do about it."""

    level: Level
    found: str
    advice: str = ""


def ok(found: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Level.OK, found)


def note(found: str, advice: str = "") -> Finding:
    """Return something to know."""
    return Finding(Level.NOTE, found, advice)


def problem(found: str, advice: str) -> Finding:
    """Return something that keeps smc-tui from its work."""
    return Finding(Level.PROBLEM, found, advice)


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level of all."""
    order = list(Level)
    return max((each.level for each in findings), key=order.index, default=Level.OK)


def joined(findings: Iterable[Finding]) -> Finding:
    """Return several findings of one check as one, what is bad first."""
    order = list(Level)
    by_level = sorted(findings, key=lambda each: -order.index(each.level))
    advice = "; ".join(dict.fromkeys(each.advice for each in by_level if each.advice))
    return Finding(worst(by_level), "; ".join(each.found for each in by_level), advice)


# Programs


def python(version: tuple[int, ...], sqlite: str) -> Finding:
    """Judge Python and the SQLite that it was built with."""
    shown = f"Python {'.'.join(map(str, version[:3]))}, SQLite {sqlite}"
    if version < PYTHON_NEEDED:
        return problem(shown, "install Python 3.11 or later")
    if _numbers(sqlite) < SQLITE_NEEDED:
        return problem(shown, "install a Python with SQLite 3.37 or later: the job store needs it")
    return ok(shown)


def packages(versions: Mapping[str, str | None]) -> Finding:
    """Judge the packages smc-tui stands on; None: it cannot be imported."""
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        return problem(
            f"cannot be imported: {', '.join(missing)}", "install smc-tui anew, with pip"
        )
    return ok(", ".join(f"{name} {version}" for name, version in versions.items()))


def ssh(said: str | None) -> Finding:
    """Judge what ``ssh -V`` said; None: there is none."""
    if said is None:
        return problem(
            "no ssh was found", "install OpenSSH's client: without it local disks are all there is"
        )
    shown = said.strip().partition(",")[0] or "an ssh that does not tell its version"
    found = re.match(r"OpenSSH_(\d+)\.(\d+)", shown)
    if found is None:
        return note(shown, "smc-tui is made for OpenSSH's client")
    if (int(found[1]), int(found[2])) < SSH_NEEDED:
        return problem(shown, "install OpenSSH 8.1 or later")
    return ok(shown)


def agent(variable: str, answers: bool) -> Finding:
    """Judge the ssh agent: the variable that names it, and whether something listens there."""
    if not variable:
        return ok("none; keys are those that the ssh configuration names")
    if not answers:
        return note(
            "SSH_AUTH_SOCK names an agent that does not answer",
            "start the engine from a session with an agent, or name a key file in the ssh config",
        )
    return ok("one answers; an engine started now uses it as long as it lives")


def machine_programs(versions: Mapping[str, str | None], kvm: bool | None) -> Finding:
    """Judge what a person may want to look into exported images with.

    Args:
        versions: what each program says of itself, None where it is not there.
        kvm: whether /dev/kvm may be opened; None: it is not there.
    """
    here = [said for said in versions.values() if said is not None]
    missing = [name for name, said in versions.items() if said is None]
    speed = {True: "KVM", False: "KVM is not allowed to this user", None: "no KVM"}[kvm]
    shown = ", ".join([*here, *(f"no {name}" for name in missing), speed])
    if not missing and kvm:
        return ok(shown)
    return note(
        shown,
        "needed only to boot or convert exported images by hand: install qemu, join group kvm"
        if kvm is False
        else "needed only to boot or convert exported images by hand",
    )


# The home and where it lies


def folder(path: str, mode: int | None, owner: int, me: int, usable: bool) -> Finding:
    """Judge the home folder.

    Args:
        path: where it is, or where it would be made.
        mode: its permissions, None: it is not there yet.
        owner: the user id whose it is, or whose the folder is that it would be made in.
        me: this process's.
        usable: whether this process may write there.
    """
    if not usable:
        return problem(f"{path}: not writable by this user", "choose another: --home DIR")
    if mode is None:
        return ok(f"{path}: not there yet, it can be made")
    if owner != me:
        return problem(
            f"{path}: belongs to user {owner}", "use the home as its owner, or choose another"
        )
    if mode & 0o077:
        return note(
            f"{path}: mode {stat.S_IMODE(mode):04o}, others can look into it",
            "the engine makes it 0700 when it starts; it holds whole servers' data",
        )
    return ok(f"{path}: mode {stat.S_IMODE(mode):04o}")


def room(free: int, total: int, inodes: int | None) -> Finding:
    """Judge the room for images; ``inodes``: the free ones, None where they have no limit."""
    shown = f"{bytes_text(free)} free of {bytes_text(total)}"
    if inodes is not None and inodes < INODES_WANTED:
        return problem(f"{shown}, {inodes} inodes free", "free some: packs and logs are files")
    if free < ROOM_NEEDED:
        return problem(shown, "free space: no image of a server fits")
    if free < ROOM_WANTED:
        return note(shown, "a first image needs about what its server uses")
    return ok(shown)


def file_system(kind: str, mount: str) -> Finding:
    """Judge the kind of the file system that the home is on."""
    shown = f"{kind} at {mount}"
    if kind in _IN_MEMORY:
        return note(shown, "it is in memory: a restart of this machine takes every image")
    if kind in _REMOTE or kind.startswith("fuse"):
        return note(
            shown,
            "locks and flushes of a network or user-space file system may not hold after a crash",
        )
    if kind in _VANISHING:
        return note(shown, f"what is there may be {_VANISHING[kind]}: it goes with it")
    return ok(shown)


@dataclass(frozen=True, slots=True)
class Probe:
    """What a probe file went through; None: that could not be tried.

    Attributes:
        error: why it could not even be written.
        fsync: seconds that one took.
        replaced: whether a rename over another file works.
        locked: whether flocks keep others out.
        sparse: whether holes take no room.
    """

    error: str = ""
    fsync: float = 0.0
    replaced: bool = True
    locked: bool = True
    sparse: bool = True


def features(probe: Probe) -> Finding:
    """Judge what the file system can do."""
    if probe.error:
        return problem(probe.error, "see that the place can be written")
    lacking = [
        name
        for name, works in (("atomic renames", probe.replaced), ("file locks", probe.locked))
        if not works
    ]
    if lacking:
        return problem(
            f"no {' and no '.join(lacking)}",
            "choose a home on another file system: this loses data",
        )
    shown = f"fsync in {probe.fsync * 1000:.1f} ms, renames, locks"
    if probe.fsync > FSYNC_WANTED:
        return note(shown, "every step of a job waits for that; a faster disk is felt")
    if not probe.sparse:
        return note(f"{shown}, no sparse files", "raw exports take the room of the whole disk")
    return ok(f"{shown}, sparse files")


def configuration(
    path: str, exists: bool, faults: Iterable[Fault], strays: Iterable[Fault]
) -> Finding:
    """Judge the configuration: all that is wrong in it, and misspelt variables."""
    wrong, odd = list(faults), list(strays)
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return problem(f"{wrong[0].line}{more}", "see all of it: smc-tui config validate")
    if odd:
        return note(odd[0].line, "see: smc-tui config validate")
    return ok(path if exists else "no file; the defaults")


def file_rights(path: str, mode: int, owner: int, me: int) -> Finding:
    """Judge who else may change a file that tells the engine what to do."""
    if owner not in (me, 0):
        return note(f"{path} belongs to user {owner}", "whoever that is decides what is configured")
    if mode & 0o022:
        return note(
            f"{path} can be changed by others (mode {stat.S_IMODE(mode):04o})",
            f"chmod go-w {path}",
        )
    return ok(f"only its owner can change {path}")


# What is in the home


def job_store(version: int | None, known: int) -> Finding:
    """Judge the version of the job store; None: there is none."""
    if version is None:
        return ok("none yet")
    if version > known:
        return problem(
            f"version {version}, this program knows {known}", "use the version that wrote it"
        )
    if version < known:
        return note(f"version {version}, not {known}", "the next start of the engine updates it")
    return ok(f"version {version}")


def image_store(line: str | None) -> Finding:
    """Judge the line that tells the image store's version; None: there is no store."""
    if line is None:
        return ok("none yet")
    name, _, number = line.strip().rpartition(" ")
    if name != STORE_NAME or not number.isdigit():
        return problem(
            "its FORMAT does not say what it is", "restore that file: see smc-tui store check"
        )
    if int(number) > STORE_VERSION:
        return problem(
            f"version {number}, this program knows {STORE_VERSION}", "use the version that wrote it"
        )
    return ok(f"version {number}")


def engine(status: str, version: str | None, mine: str, time_lapse: float | None) -> Finding:
    """Judge the engine: ``running``, ``stopped`` or ``died``."""
    if status == "died":
        return note(
            "it ended without a word", "see engine.log in the home; any command starts the next"
        )
    if status != "running":
        return ok("none runs; the next command that needs one starts it")
    if version != mine:
        return note(
            f"runs, of version {version}, not {mine}",
            "start it anew: smc-tui engine stop, smc-tui engine start",
        )
    if time_lapse not in (None, 1.0):
        return note(f"runs, its clock {time_lapse:g} times as fast", "that is for demos and tests")
    return ok(f"runs, version {version}")


# The machine


def clock(now: float, built: float, engine_now: float | None, synchronised: bool | None) -> Finding:
    """Judge the clock.

    Args:
        now: what it says, POSIX seconds.
        built: an instant that has certainly passed.
        engine_now: the latest instant that the engine has written down.
        synchronised: whether the kernel holds it to be right; None: it does not say.
    """
    shown = rfc3339(now)
    if now < built:
        return problem(shown, "set the clock: it is before this program was made")
    if engine_now is not None and engine_now - now > CLOCK_SLACK:
        behind = duration_text(engine_now - now)
        level = problem if engine_now - now > DAY else note
        return level(
            f"{shown}, {behind} before what the engine has seen",
            "set the clock; the engine's own goes on from where it was",
        )
    if synchronised is False:
        return note(f"{shown}, not synchronised", "run an NTP client, such as chrony")
    return ok(shown)


def session_end(kills: bool, lingers: bool) -> Finding:
    """Judge whether the engine outlives a logout."""
    if kills and not lingers:
        return note(
            "logging out ends the engine (KillUserProcesses=yes)",
            "loginctl enable-linger, or run the engine as a service",
        )
    return ok("the engine outlives a logout")


def open_files(soft: int, hard: int) -> Finding:
    """Judge the limit of open files; a negative number is none."""
    shown = "no limit" if soft < 0 else f"{soft} open files"
    if 0 <= soft < FILES_NEEDED:
        advice = f"ulimit -n {FILES_WANTED}" if hard < 0 or hard >= FILES_WANTED else "raise it"
        return problem(shown, f"{advice}: large image stores have many packs")
    if 0 <= soft < FILES_WANTED:
        return note(shown, "raise it for very large image stores")
    return ok(shown)


def memory(available: int | None, cpus: int) -> Finding:
    """Judge memory and processors."""
    processors = f"{cpus} CPU{'s' if cpus != 1 else ''}"
    if available is None:
        return ok(processors)
    shown = f"{bytes_text(available)} available, {processors}"
    if available < MEMORY_WANTED:
        return note(shown, "a synchronisation needs up to about 150 MiB; run fewer at once")
    return ok(shown)


def terminal(facts: Mapping[str, Any]) -> Finding:
    """Judge the terminal: ``tty``, ``encoding``, ``term``, ``columns``, ``lines``, ``colour``."""
    if not facts["tty"]:
        return ok("none here: plain text")
    size = f"{facts['columns']} x {facts['lines']}"
    shown = f"{facts['term']}, {size}, {facts['encoding']}, {facts['colour'] or 'no colours'}"
    advice = []
    if not facts["encoding"].lower().replace("-", "").startswith("utf8"):
        advice.append("choose a UTF-8 locale, else everything is drawn with ASCII")
    if facts["term"] in ("", "dumb"):
        advice.append("set TERM: without it nothing is drawn in place")
    elif not facts["colour"]:
        advice.append("statuses are told by words alone")
    if facts["columns"] < SCREEN_WANTED[0] or facts["lines"] < SCREEN_WANTED[1]:
        advice.append(f"tables fold below {SCREEN_WANTED[0]} x {SCREEN_WANTED[1]}")
    return note(shown, "; ".join(advice)) if advice else ok(shown)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
