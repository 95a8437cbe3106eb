"""Whether an image of a live file system is the file system at one instant.

What the checkers of the file systems expect of a *frozen* one, and what is done here:

ext4
    Freezing flushes the journal and clears ``needs_recovery``, so the image must
    pass ``e2fsck -fn`` as it is. ``-n`` replays no journal: an image that still
    needs it is a finding, whatever the exit status.

XFS
    Freezing writes everything back and then, on purpose, logs the superblock once
    more: a machine that crashes while frozen must find a dirty log, or files that
    were deleted while open would never be freed. ``xfs_repair -n`` replays no log
    either. So the image as it is shows an ALERT about the log and, the counters of
    the superblock being written lazily, ``sb_fdblocks 59913, counted 60372``: these
    are no findings, every other line is. Its exit status 1 says no more than that
    there were any lines. Then the log is replayed by mounting, as the server itself
    would do, and ``xfs_repair -n`` must pass with status 0.

Both
    A file that is deleted but still open has no name and waits on a list (of orphans,
    of unlinked inodes) to be freed when it is closed or at the next mount. Frozen or
    not, the checkers call it damage (``Deleted inode 14 has zero dtime``, ``disconnected
    inode 139``). Servers always have such files. Therefore the second look, *after* the
    mount, is the one that must pass on every source; the first look must pass as well
    where nobody holds deleted files open, as here.

Images are changed by these checks: hand over a copy.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import sqlite3
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.live.disks import Filesystem, loop, mounted
from tests.live.freezing import Window
from tests.live.patterns import check_files, check_pages
from tests.live.writing import KEPT_ROWS

_E2FSCK_JOURNAL = "skipping journal recovery"
_XFS_EXPECTED = re.compile(
    r"""Phase\ \d | \s*-\ | No\ modify\ flag
    | ALERT:\ The\ filesystem\ has\ valuable\ metadata
    | ignored\ because\ the\ -n | which\ may\ be\ resolved
    | sb_(fdblocks|icount|ifree)\ \d+,\ counted\ \d+$""",
    re.VERBOSE,
)


@dataclass
class Verdict:
    """What was found out about one image.

    Attributes:
        findings: what is wrong, each with the check that says so; none if all is well.
        rows: of the database, how many the image holds.
        last: the newest of them.
        turns: how often the big files had been written to, by kind.
    """

    findings: list[str] = field(default_factory=list)
    rows: int = 0
    last: int = 0
    turns: dict[str, int] = field(default_factory=dict)

    def find(self, check: str, *findings: str) -> None:
        """Add findings of a check."""
        self.findings += [f"{check}: {finding}" for finding in findings]


def _run(*words: object) -> tuple[int, str]:
    done = subprocess.run(
        [str(word) for word in words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
    )
    return done.returncode, done.stdout


def as_read(kind: str, device: Path) -> list[str]:
    """Return what its checker finds in an unmounted file system, no journal replayed."""
    if kind == "ext4":
        status, text = _run("e2fsck", "-fn", device)
        lines = [line for line in text.splitlines() if line.strip()]
        found = [line for line in lines if _E2FSCK_JOURNAL in line]
        return [*found, f"status {status}", *lines[1:8]] if status else found
    status, text = _run("xfs_repair", "-n", device)
    lines = [line for line in text.splitlines() if line.strip()]
    found = [line for line in lines if not _XFS_EXPECTED.match(line)]
    if status not in (0, 1):
        found.append(f"status {status}")
    return found[:8]


def replayed(device: Path) -> list[str]:
    """Replay an ext4 journal without mounting, and return what the checker finds then.

    A crash leaves a journal to be replayed and then nothing to be found; an image
    of blocks from different instants is damaged still.
    """
    _run("e2fsck", "-y", "-E", "journal_only", device)  # -f would repair everything
    return as_read("ext4", device)


def as_booted(kind: str, device: Path, place: Path, base: Base | None, verdict: Verdict) -> None:
    """Mount it as a server would, look into the database, unmount, and check once more."""
    options = {"ext4": (), "xfs": ("-o", "nouuid")}[kind]
    try:
        with mounted(device, place, *options):
            contents(place, verdict)
            if base:
                base.check(place / "database" / "rows.db", verdict)
    except RuntimeError as error:
        verdict.find("mount", str(error))
        return
    status, text = _run(*{"ext4": ("e2fsck", "-fn"), "xfs": ("xfs_repair", "-n")}[kind], device)
    if status:
        verdict.find(f"{kind} after its mount", f"status {status}", *text.splitlines()[-8:])


def contents(place: Path, verdict: Verdict) -> None:
    """Hold the files of those writers that were at work to what they wrote."""
    for kind in ("direct", "mapped"):
        if (place / kind).exists():
            turns, found = check_pages(place / kind, torn_allowed=kind == "mapped")
            verdict.find(kind, *found[:5])
            verdict.turns[kind] = turns
    if (place / "buffered").exists():
        verdict.find("buffered", *check_files(place / "buffered")[:5])


@dataclass(frozen=True)
class Base:
    """What the database of an image must hold.

    Attributes:
        log: what the writer noted on another disk.
        window: when the file systems were frozen, or None: then only the bounds below.
        before: an instant before which everything committed must be in the image.
    """

    log: Path
    window: Window | None = None
    before: float = 0.0

    def check(self, path: Path, verdict: Verdict) -> None:
        """Open it, as its application would, and add what is wrong with it."""
        try:
            with contextlib.closing(sqlite3.connect(path)) as connection:
                for (text,) in connection.execute("pragma integrity_check"):
                    if text != "ok":
                        verdict.find("integrity_check", text)
                rows = connection.execute("select id, payload, sum from rows order by id")
                self._rows(list(rows), verdict)
        except sqlite3.Error as error:
            verdict.find("database", f"{type(error).__name__}: {error}")

    def _rows(self, rows: list[tuple[int, bytes, str]], verdict: Verdict) -> None:
        verdict.rows = len(rows)
        verdict.last = last = rows[-1][0] if rows else 0
        for row, payload, digest in rows:
            if hashlib.blake2b(payload, digest_size=16).hexdigest() != digest:
                verdict.find("rows", f"the payload of row {row} is not what was written")
        expected = range(max(1, last - KEPT_ROWS + 1), last + 1)
        if [row for row, _, _ in rows] != list(expected):
            verdict.find("rows", f"{len(rows)} rows up to {last}, not {len(expected)} in a row")
        committed, earliest = self.bounds()
        if last < committed:
            verdict.find("rows", f"row {committed} was committed before the freeze, {last} is last")
        if earliest and last >= earliest:
            verdict.find("rows", f"row {earliest} was begun after the thaw, {last} is last")

    def bounds(self) -> tuple[int, int]:
        """Return the last row committed before the instant, and the first begun after it.

        Row numbers; 0 for none.
        """
        begin = self.window.begin if self.window else self.before
        committed = earliest = 0
        for row, begun, ended in notes(self.log):
            if ended < begin:
                committed = row
            if self.window and begun > self.window.thaw and not earliest:
                earliest = row
        return committed, earliest


def notes(log: Path) -> list[tuple[int, float, float]]:
    """Return the rows noted so far, each with the instants of its begin and its end."""
    whole = log.read_text().rpartition("\n")[0]
    lines = (line.split() for line in whole.splitlines())
    return [(int(row), float(begun), float(ended)) for row, begun, ended in lines]


def judge(
    file: Path, places: tuple[Filesystem, ...], bases: dict[Filesystem, Base], verdict: Verdict
) -> None:
    """Check the image of a disk, each of its file systems in its place.

    Args:
        file: the raw image; it is changed.
        places: the live file systems that the image is of.
        bases: what the databases must hold; file systems without one are left out.
        verdict: takes what is found.
    """
    for place in places:
        part = (f"--offset={place.offset}", f"--sizelimit={place.size}")
        with loop(file, *part) as device:
            findings = as_read(place.kind, device)
            verdict.find(f"{place.kind} as it is", *findings)
            if not findings:
                folder = file.with_name(f"{file.name}.mount")
                as_booted(place.kind, device, folder, bases.get(place), verdict)
