"""The records of writes that runs leave in this kernel, for the next run of their job."""

from __future__ import annotations

from pathlib import Path

INSTANCES = Path("/sys/kernel/tracing/instances")
#: The sources that tests have made and not tidied up after.
SOURCES: set[str] = set()


def records(source: str) -> list[Path]:
    """Return the records there are of one source."""
    return list(INSTANCES.glob(f"smc-{source}-*"))


def forget(source: str) -> None:
    """Remove a source's records; one that is still read is an error."""
    for record in records(source):
        record.rmdir()
    SOURCES.discard(source)
