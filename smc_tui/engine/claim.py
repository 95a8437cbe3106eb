"""Being the one engine of a home, and being woken.

The claim is a flock: the kernel drops it with the process, however that ends, so a
dead engine never keeps a home. The socket is bound only once the engine can serve:
whoever's datagram is taken knows that the engine is ready.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from typing import Self

from smc_tui.jobstore.home import Home
from smc_tui.jobstore.presence import short_path
from smc_tui.model.errors import SmcError


class Claim:
    """A home held by this process until ``release`` or its death."""

    def __init__(self, home: Home, lock: int) -> None:
        self._home = home
        self._lock = lock
        self._socket: socket.socket | None = None

    @classmethod
    def take(cls, home: Home) -> Self:
        """Become the engine of a home.

        Raises:
            SmcError: Engine.AlreadyRunning, Home.Unusable.
        """
        home.prepare()
        try:
            lock = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SmcError("Home.Unusable", f"{home.lock}: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.pread(lock, 32, 0).decode(errors="replace").strip()
            os.close(lock)
            raise SmcError(
                "Engine.AlreadyRunning", f"process {pid or 'unknown'} serves {home.path}"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return cls(home, lock)

    def serve(self) -> socket.socket:
        """Bind the wake-up socket; the caller watches it and calls ``drain``.

        Requests may have come before it was there: look once without being woken.
        """
        waker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            # Ours alone by the lock: what is there was left by a dead engine.
            self._home.socket.unlink(missing_ok=True)
            with short_path(self._home.socket) as address:
                waker.bind(address)
        except BaseException:
            waker.close()
            raise
        self._socket = waker
        return waker

    def drain(self) -> None:
        """Take all waiting wake-ups: they all say the same."""
        if self._socket is not None:
            with contextlib.suppress(BlockingIOError):
                while True:
                    self._socket.recv(16)

    def release(self) -> None:
        """Give the home back; first the socket, so that nobody is told of a ready engine."""
        if self._socket is not None:
            self._home.socket.unlink(missing_ok=True)
            self._socket.close()
            self._socket = None
        os.close(self._lock)
