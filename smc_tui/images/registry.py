"""Who is writing: the sessions, each alive as long as its file is flocked.

A session is known to the collection before it may look anything up: first the
flocked file, then the row in the index. The kernel frees the flock however the
process ends, so the dead are told from the living without asking anybody; a
process id could be another process's by now and is kept for people alone.

Ids grow and are never given twice, so "all sessions that were open then have
ended" is one number, a *barrier*: no living session has an id up to it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from smc_tui.images.files import Files, try_lock, writing
from smc_tui.images.index import Index
from smc_tui.images.paths import Paths
from smc_tui.model.errors import SmcError


def hold_store(paths: Paths, *, exclusive: bool = False) -> int:
    """Take the store's lock, for writing beside others or for replacing the index.

    Returns:
        The descriptor to close when done.

    Raises:
        SmcError: Store.Busy.
    """
    with writing(paths.lock):
        fd = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not try_lock(fd, shared=not exclusive):
        os.close(fd)
        busy = "sessions are open" if exclusive else "its index is being made anew"
        raise SmcError("Store.Busy", f"{paths.root}: {busy}")
    return fd


@dataclass
class Registration:
    """The registration of one session, with the connection it writes the index by."""

    id: int
    index: Index
    _files: Files
    _path: Path
    _fd: int
    _store_fd: int

    @classmethod
    def enter(cls, paths: Paths, files: Files, owner: str) -> Registration:
        """Register a session.

        Raises:
            SmcError: Store.Busy, Store.IndexDamaged, Destination.Full, Destination.IoError.
        """
        store_fd = hold_store(paths)
        index: Index | None = None
        fd = -1
        try:
            index = Index(paths.index, files)
            token = os.urandom(8).hex()
            path = _path(paths, token)
            fd = files.create_locked(path)
            with index.writing():
                index.execute(
                    "INSERT INTO sessions (token, owner, pid, started) VALUES (?,?,?,?)",
                    [(token, owner, os.getpid(), time.time())],
                )
                ((number,),) = index.query("SELECT id FROM sessions WHERE token = ?", [token])
            return cls(number, index, files, path, fd, store_fd)
        except BaseException:
            if index is not None:
                index.close()
            for held in (fd, store_fd):
                if held >= 0:
                    os.close(held)
            raise

    def leave(self) -> None:
        """End the session. Whatever fails here, the flock is let go, and that is what counts."""
        try:
            with suppress(SmcError):
                with self.index.writing():
                    self.index.execute("DELETE FROM sessions WHERE id = ?", [(self.id,)])
                self._files.unlink(self._path)
        finally:
            self.index.close()
            os.close(self._fd)
            os.close(self._store_fd)


def _path(paths: Paths, token: str) -> Path:
    return paths.sessions / f"{token}.session"


def living(paths: Paths, files: Files, index: Index) -> list[int]:
    """Return the ids of the living sessions, in order, and clear away the dead."""
    alive, dead = [], []
    for number, token in index.query("SELECT id, token FROM sessions ORDER BY id"):
        if _is_dead(_path(paths, token), files):
            dead.append((number,))
        else:
            alive.append(number)
    if dead:
        with index.writing():
            index.execute("DELETE FROM sessions WHERE id = ?", dead)
    _sweep_strays(paths, files, index)
    return alive


def _is_dead(path: Path, files: Files) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        if not try_lock(fd):
            return False
        files.unlink(path)
        return True
    finally:
        os.close(fd)


def _sweep_strays(paths: Paths, files: Files, index: Index) -> None:
    """Remove files of sessions that died before their row was there."""
    known = {token for (token,) in index.query("SELECT token FROM sessions")}
    for path in paths.sessions.glob("*.session"):
        if path.stem not in known:
            _is_dead(path, files)


def set_barrier(index: Index, subject: str, alive: list[int]) -> None:
    """Note that ``subject`` may go when the sessions alive now have ended."""
    with index.writing():
        index.execute(
            "INSERT OR REPLACE INTO barriers VALUES (?,?)", [(subject, max(alive, default=0))]
        )


def barrier(index: Index, subject: str) -> int | None:
    """Return the barrier of ``subject``, or None where none is set."""
    rows = index.query("SELECT session FROM barriers WHERE subject = ?", [subject])
    return int(rows[0][0]) if rows else None


def drop_barrier(index: Index, subject: str) -> None:
    """Forget the barrier of ``subject``."""
    with index.writing():
        index.execute("DELETE FROM barriers WHERE subject = ?", [(subject,)])


def has_passed(number: int, alive: list[int]) -> bool:
    """Tell whether no session up to ``number`` lives any more."""
    return not alive or alive[0] > number
