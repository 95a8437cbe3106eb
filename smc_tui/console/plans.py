"""What the wizards ask for: fields, the request from their answers, the equal command line.

Pure, and checked by the same functions as the engine's: past them a request is refused
only for what the form cannot know.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from smc_tui.console.dialogs.fields import Field
from smc_tui.model import addresses, settings
from smc_tui.model.errors import SmcError
from smc_tui.model.instants import WANTED_MEANS, Wanted
from smc_tui.model.options import Config
from smc_tui.model.things import DrillMode, Source
from smc_tui.model.units import duration_text

Answers = Mapping[str, Any]

# Importing a source

OVER_SSH = "over SSH"
LOCAL = "this host"

#: Which fields are for one kind of source alone.
_KINDS = {"address": OVER_SSH, "config": OVER_SSH, "disks": OVER_SSH, "paths": LOCAL}


def import_fields() -> list[Field]:
    """Return what is chosen about a source."""
    kinds = {OVER_SSH: "a server, as ssh knows it", LOCAL: "disks or disk images of this host"}
    return [
        Field("kind", "Kind", OVER_SSH, choices=kinds),
        Field("name", "Name", "", settings.name, "2 to 128 characters"),
        Field("address", "SSH address", "", addresses.address, "[USER@]HOST[:PORT]"),
        Field("config", "SSH config", "", _config, "a file; empty: your own", optional=True),
        Field(
            "disks", "Disks", "", server_paths, "empty: all; or /dev/sda /dev/sdb", optional=True
        ),
        Field("paths", "Disks", "", local_paths, "their paths, a space between"),
        Field("description", "Description", "", settings.description, "one line"),
        Field("tags", "Tags", "", tags, "such as wave-1 env=prod"),
    ]


def import_shown(key: str, answers: Answers) -> bool:
    """Tell whether a field is for the kind of source that is chosen."""
    return key not in _KINDS or _KINDS[key] == answers["kind"]


def _config(text: str) -> str:
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise SmcError("InvalidParameter.Missing", f"the ssh configuration {path} is no file")
    return str(path)


def local_paths(text: str) -> list[str]:
    """Return the paths of a line, absolute; quotes hold a path with a space together.

    Raises:
        SmcError: InvalidParameter.Path, InvalidParameter.Missing, DataDisk.DuplicateIndex.
    """
    paths = _paths(text, lambda word: str(Path(word).expanduser().absolute()))
    if not paths:
        raise SmcError("InvalidParameter.Missing", "a local source needs the path of a disk")
    return paths


def server_paths(text: str) -> list[str]:
    """Return the paths of a line as a server has them: absolute already.

    Raises:
        SmcError: InvalidParameter.Path, DataDisk.DuplicateIndex.
    """
    return _paths(text, str)


def _paths(text: str, whole: Callable[[str], str]) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SmcError("InvalidParameter.Path", str(error)) from None
    paths = [settings.absolute(whole(word)) for word in words]
    if len(set(paths)) < len(paths):
        raise SmcError("DataDisk.DuplicateIndex", "the same disk is named twice")
    return paths


def tags(text: str) -> list[str]:
    """Return the tags of a line.

    Raises:
        SmcError: InvalidParameter.Tag.
    """
    return list(settings.tags(text.replace(",", " ").split()))


def import_args(answers: Answers, disks: Sequence[str] = ()) -> dict[str, Any]:
    """Return the arguments of ``source.import``.

    Args:
        answers: what the fields say.
        disks: paths of the disks to take; none: those that the fields name.

    Raises:
        SmcError: what a field says is not allowed.
    """
    args: dict[str, Any] = {"ssh": None, "paths": list(disks)}
    if answers["kind"] == OVER_SSH:
        target, port = addresses.address(answers["address"])
        config = _config(answers["config"]) if answers["config"] else None
        args["ssh"] = {"target": target, "port": port, "config": config}
        args["paths"] = list(disks) or server_paths(answers["disks"])
    elif not disks:
        args["paths"] = local_paths(answers["paths"])
    for key, value in (("description", answers["description"]), ("tags", tags(answers["tags"]))):
        if value:
            args[key] = value
    return args


#: What is wrong where the name is, and what where the disks are; the rest is the address.
_NAME_FAULTS = ("SourceServerName.", "InvalidParameter.Name")
_DISK_FAULTS = ("Disk.", "DataDisk.", "SystemDisk.")


def at_fault(error: SmcError, answers: Answers) -> str:
    """Return the field that a refused import is most likely mended in."""
    if error.code.startswith(_NAME_FAULTS):
        return "name"
    if answers["kind"] == LOCAL:
        return "paths"
    return "disks" if error.code.startswith(_DISK_FAULTS) else "address"


def import_command(
    program: str, answers: Answers, disks: Sequence[str] = (), accept_key: str = ""
) -> str:
    """Return the command line that imports the same source.

    Args:
        program: how the command line is called.
        answers: what the fields say, right or wrong.
        disks: paths of the disks to take; none: those that the fields name.
        accept_key: the fingerprint that was accepted.
    """
    words = ["source", "import", answers["name"] or "NAME"]
    if answers["kind"] == OVER_SSH:
        words += ["--ssh", answers["address"] or "HOST"]
        named = disks or _named(server_paths, answers["disks"])
        words += [word for disk in named for word in ("--disk", disk)]
        words += _option("--ssh-config", answers["config"])
        words += _option("--accept-key", accept_key)
    else:
        named = disks or _named(local_paths, answers["paths"]) or ["PATH"]
        words += [word for path in named for word in ("--local", path)]
    words += _option("--description", answers["description"])
    words += [word for tag in answers["tags"].split() for word in ("--tag", tag)]
    return f"{program} {shlex.join(words)}"


def _named(paths: Callable[[str], list[str]], text: str) -> list[str]:
    """Return the paths that a field names, none while they are wrong."""
    try:
        return paths(text)
    except SmcError:
        return []


def _option(name: str, value: str) -> list[str]:
    return [name, value] if value else []


# Making a job

INCREMENTAL = "incremental"
ONCE = "once"
NOW, LATER, AT = "now", "later", "at"

#: field -> the other field's value with which it is asked.
_ONLY_WITH = {"interval": ("kind", INCREMENTAL), "keep": ("kind", INCREMENTAL), "at": ("start", AT)}

#: Settings with a default that can be configured: the engine's own is the table's.
_CONFIGURED = ("interval", "keep", "limit_mbit", "compression", "valid", "drill")

_BARE = Config()


def default_name(source: Source, taken: Iterable[str]) -> str:
    """Return the name that the engine would give a job."""
    names, stem = set(taken), source.name[:120]
    return next(
        name for number in range(1, len(names) + 2) if (name := f"{stem}-{number}") not in names
    )


def job_fields(name: str, config: Config, clock: Callable[[], float]) -> list[Field]:
    """Return what is chosen about a job.

    Args:
        name: what it would be called.
        config: the configured defaults.
        clock: the engine's time.
    """

    def start_at(text: str) -> float:
        return settings.start_at(settings.instant(text), clock())

    kinds = {INCREMENTAL: "kept in step", ONCE: "ends with its first image"}
    starts = {LATER: "by hand", NOW: "at once", AT: "at the time below"}
    drills = {
        "before": "looks for obstacles first",
        "only": "looks for obstacles, moves nothing",
        "off": "none",
    }
    every, until = duration_text(config.interval), duration_text(config.valid)
    return [
        Field("name", "Name", name, settings.name, "2 to 128 characters"),
        Field("kind", "Kind", INCREMENTAL, choices=kinds),
        Field("interval", "Interval", every, settings.interval, "1h to 7d"),
        Field("keep", "Maximum reserved images", str(config.keep), settings.keep, "1 to 10"),
        Field("drill", "Migration drill", config.drill, choices=drills),
        Field("start", "Start", LATER, choices=starts),
        Field("at", "Start time", "", start_at, "2027-01-31T02:00, 10m to 30d ahead"),
        Field("limit_mbit", "Speed limit, Mbit/s", str(config.limit_mbit), settings.limit,
              "0: none"),
        Field("compression", "Compression", config.compression, settings.compression,
              "auto, or 0 to 10"),
        Field("instant", "One instant", Wanted.AUTO, choices=WANTED_MEANS),
        Field("valid", "Valid time", until, settings.valid, "7d to 90d"),
        Field("image_name", "Image name", "", settings.name, "empty: the job's", optional=True),
        Field("description", "Description", "", settings.description, "one line"),
        Field("tags", "Tags", "", tags, "such as wave-1 env=prod"),
    ]  # fmt: skip


def job_shown(key: str, answers: Answers) -> bool:
    """Tell whether a field is asked with what the others say."""
    other, value = _ONLY_WITH.get(key, ("", ""))
    return not other or answers[other] == value


def job_args(answers: Answers, config: Config) -> dict[str, Any]:
    """Return the arguments of ``job.create``.

    What the engine would choose by itself, and the configuration too, is left out.

    Raises:
        SmcError: what a field says is not allowed.
    """
    args: dict[str, Any] = {"name": settings.name(answers["name"])}
    if answers["kind"] == ONCE:
        args["once"] = True
    for key in _CONFIGURED:
        if job_shown(key, answers) and not _is_default(key, answers[key], config):
            args[key] = answers[key]
    if answers["instant"] != Wanted.AUTO:
        args["instant"] = answers["instant"]
    start = answers["start"]
    args["start"] = settings.instant(answers["at"]) if start == AT else start
    for key in ("image_name", "description"):
        if answers[key]:
            args[key] = answers[key]
    if answers["tags"]:
        args["tags"] = tags(answers["tags"])
    return args


def _is_default(key: str, value: str, config: Config) -> bool:
    try:
        chosen = settings.CHECKS[key](value)
    except SmcError:
        return False
    bare = settings.CHECKS[key](getattr(_BARE, key))
    configured = settings.CHECKS[key](getattr(config, key))
    return bool(chosen == bare == configured)


def job_command(program: str, source: Source, answers: Answers, config: Config) -> str:
    """Return the command line that makes the same job, as far as the fields are right."""
    words = ["job", "create", source.name]
    words += _option("--name", answers["name"])
    if answers["kind"] == ONCE:
        words.append("--once")
    for key in _CONFIGURED:
        if job_shown(key, answers) and not _is_default(key, answers[key], config):
            words += _option(f"--{key.removesuffix('_mbit')}", answers[key])
    if answers["instant"] != Wanted.AUTO:
        words += _option("--instant", answers["instant"])
    start = answers["start"]
    words += ["--start", (answers["at"] or "TIME") if start == AT else start]
    words += _option("--image-name", answers["image_name"])
    words += _option("--description", answers["description"])
    words += [word for tag in answers["tags"].split() for word in ("--tag", tag)]
    return f"{program} {shlex.join(words)}"


def drills(answers: Answers) -> bool:
    """Tell whether making the job begins with a migration drill."""
    return bool(answers["start"] == NOW and answers["drill"] != DrillMode.OFF)
