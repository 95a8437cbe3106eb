"""Is it the disk that was imported, and did anything write to it while it was read?

``stopped`` says: nothing wrote to the disks from the moment on that the first of them
was read until the last one was, so the image is the server's disks at one instant.
What proves it is that each disk's *state* (``agent.py``) is the same before and after:
counts of what was written, which only grow, and for a file its times.

A run may lose its link and go on over another one. In between nobody looks, no file
descriptor keeps the device in its place, and the server may have been started again,
so the same path and the same counts could belong to another life of the disk: written
to, then back at nought. The claim is proven across the gap all the same, because the
state also holds what these counts are counts *of*:

- the start of the system (its boot id): counts that begin anew belong to another one;
  and so does a file whose last writes a crash may have undone;
- the device (the kernel's number of the disk): one that was taken away and put back,
  changed elsewhere meanwhile, has another one.

Two equal states, then, are of one device in one life of the system, whose counts have
only grown in between; equal, they have not grown, so nothing was written, whether or
not anybody looked. Where a system cannot tell these things the agent puts a value of
its own process there, which is equal to no later agent's: the image is then ``fuzzy``
after a gap, never ``stopped`` on a hope.

The states compared are always the pass's *first* ones, those before anything was read.
A disk that was once seen in another state stays written to, whatever is seen later.
What a run compared before a gap it does not compare again after it: that is exactly
what the claim covers. What it began and lost is compared again.
"""

from __future__ import annotations

from typing import Any

from smc_tui.model.errors import SmcError
from smc_tui.source import protocol
from smc_tui.source.client import AgentClient, OpenDisk
from smc_tui.sync.description import SourceDisk


def recognise(client: AgentClient, disk: SourceDisk) -> OpenDisk:
    """Open a disk and make sure that it is the one that was imported.

    Raises:
        SmcError: Disk.NotFound, Disk.ReadFailed, Disk.Shrank, Disk.Replaced.
    """
    found = client.open_disk(disk.index, disk.path)
    if found.size < disk.size:
        detail = f"{disk.path} has {found.size} bytes, at import it had {disk.size}"
        raise SmcError("Disk.Shrank", detail)
    known = {name: fact for name, fact in disk.identity.items() if name in found.identity}
    if known != {name: found.identity[name] for name in known} or (disk.identity and not known):
        raise SmcError("Disk.Replaced", f"{disk.path} is not the disk that was imported")
    return found


class Witness:
    """What was seen of the disks in one pass, over however many connections.

    Attributes:
        disks: as they were before anything was read.
    """

    def __init__(self, disks: list[OpenDisk]) -> None:
        self.disks = disks
        self._written: set[int] = set()

    def see_again(self, disks: list[OpenDisk]) -> None:
        """Look at the disks that another connection has opened.

        Raises:
            SmcError: Disk.Shrank.
        """
        for first, now in zip(self.disks, disks, strict=True):
            self._compare(first, now.size, now.state)

    def verdict(self, footprint: dict[str, Any]) -> tuple[str, str]:
        """Return (``stopped`` or ``fuzzy``, the reason in words) at the end.

        Args:
            footprint: the agent's last words, with the states of the disks now.

        Raises:
            SmcError: Disk.Shrank while it was read; Protocol.Malformed.
        """
        states = footprint.get("states")
        if not isinstance(states, dict):
            raise protocol.malformed("no states of the disks at the end")
        for disk in self.disks:
            now = states.get(str(disk.index))
            if not isinstance(now, list) or not now or not isinstance(now[0], int):
                raise protocol.malformed(f"no state of {disk.path} at the end")
            self._compare(disk, now[0], now)
        written = [disk.path for disk in self.disks if disk.index in self._written]
        if written:
            return "fuzzy", f"{', '.join(written)} was written to while it was read"
        return "stopped", "nothing wrote to the disks while they were read"

    def _compare(self, first: OpenDisk, size: int, state: list[Any]) -> None:
        if size < first.size:
            raise SmcError("Disk.Shrank", f"{first.path} shrank while it was read")
        if state != first.state:
            self._written.add(first.index)
