"""``smc-tui doctor``: what this machine has, and what would be missing for what.

A table of small checks. Each looks at one thing and lets ``health`` judge it; one that
fails in a way nobody thought of is a note, and the others go on. Nothing is started or
changed; the one file that is written is the probe, which is removed again.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import resource
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click

from smc_tui import __version__, config
from smc_tui.cli import health, machine
from smc_tui.cli.grammar import Verb
from smc_tui.cli.health import Finding, Level
from smc_tui.cli.output import Part
from smc_tui.cli.session import Session
from smc_tui.cli.tables import Table
from smc_tui.jobstore import Home
from smc_tui.jobstore.glance import Glance, glance
from smc_tui.jobstore.presence import present
from smc_tui.jobstore.schema import VERSION
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.documents import Document
from smc_tui.model.errors import SmcError
from smc_tui.model.options import Config
from smc_tui.model.units import KIB

#: The clock cannot be before this: 2026-01-01.
BUILT = 1_767_225_600.0

_PACKAGES = ("blake3", "zstandard", "sqlite-utils", "rich", "click", "platformdirs")
#: Those whose compiled part may not fit this machine: really imported.
_COMPILED = ("blake3", "zstandard")
_QEMU = ("qemu-img", f"qemu-system-{platform.machine()}")


@dataclass
class Patient:
    """What several checks look at."""

    session: Session

    @cached_property
    def reading(self) -> config.Reading | SmcError:
        """The configuration, or why it cannot be read."""
        try:
            return config.read(self.session.flags, self.session.config_given)
        except SmcError as error:
            return error

    @cached_property
    def home(self) -> Home:
        """The home folder; the default one where the configuration is unreadable."""
        found = self.reading.usable() if isinstance(self.reading, config.Reading) else Config()
        return self.session.home_of(found)

    @cached_property
    def place(self) -> Path:
        """The home, or the nearest folder above it that is there."""
        return next(
            path for path in (self.home.path, *self.home.path.parents) if machine.is_folder(path)
        )

    @cached_property
    def glance(self) -> Glance | None:
        """What the job store tells without being changed; None: there is none."""
        return glance(self.home)


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table."""

    id: str
    title: str
    look: Callable[[Patient], Finding]


def _python(_: Patient) -> Finding:
    return health.python(sys.version_info[:3], sqlite3.sqlite_version)


def _packages(_: Patient) -> Finding:
    found: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
            if name in _COMPILED:
                importlib.import_module(name)
        except ImportError:  # that a package is not found is one, too
            found[name] = None
    return health.packages(found)


def _ssh(_: Patient) -> Finding:
    return health.ssh(machine.said(["ssh", "-V"]))


def _agent(_: Patient) -> Finding:
    path = os.environ.get("SSH_AUTH_SOCK", "")
    answers = False
    with suppress(OSError), socket.socket(socket.AF_UNIX) as way:
        way.settimeout(machine.PATIENCE)
        if path:
            way.connect(path)
            answers = True
    return health.agent(path, answers)


def _qemu(_: Patient) -> Finding:
    versions = {}
    for name in _QEMU:
        told = machine.said([name, "--version"])
        versions[name] = told if told is None else told.partition("\n")[0].partition("(")[0].strip()
    kvm = Path("/dev/kvm")
    return health.machine_programs(
        versions, os.access(kvm, os.R_OK | os.W_OK) if kvm.exists() else None
    )


def _configuration(patient: Patient) -> Finding:
    reading = patient.reading
    if isinstance(reading, SmcError):
        return health.problem(reading.detail, reading.next_step)
    findings = [
        health.configuration(
            str(reading.path), reading.exists, reading.faults, config.strays(os.environ)
        )
    ]
    if reading.exists:
        about = reading.path.stat()
        findings.append(
            health.file_rights(str(reading.path), about.st_mode, about.st_uid, os.geteuid())
        )
    return health.joined(findings)


def _home(patient: Patient) -> Finding:
    path = patient.home.path
    if path != patient.place and os.path.lexists(path):
        return health.problem(f"{path} is no folder", "choose another: --home DIR")
    about = patient.place.stat()
    usable = os.access(patient.place, os.R_OK | os.W_OK | os.X_OK)
    mode = about.st_mode if path == patient.place else None
    return health.folder(str(path), mode, about.st_uid, os.geteuid(), usable)


def _room(patient: Patient) -> Finding:
    about = os.statvfs(_images(patient))
    inodes = about.f_favail if about.f_files else None
    return health.room(about.f_bavail * about.f_frsize, about.f_blocks * about.f_frsize, inodes)


def _images(patient: Patient) -> Path:
    """Return where the images are or will be: perhaps another disk, mounted there."""
    images = patient.home.images
    return images if machine.is_folder(images) else patient.place


def _file_system(patient: Patient) -> Finding:
    mounts = Path("/proc/self/mountinfo").read_text(errors="replace")
    found = (machine.mount_of(path.resolve(), mounts) for path in (patient.place, _images(patient)))
    return health.joined(health.file_system(*mount) for mount in dict.fromkeys(found))


def _features(patient: Patient) -> Finding:
    return health.features(machine.probe(patient.place))


def _job_store(patient: Patient) -> Finding:
    if patient.home.jobs_db.exists() and patient.glance is None:
        return health.problem(
            f"{patient.home.jobs_db} cannot be read", "see its permissions; else restore it"
        )
    return health.job_store(patient.glance.version if patient.glance else None, VERSION)


def _image_store(patient: Patient) -> Finding:
    path = patient.home.images / "FORMAT"
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return health.image_store(file.readline(100))
    except FileNotFoundError:
        return health.image_store(None)


def _engine(patient: Patient) -> Finding:
    row = patient.glance.engine if patient.glance else None
    running = present(patient.home)
    clean = row is None or row["stopped"] is not None
    status = "running" if running else "stopped" if clean else "died"
    version = str(row["version"]) if row else None
    return health.engine(status, version, __version__, row["time_lapse"] if row else None)


def _clock(patient: Patient) -> Finding:
    row = patient.glance.engine if patient.glance else None
    # A clock that was made to run faster tells nothing of this one.
    seen = row["clock_now"] - row["clock_offset"] if row and row["time_lapse"] == 1.0 else None
    return health.clock(time.time(), BUILT, seen, machine.synchronised())


def _session(_: Patient) -> Finding:
    kills = False
    with suppress(OSError):
        lines = Path("/etc/systemd/logind.conf").read_text(errors="replace").splitlines()
        chosen = [line.partition("=")[2] for line in lines if line.startswith("KillUserProcesses=")]
        kills = bool(chosen) and chosen[-1].strip().lower() in ("yes", "true", "1", "on")
    user = os.environ.get("USER", "")
    lingers = os.geteuid() == 0 or (bool(user) and Path("/var/lib/systemd/linger", user).exists())
    return health.session_end(kills, lingers)


def _open_files(_: Patient) -> Finding:
    return health.open_files(*resource.getrlimit(resource.RLIMIT_NOFILE))


def _memory(_: Patient) -> Finding:
    available = None
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                available = int(line.split()[1]) * KIB
    return health.memory(available, len(os.sched_getaffinity(0)))


def _terminal(_: Patient) -> Finding:
    columns, lines = shutil.get_terminal_size()
    term = os.environ.get("TERM", "")
    colour = ""
    if not os.environ.get("NO_COLOR") and term not in ("", "dumb"):
        rich = os.environ.get("COLORTERM") in ("truecolor", "24bit")
        colour = "true colour" if rich else "256 colours" if "256" in term else "colours"
    facts = {
        "tty": sys.stdout.isatty() or sys.stderr.isatty(),
        "encoding": str(getattr(sys.stdout, "encoding", None) or "ascii"),
        "term": term,
        "columns": columns,
        "lines": lines,
        "colour": colour,
    }
    return health.terminal(facts)


CHECKS = (
    Check("python", "Python", _python),
    Check("packages", "Packages", _packages),
    Check("ssh", "SSH client", _ssh),
    Check("agent", "SSH agent", _agent),
    Check("config", "Configuration", _configuration),
    Check("home", "Home folder", _home),
    Check("room", "Room for images", _room),
    Check("file_system", "File system", _file_system),
    Check("features", "Its abilities", _features),
    Check("job_store", "Job store", _job_store),
    Check("image_store", "Image store", _image_store),
    Check("engine", "Engine", _engine),
    Check("clock", "Clock", _clock),
    Check("logout", "Logout", _session),
    Check("open_files", "Open files", _open_files),
    Check("memory", "Memory", _memory),
    Check("terminal", "Terminal", _terminal),
    Check("qemu", "Virtual machines", _qemu),
)


@click.command("doctor", cls=Verb, short_help="Check this machine: what is missing, for what.")
@click.pass_obj
def doctor(session: Session) -> int:
    """Check what this machine has, and say what would be missing for what.

    Nothing is started or changed. Exit status 1 when there is a problem.
    """
    patient = Patient(session)
    document = report([(each, examined(each, patient)) for each in CHECKS], patient)
    session.out.present(document, page(document))
    return ExitCode.FAILED if document["result"] == Level.PROBLEM else ExitCode.OK


def examined(check: Check, patient: Patient) -> Finding:
    """Return what a check found; that it could not look is something to know, too."""
    try:
        return check.look(patient)
    except Exception as error:
        return health.note(f"could not be looked at: {type(error).__name__}: {error}")


def report(found: list[tuple[Check, Finding]], patient: Patient) -> Document:
    """Return what was found as a document."""
    return {
        "result": str(health.worst(finding for _, finding in found)),
        "home": str(patient.home.path),
        "checks": [
            {
                "id": check.id,
                "title": check.title,
                "level": str(finding.level),
                "found": finding.found,
                "advice": finding.advice,
            }
            for check, finding in found
        ],
    }


def page(document: Document) -> Iterator[Part]:
    """Yield a report for people: everything that was found, then what to do."""
    checks = document["checks"]
    shown = {Level.OK: "ok", Level.NOTE: "Note", Level.PROBLEM: "Problem"}
    yield Table(
        ("CHECK", "LEVEL", "FOUND"),
        [(each["title"], shown[Level(each["level"])], each["found"]) for each in checks],
    )
    advised = [each for each in checks if each["advice"]]
    if advised:
        yield ""
        yield Table(
            ("CHECK", "WHAT TO DO OR TO KNOW"),
            [(each["title"], each["advice"]) for each in advised],
        )
    yield ""
    yield {
        Level.OK: "Everything is there.",
        Level.NOTE: "There is no problem.",
        Level.PROBLEM: "There is a problem: see above what to do.",
    }[Level(document["result"])]
