"""The one way by which this room touches the disk for keeps.

Every call that makes something durable (write, fsync, rename, unlink, commit)
goes through a Files object and announces itself to ``before`` first. The plain
one does nothing there; a test's one makes the n-th call fail or ends the
process, so that every order of events that a crash can leave is tried.

Failures leave here as SmcError: Destination.Full where room is lacking,
Destination.IoError otherwise, with the path in the detail.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from smc_tui.images.blocks import Bytes
from smc_tui.model.errors import SmcError

_IOV_MAX = 1024  # Linux's limit of buffers in one writev
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError of the body into the SmcError that names ``path``."""
    try:
        yield
    except OSError as error:
        code = "Destination.Full" if error.errno in _FULL else "Destination.IoError"
        raise SmcError(code, f"{path}: {error.strerror or error}", path=str(path)) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an OSError of the body into Store.Unreadable; a file that is not there stays one."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        detail = f"{path}: {error.strerror or error}"
        raise SmcError("Store.Unreadable", detail, path=str(path)) from error


def index_error(error: sqlite3.Error, path: Path) -> SmcError:
    """Return what an error of SQLite means for the store."""
    number = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if number == sqlite3.SQLITE_FULL:
        code = "Destination.Full"
    elif number in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        code = "Destination.IoError"
    elif number in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        code = "Store.Busy"
    else:
        code = "Store.IndexDamaged"
    return SmcError(code, f"{path}: {error}", path=str(path))


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Take the flock of an open file if it is free; tell whether it was."""
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Files:
    """Durable calls on files, each a place where a crash can strike."""

    def before(self, call: str, path: Path) -> None:
        """Announce a durable call; a test's subclass fails here."""

    def create_locked(self, path: Path) -> int:
        """Create a new file and hold its flock; return the descriptor.

        Whoever cleans up after the dead takes the flock before unlinking, so
        between our open and our flock the file may vanish: then try again.
        """
        with writing(path):
            while True:
                self.before("create", path)
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX)
                    if os.fstat(fd).st_nlink:
                        return fd
                except BaseException:
                    os.close(fd)
                    raise
                os.close(fd)

    def write(self, fd: int, buffers: Sequence[Bytes], offset: int, path: Path) -> int:
        """Write all buffers, in one call per 1024 of them; return the bytes written."""
        position = offset
        with writing(path):
            self.before("write", path)
            for start in range(0, len(buffers), _IOV_MAX):
                part = buffers[start : start + _IOV_MAX]
                wanted = sum(map(len, part))
                written = self.pwritev(fd, part, position)
                if written < wanted:  # the rest tells by its own error why it was short
                    self._finish(fd, memoryview(b"".join(part))[written:], position + written)
                position += wanted
        return position - offset

    def pwritev(self, fd: int, buffers: Sequence[Bytes], offset: int) -> int:
        """Do one write, which may be short; return the bytes written."""
        return os.pwritev(fd, buffers, offset)

    def _finish(self, fd: int, rest: memoryview, position: int) -> None:
        while rest:
            written = self.pwritev(fd, [rest], position)
            if written == 0:
                raise OSError(errno.EIO, "a write wrote nothing")
            rest = rest[written:]
            position += written

    def truncate(self, fd: int, length: int, path: Path) -> None:
        """Cut a file, or extend it with a hole, to ``length`` bytes."""
        with writing(path):
            self.before("truncate", path)
            os.ftruncate(fd, length)

    def fsync(self, fd: int, path: Path) -> None:
        """Make a file's bytes durable. After a failure they are in doubt for good."""
        with writing(path):
            self.before("fsync", path)
            os.fsync(fd)

    def fsync_dir(self, folder: Path) -> None:
        """Make a folder's entries durable."""
        with writing(folder):
            self.before("fsync_dir", folder)
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            except OSError as error:
                if error.errno != errno.EINVAL:  # a file system that has no such thing
                    raise
            finally:
                os.close(fd)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file its name; what bore the name before is gone."""
        with writing(new):
            self.before("rename", new)
            old.rename(new)

    def unlink(self, path: Path) -> None:
        """Remove a file; one that is not there is removed already."""
        with writing(path):
            self.before("unlink", path)
            path.unlink(missing_ok=True)

    def mkdir(self, path: Path) -> None:
        """Make a folder and those above it, durable and readable by the owner alone."""
        with writing(path):
            if path.is_dir():
                return
            self.mkdir(path.parent)
            self.before("mkdir", path)
            path.mkdir(mode=0o700, exist_ok=True)
            self.fsync_dir(path.parent)

    def commit(self, connection: sqlite3.Connection, path: Path) -> None:
        """Commit a transaction of the index, durable when this returns."""
        with writing(path):
            self.before("commit", path)
        connection.commit()

    def replace(self, path: Path, parts: Iterable[Bytes]) -> None:
        """Put a whole file in place: under a temporary name, fsync, rename, fsync of the folder.

        A crash leaves the old file or the new one, and perhaps a ``.tmp`` whose
        flock nobody holds; ``sweep_temporary`` removes it.
        """
        temporary = path.with_name(f"{path.name}.{os.urandom(4).hex()}.tmp")
        fd = self.create_locked(temporary)
        try:
            position = 0
            for part in parts:
                position += self.write(fd, [part], position, temporary)
            self.fsync(fd, temporary)
            self.rename(temporary, path)
            self.fsync_dir(path.parent)
        except Exception:
            with suppress(SmcError):
                self.unlink(temporary)
            raise
        finally:
            os.close(fd)

    def sweep_temporary(self, folder: Path) -> int:
        """Remove temporary files that nobody writes any more; return how many."""
        swept = 0
        for path in folder.glob("*.tmp"):
            with suppress(FileNotFoundError):
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    if try_lock(fd):
                        self.unlink(path)
                        swept += 1
                finally:
                    os.close(fd)
        return swept
