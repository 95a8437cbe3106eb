"""What a run is told: a plain description, the first line of its standard input."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smc_tui.source.link import SshTarget


@dataclass(frozen=True)
class SourceDisk:
    """A disk as it was imported; a run refuses to read another one in its place."""

    index: int
    path: str
    size: int
    identity: dict[str, Any]
    role: str


@dataclass(frozen=True)
class RetryPolicy:
    """How a lost link is tried to be got back.

    Attributes:
        attempts: so many in a row that bring no progress; 0: none at all.
        first: seconds before the first of them; each further one waits twice as long.
        longest: seconds that none waits longer than.
    """

    attempts: int
    first: float
    longest: float

    @classmethod
    def of(cls, document: dict[str, Any] | None) -> RetryPolicy:
        """Return the policy that the engine's document holds, the usual one without it."""
        if document is None:
            # Here: the engine says it, and a worker that has it does not wait for the table.
            from smc_tui.model.options import Config

            usual = Config()
            return cls(usual.retry_attempts, usual.retry_first_pause, usual.retry_longest_pause)
        words = ("first", "longest")
        return cls(int(document["attempts"]), *(float(document[word]) for word in words))

    def pause(self, attempt: int) -> float:
        """Return the seconds to wait before an attempt, counted from 1."""
        return min(self.longest, self.first * 2.0 ** (attempt - 1))


@dataclass(frozen=True)
class RunDescription:
    """Everything one synchronisation needs to know.

    Attributes:
        kind: Full, Schedule, Manual or Last.
        limit_mbit: speed limit on the wire in Mbit/s, 0 for none.
        compression: ``auto`` or a level from 0 (none) to 10.
        link_bps: bytes a second that the link was last seen to carry, or None.
        created: RFC 3339 instant that the image will bear.
        instant: how one instant is reached: ``auto``, ``freeze``, or ``none`` not at all.
        full_comparison: compare everything, whatever is known of what was written.
        continues: the job goes on after this run, so a record of writes is worth keeping.
        hooks: ``before``, ``after`` (command lines for the source, or None), ``timeout``
            in seconds.
    """

    home: Path
    job: str
    run: str
    image: str
    image_name: str
    kind: str
    source_id: str
    source_name: str
    ssh: SshTarget | None
    disks: tuple[SourceDisk, ...]
    limit_mbit: float
    compression: str | int
    link_bps: float | None
    created: str
    retry: RetryPolicy
    instant: str = "auto"
    full_comparison: bool = False
    continues: bool = True
    hooks: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, document: dict[str, Any]) -> RunDescription:
        """Return the description that the engine's document holds.

        Raises:
            KeyError, TypeError: the document is not one of the engine's.
            SmcError: Source.BadAddress.
        """
        home = Path(document["home"])
        source = document["source"]
        ssh = source["ssh"] and SshTarget.of(source["ssh"], home / "known_hosts")
        names = ("index", "path", "size", "identity", "role")
        disks = (SourceDisk(**{name: disk[name] for name in names}) for disk in source["disks"])
        return cls(
            home=home,
            job=document["job"],
            run=document["run"],
            image=document["image"],
            image_name=document["image_name"],
            kind=document["kind"],
            source_id=source["id"],
            source_name=source["name"],
            ssh=ssh,
            disks=tuple(disks),
            limit_mbit=float(document["limit_mbit"]),
            compression=document["compression"],
            link_bps=document["link_bps"],
            created=document["created"],
            retry=RetryPolicy.of(document.get("retry")),
            instant=document.get("instant", "auto"),
            full_comparison=bool(document.get("full_comparison", document["kind"] == "Last")),
            continues=document["kind"] != "Last" and bool(document.get("continues", True)),
            hooks=_hooks(document.get("hooks")),
        )

    @property
    def staging(self) -> Path:
        """The job's intermediate resource: change maps and the lock of the run."""
        return self.home / "staging" / self.job


def _hooks(document: dict[str, Any] | None) -> dict[str, Any]:
    if not document:
        return {}
    return {
        "before": document.get("before_freeze"),
        "after": document.get("after_thaw"),
        "timeout": float(document.get("timeout", 10.0)),
    }
