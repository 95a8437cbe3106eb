"""The catalogue: every code, its cause, what is safe, the one next step.

The only place where a code is explained; the command line, the engine and the
consoles read it. SMC's own codes are used where SMC has one (its API's error
list); the project's own have the same dotted form. Codes are grouped by what
they speak of; within a group they are in the order a run meets them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What the command line's exit status says."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NO_ENGINE = 3
    NO_SUCH_OBJECT = 4
    NOT_ALLOWED = 5
    TIMED_OUT = 7
    STORE_DAMAGED = 8


@dataclass(frozen=True)
class Entry:
    """One row of the catalogue."""

    cause: str
    next_step: str
    safe: str = "nothing was changed"
    resumes: str = ""
    exit_code: ExitCode = ExitCode.FAILED


_KEPT = "all images and everything transferred so far"
_RESUME = "at the point of failure: blocks already stored are not sent again"


def _usage(cause: str, next_step: str) -> Entry:
    return Entry(cause, next_step, exit_code=ExitCode.USAGE)


def _run(cause: str, next_step: str) -> Entry:
    return Entry(cause, next_step, safe=_KEPT, resumes=_RESUME)


CATALOGUE: dict[str, Entry] = {
    # The source and the way to it
    "Source.UnknownHost": _run(
        "the host's name cannot be resolved", "check the name, DNS and the ssh configuration"
    ),
    "SourceServer.Offline": _run(
        "the source does not answer over SSH",
        "check that the host is up and its SSH port is open, then retry",
    ),
    "Source.BadAddress": _usage(
        "this is no address of a source", "write [USER@]HOST[:PORT] without blanks or quotes"
    ),
    "HostKey.NotAccepted": Entry(
        "the host key has not been accepted yet",
        "compare the fingerprint with the server's own, then import with --accept-key FINGERPRINT",
    ),
    "HostKey.Changed": _run(
        "the source shows another host key than the accepted one",
        "find out why; if it is legitimate: smc-tui source check NAME --accept-key FINGERPRINT",
    ),
    "Source.AuthRefused": _run(
        "the source refuses this user or key",
        "try `ssh HOST true` by hand; load the key into ssh-agent or name it in the ssh config",
    ),
    "Source.NoSudo": _run(
        "the user is not root and sudo asks for a password",
        "allow `sudo -n python3` for the user in sudoers, or import as root",
    ),
    "Source.NoPython": _run(
        "no Python 3.6 or later was found on the source",
        "install python3 on the source, then retry",
    ),
    "Link.Lost": _run(
        "the connection to the source broke", "check the network and the source, then retry"
    ),
    "Agent.Died": _run(
        "the reading program on the source ended unexpectedly",
        "see the run's log; check the source's memory and disks, then retry",
    ),
    "Protocol.Malformed": _run(
        "a message from the source is not what the protocol allows",
        "check that the source is healthy and not tampered with, then retry",
    ),
    # Disks
    "Disk.NotFound": _run(
        "the disk is not there",
        "see the disks found: smc-tui source show NAME; attach the disk or import anew",
    ),
    "Disk.TooSmall": Entry(
        "the disk is too small to hold anything", "name a whole disk or partition of at least 1 MiB"
    ),
    "Disk.ReadFailed": _run(
        "the source's disk could not be read",
        "check the source's kernel log and the disk's health, then retry",
    ),
    "Disk.Shrank": _run(
        "the disk is smaller than it was at import",
        "if the disk was replaced on purpose, import it as a new source",
    ),
    "Disk.Replaced": _run(
        "another disk is found in the place of the imported one",
        "if the disk was replaced on purpose, import it as a new source",
    ),
    # The destination
    "Destination.Full": _run(
        "no room is left where the images are kept", "free space or remove images, then retry"
    ),
    "Destination.IoError": _run(
        "the place where the images are kept cannot be written",
        "check the file system and the kernel log of this host, then retry",
    ),
}
