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


def _not_allowed(cause: str, next_step: str) -> Entry:
    return Entry(cause, next_step, exit_code=ExitCode.NOT_ALLOWED)


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
        "add `USER ALL=(root) NOPASSWD: /usr/bin/python3` to sudoers with visudo there, or "
        "import as root",
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
    # The cutover
    "Cutover.NoSystemd": _run(
        "the source has no systemd that could stop its services",
        "stop the services there by hand, then: smc-tui job complete NAME --last-sync",
    ),
    "Cutover.NoUnits": _run(
        "a service that is to be stopped is not there, or must not be stopped",
        "see what would stop: smc-tui job complete NAME --last-sync --stop-services ... --dry-run",
    ),
    "Cutover.StopFailed": _run(
        "a service could not be stopped; all were started again",
        "see `systemctl status` of it on the source, then cut over again",
    ),
    "Cutover.Aborted": _run(
        "the cutover was aborted; what it had stopped was started again",
        "cut over again when it suits: smc-tui job complete NAME --last-sync",
    ),
    "Cutover.OverBudget": _run(
        "the downtime allowed was used up; what was stopped was started again",
        "choose a quieter time or a larger --budget; see smc-tui job show NAME",
    ),
    "Cutover.LeftStopped": _run(
        "services that the cutover had stopped could not be started again",
        "start them on the source by hand; smc-tui job show NAME lists them",
    ),
    "Cutover.NotUnderWay": _not_allowed(
        "no cutover is under way that could be aborted",
        "see what the job is doing: smc-tui job show NAME",
    ),
    "Cutover.ServicesUnknown": _run(
        "the source does not say which services it has",
        "try `systemctl list-units` there, then do it again",
    ),
    # The destination
    "Destination.Full": _run(
        "no room is left where the images are kept", "free space or remove images, then retry"
    ),
    "Destination.IoError": _run(
        "the place where the images are kept cannot be written",
        "check the file system and the kernel log of this host, then retry",
    ),
    # What a person chose
    "InvalidParameter.Units": _usage(
        "these are no services that can be stopped",
        "name units or patterns such as 'nginx.service,ledger*'; see systemctl list-units there",
    ),
    "InvalidParameter.Budget": _usage(
        "this is no downtime that can be allowed", "write a duration of 10s to 7d, such as 10m"
    ),
    "InvalidParameter.Name": _usage(
        "the name is not allowed",
        "use 2 to 128 characters: a letter, then letters, digits, '_', ':' or '-'",
    ),
    "InvalidParameter.Description": _usage(
        "the description is not allowed", "write one printable line"
    ),
    "InvalidParameter.Interval": _usage(
        "the synchronisation interval is out of its limits", "choose 1h to 7d"
    ),
    "InvalidParameter.Keep": _usage(
        "the maximum of reserved images is out of its limits", "choose 1 to 10"
    ),
    "InvalidParameter.ValidTime": _usage("the valid time is out of its limits", "choose 7d to 90d"),
    "InvalidParameter.StartTime": _usage(
        "the start time is out of its limits", "choose now, later, or 10 minutes to 30 days ahead"
    ),
    "InvalidParameter.Limit": _usage(
        "the speed limit is no whole number of Mbit/s", "choose 0 for none, or the Mbit/s wanted"
    ),
    "InvalidParameter.Compression": _usage(
        "the compression level is unknown", "choose auto, or 0 (none) to 10"
    ),
    "InvalidParameter.Drill": _usage(
        "the kind of migration drill is unknown", "choose before, only or off"
    ),
    "InvalidParameter.Instant": _usage(
        "it is not said so how images come to be of one instant", "choose auto, freeze or none"
    ),
    "InvalidParameter.Hook": _usage(
        "this is no command for before the freeze or after it",
        "write one program with its arguments; for more put them into a script on the source",
    ),
    "InvalidParameter.HookTimeout": _usage(
        "the time for a command around the freeze is out of its limits", "choose 1 to 60 seconds"
    ),
    "InvalidParameter.Tag": _usage(
        "the tag is not allowed",
        "use up to 20 tags of 1 to 128 characters: letters, digits and _ . : / = + @ -",
    ),
    "InvalidParameter.Target": _usage("the destination type is unknown", "choose image"),
    "InvalidParameter.Path": _usage("the path is not absolute", "write it from / on"),
    "InvalidParameter.Missing": _usage("something needed was not given", "give what is named"),
    "InvalidParameter.Unknown": _usage(
        "something was asked that this version does not know", "see smc-tui --help"
    ),
    "InvalidParameter.Combination": _usage(
        "two of the choices exclude each other", "drop one of them"
    ),
    "InvalidParameter.CommandLine": _usage(
        "the command line cannot be understood", "see its grammar: smc-tui NOUN VERB --help"
    ),
    "InvalidParameter.Confirmation": _usage(
        "what cannot be undone was not confirmed by the name of what it is done to",
        "type the name exactly, or give it as --yes NAME",
    ),
    "DataDisk.DuplicateIndex": _usage("a disk is named twice", "name each disk once"),
    "SourceServerName.Duplicate": _usage(
        "another source has this name", "choose another name, or remove that source"
    ),
    "ReplicationJobName.Duplicate": _usage("another job has this name", "choose another name"),
    # What may be done when
    "SourceServer.NotFound": Entry(
        "there is no such source",
        "see smc-tui source list",
        exit_code=ExitCode.NO_SUCH_OBJECT,
    ),
    "ReplicationJob.NotFound": Entry(
        "there is no such job", "see smc-tui job list", exit_code=ExitCode.NO_SUCH_OBJECT
    ),
    "Image.NotFound": Entry(
        "there is no such image", "see smc-tui image list", exit_code=ExitCode.NO_SUCH_OBJECT
    ),
    "Resource.NotFound": Entry(
        "there is no such intermediate resource",
        "see smc-tui resource list",
        exit_code=ExitCode.NO_SUCH_OBJECT,
    ),
    "Resource.Ambiguous": _usage(
        "several jobs hold a resource of this name",
        "name the job or the resource's id: smc-tui resource list",
    ),
    "Resource.Orphaned": _not_allowed(
        "the resource belongs to no unfinished job",
        "the engine removes it when it starts: smc-tui engine stop, smc-tui engine start",
    ),
    "Request.NotFound": Entry(
        "there is no such request", "submit it again", exit_code=ExitCode.NO_SUCH_OBJECT
    ),
    "SourceServerState.Invalid": _not_allowed(
        "the source's state does not allow it",
        "see smc-tui source show NAME: check it, or finish or cancel its job first",
    ),
    "SourceServer.WithRunningReplicationJob": _not_allowed(
        "a running job uses the source", "cancel the job or wait for its end"
    ),
    "ReplicationJob.Related": _not_allowed(
        "an unfinished job uses the source", "complete or cancel the job first"
    ),
    "ReplicationJob.InvalidStatus": _not_allowed(
        "the job's status does not allow it", "see smc-tui job show NAME"
    ),
    "ReplicationJob.InvalidBusinessStatus": _not_allowed(
        "the running job's phase does not allow it", "see smc-tui job show NAME, then try again"
    ),
    "ReplicationJob.NotDrilled": _not_allowed(
        "the job has no migration drill's report", "make one: smc-tui job drill NAME"
    ),
    "ReplicationJob.OnceOnly": _not_allowed("the job runs only once", "create an incremental job"),
    "Image.InUse": _not_allowed(
        "the image is used", "unpin it, or wait until its verification or export has ended"
    ),
    "Image.Newest": _not_allowed(
        "the newest good image of an unfinished job is never deleted",
        "complete or cancel the job first",
    ),
    "Image.Unusable": _not_allowed(
        "the image is being deleted", "choose another image: smc-tui image list"
    ),
    "Action.Unavailable": _not_allowed("this installation cannot do it", "install what is named"),
    "Console.ReadOnly": _not_allowed(
        "this console only looks", "open one without --read-only, or use the command line"
    ),
    # A run as the engine sees it
    "ReplicationJob.Paused": _run(
        "the job was paused before the run had ended", "go on: smc-tui job start NAME"
    ),
    "ReplicationJob.Expired": Entry(
        "the job's valid time passed before the run had ended",
        "create a new job",
        safe="all images",
    ),
    "ReplicationJob.Released": Entry(
        "the intermediate resource was released before the run had ended",
        "start it again: smc-tui job start NAME",
        safe="all images",
        resumes="starts again: the next run compares everything anew",
    ),
    "ReplicationJob.Cancelled": Entry(
        "the job was cancelled before the run had ended",
        "create a new job if it is still wanted",
        safe="all images",
    ),
    "ReplicationJob.NotReached": Entry(
        "the job came to rest in another status than the one waited for",
        "see smc-tui job show NAME",
        safe=_KEPT,
    ),
    "ReplicationJob.DrillException": Entry(
        "the migration drill found what makes the migration impossible",
        "see smc-tui job drill NAME --last; mend it, then: smc-tui job drill NAME",
        safe="everything: a drill only reads",
        resumes="a drill that passes goes on where the start was held up",
    ),
    "Drill.Failed": Entry(
        "the migration drill met something it does not know",
        "see the drill's log in the home folder, then: smc-tui job retry NAME",
        safe="everything: a drill only reads",
        resumes="with another drill",
    ),
    "Drill.Died": Entry(
        "the migration drill's process ended without a word",
        "see the drill's log and this host's memory, then: smc-tui job retry NAME",
        safe="everything: a drill only reads",
        resumes="with another drill",
    ),
    "Sync.Failed": _run(
        "the synchronisation met something it does not know", "see the run's log, then retry"
    ),
    "Sync.Died": _run(
        "the synchronisation's process ended without a word",
        "see the run's log and this host's memory, then retry",
    ),
    "Images.Failed": Entry(
        "the work on the images met something it does not know",
        "see the engine's log, then do it again",
        safe="all images",
    ),
    "Images.Died": Entry(
        "the process working on the images ended without a word",
        "see the engine's log and this host's memory, then do it again",
        safe="all images",
    ),
    # The image store
    "Image.BlockDamaged": Entry(
        "a block of the image is damaged or missing in the store",
        "synchronise a source that still has it: smc-tui job sync NAME",
        safe="every other block; nothing wrong was handed out",
        exit_code=ExitCode.STORE_DAMAGED,
    ),
    "Image.ManifestDamaged": Entry(
        "the description of the image is damaged",
        "restore the file from a backup, or make a new image: smc-tui job sync NAME",
        safe="all other images, and the blocks of this one",
        exit_code=ExitCode.STORE_DAMAGED,
    ),
    "Image.Incomplete": _run(
        "the image refers to data that the store does not hold", "check it: smc-tui store check"
    ),
    "Image.Exists": Entry("the image is published already", "nothing is left to do"),
    "Export.TargetExists": Entry(
        "the file to export to exists already", "name another file, or remove that one first"
    ),
    "Store.NotFound": Entry(
        "there is no image store here", "check the home folder: smc-tui --home DIR"
    ),
    "Store.Busy": Entry(
        "another process holds the image store", "wait until it has ended, then do it again"
    ),
    "Store.Unreadable": Entry(
        "the image store cannot be read",
        "check the file system, its permissions and the kernel log of this host",
        safe="what the store holds was not touched",
    ),
    "Store.IndexDamaged": Entry(
        "the index of the image store is damaged",
        "make it anew from the packs: smc-tui store check",
        safe="all images: the index is no part of them",
        exit_code=ExitCode.STORE_DAMAGED,
    ),
    "Store.Damaged": Entry(
        "the image store is damaged",
        "read what is named; blocks heal at the next sync of a source that has them",
        safe="everything that is not named",
        exit_code=ExitCode.STORE_DAMAGED,
    ),
    "Store.Newer": Entry(
        "the image store was written by a newer version", "use that version or a newer one"
    ),
    # The engine, the home folder, the job store
    "Config.Invalid": _usage(
        "the configuration has something wrong in it",
        "mend what is named, then: smc-tui config validate",
    ),
    "Config.Unreadable": _usage(
        "the configuration file cannot be read",
        "check its path and permissions, or name another one: --config FILE",
    ),
    "Engine.NotReachable": Entry(
        "no engine is running for this home folder",
        "start it: smc-tui engine start",
        exit_code=ExitCode.NO_ENGINE,
    ),
    "Engine.NotStarted": Entry(
        "the engine could not be started",
        "see engine.log in the home folder, then: smc-tui engine start",
        safe=_KEPT,
        exit_code=ExitCode.NO_ENGINE,
    ),
    "Engine.AlreadyRunning": Entry(
        "another engine serves this home folder",
        "use it, or stop it first: smc-tui engine stop",
    ),
    "Engine.Stopped": Entry(
        "the engine ended while it worked on this",
        "do it again",
        safe="everything; what was half done is undone or finished at the engine's start",
    ),
    "Engine.Internal": Entry(
        "the engine met something it does not know",
        "see engine.log in the home folder, then do it again",
        safe=_KEPT,
    ),
    "Command.Interrupted": Entry(
        "the command was interrupted from the keyboard",
        "look again: smc-tui job list",
        safe="everything; what the engine has accepted goes on",
    ),
    "Command.OutputFailed": Entry(
        "the output of the command cannot be written",
        "see where standard output goes: the disk behind it may be full",
        safe="everything; what the engine has accepted goes on",
    ),
    "Command.Internal": Entry(
        "the command met something it does not know",
        "do it again with SMC_TUI_TRACEBACK=1 and report what it prints",
        safe="everything; the engine is not touched by it",
    ),
    "Demo.NotEqual": Entry(
        "the image is not equal to the sample disk",
        "keep the home folder (--keep) and report it",
        safe="the image and the sample disk, if they are kept",
    ),
    "Request.TimedOut": Entry(
        "it took longer than the time given",
        "look again in a while, or give it longer with --timeout",
        safe="it goes on",
        exit_code=ExitCode.TIMED_OUT,
    ),
    "Home.Unusable": Entry(
        "the home folder cannot be used", "check its path, its owner and its permissions"
    ),
    "Home.Newer": Entry(
        "the home folder was written by a newer version", "use that version or a newer one"
    ),
    "Home.Older": Entry(
        "the home folder is of an older version",
        "start its engine once, which brings it up to date: smc-tui engine start",
    ),
    "JobStore.Full": Entry(
        "no room is left for the job store",
        "free space where the home folder is; the engine then goes on by itself",
        safe=_KEPT,
    ),
    "JobStore.Busy": Entry("the job store is locked by another process", "try again in a moment"),
    "JobStore.IoError": Entry(
        "the job store cannot be read or written",
        "check the file system and the kernel log of this host",
        safe=_KEPT,
    ),
    "JobStore.Damaged": Entry(
        "the job store is damaged",
        "stop the engine, keep a copy of the home folder, restore jobs.db from a backup",
        safe="the images: they do not depend on the job store",
        exit_code=ExitCode.STORE_DAMAGED,
    ),
}
