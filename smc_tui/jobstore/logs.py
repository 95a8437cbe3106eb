"""The end of a log in the home folder, whatever its size and whatever is in it."""

from __future__ import annotations

import os
from pathlib import Path

from smc_tui.jobstore.home import Home
from smc_tui.model.things import Run
from smc_tui.model.units import printable

#: Lines of a log that are shown, the most bytes that are read for them, and the most
#: characters that are shown of one.
LINES = 20
READ = 64 * 1024
WIDTH = 500


def last_lines(path: Path, most: int = LINES) -> list[str]:
    """Return the last lines of a file, printable; none if it is not there.

    Args:
        path: the file.
        most: how many lines.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - READ))
            text = file.read(READ).decode("utf-8", "replace")
    except OSError:
        return []
    lines = text.splitlines()
    if size > READ:
        lines = lines[1:]  # its beginning was not read
    return [printable(line[:WIDTH]) for line in lines if line.strip()][-most:]


def log_of(home: Home, job_id: str, run: Run | None) -> Path | None:
    """Return the log of a run, or a job's newest one where no run is meant (a drill's)."""
    if run is not None:
        return home.run_log(job_id, run.id)
    try:
        logs = [path for path in home.job_logs(job_id).glob("*.log") if path.is_file()]
        return max(logs, key=lambda path: path.stat().st_mtime, default=None)
    except OSError:
        return None
