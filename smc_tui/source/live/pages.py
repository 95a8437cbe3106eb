"""Reading single pages past the page cache, several at a time."""

import mmap
import threading

from smc_tui.source.live.marks import FRAME_PAGES, PAGE


class PageReader:
    """Reads pages past the page cache, several at a time."""

    def __init__(self, disk):
        self.disk = disk
        self.own = threading.local()

    def read(self, pair):
        """Return the bytes of up to FRAME_PAGES pages, zeros past the disk's end."""
        own = self.own
        if not hasattr(own, "file"):
            own.file = self.disk.reader()
            own.view = memoryview(mmap.mmap(-1, FRAME_PAGES * PAGE))
        start, end = pair[0] * PAGE, min(pair[1] * PAGE, self.disk.size)
        done, wanted = 0, end - start
        own.file.seek(start)
        while done < wanted:
            # To the end of the page: direct reads know nothing smaller.
            count = own.file.readinto(own.view[done : (pair[1] - pair[0]) * PAGE])
            if not count:
                raise OSError(5, "the disk ended early")
            done += count
        return bytes(own.view[:wanted]) + bytes((pair[1] - pair[0]) * PAGE - wanted)
