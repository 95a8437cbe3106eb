"""The part of the reading program for disks that are written to while they are read.

Its modules are sent after ``agent.py`` and run beside it, under their own names, only
where a disk is in use: Python 3.6 or later, standard library only, root. They find what
is mounted from a disk (``mounts``), record in the kernel which of its pages are written
(``trace``), read such pages (``pages``), and freeze file systems for the moment in which
the last ones are read (``part``, ``keeper``). One request, ``L`` (JSON, what to ``do``),
is answered by data frames and then ``l`` (JSON); the other side is ``liveclient.py``.

    survey   what is mounted from each disk, and whether its writes can be recorded
    trace    begin to record, or go on with a record that an earlier agent left
    free     m frames: pages that no file system uses
    take     g frames: the pages written since they were last read
    freeze   g frames: the same, read while every file system was frozen
    mark     pages that an earlier visit was told of
    hand_over  m frames: which pages were written; they are not read
    loose    m frames: pages that were discarded and not read since
    settle   keep the record in the kernel for the next agent, or end it

Why the pages are enough. The record is on before the first segment is read. A page is
taken out of the set of written ones *before* it is read, and a write puts it in when it
is done. So a write of which the reading saw nothing, or a part, is done after the page
was taken, and leaves a mark: a page without a mark is what was read. While the file
systems are frozen nothing is under way; the marked pages read then, and all others as
they were read before, are the disk at that instant.

What may go wrong is noticed: events the kernel had no room for are counted by it, a
line that is not understood counts as lost, and a file system that was thawed by
somebody else refuses our thaw. Each of these ends in an answer that says so.
"""

from __future__ import annotations

from pathlib import Path

#: The modules in the order in which they are sent: each imports earlier ones only.
PARTS = ("marks", "mounts", "trace", "pages", "watchdog", "keeper", "part")


def text_of(part: str) -> bytes:
    """Return a module's text, as it is sent."""
    return Path(__file__).with_name(f"{part}.py").read_bytes()
