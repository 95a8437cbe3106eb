"""Looking at this machine for ``doctor``: programs, mounts, a file system, the clock."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from smc_tui.cli.health import Probe
from smc_tui.model.units import KIB, MIB

#: A program that does not tell its version in this time is not waited for.
PATIENCE = 3.0


def said(words: list[str]) -> str | None:
    """Return what a program says of itself; None: it is not there, or says nothing in time."""
    if shutil.which(words[0]) is None:
        return None
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False,
            text=True, errors="replace", env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or done.stderr.strip()


def mount_of(path: Path, mountinfo: str) -> tuple[str, str]:
    """Return the kind of file system that a path is on, and where that is mounted."""
    best = ("unknown", "/")
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        words = before.split()
        if len(words) < 5 or not after:
            continue
        # Blanks are written \040.
        where = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), words[4])
        # The last one of a place is the one on top; a longer place is nearer.
        if path.is_relative_to(where) and len(where) >= len(best[1]):
            best = (after.split()[0], where)
    return best


def is_folder(path: Path) -> bool:
    """Tell whether there is a folder, as far as this user may know."""
    try:
        return path.is_dir()
    except OSError:
        return False


def probe(folder: Path) -> Probe:
    """Try with a file what images need of a file system; the file is removed again."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".smc-tui-probe-", dir=folder)
    except OSError as error:
        return Probe(error=f"{folder}: {error.strerror}")
    path, other = Path(name), Path(f"{name}.new")
    try:
        os.write(descriptor, bytes(4 * KIB))
        begun = time.perf_counter()
        os.fsync(descriptor)
        taken = time.perf_counter() - begun
        os.ftruncate(descriptor, 4 * MIB)
        sparse = os.fstat(descriptor).st_blocks * 512 < MIB
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        locked = _refused(path)
        other.touch(0o600)
        other.replace(path)
        replaced = path.stat().st_size == 0 and not other.exists()
        return Probe("", taken, replaced, locked, sparse)
    except OSError as error:
        return Probe(error=f"{folder}: {error.strerror}")
    finally:
        os.close(descriptor)
        for each in (path, other):
            with suppress(OSError):
                each.unlink(missing_ok=True)


def _refused(path: Path) -> bool:
    """Tell whether another opening of a locked file cannot have its lock."""
    with path.open("rb") as again:
        try:
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def synchronised() -> bool | None:
    """Return whether the kernel holds the clock to be right; None: it does not say."""
    import ctypes

    room = ctypes.create_string_buffer(512)  # struct timex has 208 bytes; modes 0: only look
    try:
        state = ctypes.CDLL(None).adjtimex(room)
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != 5  # TIME_ERROR
