"""The keeper's own program: it thaws whatever becomes of the one that froze.

It takes JSON lines ``[do, what]`` on standard input and answers each with a byte. It is
told what will be frozen before it is, and thaws it when the time is over or its input
ends, however the agent ended; then it also undoes the hook and removes the record of
writes, unless that is to be kept. It touches no file while anything is frozen.
"""

import fcntl
import json
import os
import select
import signal
import subprocess
import time

FITHAW = 0xC0045878  # linux/fs.h
AGAIN = 0.02  # s between two tries
CLOSING = 10.0  # s that a process which was ended may take to close its files
FREEZING = 2.0  # s after which a freeze that was under way has ended


class Watchdog:
    """What is frozen, until when, and what is to be undone."""

    def __init__(self):
        self.opened = []
        self.limit = None
        self.undo = None
        self.record = None

    def thaw(self):
        """Try to thaw everything that was announced, in the opposite order."""
        for handle in reversed(self.opened):
            try:
                fcntl.ioctl(handle, FITHAW, 0)
            except OSError:
                pass  # not frozen, or not yet

    def obey(self, do, what):
        """Take note of one line."""
        if do == "open":
            self.opened = [os.open(path, os.O_RDONLY) for path in what]
        elif do == "arm":
            self.limit = time.monotonic() + what
        elif do == "disarm":
            self.limit = None
            while self.opened:  # nothing is kept busy that somebody may want to unmount
                os.close(self.opened.pop())
        elif do == "undo":
            self.undo = what
        elif do == "record":
            self.record = what

    def listen(self):
        """Obey until the input ends; thaw when the time is over."""
        text = b""
        while True:
            left = None if self.limit is None else max(0.0, self.limit - time.monotonic())
            if not select.select([0], [], [], left)[0]:
                self.thaw()
                self.limit = time.monotonic() + AGAIN
                continue
            data = os.read(0, 65536)
            if not data:
                return
            text += data
            while b"\n" in text:
                line, text = text.split(b"\n", 1)
                self.obey(*json.loads(line.decode()))
                os.write(1, b"k")

    def put_right(self):
        """Leave nothing of the agent's behind."""
        if self.limit is not None:
            # A freeze that was under way when the agent ended is complete in a moment.
            end = time.monotonic() + FREEZING
            while time.monotonic() < end:
                self.thaw()
                time.sleep(AGAIN)
        if self.undo:
            words, timeout = self.undo
            try:
                process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, start_new_session=True, cwd="/"
                )
                process.wait(timeout)
            except (OSError, subprocess.TimeoutExpired):
                pass
        if self.record and not self.record[1]:
            remove(self.record[0])


def remove(record):
    """Remove a record of writes; the agent's end may still be closing it."""
    end = time.monotonic() + CLOSING
    while time.monotonic() < end and os.path.isdir(record):
        try:
            os.rmdir(record)
        except OSError:
            time.sleep(AGAIN)


def main():
    """Watch until nobody needs it any more; no signal but the last one ends it."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    watchdog = Watchdog()
    try:
        watchdog.listen()
    finally:
        watchdog.put_right()


if __name__ == "__main__":
    main()
